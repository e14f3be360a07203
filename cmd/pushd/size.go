package main

import (
	"fmt"
	"strconv"
	"strings"
)

// size is a number of bytes. It is written 4MiB, 512KiB or 65536.
type size int64

var sizeUnits = []struct {
	name  string
	bytes size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a size.
func (s *size) UnmarshalText(b []byte) error {
	digits, unit := string(b), size(1)
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if product := size(n) * unit; err == nil && n >= 0 && product/unit == size(n) {
		*s = product
		return nil
	}
	return fmt.Errorf("%q: expected %s", b, expected(*s))
}

// String writes the size in the largest unit that divides it.
func (s size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 && u.bytes > 1 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
