package dialect

import "github.com/pushd/pushd/broadcast"

// MaxLineTopics is the most topics that one line may name.
const MaxLineTopics = 128

// Line is one message for one topic or several.
type Line struct {
	Topic   string            // the one topic, or "" if Topics is set
	Topics  []string          // at least one, as the line names them
	Message broadcast.Message // Kind, Key, Event and Payload, which may alias the line
}

// ParseLine reads one line of NDJSON:
//
//	{"topic":…|"topics":[…],"key":…,"event":…,"data":…|"text":…|"base64":…}
//
// Topics, key and event are checked and so is data. Unknown fields, and at,
// are ignored; id, user, retain and echo are refused as not supported yet. The
// error is an *Error: bad_json, bad_topic or bad_request.
func ParseLine(line []byte) (Line, error) {
	var l Line
	f, err := scanFields(line)
	if err != nil {
		return l, err
	}
	if f.id != nil {
		return l, refuse(CodeBadRequest, "id is not supported yet")
	}
	if err = f.unsupported(); err != nil {
		return l, err
	}
	switch {
	case f.topic != nil && f.topics == nil:
		l.Topic, err = topicName(f.topic)
	case f.topic == nil && f.topics != nil:
		l.Topics, err = topicNames(f.topics, MaxLineTopics)
	default:
		err = refuse(CodeBadRequest, "expected exactly one of topic and topics")
	}
	if err != nil {
		return Line{}, err
	}
	if l.Message, err = f.message(); err != nil {
		return Line{}, err
	}
	return l, nil
}

func topicName(raw []byte) (string, error) {
	name, err := str("topic", raw)
	if err != nil {
		return "", err
	}
	return name, CheckTopic(name)
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
