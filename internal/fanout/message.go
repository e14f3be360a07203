package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// headSize is how many bytes the head of a payload takes: number, topic and time in hexadecimal digits. No payload is
// shorter.
const headSize = 32

// head is what a payload begins with.
type head struct {
	number uint32 // 1 for a topic's first message
	topic  uint32
	at     time.Time
}

func (h head) String() string {
	return fmt.Sprintf("%08x%08x%016x", h.number, h.topic, h.at.UnixNano())
}

// parseHead reads what String has written from the first headSize bytes of b, and does not allocate.
func parseHead(b []byte) (number, topic uint32, at int64, err error) {
	var raw [headSize / 2]byte
	if _, err := hex.Decode(raw[:], b[:headSize]); err != nil {
		return 0, 0, 0, fmt.Errorf("payload begins with %q: expected %d hexadecimal digits", b[:headSize], headSize)
	}
	return binary.BigEndian.Uint32(raw[0:]), binary.BigEndian.Uint32(raw[4:]), int64(binary.BigEndian.Uint64(raw[8:])), nil
}

// payload is head made up to size bytes.
func payload(head string, size int) string { return head + strings.Repeat("x", size-len(head)) }

func topicName(topic int) string { return "t" + strconv.Itoa(topic) }

// audience says who has subscribed to what: subscriber i to the topics i, i+1, …, i+each-1 of so many, as on a ring.
type audience struct {
	Topics int
	Each   int // at most Topics
}

// slot is which of subscriber i's subscriptions topic is, from 0 to Each-1, or false if it has none to it.
func (a audience) slot(i, topic int) (int, bool) {
	s := (topic - i) % a.Topics
	if s < 0 {
		s += a.Topics
	}
	return s, topic < a.Topics && s < a.Each
}

// path is the request target of subscriber i; more is one more parameter of its query, if it is not empty.
func (a audience) path(i int, more string) string {
	var query []string
	for s := range a.Each {
		query = append(query, "topic="+topicName((i+s)%a.Topics))
	}
	if more != "" {
		query = append(query, more)
	}
	return "/ws?" + strings.Join(query, "&")
}

// sizes is how many of the subscribers from first up to end each topic has.
func (a audience) sizes(first, end int) []int {
	n := make([]int, a.Topics)
	for i := first; i < end; i++ {
		for s := range a.Each {
			n[(i+s)%a.Topics]++
		}
	}
	return n
}
