package loadgen

import "github.com/gobwas/ws"

// Seen is what a stream has told.
type Seen struct {
	Seqs     []uint32
	Others   []string
	Controls []string
}

func (s *Seen) message(m marker)     { s.Seqs = append(s.Seqs, m.seq) }
func (s *Seen) other(payload []byte) { s.Others = append(s.Others, string(payload)) }
func (s *Seen) control(op ws.OpCode, payload []byte) {
	s.Controls = append(s.Controls, string(payload))
}
func (s *Seen) frame(ws.OpCode, int64, []byte) {}

// Feed gives a stream b in pieces of n bytes.
func Feed(b []byte, n int, events, chunked bool) (*Seen, error) {
	s, seen := &stream{body: events, cut: chunked}, new(Seen)
	for len(b) > 0 {
		piece := append([]byte(nil), b[:min(n, len(b))]...)
		b = b[len(piece):]
		var err error
		if events {
			err = s.feedEvents(piece, seen)
		} else {
			err = s.feedFrames(piece, seen)
		}
		if err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// Marker is a marker of message seq.
func Marker(seq uint32) string {
	return string(marker{at: 1_795_791_173_442_589_336, tag: 123456, topic: 7, seq: seq}.append(nil))
}

// ParseMarker reads what Marker made.
func ParseMarker(s string) (at int64, tag, topic, seq uint32, ok bool) {
	m, ok := parseMarker([]byte(s))
	return m.at, m.tag, m.topic, m.seq, ok
}

// See is what a subscription says of messages that come in this order.
func See(seqs ...uint32) (lacking int, late, repeats int) {
	var s sub
	for _, seq := range seqs {
		n, v := s.see(seq)
		lacking += int(n)
		switch v {
		case lateOne:
			late++
			lacking--
		case repeated:
			repeats++
		}
	}
	return lacking, late, repeats
}

const lateOne = late

// Slots finds, for each client and topic, whether it has it.
func (a Audience) Slots(client int) (have []int) {
	topics := a.chooser().topics(client, nil)
	drawn := make([]uint32, len(topics))
	for i, t := range topics {
		drawn[i] = uint32(t)
	}
	for t := range a.Topics + 2 {
		if _, ok := a.slot(client, t, drawn); ok {
			have = append(have, t)
		}
	}
	return have
}

// Topics are a client's.
func (a Audience) TopicsOf(client int) []int { return a.chooser().topics(client, nil) }

// Dues are the times, in ms, and topics of a schedule's messages.
func Dues(arrivals Arrivals, rate float64, burst, messages int, a Audience) (ms []int64, topics []int) {
	for d := range (schedule{arrivals: arrivals, rate: rate, burst: burst, messages: messages, audience: a}).dues() {
		ms, topics = append(ms, d.at.Milliseconds()), append(topics, d.topic)
	}
	return ms, topics
}

// PlayTape are the times, in ms, and topics of a tape.
func PlayTape(path string, speed float64) (ms []int64, topics []string, err error) {
	t, err := readTape(path)
	if err != nil {
		return nil, nil, err
	}
	for d := range t.play(speed, 0) {
		ms, topics = append(ms, d.at.Milliseconds()), append(topics, t.names[d.topic])
	}
	return ms, topics, nil
}
