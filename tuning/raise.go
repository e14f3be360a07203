package tuning

import (
	"strconv"
	"strings"
)

// raise returns a value that is at least both: of each field the larger, but for
// the lower end of a range of two, which is raised by being lowered. Where they
// are no numbers, or not as many, it is the second.
func raise(now, to string) string {
	a, b := numbers(now), numbers(to)
	if len(a) == 0 || len(a) != len(b) {
		return to
	}
	fields := make([]string, len(a))
	for i := range a {
		n := max(a[i], b[i])
		if len(a) == 2 && i == 0 {
			n = min(a[i], b[i])
		}
		fields[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(fields, " ")
}
