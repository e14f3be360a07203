package main

import (
	"fmt"
	"strconv"

	"github.com/alecthomas/kong"
)

// pace is how many times as fast as recorded; a bare --pace is 1.
type pace float64

var _ kong.MapperValue = (*pace)(nil)

// Decode is part of kong.MapperValue.
func (p *pace) Decode(ctx *kong.DecodeContext) error {
	*p = 1
	next := ctx.Scan.Peek()
	if !next.IsValue() {
		return nil
	}
	f, err := strconv.ParseFloat(next.String(), 64)
	if err == nil || next.Type == kong.FlagValueToken {
		ctx.Scan.Pop()
		if err != nil || !(f > 0) || f > 1e6 {
			return fmt.Errorf("%q: expected a number above 0, such as 10 for ten times as fast", next)
		}
		*p = pace(f)
	}
	return nil
}
