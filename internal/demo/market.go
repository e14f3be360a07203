package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// How trades cluster. A trade excites its symbol, which calms down again: a Hawkes process, of which a sixth of all
// trades are echoes. News now and then excites one symbol a great deal and moves its price.
const (
	echo     = 0.25             // trades a second that one trade adds to its symbol
	calm     = 1.5              // how fast that fades, 1/s
	news     = 1.0 / 15         // news a second, in the whole market
	newsRate = 60.0             // trades a second that news adds to its symbol
	newsMove = 0.006            // relative move of the level that it returns to
	revert   = 0.02             // pull towards that level, 1/s
	catchUp  = 2 * time.Second  // later than this and the market goes on from now
	ticks    = 100              // prices are multiples of a hundredth
	halfGap  = 0.00015          // half the spread between buyers and sellers, relative
	maxQuiet = 10 * time.Second // the step that a price takes at most at once
)

// A Quote is the payload of a market message.
type Quote struct {
	Symbol    string  `json:"symbol"`
	Name      string  `json:"name"`
	Price     float64 `json:"price"`
	Size      int     `json:"size"`
	Side      string  `json:"side"` // "buy" or "sell"
	Time      int64   `json:"time"` // Unix milliseconds
	Simulated bool    `json:"simulated"`
}

// Market publishes a simulated market to p until ctx ends: one topic a symbol, its ticker as key. It opens with one trade
// of each symbol, so that no page waits for its quietest; then 60 to 120 quotes a second in all come when they happen and
// not by a clock. Equal seeds give equal markets. It returns nil when
// ctx has ended, else the error of p.
func Market(ctx context.Context, p Publisher, seed uint64) error {
	m := newMarket(seed)
	pace := newPacer(catchUp)
	defer pace.stop()
	for {
		wait, q, topic := m.next()
		if !pace.wait(ctx, wait) {
			return nil
		}
		q.Time = time.Now().UnixMilli()
		b, err := json.Marshal(q)
		if err != nil {
			return fmt.Errorf("demo: market: %w", err)
		}
		if err := p.Publish(ctx, topic, q.Symbol, b); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("demo: market: publish to %s: %w", topic, err)
		}
	}
}

// market is the simulation, apart from the clock.
type market struct {
	rng    *rand.Rand
	stocks []stock
	opened int // stocks that have had their first trade
}

type stock struct {
	Symbol
	level   float64 // log price that the price returns to
	log     float64 // log price now
	excited float64 // trades a second above the quiet rate
	since   float64 // seconds since its last trade
}

func newMarket(seed uint64) *market {
	m := &market{rng: rand.New(rand.NewPCG(seed, 0x70757368))}
	for _, s := range Symbols() {
		l := math.Log(s.price)
		m.stocks = append(m.stocks, stock{Symbol: s, level: l, log: l})
	}
	return m
}

// next returns the next trade and how long after the one before it happens. The opening takes no time. Between events the intensity only falls, so
// the intensity now bounds it and candidates are thinned (Ogata 1981).
func (m *market) next() (time.Duration, Quote, string) {
	if m.opened < len(m.stocks) {
		s := &m.stocks[m.opened]
		m.opened++
		return 0, m.trade(s), s.Topic()
	}
	var waited float64
	for {
		bound := m.intensity() + news
		dt := m.rng.ExpFloat64() / bound
		waited += dt
		m.pass(dt)
		at := m.rng.Float64() * bound
		if at < news {
			m.breakNews()
			continue
		}
		at -= news
		for i := range m.stocks {
			s := &m.stocks[i]
			if at -= s.rate + s.excited; at < 0 {
				return time.Duration(waited * float64(time.Second)), m.trade(s), s.Topic()
			}
		}
	}
}

func (m *market) intensity() (sum float64) {
	for i := range m.stocks {
		sum += m.stocks[i].rate + m.stocks[i].excited
	}
	return sum
}

// pass lets dt seconds go by.
func (m *market) pass(dt float64) {
	fade := math.Exp(-calm * dt)
	for i := range m.stocks {
		m.stocks[i].excited *= fade
		m.stocks[i].since += dt
	}
}

func (m *market) breakNews() {
	s := &m.stocks[m.rng.IntN(len(m.stocks))]
	s.excited += newsRate
	// The level moves, but is itself drawn home, so that a demo left on for a week shows no absurd prices.
	home := math.Log(s.price)
	s.level = home + 0.8*(s.level-home) + newsMove*m.rng.NormFloat64()
}

func (m *market) trade(s *stock) Quote {
	dt := min(s.since, maxQuiet.Seconds())
	s.since = 0
	pull := 1 - math.Exp(-(revert+0.02*s.excited)*dt) // in a burst the price finds its level faster
	vol := s.vol * (1 + s.excited/20)                 // and is less sure of it
	s.log += pull*(s.level-s.log) + vol*math.Sqrt(dt)*m.rng.NormFloat64()
	s.excited += echo

	side, gap := "buy", 1+halfGap
	if m.rng.IntN(2) == 0 {
		side, gap = "sell", 1-halfGap
	}
	return Quote{
		Symbol:    s.Ticker,
		Name:      s.Name,
		Price:     math.Max(1, math.Round(math.Exp(s.log)*gap*ticks)) / ticks,
		Size:      m.size(),
		Side:      side,
		Simulated: true,
	}
}

// size is log-normal around 60, and often a round hundred.
func (m *market) size() int {
	n := 1 + int(60*math.Exp(0.9*m.rng.NormFloat64()))
	if m.rng.IntN(3) == 0 {
		n = (n + 99) / 100 * 100
	}
	return n
}
