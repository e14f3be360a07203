package report

import "math"

// curveCharts are the distributions, by percentile.
func curveCharts(runs []Run) ([]chart, error) {
	var all []chart
	plots := map[string][]plot{}
	var order []Histogram
	for i, run := range runs {
		for _, h := range run.Report.Histograms {
			x, y, err := curve(h)
			if err != nil {
				return nil, err
			}
			if len(x) == 0 {
				continue
			}
			if plots[h.Name] == nil {
				order = append(order, h)
			}
			plots[h.Name] = append(plots[h.Name], plot{clean(h.Label), i, x, y})
		}
	}
	for _, h := range order {
		all = append(all, chart{
			Title: title(h.Label) + ", by percentile", Percentiles: true,
			Panels: []panel{newPanel([][]plot{plots[h.Name]}, Seconds, 0, runs)},
		})
	}
	return all, nil
}

// curve is what each share of h's values did not exceed, as far as its count of
// values says anything. x is how many nines the share has.
func curve(h Histogram) (x []float64, y []*float64, err error) {
	decoded, err := h.Decode()
	if err != nil || decoded.TotalCount() == 0 {
		return nil, nil, err
	}
	const perNine = 24
	last := int(math.Log10(float64(decoded.TotalCount())) * perNine)
	for i := range last + 1 {
		nines := float64(i) / perNine
		seconds := float64(decoded.ValueAtPercentile(100*(1-math.Pow(10, -nines)))) / 1e6
		x, y = append(x, nines), append(y, &seconds)
	}
	return x, y, nil
}
