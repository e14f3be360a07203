package auth

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pushd/pushd/internal/dialect"
)

const (
	// MaxPatterns is the most patterns that a token may have, of each kind.
	MaxPatterns = 128

	maxShared = 1024 // claims that are kept to be shared; of at most MaxToken bytes each
)

// rightsTable makes claims that are the same cost one list: a million tokens of
// an issuer mostly differ in sub and exp alone.
type rightsTable struct {
	mu     sync.Mutex
	shared map[string]*Rights // by the claim as it was written
}

var noRights = new(Rights)

// read returns the rights of a claim as it was written.
func (t *rightsTable) read(claim []byte) (*Rights, error) {
	t.mu.Lock()
	rights := t.shared[string(claim)]
	t.mu.Unlock()
	if rights != nil {
		return rights, nil
	}
	rights, err := parseRights(claim)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.shared[string(claim)]; first != nil {
		return first, nil
	}
	if t.shared == nil || len(t.shared) >= maxShared {
		// Begun anew, so that what is in use comes back soon and what is not
		// is forgotten. Where each token has patterns of its own nothing is
		// shared anyway.
		t.shared = make(map[string]*Rights)
	}
	t.shared[string(claim)] = rights
	return rights, nil
}

// parseRights takes nothing that it does not know: a member that is ignored
// could be one that was to take a right away.
func parseRights(claim []byte) (*Rights, error) {
	rights := new(Rights)
	err := members(claim, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "subscribe":
			rights.Subscribe, err = parsePatterns(value)
		case "publish":
			rights.Publish, err = parsePatterns(value)
		default:
			return fmt.Errorf("%s: expected subscribe and publish alone", excerpt(name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return rights, err
}

func parsePatterns(value []byte) (dialect.PatternList, error) {
	var written []*string // null within the array is no pattern
	if value[0] != '[' || json.Unmarshal(value, &written) != nil {
		return nil, fmt.Errorf("expected an array of patterns")
	}
	if len(written) > MaxPatterns {
		return nil, fmt.Errorf("%d patterns, expected at most %d", len(written), MaxPatterns)
	}
	patterns := make(dialect.PatternList, len(written))
	for i, p := range written {
		if p == nil {
			return nil, fmt.Errorf("expected an array of patterns")
		}
		var err error
		if patterns[i], err = dialect.ParsePattern(*p); err != nil {
			return nil, fmt.Errorf("%s", reword(err))
		}
	}
	return patterns, nil
}
