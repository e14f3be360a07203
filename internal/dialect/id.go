package dialect

import "strings"

// ParseIdempotencyKey reads the header of that name
// (draft-ietf-httpapi-idempotency-key-header): a string in quotes, as
// structured fields have it (RFC 9651, 3.3.3), or the id as it is. Both forms of
// one id are the same. The error is a bad_request.
func ParseIdempotencyKey(s string) (id string, err error) {
	if id = s; strings.HasPrefix(s, `"`) {
		var ok bool
		if id, ok = unquoteField(s); !ok {
			return "", refuse(CodeBadRequest, `Idempotency-Key %s: expected a string in quotes, in which only \ and " stand behind a \`, excerpt(s))
		}
	}
	if err := CheckID(id); err != nil {
		return "", refuse(CodeBadRequest, "Idempotency-Key: %s", err.(*Error).Message)
	}
	return id, nil
}

// unquoteField returns what a string of a structured field says, of which it
// leaves it to CheckID to judge the characters.
func unquoteField(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i == len(s)-1
		case c == '\\':
			if i++; i == len(s) || s[i] != '\\' && s[i] != '"' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}
