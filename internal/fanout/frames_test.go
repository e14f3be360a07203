package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/internal/fanout"
)

// seen is what a stream was found to hold.
type seen []string

func (s *seen) Message(head []byte) error { *s = append(*s, string(head)); return nil }
func (s *seen) Closed(code uint16)        { *s = append(*s, fmt.Sprint("closed ", code)) }

// feed gives a stream all bytes, so many at a time.
func feed(all string, step int) (got seen, err error) {
	var s main.Stream
	buf := make([]byte, main.CarryMax+step)
	for len(all) > 0 && err == nil {
		n := copy(buf[main.CarryMax:], all[:min(step, len(all))])
		all = all[n:]
		err = s.Feed(buf[:main.CarryMax+n], &got)
	}
	return got, err
}

func TestStream(t *testing.T) {
	var all strings.Builder
	var want seen
	for i, size := range []int{main.HeadSize, 125, 126, 128, 1000, 65535, 65536, 70000} {
		head := main.Head(uint32(i+1), uint32(size), time.Unix(0, int64(size)))
		want = append(want, head)
		all.Write(main.Frame(main.Payload(head, size)))
		all.WriteString("\x89\x02hi") // a ping, which is nobody's message
	}
	all.WriteString("\x88\x05\x03\xf5bye\x88\x00")
	want = append(want, "closed 1013", "closed 1005")
	for _, step := range []int{1, 2, 3, 31, 41, 42, 43, 127, 4096, 1 << 20} {
		got, err := feed(all.String(), step)
		require.NoError(t, err)
		require.Equal(t, want, got, "%d bytes at a time", step)
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, c := range []struct{ label, bytes, want string }{
		{"binary", "\x82\x20" + strings.Repeat("0", 32), "frame begins with 0x82: expected a text frame"},
		{"fragment", "\x01\x20" + strings.Repeat("0", 32), "frame begins with 0x1: "},
		{"short", "\x81\x05hello", "frame of 5 bytes: expected at least 32"},
		{"masked", "\x81\xa0", "frame is masked"},
	} {
		_, err := feed(c.bytes, 100)
		require.ErrorContains(t, err, c.want, c.label)
	}
}

// counter counts messages.
type counter int

func (c *counter) Message([]byte) error { *c++; return nil }
func (c *counter) Closed(uint16)        {}

func TestStreamDoesNotAllocate(t *testing.T) {
	all := strings.Repeat(string(main.Frame(main.Payload(main.Head(1, 2, time.Now()), 128))), 50)
	buf := make([]byte, main.CarryMax+len(all))
	var s main.Stream
	var got counter
	require.Zero(t, testing.AllocsPerRun(100, func() {
		copy(buf[main.CarryMax:], all)
		if s.Feed(buf, &got) != nil {
			t.Error("a good stream was refused")
		}
	}))
	require.EqualValues(t, 50*101, got)
}

func TestHead(t *testing.T) {
	at := time.Unix(1_700_000_000, 123_456_789)
	number, topic, ns, err := main.ParseHead([]byte(main.Head(7, 9999, at)))
	require.NoError(t, err)
	require.Equal(t, []any{uint32(7), uint32(9999), at.UnixNano()}, []any{number, topic, ns})
	_, _, _, err = main.ParseHead([]byte(strings.Repeat("x", 32)))
	require.ErrorContains(t, err, "expected 32 hexadecimal digits")
}

func TestAudience(t *testing.T) {
	a := main.Audience{Topics: 5, Each: 2}
	require.Equal(t, "/ws?topic=t4&topic=t0&user=u", a.Path(9, "user=u"))
	require.Equal(t, "/ws?topic=t3&topic=t4", a.Path(3, ""))
	require.Equal(t, "/ws?user=u", main.Audience{Topics: 5}.Path(3, "user=u"))
	require.Equal(t, []int{1, 2, 2, 1, 0}, a.Sizes(0, 3))
	for topic, want := range []int{1, -1, -1, -1, 0} {
		slot, ok := a.Slot(9, topic)
		require.Equal(t, want >= 0, ok, topic)
		if ok {
			require.Equal(t, want, slot, topic)
		}
	}
	_, ok := a.Slot(9, 5)
	require.False(t, ok, "there is no such topic")
	require.Equal(t, []int{0, 1, 2, 0, 1, 2}, main.Messages(2, 3))
}
