package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// patience is how long a Stream waits for a server that answers 503 and takes
// nothing, before it gives up.
const patience = time.Minute

// StreamConfig says how lines are sent.
type StreamConfig struct {
	// Pace replays lines by their own "at", in seconds: 1 is real time, 10
	// ten times faster. 0 sends as fast as the server takes them.
	Pace float64
	// Wrap turns a line of input into one of NDJSON, appended to dst. nil
	// means that it is NDJSON. It keeps neither slice.
	Wrap func(dst, line []byte) ([]byte, error)
	// OnReject hears of each line that was refused.
	OnReject func(Rejected)
}

// Rejected is one line that was not published, and why.
type Rejected struct {
	Line    int    `json:"line"` // its number in the input, from 1
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Summary counts what became of the lines. Blank ones do not count.
type Summary struct {
	Lines      int
	Accepted   int
	Duplicates int // of those accepted: they had been published before
	Rejected   int
	Took       time.Duration
}

// progress is the server's answer to a batch.
type progress struct {
	Lines      int        `json:"lines"`
	Accepted   int        `json:"accepted"`
	Duplicates int        `json:"duplicates"`
	Rejected   int        `json:"rejected"`
	Errors     []Rejected `json:"errors"`
}

// Stream publishes r line by line, in requests of bounded size, one after the
// other. A line does not wait for more to come: a request holds what r has
// given by then. After a 503 it goes on with the first line that was not
// taken, when the server said to. An error says how far it came; what was
// acknowledged until then stands in the Summary.
func (p *Publisher) Stream(ctx context.Context, r io.Reader, cfg StreamConfig) (sum Summary, err error) {
	began := p.cfg.now()
	defer func() { sum.Took = p.cfg.now().Sub(began) }()
	var (
		lines  = newLineReader(r)
		clock  = schedule{pace: cfg.Pace}
		b      batch
		staged []byte
	)
	flush := func() error {
		defer b.reset()
		return p.send(ctx, b, cfg, &sum)
	}
	for {
		line, err := lines.next()
		if err != nil {
			if flushErr := flush(); flushErr != nil {
				return sum, flushErr
			}
			if err == io.EOF {
				return sum, nil
			}
			return sum, err
		}
		if wait := clock.due(line, p.cfg.now()).Sub(p.cfg.now()); cfg.Pace > 0 && wait > 0 {
			if err := flush(); err != nil {
				return sum, err
			}
			// Again, for sending took its time.
			wait = clock.due(line, p.cfg.now()).Sub(p.cfg.now())
			if err := p.cfg.sleep(ctx, wait); err != nil {
				return sum, err
			}
		}
		if cfg.Wrap != nil {
			if staged, err = cfg.Wrap(staged[:0], line); err != nil {
				return sum, fmt.Errorf("line %d: %w", lines.number, err)
			}
			line = staged
		}
		b.add(line, lines.number)
		if b.full() || lines.waits() {
			if err := flush(); err != nil {
				return sum, err
			}
		}
	}
}

// send posts a batch until every line of it was accepted or rejected.
func (p *Publisher) send(ctx context.Context, b batch, cfg StreamConfig, sum *Summary) error {
	var wait backoff
	deadline := p.cfg.now().Add(patience)
	for len(b.numbers) > 0 {
		var answer progress
		header := http.Header{"Content-Type": {"application/x-ndjson"}}
		err := p.ask(ctx, http.MethodPost, "/v1/messages", header, b.body, &answer)
		taken := min(max(answer.Lines, 0), len(b.numbers))
		sum.Lines += taken
		sum.Accepted += answer.Accepted
		sum.Duplicates += answer.Duplicates
		sum.Rejected += answer.Rejected
		for _, r := range answer.Errors {
			if cfg.OnReject != nil && 0 < r.Line && r.Line <= len(b.numbers) {
				r.Line = b.numbers[r.Line-1]
				cfg.OnReject(r)
			}
		}
		b = b.rest(taken)

		var status *StatusError
		switch {
		case err == nil && len(b.numbers) > 0:
			return fmt.Errorf("the server answered 200 but left out line %d", b.numbers[0])
		case err == nil:
			return nil
		case !errors.As(err, &status) || status.Status != http.StatusServiceUnavailable:
			return fmt.Errorf("from line %d on: %w", b.first(), err)
		}
		if taken > 0 {
			wait.reset()
			deadline = p.cfg.now().Add(patience)
		}
		pause := wait.next(status.RetryAfter)
		if p.cfg.now().Add(pause).After(deadline) {
			return fmt.Errorf("from line %d on: no line was taken for %v: %w", b.first(), patience, err)
		}
		if err := p.cfg.sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// first is the number of the first line, 0 where there is none.
func (b *batch) first() int {
	if len(b.numbers) == 0 {
		return 0
	}
	return b.numbers[0]
}
