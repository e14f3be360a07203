package tuning

import (
	"math"
	"strconv"
)

// Unlimited is any number of connections.
const Unlimited Count = math.MaxUint64

// Count is a number of connections; [Unlimited] is any.
type Count uint64

// String writes a count with separators: 1,000,000; or any.
func (c Count) String() string {
	if c == Unlimited {
		return "any"
	}
	s := strconv.FormatUint(uint64(c), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// MarshalJSON writes a number, or null for any.
func (c Count) MarshalJSON() ([]byte, error) {
	if c == Unlimited {
		return []byte("null"), nil
	}
	return strconv.AppendUint(nil, uint64(c), 10), nil
}
