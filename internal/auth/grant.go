package auth

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// Grant is what a token says. It is not changed once it is there.
type Grant struct {
	Subject string    // sub: the user, or ""
	ID      string    // jti, or ""
	Expires time.Time // exp; zero: never
	rights  *rights
}

// MaySubscribe reports whether the token opens a topic to its bearer.
func (g *Grant) MaySubscribe(topic string) bool {
	return g.rights != nil && g.rights.subscribe.Match(topic) >= 0
}

// MayPublish reports whether the token lets its bearer publish to a topic.
func (g *Grant) MayPublish(topic string) bool {
	return g.rights != nil && g.rights.publish.Match(topic) >= 0
}

// rights are the patterns of a claim pushd. Tokens whose claims are equal share
// them: of a million there are as a rule a handful.
type rights struct{ subscribe, publish dialect.PatternList }

const (
	maxPatterns = 128  // of each kind
	maxShared   = 1024 // claims that are remembered; where there are more it begins anew
)

// rightsTable is the rights by the claim as it was written.
type rightsTable struct {
	mu sync.Mutex
	m  map[string]*rights
}

func (t *rightsTable) read(claim json.RawMessage) (*rights, error) {
	t.mu.Lock()
	known := t.m[string(claim)]
	t.mu.Unlock()
	if known != nil {
		return known, nil
	}
	r, err := readRights(claim)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil || len(t.m) >= maxShared {
		t.m = make(map[string]*rights)
	}
	t.m[string(claim)] = r
	return r, nil
}

func readRights(claim json.RawMessage) (*rights, error) {
	var c struct{ Subscribe, Publish []string }
	if len(claim) > 0 {
		if err := json.Unmarshal(claim, &c); err != nil {
			return nil, refuse(BadClaims, `claim pushd: expected {"subscribe":[patterns],"publish":[patterns]}`)
		}
	}
	r := new(rights)
	for _, list := range []struct {
		name string
		text []string
		to   *dialect.PatternList
	}{{"subscribe", c.Subscribe, &r.subscribe}, {"publish", c.Publish, &r.publish}} {
		if len(list.text) > maxPatterns {
			return nil, refuse(BadClaims, "claim pushd."+list.name+": expected at most 128 patterns")
		}
		patterns, err := dialect.ParsePatternList(list.text)
		if err != nil {
			return nil, refuse(BadClaims, "claim pushd."+list.name+": "+err.(*dialect.Error).Message)
		}
		*list.to = patterns
	}
	return r, nil
}
