package report

import (
	"slices"
	"strconv"
	"unicode"
)

// chart is what the page's script draws. It is made of whatever the reports'
// series and histograms hold, by the names of their charts.
type chart struct {
	Title       string  `json:"title"`
	Percentiles bool    `json:"percentiles"` // x is how many nines, and not seconds
	Panels      []panel `json:"panels"`      // one above the other, over the same x
}

// panel is one pair of axes.
type panel struct {
	Unit   Unit         `json:"unit"`
	Log    bool         `json:"log"`    // y is logarithmic
	Small  bool         `json:"small"`  // stands below a larger one
	Tables [][][]*short `json:"tables"` // one a run: x, then a column a line
	Lines  []line       `json:"lines"`  // in the order of the columns
}

type line struct {
	Label string `json:"label"`
	Color int    `json:"color"`
	Dash  int    `json:"dash"`
}

// short is a number of which a chart needs no more than six digits.
type short float64

// MarshalJSON writes six digits.
func (s short) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s), 'g', 6, 64), nil
}

// plot is a line before it is known how it looks.
type plot struct {
	label string
	run   int
	x     []float64
	y     []*float64
}

// charts are those of all runs, which share a chart where they name the same.
func charts(runs []Run) ([]chart, error) {
	all := seriesCharts(runs)
	curves, err := curveCharts(runs)
	return append(all, curves...), err
}

// seriesCharts are the charts over time.
func seriesCharts(runs []Run) []chart {
	type place struct {
		chart string
		unit  Unit
	}
	var names []string
	units := map[string][]Unit{}
	plots := map[place]map[string][]plot{} // by the column's name
	order := map[place][]string{}
	for i, run := range runs {
		for _, c := range run.Report.Series.Columns {
			if !slices.ContainsFunc(c.Values, func(v *float64) bool { return v != nil }) {
				continue // nothing was measured, so there is nothing to draw
			}
			at := place{c.Chart, c.Unit}
			if units[c.Chart] == nil {
				names = append(names, c.Chart)
			}
			if plots[at] == nil {
				units[c.Chart] = append(units[c.Chart], c.Unit)
				plots[at] = map[string][]plot{}
			}
			if plots[at][c.Name] == nil {
				order[at] = append(order[at], c.Name)
			}
			plots[at][c.Name] = append(plots[at][c.Name], plot{clean(c.Label), i, run.Report.Series.At, c.Values})
		}
	}
	var all []chart
	for _, name := range names {
		c := chart{Title: title(name)}
		color := 0
		for _, unit := range units[name] {
			at := place{name, unit}
			var columns [][]plot
			for _, column := range order[at] {
				columns = append(columns, plots[at][column])
			}
			for _, group := range byMagnitude(columns, unit) {
				p := newPanel(group, unit, color, runs)
				p.Small = len(c.Panels) > 0
				c.Panels = append(c.Panels, p)
				color += len(group)
			}
		}
		all = append(all, c)
	}
	return all
}

// newPanel draws columns. What differs between lines is their colour, and then
// between runs their dashes; runs of a single column differ by colour.
func newPanel(columns [][]plot, unit Unit, color int, runs []Run) panel {
	p := panel{Unit: unit, Log: unit == Seconds && wide(columns)}
	for i := range runs {
		var table [][]*short
		for c, column := range columns {
			for _, plot := range column {
				if plot.run != i {
					continue
				}
				if table == nil {
					table = [][]*short{shorts(plot.x, nil)}
				}
				table = append(table, shorts(nil, plot.y))
				l := line{Label: plot.label, Color: color + c, Dash: i}
				if len(runs) > 1 {
					l.Label += " · " + runs[i].name()
				}
				if len(columns) == 1 && len(runs) > 1 {
					l.Color, l.Dash = i, 0
				}
				p.Lines = append(p.Lines, l)
			}
		}
		if table != nil {
			p.Tables = append(p.Tables, table)
		}
	}
	if p.Log {
		p.positive()
	}
	return p
}

// positive leaves out what a logarithmic axis has no place for.
func (p *panel) positive() {
	for _, table := range p.Tables {
		for _, column := range table[1:] {
			for i, v := range column {
				if v != nil && *v <= 0 {
					column[i] = nil
				}
			}
		}
	}
}

// shorts takes either kind of column.
func shorts(all []float64, some []*float64) []*short {
	column := make([]*short, 0, len(all)+len(some))
	for _, v := range all {
		s := short(v)
		column = append(column, &s)
	}
	for _, v := range some {
		column = append(column, (*short)(v))
	}
	return column
}

// byMagnitude parts what would lie on the floor of a chart from what would put
// it there, such as a hundred failures from sixty thousand connections.
// Durations stay together: they get a logarithmic axis.
func byMagnitude(columns [][]plot, unit Unit) [][][]plot {
	var peak float64
	peaks := make([]float64, len(columns))
	for i, column := range columns {
		_, peaks[i] = extent([][]plot{column})
		peak = max(peak, peaks[i])
	}
	var large, small [][]plot
	for i, column := range columns {
		if unit != Seconds && peaks[i] > 0 && peaks[i]*40 < peak {
			small = append(small, column)
		} else {
			large = append(large, column)
		}
	}
	if small == nil {
		return [][][]plot{large}
	}
	return [][][]plot{large, small}
}

// wide says whether a linear axis would hide the small values.
func wide(columns [][]plot) bool {
	low, high := extent(columns)
	return low > 0 && high/low > 30
}

// extent is the smallest and the largest value above zero.
func extent(columns [][]plot) (low, high float64) {
	for _, column := range columns {
		for _, plot := range column {
			for _, v := range plot.y {
				if v != nil && *v > 0 {
					high = max(high, *v)
					if low == 0 || *v < low {
						low = *v
					}
				}
			}
		}
	}
	return low, high
}

// title is a chart's name as a heading.
func title(name string) string {
	name = clean(name)
	if name == "cpu" {
		return "CPU"
	}
	if name == "" {
		return name
	}
	r := []rune(name)
	return string(unicode.ToUpper(r[0])) + string(r[1:])
}
