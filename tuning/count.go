package tuning

import (
	"math"
	"strconv"
)

// Unlimited is any number of connections.
const Unlimited Count = math.MaxUint64

// Count is a number of connections; [Unlimited] is any.
type Count uint64

// endless is from where on a number is as good as none: fs.file-max is 2^63-1 on
// most hosts.
const endless = 1 << 62

// String writes a count with separators: 1,000,000; or any.
func (c Count) String() string {
	if c >= endless {
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
