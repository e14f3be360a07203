package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// many is how many subscriptions a connection has where they are measured: so many beyond its first.
const many = 64

// memory measures slopes: what the second half of the connections costs the server, once the first half is there.
func memory(ctx context.Context, o *options) (*table, error) {
	plain, err := slopes(ctx, o, audience{many + 1, 1}, false)
	if err != nil {
		return nil, err
	}
	subscribed, err := slopes(ctx, o, audience{many + 1, many + 1}, false)
	if err != nil {
		return nil, err
	}
	user, err := slopes(ctx, o, audience{1, 0}, true)
	if err != nil {
		return nil, err
	}
	t := &table{head: []string{"", "resident, bytes", "heap, bytes"}}
	t.add("an idle connection with one subscription", figure(plain.resident), figure(plain.heap))
	t.add("a subscription beyond a connection's first", figure((subscribed.resident-plain.resident)/many), figure((subscribed.heap-plain.heap)/many))
	t.add("an idle connection of a user, one to each", figure(user.resident), figure(user.heap))
	t.notes = []string{fmt.Sprintf("With %s connections less with %s, over the difference; each time after a collection, median of %d servers. *Resident* is what the "+
		"kernel counts, with the room that Go's collector keeps; *heap* is what the server's objects take. A subscription: connections with %d against "+
		"connections with one. The kernel's own memory for sockets comes on top. A handshake takes %s µs of CPU, and the server without "+
		"connections %s MiB.", commas(o.conns), commas(o.conns/2), o.rounds, many+1, figure(plain.handshake), figure(plain.empty/(1<<20)))}
	return t, nil
}

// slope is what connections cost.
type slope struct {
	resident  float64 // bytes each, beyond the first half
	heap      float64 // the same, of the server's objects alone
	handshake float64 // CPU each, in µs
	empty     float64 // bytes of the server before
}

// slopes are the medians over as many servers as there are rounds.
func slopes(ctx context.Context, o *options, a audience, users bool) (slope, error) {
	var flags []string
	if users {
		folder, err := os.MkdirTemp("", "fanout")
		if err != nil {
			return slope{}, err
		}
		defer os.RemoveAll(folder)
		flag, err := userKey(folder)
		if err != nil {
			return slope{}, err
		}
		flags = append(flags, flag)
	}
	var resident, heap, handshake, empty []float64
	for range o.rounds {
		s, err := newServer(ctx, o.server, a, headSize, flags...)
		if err != nil {
			return slope{}, err
		}
		one, err := s.slope(o.conns/2, users)
		s.stop()
		if err != nil {
			return slope{}, err
		}
		resident, heap = append(resident, one.resident), append(heap, one.heap)
		handshake, empty = append(handshake, one.handshake), append(empty, one.empty)
	}
	return slope{median(resident), median(heap), median(handshake), median(empty)}, nil
}

// slope opens twice n connections, and sees what the second n have cost.
func (s *subject) slope(n int, users bool) (slope, error) {
	var resident, heap [3]float64
	var spent time.Duration
	for i := range resident {
		before, err := s.cpu()
		if err != nil {
			return slope{}, err
		}
		if i > 0 {
			if err := s.open(n, 0, users); err != nil {
				return slope{}, err
			}
		}
		after, err := s.cpu()
		if err != nil {
			return slope{}, err
		}
		spent += after - before
		if heap[i], err = s.server.heap(); err != nil {
			return slope{}, err
		}
		if resident[i], err = s.resident(); err != nil {
			return slope{}, err
		}
	}
	return slope{
		resident:  (resident[2] - resident[1]) / float64(n),
		heap:      (heap[2] - heap[1]) / float64(n),
		handshake: float64(spent.Microseconds()) / float64(2*n),
		empty:     resident[0],
	}, nil
}
