package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
	"github.com/pushd/pushd/tuning"
)

func TestPrecedence(t *testing.T) {
	file := write(t, "pushd.yaml", "listen: 127.0.0.1:1\nlog-limit: 1MiB\nadmin: http://127.0.0.1:2/\nanonymous-subscribe: [a.>, b]\n")
	r := call{
		args: []string{"serve", "--print-config", "--config", file, "--listen", "127.0.0.1:3"},
		env:  map[string]string{"PUSHD_LISTEN": "127.0.0.1:4", "PUSHD_LOG_LIMIT": "2MiB"},
	}.run()
	require.Equal(t, 0, r.code, r.stderr)
	require.Contains(t, r.stdout, "\nlisten: 127.0.0.1:3 # --listen\n")
	require.Contains(t, r.stdout, "\nlog-limit: 2MiB # PUSHD_LOG_LIMIT\n")
	require.Contains(t, r.stdout, "\nadmin: 127.0.0.1:2 # "+file+":3\n")
	require.Contains(t, r.stdout, "\nanonymous-subscribe: # "+file+":4\n    - a.>\n    - b\n")
	require.Contains(t, r.stdout, "\nping-interval: 25s\n")

	again := call{args: []string{"serve", "--print-config"}, env: map[string]string{"PUSHD_CONFIG": write(t, "again.yaml", r.stdout)}}.run()
	require.Equal(t, 0, again.code, again.stderr)
	require.Equal(t, plain(r.stdout), plain(again.stdout), "what is printed gives the same settings")
}

// plain takes the comments away.
func plain(s string) (lines []string) {
	for line := range strings.Lines(s) {
		before, _, _ := strings.Cut(line, " #")
		lines = append(lines, strings.TrimSpace(before))
	}
	return lines
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ label, file, want string }{
		{"a typing error", "\n\nlisen: :80\n", "pushd.yaml:3: lisen: unknown setting; did you mean listen?"},
		{"underscores", "log_limit: 1", "pushd.yaml:1: log_limit: unknown setting; did you mean log-limit?"},
		{"nothing like it", "colour: red", "pushd.yaml:1: colour: unknown setting; bin/pushd serve --help lists them"},
		{"no setting", "check-config: true", "pushd.yaml:1: check-config: unknown setting"},
		{"not a number", "max-topics: many", `pushd.yaml:1: max-topics: "many": expected a number`},
		{"not a duration", "ping-interval: 5", `pushd.yaml:1: ping-interval: "5": expected a duration such as 25s or 1h`},
		{"not a size", "log-limit: 4MB", `pushd.yaml:1: log-limit: "4MB": expected a size such as 65536, 512KiB or 4MiB`},
		{"a list", "log-limit: [1]", "pushd.yaml:1: log-limit: expected a size such as 65536, 512KiB or 4MiB, not a list"},
		{"nested", "anonymous-subscribe: [{a: b}]", "pushd.yaml:1: anonymous-subscribe: expected a list, not a mapping"},
		{"nothing", "listen:", "pushd.yaml:1: listen: expected text, not nothing"},
		{"not true or false", "dev: maybe", `pushd.yaml:1: dev: "maybe": expected true or false`},
		{"twice", "workers: 1\nworkers: 2", "pushd.yaml:2: workers: set twice, first in line 1"},
		{"out of range", "shards: -1", "pushd.yaml:1: shards: -1: expected 0 (one a processor) or 1 to 255"},
		{"not a mapping", "- a", "pushd.yaml:1: expected settings, such as listen: 127.0.0.1:8080"},
		{"not YAML", "a: b: c", "pushd.yaml:1: mapping values are not allowed"},
		{"not YAML further down", "listen: :1\n# a\na: b: c", "pushd.yaml:3: mapping values are not allowed"},
		{"half a mapping", "listen: :1\nadmin: {a", "pushd.yaml:2: did not find expected ',' or '}'"},
		{"half a list", "listen: :1\nadmin: [a", "pushd.yaml:2: did not find expected ',' or ']'"},
		{"half a list, noticed further down", "admin: [a\n\nlisten: :1", "pushd.yaml:3: did not find expected ',' or ']'"},
		{"indented by one too few", "listen: :1\ntopics:\n- pattern: a\n slow: drop", "pushd.yaml:4: did not find expected key"},
		{"half a text", "listen: :1\nadmin: \":80", "pushd.yaml:2: found unexpected end of stream"},
		{"two at once", "lisen: 1\nadmn: 2", "pushd.yaml:2: admn: unknown setting; did you mean admin?"},
	} {
		t.Run(c.label, func(t *testing.T) {
			r := pushd("serve", "--check-config", "--config", write(t, "pushd.yaml", c.file))
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, c.want)
			require.NotContains(t, r.stderr, "pushd: --", "the flag is not where it came from")
		})
	}
	r := pushd("serve", "--check-config", "--config", write(t, "pushd.yaml", "# nothing yet\n"))
	require.Equal(t, result{0, "", "the settings are good\n"}, r)
	r = pushd("serve", "--check-config", "--config", "/dev/zero")
	require.Equal(t, result{2, "", "pushd: config: /dev/zero: expected settings of at most 1MiB\n"}, r)
	r = pushd("serve", "--check-config", "--config", "/nonexistent")
	require.Equal(t, result{2, "", "pushd: config: open /nonexistent: no such file or directory\n"}, r)
}

