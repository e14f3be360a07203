package report

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushd/pushd/internal/spell"
)

// Condition is an expectation that no run has been judged by yet.
type Condition struct {
	text   string
	figure string
	op     string
	limit  float64
	kind   kind
}

// kind is what a limit was written as, and so which figures it fits.
type kind string

const (
	number   kind = "a number such as 1000"
	duration kind = "a duration such as 50ms"
	size     kind = "a size such as 10MiB"
	share    kind = "a share such as 97%"
	rate     kind = "a rate such as 1000/s"
	sizeRate kind = "a rate such as 10MiB/s"
)

const expected = "expected FIGURE OP VALUE, such as p99<50ms, lost=0 or delivered>=97%"

var (
	condition = regexp.MustCompile(`^\s*([a-z0-9_]+)\s*(<=|>=|!=|==|<|>|=)\s*(.+?)\s*$`)
	quantity  = regexp.MustCompile(`^(-?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)(/s)?$`)
	sizes     = map[string]float64{
		"B": 1, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
)

// ParseExpectation reads p99<50ms: the name of a figure, one of < <= > >= = !=,
// and a value: 50ms, 1m30s; 10MiB (of 1024), 4KB (of 1000); 97%; 1000, 1e6 or
// 1,000; and /s after a number or a size.
func ParseExpectation(s string) (Condition, error) {
	m := condition.FindStringSubmatch(s)
	if m == nil {
		return Condition{}, fmt.Errorf("expectation %q: %s", s, expected)
	}
	c := Condition{text: s, figure: m[1], op: m[2]}
	if c.op == "==" {
		c.op = "="
	}
	var err error
	if c.limit, c.kind, err = parseLimit(m[3]); err != nil {
		return Condition{}, fmt.Errorf("expectation %q: %q is no value: expected 50ms, 10MiB, 97%%, 1000 or 1000/s", s, m[3])
	}
	return c, nil
}

var errLimit = errors.New("no value")

func parseLimit(s string) (float64, kind, error) {
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		return d.Seconds(), duration, nil
	}
	m := quantity.FindStringSubmatch(s)
	if m == nil {
		return 0, "", errLimit
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	if err != nil { // 1e999 too
		return 0, "", errLimit
	}
	unit, perSecond := m[2], m[3] != ""
	bytes, isSize := sizes[unit]
	switch {
	case unit == "" && perSecond:
		return v, rate, nil
	case unit == "":
		return v, number, nil
	case isSize && perSecond:
		return v * bytes, sizeRate, nil
	case isSize:
		return v * bytes, size, nil
	case unit == "%" && !perSecond:
		return v / 100, share, nil
	}
	return 0, "", errLimit
}

// kinds says how a limit for a figure may be written; the first is the way to
// tell people.
var kinds = map[Unit][]kind{
	Count:      {number},
	Seconds:    {duration},
	CPUSeconds: {duration},
	Bytes:      {size, number},
	BytesRate:  {sizeRate, size, rate, number},
	PerSecond:  {rate, number},
	Ratio:      {share, number},
}

// Judge says whether r met the expectation. A figure that r calls void does not
// meet any. The error says that r could not be asked: it has no such figure, or
// a value of that kind does not fit it; the Expectation says so too.
func (c Condition) Judge(r *Report) (Expectation, error) {
	e := Expectation{Text: c.text}
	f, ok := r.Figure(c.figure)
	if !ok {
		e.Got = "no figure " + c.figure
		return e, fmt.Errorf("expectation %q: %w", c.text, unknown(c.figure, r.Figures))
	}
	if fit, ok := kinds[f.Unit]; ok && !slices.Contains(fit, c.kind) && !(c.kind == number && c.limit == 0) {
		e.Got = Value(f.Value, f.Unit)
		return e, fmt.Errorf("expectation %q: %s is given as %s: expected %s", c.text, f.Name, c.kind, fit[0])
	}
	if !isFinite(f.Value) {
		e.Got = "it was not measured"
		return e, nil
	}
	e.Met = holds(f.Value, c.op, c.limit)
	e.Got = Value(f.Value, f.Unit)
	if !e.Met && f.Value != c.limit && e.Got == Value(c.limit, f.Unit) { // 50 ms (0.05004 s) is not below 50ms
		e.Got += " (" + strings.TrimSpace(strconv.FormatFloat(f.Value, 'f', -1, 64)+" "+string(f.Unit)) + ")"
	}
	if why, void := r.VoidFor(f); void {
		e.Met = false
		e.Got += ", but void: " + why
	}
	return e, nil
}

// Judge sets r.Expectations, and joins the errors of those that could not be
// judged.
func (r *Report) Judge(conditions ...Condition) error {
	r.Expectations = make([]Expectation, len(conditions))
	var errs []error
	for i, c := range conditions {
		var err error
		r.Expectations[i], err = c.Judge(r)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Met says whether r met every expectation that it was judged by.
func (r *Report) Met() bool {
	return !slices.ContainsFunc(r.Expectations, func(e Expectation) bool { return !e.Met })
}

func holds(v float64, op string, limit float64) bool {
	switch op {
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "=":
		return v == limit
	}
	return v != limit
}

// unknown lists the names there are, those most like name first.
func unknown(name string, figures []Figure) error {
	if len(figures) == 0 {
		return fmt.Errorf("the report has no figure %s: it has none at all", name)
	}
	names := make([]string, len(figures))
	for i, f := range figures {
		names[i] = f.Name
	}
	slices.SortStableFunc(names, func(a, b string) int { return spell.Distance(name, a) - spell.Distance(name, b) })
	return fmt.Errorf("the report has no figure %s: expected one of %s", name, strings.Join(names, ", "))
}
