package report

import (
	"math"
	"strconv"
	"strings"
)

// none is shown for a value that was not measured.
const none = "–"

// Value writes v for people: three significant digits, counts in full, and a
// ratio never as 0% or 100% unless it is that. What is no number is "–".
// page/value.js does the same for the charts of a page; change both.
func Value(v float64, unit Unit) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case v < 0:
		return "-" + Value(-v, unit)
	}
	switch unit {
	case Count:
		return count(v)
	case Seconds, CPUSeconds:
		return seconds(v)
	case Bytes:
		return bytes(v)
	case BytesRate:
		return bytes(v) + "/s"
	case PerSecond:
		return count(v) + "/s"
	case Ratio:
		return percent(v)
	}
	return count(v) + " " + string(unit)
}

// count groups the digits of what is whole or large: 12,345, but 1.31.
func count(v float64) string {
	if v >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	if v < 999.5 && v != math.Trunc(v) {
		return digits(v)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// digits writes three significant digits, without zeros at the end, and all of
// those before the point.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	before := int(math.Floor(math.Log10(v))) + 1
	s := strconv.FormatFloat(v, 'f', max(0, 3-before), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// seconds writes two parts of what lasts a minute or more: 1m 30s, 2h 5m.
func seconds(v float64) string {
	switch {
	case v == 0:
		return "0 s"
	case v < 999.5e-9:
		return digits(v*1e9) + " ns"
	case v < 999.5e-6:
		return digits(v*1e6) + " µs"
	case v < 999.5e-3:
		return digits(v*1e3) + " ms"
	case v < 59.95:
		return digits(v) + " s"
	case v < 3599.5:
		return parts(v, 60, "m", "s")
	case v < 86400-30:
		return parts(v/60, 60, "h", "m")
	}
	return parts(v/3600, 24, "d", "h")
}

// parts writes small ones as so many big ones and the rest: 90 is 1m 30s.
func parts(small, big float64, bigName, smallName string) string {
	small = math.Round(small)
	s := strconv.FormatFloat(math.Floor(small/big), 'f', 0, 64) + bigName
	if rest := math.Mod(small, big); rest > 0 {
		s += " " + strconv.FormatFloat(rest, 'f', 0, 64) + smallName
	}
	return s
}

func bytes(v float64) string {
	names := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for v >= 1023.5 && len(names) > 1 {
		v, names = v/1024, names[1:]
	}
	return digits(v) + " " + names[0]
}

func percent(v float64) string {
	v *= 100
	s := digits(v)
	for decimals := 1; s == "100" && v != 100 && decimals < 9; decimals++ {
		if s = strconv.FormatFloat(v, 'f', decimals, 64); strings.Trim(s, "10.") == "" {
			s = "100"
		}
	}
	return s + "%"
}
