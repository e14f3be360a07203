package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushd/pushd/internal/demo"
)

// market runs a market for d of the bubble's time.
func market(t *testing.T, seed uint64, d time.Duration) []message {
	t.Helper()
	var r *recorder
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		r = newRecorder(nil)
		if err := demo.Market(ctx, r, seed); err != nil {
			t.Errorf("Market: %v, want nil at the end of ctx", err)
		}
		if took := time.Since(r.begin); took != d {
			t.Errorf("Market ended after %v, want %v", took, d)
		}
	})
	return r.msgs
}

func TestMarketRates(t *testing.T) {
	const d = 5 * time.Minute
	msgs := market(t, 1, d)
	if rate := float64(len(msgs)) / d.Seconds(); rate < 60 || rate > 120 {
		t.Errorf("%.1f messages a second, want 60 to 120", rate)
	}

	counts := map[string]int{}
	perSecond := map[string]map[int]int{}
	var gaps []float64
	for i, m := range msgs {
		counts[m.topic]++
		if perSecond[m.topic] == nil {
			perSecond[m.topic] = map[int]int{}
		}
		perSecond[m.topic][int(m.at.Seconds())]++
		if i > 0 {
			gaps = append(gaps, (m.at - msgs[i-1].at).Seconds())
		}
	}
	symbols := demo.Symbols()
	if len(counts) != len(symbols) {
		t.Errorf("%d topics, want %d: one a symbol", len(counts), len(symbols))
	}
	busy, quiet := symbols[0].Topic(), symbols[len(symbols)-1].Topic()
	if counts[busy] < 10*counts[quiet] {
		t.Errorf("%s has %d messages, %s %d: want ten times as many", busy, counts[busy], quiet, counts[quiet])
	}

	// A burst is a second with far more than a quiet symbol ever has by chance.
	var burst int
	for _, s := range symbols[len(symbols)/2:] {
		for _, n := range perSecond[s.Topic()] {
			burst = max(burst, n)
		}
	}
	if burst < 12 {
		t.Errorf("the busiest second of a quiet symbol has %d messages, want a burst of 12 or more", burst)
	}

	// Poisson gaps vary as much as their mean; a metronome's do not vary.
	if v := variation(gaps); v < 0.8 || v > 1.6 {
		t.Errorf("the gaps' coefficient of variation is %.2f, want about 1", v)
	}
}

func variation(x []float64) float64 {
	var sum, sq float64
	for _, v := range x {
		sum += v
		sq += v * v
	}
	mean := sum / float64(len(x))
	return math.Sqrt(sq/float64(len(x))-mean*mean) / mean
}

func TestMarketMessages(t *testing.T) {
	names, first := map[string]string{}, map[string]float64{}
	for _, s := range demo.Symbols() {
		names[s.Ticker] = s.Name
	}
	moved := map[string]bool{}
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every synctest bubble
	for _, m := range market(t, 2, 10*time.Minute) {
		var q demo.Quote
		dec := json.NewDecoder(bytes.NewReader([]byte(m.json)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			t.Fatalf("%s: %v", m.json, err)
		}
		if first[q.Symbol] == 0 {
			first[q.Symbol] = q.Price
		}
		moved[q.Symbol] = moved[q.Symbol] || q.Price != first[q.Symbol]
		cents := q.Price * 100
		switch {
		case m.topic != "demo.quotes."+q.Symbol, m.key != q.Symbol, names[q.Symbol] != q.Name:
			t.Fatalf("topic %q, key %q: %s", m.topic, m.key, m.json)
		case q.Price < first[q.Symbol]/2, q.Price > first[q.Symbol]*2:
			t.Fatalf("began at %v, want plausible ten minutes: %s", first[q.Symbol], m.json)
		case math.Abs(cents-math.Round(cents)) > 1e-6:
			t.Fatalf("price is no multiple of 0.01: %s", m.json)
		case q.Size < 1, q.Side != "buy" && q.Side != "sell", !q.Simulated:
			t.Fatalf("implausible: %s", m.json)
		case q.Time != epoch.Add(m.at).UnixMilli():
			t.Fatalf("time is not now, %d: %s", epoch.Add(m.at).UnixMilli(), m.json)
		}
	}
	for ticker := range names {
		if !moved[ticker] {
			t.Errorf("%s never moved", ticker)
		}
	}
}

// The quietest symbol trades every five seconds: without an opening a new page had blank tiles for that long.
func TestMarketOpening(t *testing.T) {
	var opening []string
	for _, m := range market(t, 5, time.Second) {
		if m.at == 0 {
			opening = append(opening, m.topic)
		}
	}
	var want []string
	for _, s := range demo.Symbols() {
		want = append(want, s.Topic())
	}
	if !slices.Equal(opening, want) {
		t.Errorf("at the first moment came %v, want one quote of each: %v", opening, want)
	}
}

func TestMarketSeed(t *testing.T) {
	a, b, c := market(t, 3, time.Minute), market(t, 3, time.Minute), market(t, 4, time.Minute)
	if !slices.Equal(a, b) {
		t.Error("equal seeds gave different markets")
	}
	if slices.Equal(a, c) {
		t.Error("different seeds gave equal markets")
	}
}

func TestMarketEndsInPublish(t *testing.T) {
	full := errors.New("queue_full")
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		label string
		f     func(int) error
		want  error
	}{
		{"publisher fails", func(n int) error { return map[bool]error{true: full}[n == 3] }, full},
		{"ctx ends during publish", func(int) error { cancel(); return ctx.Err() }, nil},
	} {
		t.Run(c.label, func(t *testing.T) {
			err := demo.Market(ctx, newRecorder(c.f), 1)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("Market: %v, want %v", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "demo.quotes.") {
				t.Errorf("Market: %v: does not name the topic", err)
			}
		})
	}
}

// A host that slept, or a publisher that waited, is not followed by a rush.
func TestMarketAfterAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		r := newRecorder(func(n int) error {
			if n == 10 {
				time.Sleep(time.Minute)
			}
			return nil
		})
		if err := demo.Market(ctx, r, 1); err != nil {
			t.Fatal(err)
		}
		if n := len(r.msgs); n < 20 || n > 400 {
			t.Errorf("%d messages in a second on both sides of a stall, want no rush", n)
		}
	})
}
