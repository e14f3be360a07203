package loadgen

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// due is a message that is to be sent: when, from the beginning, on which
// topic, and how long; size 0 is the length that all have.
type due struct {
	at    time.Duration
	topic int
	size  int
}

// Arrivals says how messages are spread over time.
type Arrivals string

const (
	Even    Arrivals = "even"    // one after the other, in equal distances
	Poisson Arrivals = "poisson" // independently of each other, as news are
	Bursts  Arrivals = "bursts"  // many at once, then nothing
)

// schedule says when what is to be published. Rate is of all topics together.
type schedule struct {
	arrivals Arrivals
	rate     float64 // messages a second
	burst    int     // messages at once, of bursts
	messages int     // 0: as many as there are in the time
	lasts    time.Duration
	audience Audience
}

// dues are the messages, in the order of their time.
func (s schedule) dues() iter.Seq[due] {
	return func(yield func(due) bool) {
		random := rand.New(rand.NewPCG(1, 2)) // the same in each run
		var popular zipf
		if s.audience.Skew > 0 {
			popular = newZipf(s.audience.Topics, s.audience.Skew)
		}
		at := 0.0
		for i := 0; s.messages == 0 || i < s.messages; i++ {
			switch {
			case i == 0:
			case s.arrivals == Poisson:
				at += random.ExpFloat64() / s.rate
			case s.arrivals == Bursts:
				at = float64(i/s.burst*s.burst) / s.rate
			default:
				at = float64(i) / s.rate
			}
			d := due{at: time.Duration(at * 1e9), topic: i % s.audience.Topics}
			if popular != nil {
				d.topic = popular.draw(random)
			}
			if s.lasts > 0 && d.at >= s.lasts || !yield(d) {
				return
			}
		}
	}
}

// tape is a recording: what was published when.
type tape struct {
	names []string // of topics, the busiest first
	dues  []due
}

// readTape reads an NDJSON file, gzip or plain, of lines
// {"at":SECONDS,"topic":T,"data":JSON}. Of the data only the length counts.
func readTape(path string) (*tape, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReader(f)
	if magic, _ := in.(*bufio.Reader).Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952 section 2.3.1
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	t := new(tape)
	numbers := make(map[string]int)
	var counts []int
	for n := 1; lines.Scan(); n++ {
		var line struct {
			At    *float64
			Topic string
			Data  json.RawMessage
		}
		err := json.Unmarshal(lines.Bytes(), &line)
		if err != nil || line.At == nil || line.Topic == "" || *line.At < 0 || *line.At > 1e8 {
			return nil, fmt.Errorf(`%s:%d: %.80q: expected {"at":SECONDS,"topic":T,"data":JSON}`, path, n, lines.Bytes())
		}
		d := due{at: time.Duration(*line.At * float64(time.Second)), size: len(line.Data)}
		if len(t.dues) > 0 && d.at < t.dues[len(t.dues)-1].at {
			return nil, fmt.Errorf("%s:%d: at is %v: expected no less than in the line before", path, n, *line.At)
		}
		number, known := numbers[line.Topic]
		if !known {
			number = len(t.names)
			numbers[line.Topic] = number
			t.names, counts = append(t.names, line.Topic), append(counts, 0)
		}
		counts[number]++
		d.topic = number
		t.dues = append(t.dues, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(t.dues) == 0 {
		return nil, fmt.Errorf("%s: no line: expected at least one message", path)
	}
	t.rank(counts)
	return t, nil
}

// rank numbers the topics by how much is published on them.
func (t *tape) rank(counts []int) {
	order := make([]int, len(t.names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
	names, place := make([]string, len(order)), make([]int, len(order))
	for i, was := range order {
		names[i], place[was] = t.names[was], i
	}
	t.names = names
	for i := range t.dues {
		t.dues[i].topic = place[t.dues[i].topic]
	}
}

// play is the tape speed times as fast as recorded, over and over for so long;
// lasts 0: once.
func (t *tape) play(speed float64, lasts time.Duration) iter.Seq[due] {
	return func(yield func(due) bool) {
		length := t.dues[len(t.dues)-1].at + time.Second
		for began := time.Duration(0); ; began += length {
			for _, d := range t.dues {
				d.at = time.Duration(math.Round(float64(began+d.at) / speed))
				if lasts > 0 && d.at >= lasts || !yield(d) {
					return
				}
			}
			if lasts == 0 {
				return
			}
		}
	}
}
