package dialect

import (
	"encoding/json"
	"fmt"
)

// Error is what the sender of some input is told about it.
type Error struct {
	Code    string          // one of the Code constants
	Message string          // what was wrong and what was expected
	Topic   string          // the topic it is about, else ""
	ID      json.RawMessage // the id of the command it answers, else nil
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// about names the topic that the error is about. One that is too long to be a
// topic is left out: the answer to a command must not outgrow it.
func (e *Error) about(topic string) *Error {
	if len(topic) <= MaxTopic {
		e.Topic = topic
	}
	return e
}
