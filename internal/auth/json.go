package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pushd/pushd/internal/dialect"
)

// members calls each, if it is not nil, for every member of a JSON object. A name that stands
// twice is refused (RFC 7519, 4 leaves the choice): readers differ in which of
// the two counts, and the one that signed it may not have meant ours. Names are
// compared byte for byte, which encoding/json does not do for structs.
func members(object []byte, each func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return errors.New("expected a JSON object")
	}
	seen := make(map[string]bool, 8)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return errors.New("expected a JSON object")
		}
		name := token.(string) // or Token had failed
		if seen[name] {
			return fmt.Errorf("%s stands twice", excerpt(name))
		}
		seen[name] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return errors.New("expected a JSON object")
		}
		if each == nil {
			continue
		}
		if err := each(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil || len(bytes.TrimSpace(object[d.InputOffset():])) > 0 {
		return errors.New("expected a JSON object")
	}
	return nil
}

// text reads a string.
func text(value json.RawMessage) (s string, err error) {
	if value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", errors.New("expected a string")
	}
	return s, nil
}

// reword takes the code off a dialect's error, which is about another door.
func reword(err error) string {
	if e, ok := errors.AsType[*dialect.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// excerpt quotes what somebody sent: 64 bytes are enough to know it by.
func excerpt(s string) string {
	const most = 64
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
}