func TestSettingMistakes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--ping-interval=-5s"}, "--ping-interval: -5s: expected 0 (off) or 1s to 1h"},
		{[]string{"--ping-interval=10ms"}, "--ping-interval: 10ms: expected 0 (off) or 1s to 1h"},
		{[]string{"--notsent-lowat=10"}, "--notsent-lowat: 10: expected 0 (the kernel's) or 1KiB to 1GiB"},
		{[]string{"--handshake-timeout=0"}, "--handshake-timeout: 0s: expected 100ms to 5m"},
		{[]string{"--max-connections=-1"}, "--max-connections: -1: expected 0 (as many as open files allow) or 1 to 67,108,864"},
		{[]string{"--max-handshakes=-1"}, "--max-handshakes: -1: expected 0 (any number) or 1 to 67,108,864"},
		{[]string{"--max-connections-per-address=-1"}, "--max-connections-per-address: -1: expected 0 (any number) or 1 to 67,108,864"},
		{[]string{"--max-handshakes-per-address=x"}, `--max-handshakes-per-address: expected a valid 64 bit int but got "x"`},
		{[]string{"--trust-proxy=10.0.0.0/8,proxy.example"}, `--trust-proxy: "proxy.example": expected a network such as 10.0.0.0/8 or an address such as 2001:db8::7`},
		{[]string{"--trust-proxy=10.0.0.1/8"}, `--trust-proxy: "10.0.0.1/8": expected 10.0.0.0/8, or 10.0.0.1 for the one address`},
		{[]string{"--proxy-protocol"}, "--proxy-protocol: true: expected --trust-proxy with it: nobody else is to send a PROXY header"},
		{[]string{"--max-message=0"}, "--max-message: 0: expected 1 to 16MiB"},
		{[]string{"--log-limit=1KiB"}, "--log-limit: 1KiB: expected 260KiB (4 times (max-message + 1KiB)) to 16GiB"},
		{[]string{"--max-message=1MiB", "--log-limit=4MiB"}, "--log-limit: 4MiB: expected 4100KiB (4 times (max-message + 1KiB)) to 16GiB"},
		{[]string{"--max-message-rate=-1"}, "--max-message-rate: -1: expected 0 (any number) or 1 to 67,108,864"},
		{[]string{"--max-byte-rate=1KiB"}, "--max-byte-rate: 1KiB: expected 0 (any number) or 64KiB (max-message) to 1024GiB"},
		{[]string{"--log-total=4MiB"}, "--log-total: 4MiB: expected 4160KiB (log-limit + 64KiB) to 16384GiB"},
		{[]string{"--max-users=0"}, "--max-users: 0: expected 1 to 1,073,741,824"},
		{[]string{"--max-ids=-1"}, "--max-ids: -1: expected 1 to 67,108,864"},
		{[]string{"--queue-total=0"}, "--queue-total: 0: expected 512KiB (8 times max-message) to 16384GiB"},
		{[]string{"--input-total=1KiB"}, "--input-total: 1KiB: expected 512KiB (8 times max-message) to 16384GiB"},
		{[]string{"--message-timeout=0"}, "--message-timeout: 0s: expected 100ms to 1h"},
		{[]string{"--shards=256"}, "--shards: 256: expected 0 (one a processor) or 1 to 255"},
		{[]string{"--listen=8080"}, `--listen: "8080": expected HOST:PORT, :PORT or a URL without a path`},
		{[]string{"--listen=:99999"}, `--listen: ":99999": expected HOST:PORT`},
		{[]string{"--listen=http://h:1/ws"}, `--listen: "http://h:1/ws": expected HOST:PORT, :PORT or a URL without a path`},
		{[]string{"--admin=unix:"}, `--admin: "unix:": expected a path behind unix:`},
		{[]string{"--admin=:8081"}, `--admin: ":8081" can be reached from elsewhere: expected --admin-token-file or --admin-client-ca with it`},
		{[]string{"--admin-cert=c"}, `--admin-key: "": expected --admin-cert and --admin-key together`},
		{[]string{"--admin-client-ca=c"}, `--admin-client-ca: "c": expected nothing without --admin-cert`},
		{[]string{"--allow-origin=example.com"}, `--allow-origin: "example.com": expected an origin such as https://app.example.com`},
		{[]string{"--dev", "--listen=:8080"}, `--listen: ":8080": expected a loopback address such as 127.0.0.1:8080`},
		{[]string{"--dev", "--demo"}, "--demo: true: expected false where dev is true"},
		{[]string{"--demo-tape=x"}, `--demo-tape: "x": expected nothing without --demo`},
		{[]string{"--anonymous-subscribe=a.>.b"}, `--anonymous-subscribe: "a.>.b": expected a pattern such as news.>`},
		{[]string{"--log-level=loud"}, `--log-level: "loud": expected debug, info, warn or error`},
		{[]string{"--log-format=xml"}, `--log-format: "xml": expected text or json`},
		{[]string{"--admin-token-file=/nonexistent"}, "token: open /nonexistent"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := pushd(append([]string{"serve", "--check-config"}, c.args...)...)
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, c.want)
		})
	}
}

