package main_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
	"github.com/pushd/pushd/internal/dialect"
)

// mistakes are what --check-config says of a file, without its folder.
func mistakes(t *testing.T, file string, args ...string) []string {
	path := write(t, "pushd.yaml", file)
	r := pushd(append([]string{"serve", "--check-config", "--config", path}, args...)...)
	require.Equal(t, 2, r.code, r.stderr)
	said := strings.ReplaceAll(strings.TrimPrefix(r.stderr, "pushd: "), strings.TrimSuffix(path, "pushd.yaml"), "")
	return strings.Split(strings.TrimSuffix(said, "\n"), "\n")
}

func TestTopicMistakes(t *testing.T) {
	const fields = "pattern, slow, max_rate, retain, retain_for, max_keys, max_key_bytes, log, history or compress_min"
	const a = "topics:\n- pattern: a\n  "
	for _, c := range []struct{ label, file, want string }{
		{"not a list", "topics: 5", `:1: topics: expected a list of settings by pattern, not "5"`},
		{"nothing", "\ntopics:", ":2: topics: expected a list of settings by pattern, not nothing"},
		{"a mapping", "topics: {pattern: a}", ":1: topics: expected a list of settings by pattern, not a mapping"},
		{"twice", "topics: []\ntopics: []", ":2: topics: set twice, first in line 1"},
		{"misspelt", "topic: []", ":1: topic: unknown setting; did you mean topics?"},
		{"too many", "topics:\n" + strings.Repeat("- pattern: a\n", 257), ":1: topics: 257 rules: expected at most 256"},
		{"a rule that is text", "topics:\n- quotes.>", ":2: topics[0]: expected a mapping of " + fields + `, not "quotes.>"`},
		{"a rule that is nothing", "topics:\n-", ":2: topics[0]: expected a mapping of " + fields + ", not nothing"},

		{"unknown field", a + "slwo: drop", ":3: topics[0].slwo: unknown; expected " + fields},
		{"merged", a + "<<: {slow: drop}", ":3: topics[0].<<: unknown; expected " + fields},
		{"field twice", a + "slow: drop\n  slow: drop", ":4: topics[0].slow: set twice, first in line 3"},

		{"no pattern", "topics:\n- slow: drop", ":2: topics[0].pattern: missing: expected one such as news.>"},
		{"empty rule", "topics:\n- {}", ":2: topics[0].pattern: missing: expected one such as news.>"},
		{"pattern is nothing", "topics:\n- pattern:", ":2: topics[0].pattern: expected a pattern such as news.>, not nothing"},
		{"pattern is a list", "topics:\n- pattern: [a]", ":2: topics[0].pattern: expected a pattern such as news.>, not a list"},
		{"malformed pattern", "topics:\n- pattern: a.>.b",
			`:2: topics[0].pattern: "a.>.b": expected a pattern such as news.>: bad_request: pattern "a.>.b": segment ">": > may only stand last`},
		{"reserved pattern", "topics:\n- pattern: $sys.>",
			`:2: topics[0].pattern: "$sys.>" can never match: of the topics that begin with $ there are only those of users, such as $user.>`},
		{"same pattern twice", "topics:\n- pattern: a\n- pattern: a", `:3: topics[1].pattern: "a" can never match: topics[0], "a", comes first`},
		{"covered pattern", "topics:\n- pattern: b\n- pattern: a.>\n- slow: drop\n  pattern: a.*.c",
			`:5: topics[2].pattern: "a.*.c" can never match: topics[1], "a.>", comes first`},

		{"unknown policy", a + "slow: conflat", `:3: topics[0].slow: "conflat" is not conflate, drop or disconnect`},
		{"policy is a list", a + "slow: [drop]", ":3: topics[0].slow: expected conflate, drop or disconnect, not a list"},
		{"policy is nothing", a + "slow:", ":3: topics[0].slow: expected conflate, drop or disconnect, not nothing"},

		{"rate is text", a + "slow: conflate\n  max_rate: fast", `:4: topics[0].max_rate: "fast": expected a number, from 0.1 to 50`},
		{"negative rate", a + "slow: conflate\n  max_rate: -1", `:4: topics[0].max_rate: "-1": expected a number, from 0.1 to 50`},
		{"huge rate", a + "slow: conflate\n  max_rate: 50.1", `:4: topics[0].max_rate: "50.1": expected a number, from 0.1 to 50`},
		{"no number", a + "slow: conflate\n  max_rate: NaN", `:4: topics[0].max_rate: "NaN": expected a number, from 0.1 to 50`},
		{"infinite rate", a + "slow: conflate\n  max_rate: inf", `:4: topics[0].max_rate: "inf": expected a number, from 0.1 to 50`},
		{"rate without conflate", a + "slow: drop\n  max_rate: 10", ":4: topics[0].max_rate: expected nothing without slow: conflate"},

		{"retain is a number", a + "retain: 1", `:3: topics[0].retain: "1": expected true or false`},
		{"retain_for without retain", a + "retain_for: 1h", ":3: topics[0].retain_for: expected nothing without retain: true"},
		{"retain_for with retain: false", a + "retain: false\n  retain_for: 1h", ":4: topics[0].retain_for: expected nothing without retain: true"},
		{"retain_for without a unit", a + "retain: true\n  retain_for: 24",
			`:4: topics[0].retain_for: "24": expected a duration such as 25s or 1h, from 1s to 8760h`},
		{"negative retain_for", a + "retain: true\n  retain_for: -1h",
			`:4: topics[0].retain_for: "-1h": expected a duration such as 25s or 1h, from 1s to 8760h`},
		{"huge retain_for", a + "retain: true\n  retain_for: 9000h",
			`:4: topics[0].retain_for: "9000h": expected a duration such as 25s or 1h, from 1s to 8760h`},

		{"no keys", a + "retain: true\n  max_keys: 0", `:4: topics[0].max_keys: "0": expected a number, from 1 to 16,777,216`},
		{"negative keys", a + "retain: true\n  max_keys: -5", `:4: topics[0].max_keys: "-5": expected a number, from 1 to 16,777,216`},
		{"keys beyond any number", a + "retain: true\n  max_keys: 99999999999999999999",
			`:4: topics[0].max_keys: "99999999999999999999": expected a number, from 1 to 16,777,216`},
		{"useless keys", a + "max_keys: 5", ":3: topics[0].max_keys: expected nothing without retain: true or slow: conflate"},
		{"useless key bytes", a + "max_key_bytes: 5KiB", ":3: topics[0].max_key_bytes: expected nothing without retain: true or slow: conflate"},
		{"key bytes in MB", a + "retain: true\n  max_key_bytes: 4MB",
			`:4: topics[0].max_key_bytes: "4MB": expected a size such as 65536, 512KiB or 4MiB, from 1KiB to 64MiB (key-total)`},

		{"compress_min 0", "compress: true\n" + a + "compress_min: 0", `:4: topics[0].compress_min: "0": expected a size such as 65536, 512KiB or 4MiB, from 1 to 16MiB, or off`},
		{"huge compress_min", "compress: true\n" + a + "compress_min: 1GiB", `:4: topics[0].compress_min: "1GiB": expected a size such as 65536, 512KiB or 4MiB, from 1 to 16MiB, or off`},
		{"compress_min of nothing", "compress: true\n" + a + "compress_min:", ":4: topics[0].compress_min: expected a size such as 65536, 512KiB or 4MiB, from 1 to 16MiB, or off, not nothing"},
		{"useless compress_min", a + "compress_min: off", ":3: topics[0].compress_min: expected nothing without the server's setting compress"},

		{"small log", a + "log: 1KiB", `:3: topics[0].log: "1KiB": expected a size such as 65536, 512KiB or 4MiB, from 4KiB to 262080KiB (log-total - 64KiB)`},
		{"huge log", a + "log: 1GiB", `:3: topics[0].log: "1GiB": expected a size such as 65536, 512KiB or 4MiB, from 4KiB to 262080KiB (log-total - 64KiB)`},
		{"negative log", a + "log: -1", `:3: topics[0].log: "-1": expected a size such as 65536, 512KiB or 4MiB, from 4KiB to 262080KiB (log-total - 64KiB)`},

		{"history is a number", a + "history: 5", `:3: topics[0].history: expected a mapping of count, bytes or age, not "5"`},
		{"unknown in history", a + "history: {size: 5}", ":3: topics[0].history.size: unknown; expected count, bytes or age"},
		{"history twice", a + "history: {count: 5, count: 6}", ":3: topics[0].history.count: set twice, first in line 3"},
		{"no history", a + "history: {count: 0}", `:3: topics[0].history.count: "0": expected a number, from 1 to 1,073,741,824`},
		{"history from the future", a + "history:\n    age: -1s", `:4: topics[0].history.age: "-1s": expected a duration such as 25s or 1h, from 1s to 8760h`},
		{"history beyond the topic's log", a + "log: 256KiB\n  history: {bytes: 1MiB}", ":4: topics[0].history.bytes: 1MiB: expected at most 256KiB (the topic's log)"},
		{"history beyond any log", a + "history: {bytes: 5MiB}", ":3: topics[0].history.bytes: 5MiB: expected at most 4MiB (log-limit)"},

		{"an alias of itself", "topics: &t\n- *t", ":2: topics[0]: expected a mapping of " + fields + ", not a list"},
	} {
		t.Run(c.label, func(t *testing.T) {
			require.Equal(t, []string{"pushd.yaml" + c.want}, mistakes(t, c.file))
		})
	}
}

