package report

import "slices"

// Figure is the figure of that name.
func (r *Report) Figure(name string) (Figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return r.Figures[i], true
}

// VoidFor says whether, and why, f must not be believed. A Void without names
// is about all that clocks measure: durations and rates.
func (r *Report) VoidFor(f Figure) (why string, void bool) {
	for _, v := range r.Void {
		if slices.Contains(v.Figures, f.Name) ||
			len(v.Figures) == 0 && (f.Unit == Seconds || f.Unit == PerSecond || f.Unit == BytesRate) {
			return v.Why, true
		}
	}
	return "", false
}
