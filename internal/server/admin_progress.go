package server

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// progressPause is the least time between two reports on one body.
const progressPause = 100 * time.Millisecond

// progress reports on a body while it comes, a line at a time. A report that
// would come too soon after the last waits for its turn, and not for more of
// the body: a publisher may be waiting for it. The nil progress reports nothing.
type progress struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	sent   time.Time
	told   int     // lines that the last report counted
	next   *report // waits for timer; nil for none
	timer  *time.Timer
	err    error // of the last write
	closed bool
}

func newProgress(w http.ResponseWriter) *progress {
	w.Header().Set("Content-Type", ndjson)
	// What is read of the body after the last report would disturb the next
	// request (net/http's background read), so there is none.
	w.Header().Set("Connection", "close")
	p := &progress{w: w, control: http.NewResponseController(w)}
	p.control.EnableFullDuplex() // fails only for what is not HTTP/1
	p.timer = time.AfterFunc(time.Hour, p.due)
	p.timer.Stop()
	return p
}

// offer reports r now or soon, if it is news, and takes its errors. The error is
// that of an earlier report that could not be sent.
func (p *progress) offer(r *report) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || r.Lines == p.told && p.next == nil {
		return p.err
	}
	p.stageLocked(r)
	p.writeInTurnLocked()
	return p.err
}

func (p *progress) writeInTurnLocked() {
	if wait := progressPause - time.Since(p.sent); wait > 0 {
		p.timer.Reset(wait)
		return
	}
	p.writeLocked()
}

// stageLocked makes r the next report, with what errors the one that it replaces
// had. r keeps none of them.
func (p *progress) stageLocked(r *report) {
	next := *r
	next.Errors = []lineError{}
	if p.next != nil {
		next.Errors = p.next.Errors
	}
	room := min(len(r.Errors), maxReported-len(next.Errors))
	next.Errors = append(next.Errors, r.Errors[:room]...)
	r.Errors = r.Errors[:0]
	p.next = &next
}

// due is called by the timer, perhaps when another report has just been sent.
func (p *progress) due() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil && !p.closed {
		p.writeInTurnLocked()
	}
}

func (p *progress) writeLocked() {
	p.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails only for what is no socket
	if p.err = json.NewEncoder(p.w).Encode(p.next); p.err == nil {
		p.err = p.control.Flush()
	}
	p.sent, p.told, p.next = time.Now(), p.next.Lines, nil
}

// finish sends the last report. Nothing is written after it.
func (p *progress) finish(r *report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stageLocked(r)
	p.writeLocked()
	p.closed = true
	p.timer.Stop()
}
