package loadgen

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
)

// marker is what a payload carries, wherever it stands in what a server makes
// of it: "@@", 19 digits of the time, and tag, topic and number, each behind a
// dot. It is plain text that JSON leaves as it is.
type marker struct {
	at    int64  // when it was to be sent, in ns since 1970
	tag   uint32 // of host and run, see newTag
	topic uint32
	seq   uint32 // 1 for the topic's first message
}

const (
	markerStart = "@@"
	timeDigits  = 19
	tagDigits   = 6
	topicDigits = 7
	seqDigits   = 10
	markerSize  = len(markerStart) + timeDigits + 1 + tagDigits + 1 + topicDigits + 1 + seqDigits
)

// append writes m behind b.
func (m marker) append(b []byte) []byte {
	b = append(b, markerStart...)
	b = digits(b, uint64(m.at), timeDigits)
	b = digits(append(b, '.'), uint64(m.tag), tagDigits)
	b = digits(append(b, '.'), uint64(m.topic), topicDigits)
	return digits(append(b, '.'), uint64(m.seq), seqDigits)
}

// parseMarker reads the marker that b, of at least markerSize bytes, begins with.
func parseMarker(b []byte) (m marker, ok bool) {
	b = b[len(markerStart):markerSize]
	if b[19] != '.' || b[26] != '.' || b[34] != '.' {
		return m, false
	}
	at, ok1 := number(b[:19])
	tag, ok2 := number(b[20:26])
	topic, ok3 := number(b[27:34])
	seq, ok4 := number(b[35:])
	return marker{int64(at), uint32(tag), uint32(topic), uint32(seq)}, ok1 && ok2 && ok3 && ok4 && seq <= 1<<32-1
}

func digits(b []byte, v uint64, n int) []byte {
	start := len(b)
	b = append(b, "0000000000000000000"[:n]...)
	for i := len(b) - 1; i >= start && v > 0; i-- {
		b[i] = '0' + byte(v%10)
		v /= 10
	}
	return b
}

func number(b []byte) (v uint64, ok bool) {
	for _, d := range b {
		if d -= '0'; d > 9 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	return v, true
}

// newTag tells messages of this run from others, and by its first three digits
// those of this host, whose clock is ours.
func newTag() uint32 { return hostTag()*1000 + rand.Uint32N(1000) }

func hostTag() uint32 {
	name, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		host, _ := os.Hostname()
		name = []byte(host)
	}
	h := fnv.New32a()
	h.Write(name)
	return h.Sum32() % 1000
}
