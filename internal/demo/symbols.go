package demo

// A Symbol is one invented company. None of the tickers is traded anywhere.
type Symbol struct {
	Ticker string
	Name   string

	price float64 // where the price begins and returns to
	rate  float64 // quiet trades a second
	vol   float64 // relative price movement, a square root of a second
}

// Topic is where the quotes of s are published.
func (s Symbol) Topic() string { return Prefix + "quotes." + s.Ticker }

// Symbols returns the simulated market, the busiest first. The rates add up to about 75 a second.
func Symbols() []Symbol {
	return []Symbol{
		{"ACME", "Acme Corp", 123.40, 10, 0.0006},
		{"QUOLL", "Quoll Robotics", 412.75, 8, 0.0009},
		{"LUMEK", "Lumek Optics", 88.12, 7, 0.0008},
		{"CINDR", "Cinderpath Energy", 47.30, 6, 0.0007},
		{"KELPO", "Kelpo Marine", 19.85, 5, 0.0010},
		{"NIMBO", "Nimbo Weather", 231.60, 5, 0.0006},
		{"PIPIT", "Pipit Airways", 34.22, 4, 0.0011},
		{"RIVLT", "Rivulet Water", 65.48, 4, 0.0004},
		{"SPROK", "Sprocket & Sons", 154.05, 3, 0.0005},
		{"GLOOP", "Gloop Confections", 27.64, 3, 0.0009},
		{"VEXIL", "Vexil Flags", 11.37, 2, 0.0013},
		{"TARNO", "Tarn Outdoor", 73.90, 2, 0.0007},
		{"BRAMB", "Bramble Foods", 58.16, 2, 0.0004},
		{"FJORL", "Fjorl Hydro", 301.20, 2, 0.0005},
		{"ZIGGL", "Ziggle Toys", 42.08, 1.5, 0.0010},
		{"INKWL", "Inkwell Press", 16.71, 1.5, 0.0008},
		{"HOLLO", "Hollowell Glass", 94.33, 1.2, 0.0006},
		{"JUMBL", "Jumble Logistics", 36.59, 1.2, 0.0007},
		{"MOSGR", "Mossgrove Timber", 22.94, 1, 0.0006},
		{"OCTVN", "Octavan Audio", 187.45, 1, 0.0009},
		{"DRFTW", "Driftwood Shipping", 29.17, 0.8, 0.0010},
		{"UMBLE", "Umble Umbrellas", 8.62, 0.8, 0.0014},
		{"WOBLY", "Wobbly Furniture", 51.03, 0.6, 0.0008},
		{"XYLFN", "Xylofon Music", 13.46, 0.6, 0.0012},
		{"YAROW", "Yarrow Botanics", 77.21, 0.5, 0.0006},
		{"ELMRY", "Elmary Paper", 40.80, 0.4, 0.0005},
		{"PUDDL", "Puddle Insurance", 112.66, 0.4, 0.0004},
		{"GRVEL", "Gravel & Grout", 24.39, 0.3, 0.0007},
		{"TOFEE", "Toffee Telecom", 68.74, 0.3, 0.0006},
		{"BISKT", "Biskit Semiconductors", 845.10, 0.2, 0.0010},
	}
}
