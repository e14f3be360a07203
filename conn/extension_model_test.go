package conn_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The grammar of RFC 6455 9.1 once more, as it is written there. White space may stand between all parts (RFC 2616 2.1).
const (
	tokenRE = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	spaceRE = `[ \t]*`
	paramRE = spaceRE + ";" + spaceRE + "(" + tokenRE + ")" + "(?:" + spaceRE + "=" + spaceRE + "(?:(" + tokenRE + `)|"((?:\\?[!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-])+)"))?`
	offerRE = "(" + tokenRE + ")((?:" + paramRE + ")*)"
)

var (
	oneParam = regexp.MustCompile(paramRE)
	oneOffer = regexp.MustCompile(spaceRE + offerRE + spaceRE)
	allOf    = regexp.MustCompile("^(?:" + spaceRE + "(?:" + offerRE + ")?" + spaceRE + ",)*" + spaceRE + "(?:" + offerRE + ")?" + spaceRE + "$")
	windows  = regexp.MustCompile("^(?:[89]|1[0-5])$")
	controls = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
)

// answerTo is what the first acceptable offer of a list is answered (RFC 7692 7.1). ok: the list follows the grammar.
func answerTo(list string) (answer string, ok bool) {
	if !allOf.MatchString(list) {
		return "", false
	}
	for _, o := range oneOffer.FindAllStringSubmatch(list, -1) {
		good, answer, seen := o[1] == "permessage-deflate", accepts, make(map[string]bool)
		for _, p := range oneParam.FindAllStringSubmatch(o[2], -1) {
			value := p[2] + strings.ReplaceAll(p[3], `\`, "")
			switch p[1] {
			case "server_no_context_takeover", "client_no_context_takeover":
				good = good && value == ""
			case "server_max_window_bits":
				good, answer = good && value == "15", acceptsWindow
			case "client_max_window_bits":
				good = good && (value == "" || windows.MatchString(value))
			default:
				good = false
			}
			good = good && !seen[p[1]]
			seen[p[1]] = true
		}
		if good {
			return answer, true
		}
	}
	return "", true
}

// FuzzExtensionGrammar holds what is accepted, declined and refused against the grammar, both ways, in one header and cut
// into two at a comma.
func FuzzExtensionGrammar(f *testing.F) {
	for _, seed := range []string{
		"permessage-deflate; client_max_window_bits", "permessage-deflate;server_max_window_bits=15 , x", "", ",", "permessage-deflate; \xe9",
		`permessage-deflate; server_max_window_bits="1\5"; client_max_window_bits="8", , permessage-deflate; client_no_context_takeover`,
		`a; b="c\"`, "permessage-deflate; server_max_window_bits=9, permessage-deflate; server_no_context_takeover",
		"permessage-deflate; client_max_window_bits=08", "permessage-deflate; client_max_window_bits; client_max_window_bits", "permessage-deflate2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if controls.MatchString(list) || len(list) > 1<<10 {
			return // no header's value, or a long one
		}
		want, ok := answerTo(list)
		answer, refusal := negotiate(t, list)
		require.Equal(t, ok, refusal == nil)
		if ok {
			require.Equal(t, want, answer)
		}
		if one, other, cut := strings.Cut(list, ","); cut {
			answer, refusal = negotiate(t, one, other)
			require.Equal(t, ok, refusal == nil)
			if ok {
				require.Equal(t, want, answer)
			}
		}
	})
}
