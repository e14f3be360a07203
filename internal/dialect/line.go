package dialect

import "github.com/pushd/pushd/broadcast"

// MaxLineTopics is the most topics that one line may name.
const MaxLineTopics = 128

// Line is one message for one topic or several.
type Line struct {
	Topic   string            // the one topic, or "" if Topics is set
	Topics  []string          // at least one, as the line names them
	Message broadcast.Message // Kind, Key, Event, ID, Position and Payload, which may alias the line
}

// ParseLine reads one line of NDJSON:
//
//	{"topic":…|"topics":[…]|"user":…,"key":…,"event":…,"id":…,"position":…,"data":…|"text":…|"base64":…}
//
// Everything named there is checked; a topic may be that of a user, as user makes
// it. Unknown fields, and at, are ignored; retain and echo are refused as not
// supported yet. The error is an *Error: bad_json, bad_topic or bad_request.
func ParseLine(line []byte) (Line, error) {
	f, err := scanFields(line)
	if err != nil {
		return Line{}, err
	}
	var l Line
	if err = l.read(&f); err != nil {
		return Line{}, err
	}
	return l, nil
}

func (l *Line) read(f *fields) (err error) {
	if err = f.unsupported(); err != nil {
		return err
	}
	switch {
	case f.topic != nil && f.topics == nil && f.user == nil:
		l.Topic, err = topicName(f.topic)
	case f.topic == nil && f.topics != nil && f.user == nil:
		l.Topics, err = topicNames(f.topics, MaxLineTopics)
	case f.topic == nil && f.topics == nil && f.user != nil:
		l.Topic, err = userTopic(f.user)
	default:
		err = refuse(CodeBadRequest, "expected exactly one of topic, topics and user")
	}
	if err != nil {
		return err
	}
	if l.Message, err = f.message(); err != nil {
		return err
	}
	if f.id != nil {
		if l.Message.ID, err = str("id", f.id); err == nil {
			err = CheckID(l.Message.ID)
		}
		if err != nil {
			return err
		}
	}
	if f.position != nil {
		var written string
		if written, err = str("position", f.position); err == nil {
			l.Message.Position, err = ParseMessagePosition(written)
		}
	}
	return err
}

func topicName(raw []byte) (string, error) {
	name, err := str("topic", raw)
	if err != nil {
		return "", err
	}
	return name, CheckTopicOrUser(name)
}

func userTopic(raw []byte) (string, error) {
	id, err := str("user", raw)
	if err != nil {
		return "", err
	}
	return broadcast.UserPrefix + id, CheckUser(id)
}

// topicNames reads an array of 1 to most topics.
func topicNames(raw []byte, most int) ([]string, error) {
	var names []string
	err := eachTopic(raw, most, func(entry []byte) error {
		name, err := topicName(entry)
		names = append(names, name)
		return err
	})
	return names, err
}

// eachTopic calls f for each entry of topics, which are 1 to most.
func eachTopic(raw []byte, most int, f func(entry []byte) error) error {
	if raw == nil || raw[0] != '[' {
		return refuse(CodeBadRequest, "topics: expected an array of 1 to %d topics", most)
	}
	s, n := scanner{b: raw}, 0
	for more := s.enter('[', ']'); more; more = s.more(']') {
		entry := s.value()
		if n++; n > most {
			return refuse(CodeBadRequest, "topics: expected at most %d", most)
		}
		if err := f(entry); err != nil {
			return err
		}
	}
	if n == 0 {
		return refuse(CodeBadRequest, "topics is empty, expected 1 to %d", most)
	}
	return nil
}
