package spell_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/spell"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"lisen", "listen", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		require.Equal(t, c.want, spell.Distance(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.want, spell.Distance(c.b, c.a), "%s %s", c.b, c.a)
	}
}
