package dialect

import (
	"strconv"
	"strings"

	"github.com/pushd/pushd/broadcast"
)

const (
	// MaxOffset is the greatest offset, 2^53-1: the greatest integer that
	// JavaScript counts exactly.
	MaxOffset = 1<<53 - 1

	// MaxEpoch is the most bytes of an epoch.
	MaxEpoch = 32
)

// Position is a place in a topic: that of the message with this offset, or,
// with offset 0, the place before the first. Its written form is EPOCH:OFFSET,
// which clients treat as opaque.
type Position struct {
	Epoch  string // 1-32 of A-Z a-z 0-9 _ -
	Offset uint64 // 0 to MaxOffset
}

// IsZero reports that p is no position at all.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the written form.
func (p Position) String() string { return string(AppendPosition(nil, p)) }

// AppendPosition appends the written form to dst.
func AppendPosition(dst []byte, p Position) []byte {
	dst = append(dst, p.Epoch...)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, p.Offset, 10)
}

// appendPosition appends the written form as a JSON string.
func appendPosition(dst []byte, p Position) []byte {
	dst = append(dst, '"')
	dst = AppendPosition(dst, p)
	return append(dst, '"')
}

// ParsePosition is the reverse of String. There is one written form for each
// position: leading zeros are refused. The error is a bad_request.
func ParsePosition(s string) (Position, error) {
	epoch, digits, found := strings.Cut(s, ":")
	if !found || epoch == "" {
		return Position{}, refusePosition(s, "expected EPOCH:OFFSET")
	}
	if len(epoch) > MaxEpoch || strings.IndexFunc(epoch, notEpoch) >= 0 {
		return Position{}, refusePosition(s, "expected 1 to 32 letters, digits, _ or - before the colon")
	}
	offset, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || offset > MaxOffset || digits[0] == '0' && len(digits) > 1 {
		return Position{}, refusePosition(s, "expected a decimal offset below 2^53 after the colon")
	}
	return Position{epoch, offset}, nil
}

// ParseMessagePosition is ParsePosition for the position of a message, as its
// publisher gives it: the place before the first is none.
func ParseMessagePosition(s string) (broadcast.Position, error) {
	p, err := ParsePosition(s)
	if err == nil && p.Offset == 0 {
		p, err = Position{}, refusePosition(s, "expected an offset of at least 1 for a message")
	}
	return broadcast.Position(p), err
}

func refusePosition(s, expected string) error {
	return refuse(CodeBadRequest, "%s is no position: %s", excerpt(s), expected)
}

func notEpoch(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
