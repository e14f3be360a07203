package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

const (
	maxRules = 256 // each topic is held against each rule until one matches
	year     = 365 * 24 * time.Hour
	spare    = 64 << 10 // of all logs together, as checkRanges says
)

// rules reads what stands under topics:, if anything does, and reports all that is wrong with it, a
// line each. Some bounds follow from other settings, which are good.
func (f *configFile) rules(c *settings) ([]server.TopicRule, error) {
	if f == nil || f.topics == nil {
		return nil, nil
	}
	n := resolve(f.topics)
	if n.Kind != yaml.SequenceNode {
		return nil, usagef("%s:%d: topics: expected a list of settings by pattern, not %s", f.name, f.topicsLine, kindOf(n))
	}
	if len(n.Content) > maxRules {
		return nil, usagef("%s:%d: topics: %d rules: expected at most %d", f.name, f.topicsLine, len(n.Content), maxRules)
	}
	var rules []server.TopicRule
	var wrong []string
	for i, n := range n.Content {
		r := ruleReader{mapping: mapping{file: f.name, path: fmt.Sprintf("topics[%d]", i)}, global: c}
		r.readRule(n, rules)
		for _, err := range r.errs {
			wrong = append(wrong, err.Error())
		}
		rules = append(rules, r.rule)
	}
	if wrong != nil {
		return nil, usagef("%s", strings.Join(wrong, "\n"))
	}
	return rules, nil
}

// ruleReader reads one entry of topics.
type ruleReader struct {
	mapping
	history mapping
	rule    server.TopicRule
	global  *settings
}

func (r *ruleReader) readRule(n *yaml.Node, before []server.TopicRule) {
	s, most := &r.rule.Settings, int64(r.global.LogTotal)-spare
	r.read(n, []field{
		{"pattern", r.readPattern},
		{"slow", r.readSlow},
		{"max_rate", r.readRate},
		{"retain", boolean(&s.Retain)},
		{"retain_for", from(&s.RetainFor, durations, int64(time.Second), int64(year), "")},
		{"max_keys", from(&s.MaxKeys, units, 1, 1<<24, "")},
		{"max_key_bytes", from(&s.MaxKeyBytes, sizes, 1<<10, int64(r.global.KeyTotal), " (key-total)")},
		{"log", from(&s.LogLimit, sizes, 4<<10, most, " (log-total - 64KiB)")},
		{"history", r.readHistory},
		{"compress_min", r.readCompressMin},
	})
	r.errs = append(r.errs, r.history.errs...)
	switch {
	case resolve(n).Kind == yaml.MappingNode && r.lines["pattern"] == 0:
		r.bad(n.Line, "pattern", "missing: expected one such as news.>")
	case len(r.errs) == 0:
		r.check()
		r.checkReached(before)
	}
}

func (r *ruleReader) readPattern(n *yaml.Node) (err error) {
	const want = "a pattern such as news.>"
	if err := checkScalar(n, want); err != nil {
		return err
	}
	if r.rule.Pattern, err = dialect.ParsePattern(n.Value); err != nil {
		return fmt.Errorf("%q: expected %s: %w", n.Value, want, err)
	}
	if n.Value[0] == '$' && !strings.HasPrefix(n.Value, broadcast.UserPrefix) {
		return fmt.Errorf("%q can never match: of the topics that begin with $ there are only those of users, such as $user.>", n.Value)
	}
	return nil
}

func (r *ruleReader) readSlow(n *yaml.Node) error {
	const want = "conflate, drop or disconnect"
	if err := checkScalar(n, want); err != nil {
		return err
	}
	i := slices.Index(broadcast.Policies[:], n.Value)
	if i < 0 {
		return fmt.Errorf("%q is not %s", n.Value, want)
	}
	r.rule.Settings.Slow = broadcast.Policy(i)
	return nil
}

// readRate steps what it reads down to one of the rates that there are.
func (r *ruleReader) readRate(n *yaml.Node) error {
	rates := broadcast.Rates[:]
	least, most := rates[0], rates[len(rates)-1]
	return scalar(fmt.Sprintf("a number, from %v to %v", least, most), func(s string) bool {
		rate, err := strconv.ParseFloat(s, 64)
		for _, step := range rates {
			if step <= rate {
				r.rule.Settings.MaxRate = step
			}
		}
		return err == nil && least <= rate && rate <= most // which NaN is not
	})(n)
}

func (r *ruleReader) readHistory(n *yaml.Node) error {
	h := &r.rule.Settings.History
	r.history = mapping{file: r.file, path: r.path + ".history"}
	r.history.read(n, []field{
		{"count", from(&h.Count, units, 1, 1<<30, "")},
		{"bytes", from(&h.Bytes, sizes, 1, 16<<30, "")},
		{"age", from(&h.Age, durations, int64(time.Second), int64(year), "")},
	})
	return nil
}

// readCompressMin reads a size, or off.
func (r *ruleReader) readCompressMin(n *yaml.Node) error {
	to := &r.rule.Settings.Deflate
	size := from(to, sizes, 1, 16<<20, ", or off")
	if n.Value == "off" {
		*to = -1
		return nil
	}
	return size(n)
}

// check holds the fields, each of which is good, against each other.
func (r *ruleReader) check() {
	s := &r.rule.Settings
	conflates := s.Slow == broadcast.Conflate
	for _, f := range []struct {
		name   string
		useful bool
		with   string
	}{
		{"max_rate", conflates, "slow: conflate"},
		{"retain_for", s.Retain, "retain: true"},
		{"max_keys", s.Retain || conflates, "retain: true or slow: conflate"},
		{"max_key_bytes", s.Retain || conflates, "retain: true or slow: conflate"},
		{"compress_min", r.global.Compress, "the server's setting compress"},
	} {
		if at := r.lines[f.name]; at != 0 && !f.useful {
			r.bad(at, f.name, "expected nothing without %s", f.with)
		}
	}
	limit, whose := int64(s.LogLimit), "the topic's log"
	if limit == 0 {
		limit, whose = int64(r.global.LogLimit), "log-limit"
	}
	if size := int64(s.History.Bytes); size > limit {
		r.bad(r.history.lines["bytes"], "history.bytes", "%s: expected at most %s (%s)", bytes(size), bytes(limit), whose)
	}
}

// checkReached refuses a rule that no topic comes to.
func (r *ruleReader) checkReached(before []server.TopicRule) {
	for i, earlier := range before {
		if p, q := earlier.Pattern.String(), r.rule.Pattern.String(); p != "" && covers(p, q) {
			r.bad(r.lines["pattern"], "pattern", "%q can never match: topics[%d], %q, comes first", q, i, p)
			return
		}
	}
}

// covers reports whether pattern p matches all that pattern q does.
func covers(p, q string) bool {
	if q[0] == '$' && p[0] != '$' {
		return false
	}
	for {
		a, restP, moreP := strings.Cut(p, ".")
		b, restQ, moreQ := strings.Cut(q, ".")
		switch {
		case a == ">":
			return true
		case b == ">", a != "*" && a != b:
			return false
		case !moreP || !moreQ:
			return moreP == moreQ
		}
		p, q = restP, restQ
	}
}