func TestAllTopicMistakesAreSaid(t *testing.T) {
	require.Equal(t, []string{
		`pushd.yaml:2: topics[0].slow: "x" is not conflate, drop or disconnect`,
		`pushd.yaml:3: topics[0].history.age: "1": expected a duration such as 25s or 1h, from 1s to 8760h`,
		`pushd.yaml:2: topics[0].pattern: missing: expected one such as news.>`,
		`pushd.yaml:5: topics[1].retain: "perhaps": expected true or false`,
	}, mistakes(t, "topics:\n- slow: x\n  history: {age: 1}\n- pattern: a\n  retain: perhaps\n"))
}

// What a topic may have follows from the other settings, wherever they come from.
func TestTopicBoundsFollowFromSettings(t *testing.T) {
	const file = "topics: [{pattern: a, history: {bytes: 1MiB}}]"
	require.Equal(t, []string{"pushd.yaml:1: topics[0].history.bytes: 1MiB: expected at most 512KiB (log-limit)"},
		mistakes(t, file, "--log-limit=512KiB"))
	require.Zero(t, pushd("serve", "--check-config", "--config", write(t, "pushd.yaml", file), "--log-limit=1MiB").code)
}

func TestTopicsArePrinted(t *testing.T) {
	printed := func(file string) string {
		r := pushd("serve", "--print-config", "--config", write(t, "pushd.yaml", file))
		require.Zero(t, r.code, r.stderr)
		return "topics:" + strings.SplitN(r.stdout, "\ntopics:", 2)[1]
	}
	const all = `topics:
    - pattern: quotes.*
      slow: conflate
      max_rate: 0.5
      retain: true
      retain_for: 24h
      max_keys: 100000
      max_key_bytes: 32MiB
      log: 256KiB
      history:
        count: 1000
        bytes: 128KiB
        age: 1h30m
    - pattern: quotes.>
      slow: drop
    - pattern: $user.>
      slow: disconnect
    - pattern: '>'
      slow: disconnect
`
	require.Equal(t, all, printed(all))
	const compressed = `topics:
    - pattern: a
      slow: disconnect
      compress_min: 1KiB
    - pattern: b
      slow: disconnect
      compress_min: "off"
    - pattern: c
      slow: disconnect
`
	require.Equal(t, compressed, printed("compress: true\n"+compressed))
	require.Equal(t, "topics: []\n", printed("topics: []"))
	require.Equal(t, "topics: []\n", printed("listen: :1"))
	require.Contains(t, printed("topics:\n- pattern: a\n  slow: conflate\n  max_rate: 7\n"), "max_rate: 5\n", "one of the rates that there are")
	require.Contains(t, printed("topics:\n- &a {pattern: a, slow: drop}\n- {pattern: b, history: &h {count: 1}}\n- {pattern: c, history: *h}\n"),
		"- pattern: c\n      slow: disconnect\n      history:\n        count: 1\n")
}

