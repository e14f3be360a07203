package auth

import "slices"

// maxTried is the most keys that one token is held against.
const maxTried = 16

// keySet is never changed: another takes its place.
type keySet []Key

// candidates returns the keys that may have signed a token whose header says
// alg and kid, "" for none. A key without an id may be any. The error is an
// *Error.
func candidates(alg, kid string, sets ...keySet) ([]Key, error) {
	var found []Key
	other := "" // the algorithm of a key that has the id
	for _, set := range sets {
		for _, k := range set {
			switch {
			case kid != "" && k.ID != "" && k.ID != kid:
			case k.Alg == alg:
				found = append(found, k)
			case kid != "" && k.ID == kid:
				other = k.Alg
			}
		}
	}
	switch {
	case len(found) > maxTried:
		return nil, refuse(ReasonUnknownKey, "%d keys of %s may have signed the token, expected at most %d: a key id (kid) in its header would tell", len(found), alg, maxTried)
	case len(found) > 0:
		return found, nil
	case other != "":
		return nil, refuse(ReasonAlgorithm, "the token says %s, but its key %s is one for %s", alg, excerpt(kid), other)
	case kid != "":
		return nil, refuse(ReasonUnknownKey, "no %s key %s is known here", alg, excerpt(kid))
	}
	return nil, refuse(ReasonUnknownKey, "no %s key is known here", alg)
}

// add appends a key that is not there already.
func (s keySet) add(k Key) keySet {
	for _, have := range s {
		if have.same(k) {
			return s
		}
	}
	return append(s, k)
}

func (s keySet) equal(other keySet) bool {
	return slices.EqualFunc(s, other, Key.same)
}
