package client

import "strings"

// topicState is what the subscriber knows of one topic across connections.
type topicState struct {
	resume  string // where a subscription would go on; "" means with what comes next
	pending string // becomes resume at "live", if no news arrive before
	last    string // the last message's position, by which repeats are told
	muted   bool   // not subscribed, or about to be anew: what comes will come again
	lossy   bool   // policy conflate: positions repeat, and mean a whole round
}

// isUser reports whether a topic is that of a user, which a connection of the
// user's is subscribed to from its first moment to its last.
func isUser(topic string) bool { return strings.HasPrefix(topic, "$user.") }

// subscribed takes the server's reply in and returns the gap, if there is one.
// Where the topic is muted after it, it must be subscribed to again: delivery
// has begun live, and the server holds more than that.
func (t *topicState) subscribed(e *envelope) (Gap, bool) {
	t.muted = false
	t.lossy = e.Policy == "conflate"
	resumed := t.resume != ""
	if resumed && (e.Recovered == nil || *e.Recovered) {
		// Replay covers what lies between; until it is over, resume stays.
		t.pending = e.Position
		return Gap{}, false
	}
	gap := Gap{Topic: e.Topic, From: t.resume, To: e.Position, Reason: "the server's log begins later"}
	t.resume, t.pending, t.last = e.Position, e.Position, ""
	switch {
	case e.Retain: // the newest value of each key follows; until then coming back means from the start
		t.resume = ""
	case e.History != "" && e.History != e.Position:
		t.resume, t.pending, gap.To, t.muted = e.History, "", e.History, resumed
	}
	return gap, resumed
}

// accept reports whether a message is to be handed on, and not one that came
// before.
func (t *topicState) accept(e *envelope) bool {
	switch {
	case t.muted:
		return false
	case t.lossy, e.Retained, t.last == "":
		return true
	case e.Op == "delete" && e.Position == e.Previous: // nobody published it: it stands where the message before does
		return true
	}
	return !covers(t.last, e.Position)
}

// missing reports that a message before this one has not come.
func (t *topicState) missing(e *envelope) bool {
	return !e.Retained && e.Previous != "" && t.resume != "" && e.Previous != t.resume
}

// delivered notes that a message was handed on.
func (t *topicState) delivered(e *envelope) {
	switch {
	case e.Position == "":
	case e.Retained: // of the past: there may be more of these, and none says that it is the last
		t.resume = e.Position
	default:
		t.resume, t.last, t.pending = e.Position, e.Position, ""
	}
}

// live notes that replay is over.
func (t *topicState) live() {
	if t.pending != "" {
		t.resume, t.pending = t.pending, ""
	}
}

// skip goes on behind a gap that the server announced.
func (t *topicState) skip(to string) { t.resume, t.last, t.pending = to, "", "" }