// A pattern covers another if it matches all topics that the other does.
func TestCovers(t *testing.T) {
	var patterns, topics []string
	var grow func(prefix string, words []string, depth int, to *[]string)
	grow = func(prefix string, words []string, depth int, to *[]string) {
		for _, w := range words {
			*to = append(*to, prefix+w)
			if depth > 1 && w != ">" {
				grow(prefix+w+".", words, depth-1, to)
			}
		}
	}
	grow("", []string{"a", "*", ">"}, 3, &patterns)
	grow("$user.", []string{"a", "*", ">"}, 2, &patterns)
	grow("", []string{"a", "b", "c"}, 4, &topics)
	grow("$user.", []string{"a", "b", "c"}, 3, &topics)
	covered := 0
	for _, p := range patterns {
		for _, q := range patterns {
			earlier, err := dialect.ParsePattern(p)
			require.NoError(t, err)
			later, err := dialect.ParsePattern(q)
			require.NoError(t, err)
			want := true
			for _, topic := range topics {
				want = want && (earlier.Match(topic) || !later.Match(topic))
			}
			require.Equal(t, want, main.Covers(p, q), fmt.Sprint(p, " covers ", q))
			if want {
				covered++
			}
		}
	}
	require.Greater(t, covered, len(patterns), "each covers itself, and some cover others")
}

// The settings that the pages show are good.
func TestPagesSettings(t *testing.T) {
	for _, page := range []string{"README.md", "docs/OPERATIONS.md", "docs/pushd.yaml"} {
		text, err := os.ReadFile("../../" + page)
		require.NoError(t, err)
		files := [][]string{{"", string(text)}}
		if strings.HasSuffix(page, ".md") {
			files = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
		}
		require.NotEmpty(t, files, page)
		for _, file := range files {
			r := pushd("serve", "--dev", "--check-config", "--config", write(t, "pushd.yaml", file[1]))
			require.Equal(t, result{0, "", "the settings are good\n"}, r, page)
		}
	}
}
