package auth

import (
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// Grant is what a token says: who its bearer is and what they may do. It does
// not alias the token.
type Grant struct {
	Subject string    // claim sub, which dialect.CheckUser accepts; "" for nobody in particular
	ID      string    // claim jti; "" where there is none
	Expires time.Time // claim exp and the leeway: from then on the grant holds no more

	// Rights is shared by all grants whose claim is the same, byte for byte,
	// and is never changed. It is not nil.
	Rights *Rights
}

// Rights are the patterns of the claim pushd.
type Rights struct {
	Subscribe, Publish dialect.PatternList
}

// MaySubscribe reports whether a pattern of the claim covers topic. A wildcard
// in first place does not cover a topic that begins with '$': that everybody
// hears their own $user.SUB is the server's rule. A nil Grant allows nothing.
func (g *Grant) MaySubscribe(topic string) bool {
	return g != nil && g.Rights.Subscribe.Match(topic) >= 0
}

// MayPublish is MaySubscribe for publishing.
func (g *Grant) MayPublish(topic string) bool {
	return g != nil && g.Rights.Publish.Match(topic) >= 0
}
