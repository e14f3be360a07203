package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// maxReported bounds the errors of one report; the counts are of all.
const maxReported = 100

// report says what became of the lines so far.
type report struct {
	Code       string      `json:"code,omitempty"` // why it ended early
	Message    string      `json:"message,omitempty"`
	Lines      int         `json:"lines"`
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"` // of those accepted: they were published before
	Rejected   int         `json:"rejected"`
	Errors     []lineError `json:"errors"`
}

type lineError struct {
	Line    int    `json:"line"` // from 1
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *report) reject(e *dialect.Error) {
	r.Rejected++
	if len(r.Errors) < maxReported {
		r.Errors = append(r.Errors, lineError{r.Lines, e.Code, e.Message})
	}
}

// publishLines publishes each line of the body.
func (s *Server) publishLines(w http.ResponseWriter, r *http.Request) {
	if err := checkLines(r); err != nil {
		refuseError(w, err)
		return
	}
	for header, field := range map[string]string{positionHeader: "position", idHeader: "id"} {
		if r.Header.Values(header) != nil {
			refuse(w, dialect.CodeBadRequest, header+" is for one message: expected the field "+field+" in each line")
			return
		}
	}
	// With this context a publish tries once and does not wait.
	once, cancel := context.WithCancel(r.Context())
	cancel()
	p := linePublisher{Server: s, batch: s.hub.Batch(), ctx: r.Context(), once: once, report: report{Errors: []lineError{}}}
	var progress *progress
	if strings.Contains(r.Header.Get("Accept"), ndjson) {
		progress = newProgress(w)
	}
	err := p.run(r.Body, func() error { return progress.offer(&p.report) })
	status := http.StatusOK
	if err != nil {
		p.report.Code, p.report.Message = err.Code, err.Message
		status = dialect.HTTPStatus(err.Code)
	}
	if progress != nil {
		progress.finish(&p.report)
		return
	}
	if err == nil {
		keepAlive(w)
	}
	answer(w, status, &p.report)
}

const ndjson = "application/x-ndjson"

// linePublisher publishes lines and keeps count.
type linePublisher struct {
	*Server
	batch     *broadcast.Batch
	ctx, once context.Context
	report    report
}

// lineLimit is how long a line may be: a payload with its escapes, as a rule,
// and what stands around it.
func lineLimit(maxMessage int) int { return 2*maxMessage + 4096 }

// run publishes lines until the body ends. Audiences hear of what was published
// whenever no whole line is left to go on with, so that a burst goes out in few
// writes and nothing waits for a slow body; then flushed is called. What ends it
// early is not about the line but about all that follow.
func (p *linePublisher) run(body io.Reader, flushed func() error) *dialect.Error {
	defer p.batch.Flush()
	lines := newLineReader(body, lineLimit(p.cfg.MaxMessage), p.engine.Buffers(), func() error {
		p.batch.Flush()
		if p.leaving.at(left) {
			return errDraining
		}
		return flushed()
	})
	defer lines.close()
	for {
		line, long, err := lines.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errDraining:
			return errDraining
		case err != nil:
			return broken(err)
		}
		p.report.Lines++
		if long {
			p.report.reject(tooLarge("the line is too long", lines.limit))
			continue
		}
		if e := p.take(line); e != nil && stops(e) {
			p.report.Lines--
			return e
		} else if e != nil {
			p.report.reject(e)
		}
	}
}

// stops reports whether an error holds for the lines that follow too.
func stops(e *dialect.Error) bool { return e.Code == dialect.CodeQueueFull }

// take publishes one line; one of white space is none.
func (p *linePublisher) take(text []byte) *dialect.Error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	line, err := dialect.ParseLine(text)
	if err != nil {
		return err.(*dialect.Error)
	}
	if n := len(line.Message.Payload); n > p.cfg.MaxMessage {
		return tooLarge("the payload is "+itoa(n)+" bytes", p.cfg.MaxMessage)
	}
	topics := line.Topics
	if topics == nil {
		topics = []string{line.Topic}
	}
	news := false
	for _, topic := range topics {
		r, err := p.publish(topic, line.Message)
		if err != nil {
			return errorOf(err)
		}
		news = news || !r.Duplicate
	}
	p.report.Accepted++
	if !news {
		p.report.Duplicates++
	}
	return nil
}

func (p *linePublisher) publish(topic string, m broadcast.Message) (broadcast.Receipt, error) {
	r, err := p.batch.Publish(p.once, topic, m)
	if !errors.Is(err, broadcast.ErrNoRoom) {
		return r, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.PublishTimeout)
	defer cancel()
	return p.batch.Publish(ctx, topic, m)
}