func TestGoodSettings(t *testing.T) {
	token := write(t, "token", "0123456789abcdef\n\nfedcba9876543210\n")
	for _, args := range [][]string{
		{"--dev"}, {"--demo"}, {"--dev", "--listen=localhost:0"}, {"--demo", "--listen=:8080"}, {"--listen=http://[::1]:80"},
		{"--admin=unix:/run/x"}, {"--admin=[::1]:80"}, {"--admin=:80", "--admin-token-file", token},
		{"--max-message=1MiB", "--log-limit=4100KiB", "--log-total=4164KiB"}, {"--shards=255"},
		{"--admin=:80", "--admin-cert=c", "--admin-key=k", "--admin-client-ca=ca"}, {"--allow-origin=https://*.example.com,null"},
		{"--max-message=16MiB", "--log-limit=128MiB", "--queue-total=256MiB", "--input-total=256MiB"}, {"--max-message=16MiB"},
		{"--max-message-rate=0", "--max-byte-rate=0"}, {"--dev", "--max-message-rate=5"},
		{"--user-timeout=0", "--ping-interval=0", "--idle-timeout=0"},
	} {
		require.Zero(t, pushd(append([]string{"serve", "--check-config"}, args...)...).code, args)
	}
}

// What long messages need comes with them, unless it is set.
func TestMakeRoom(t *testing.T) {
	r := pushd("serve", "--print-config", "--max-message=16MiB", "--queue-total=200MiB")
	require.Equal(t, 0, r.code, r.stderr)
	for _, line := range []string{"max-byte-rate: 64MiB", "log-limit: 65540KiB", "queue-total: 200MiB # --queue-total", "input-total: 128MiB"} {
		require.Contains(t, r.stdout, "\n"+line+"\n")
	}
}

// A token that strangers could guess is none; on loopback it is the operator's own affair.
func TestAdminTokens(t *testing.T) {
	for _, c := range []struct{ admin, tokens, says string }{
		{"127.0.0.1:0", "short", ""},
		{":0", "0123456789abcdef\nshort", `"` + ":0" + `" can be reached from elsewhere: expected tokens of at least 16 characters`},
		{"127.0.0.1:0", "two words", "expected a token a line, and nothing else"},
		{"127.0.0.1:0", "\n\n", "expected a token a line: it has none"},
	} {
		r := pushd("serve", "--check-config", "--admin", c.admin, "--admin-token-file", write(t, "token", c.tokens))
		if c.says == "" {
			require.Zero(t, r.code, r.stderr)
			continue
		}
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, c.says)
		require.NotContains(t, r.stderr, "abcdef")
	}
}

func TestShards(t *testing.T) {
	for _, c := range []struct{ asked, processors, want int }{{0, 2, 2}, {0, 255, 255}, {0, 384, 255}, {3, 2, 3}} {
		require.Equal(t, c.want, main.Shards(c.asked, c.processors), c)
	}
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		asked int
		holds tuning.Count
		want  int
	}{{0, 900, 900}, {50, 900, 50}, {1000, 900, 900}, {0, 0, 1}, {50, 0, 1}, {0, tuning.Unlimited, 1<<31 - 1}} {
		require.Equal(t, c.want, main.Connections(c.asked, c.holds), c)
	}
}

// The settings of a server say where its keys are, and a mistake in them.
func TestAuthSettings(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--auth-audience=a"}, "--auth-audience"},
		{[]string{"--auth-issuer=a"}, "expected nothing without --auth-key or --auth-jwks"},
		{[]string{"--auth-jwks=http://issuer.example/"}, "expected https://HOST/PATH, or http:// and a loopback address"},
		{[]string{"--auth-cookie=a b"}, "expected the name of a cookie"},
		{[]string{"--auth-timeout=0"}, "--auth-timeout"},
	} {
		r := pushd(append([]string{"serve", "--check-config"}, c.args...)...)
		require.Equal(t, 2, r.code, c.args)
		require.Contains(t, r.stderr, c.says)
	}
	require.Zero(t, pushd("serve", "--check-config", "--auth-jwks=https://issuer.example/", "--auth-audience=a").code)
	r := pushd("serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--auth-key=none")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "none")
}
