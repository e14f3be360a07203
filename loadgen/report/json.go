package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Write writes r as indented JSON. What is no finite number has no place there:
// such a figure is left out, with a note that says so, and such a value of a
// series becomes null. r itself is not changed.
func Write(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(finite(r))
}

// Read reads what Write has written. It refuses what is no report, and a schema
// that is newer than this package's.
func Read(r io.Reader) (*Report, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var head struct {
		Schema   *int    `json:"schema"`
		Scenario *string `json:"scenario"`
	}
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(b, &head); {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("expected a report in JSON, as loadgen --json writes it: %w at byte %d", err, syntax.Offset)
	case err != nil || head.Schema == nil || head.Scenario == nil || *head.Schema < 1:
		return nil, errors.New("expected a report, as loadgen --json writes it: this is JSON, but has no schema number and scenario")
	case *head.Schema > Schema:
		return nil, fmt.Errorf("the report has schema %d, and this program knows schemas up to %d: read it with a newer pushd", *head.Schema, Schema)
	}
	var report Report
	if err := json.Unmarshal(b, &report); err != nil {
		return nil, fmt.Errorf("a report whose fields are not as expected: %w", err)
	}
	for _, c := range report.Series.Columns {
		if len(c.Values) != len(report.Series.At) {
			return nil, fmt.Errorf("a report whose series do not fit: %q has %d values for %d moments", c.Name, len(c.Values), len(report.Series.At))
		}
	}
	return &report, nil
}

// finite is a copy of r that JSON can hold, with [] for lists that are nil.
func finite(r *Report) *Report {
	c := *r
	c.Command = append([]string{}, r.Command...)
	c.Targets = append([]string{}, r.Targets...)
	c.Void = append([]Void{}, r.Void...)
	c.Causes = append([]Cause{}, r.Causes...)
	c.Histograms = append([]Histogram{}, r.Histograms...)
	c.Expectations = append([]Expectation{}, r.Expectations...)
	c.Notes = append([]string{}, r.Notes...)
	c.Figures = []Figure{}
	for i, v := range c.Void {
		c.Void[i].Figures = append([]string{}, v.Figures...)
	}
	if !isFinite(c.Seconds) {
		c.Seconds = 0
	}
	for _, f := range r.Figures {
		if isFinite(f.Value) {
			c.Figures = append(c.Figures, f)
		} else {
			c.Notes = append(c.Notes, fmt.Sprintf("%s (%s) was not measured", f.Label, f.Name))
		}
	}
	c.Series = Series{At: []float64{}, Columns: []Column{}}
	keep := func(i int) bool { return isFinite(r.Series.At[i]) }
	for i, at := range r.Series.At {
		if keep(i) {
			c.Series.At = append(c.Series.At, at)
		}
	}
	for _, column := range r.Series.Columns {
		values := make([]*float64, 0, len(column.Values))
		for i, v := range column.Values {
			switch {
			case i < len(r.Series.At) && !keep(i):
			case v != nil && isFinite(*v):
				values = append(values, v)
			default:
				values = append(values, nil)
			}
		}
		column.Values = values
		c.Series.Columns = append(c.Series.Columns, column)
	}
	return &c
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
