package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// kindOf says what the body of a request is to become. The error is a
// media_type.
func kindOf(r *http.Request) (broadcast.Kind, error) {
	const accepted = "expected application/json, text/*, application/x-www-form-urlencoded or application/octet-stream"
	media, charset, err := mediaType(r, accepted)
	switch {
	case err != nil:
		return 0, err
	case media == "application/octet-stream":
		return broadcast.Binary, nil
	case media == "application/json":
		return broadcast.JSON, checkCharset(charset)
	case media == "application/x-www-form-urlencoded", strings.HasPrefix(media, "text/"):
		return broadcast.Text, checkCharset(charset)
	}
	return 0, refuseMedia("Content-Type %q: %s", media, accepted)
}

// checkLines says whether the body of a request is NDJSON. The error is a
// media_type.
func checkLines(r *http.Request) error {
	const accepted = "expected application/x-ndjson or application/json"
	media, charset, err := mediaType(r, accepted)
	switch {
	case err != nil:
		return err
	case media == "application/x-ndjson", media == "application/json":
		return checkCharset(charset)
	}
	return refuseMedia("Content-Type %q: %s", media, accepted)
}

func mediaType(r *http.Request, accepted string) (media, charset string, err error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "", "", refuseMedia("Content-Encoding %q: expected none", coding)
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "", "", refuseMedia("no Content-Type: %s", accepted)
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", "", refuseMedia("Content-Type %q cannot be read: %s", header, accepted)
	}
	return media, params["charset"], nil
}

// checkCharset refuses text that is not UTF-8, of which ASCII is a part.
func checkCharset(charset string) error {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
		return nil
	}
	return refuseMedia("charset %q: expected utf-8", charset)
}

func refuseMedia(format string, args ...any) error {
	return &dialect.Error{Code: dialect.CodeMediaType, Message: fmt.Sprintf(format, args...)}
}

// readBody reads a body of at most MaxMessage bytes into one of the engine's
// buffers, which is to go back there, also after an error. The error is a
// *dialect.Error.
func (s *Server) readBody(r *http.Request) ([]byte, error) {
	size, most := r.ContentLength, int64(s.cfg.MaxMessage)
	if size > most {
		return nil, tooLarge("the body is "+itoa(int(size))+" bytes", s.cfg.MaxMessage)
	}
	if size < 0 {
		size = most
	}
	// One byte more than may come shows whether more comes.
	body := s.engine.Buffers().Get(int(size) + 1)[:0]
	for {
		n, err := r.Body.Read(body[len(body) : size+1])
		body = body[:len(body)+n]
		switch {
		case len(body) > int(size):
			return body, tooLarge("the body is too large", s.cfg.MaxMessage)
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, broken(err)
		}
	}
}

// tooLarge says what is above the limit of so many bytes.
func tooLarge(what string, limit int) *dialect.Error {
	return &dialect.Error{Code: dialect.CodeTooLarge, Message: what + ", expected at most " + itoa(limit) + " bytes"}
}

// broken says why a body came to no good end.
func broken(err error) *dialect.Error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &dialect.Error{Code: dialect.CodeTimeout, Message: "the body stopped before its end"}
	}
	return &dialect.Error{Code: dialect.CodeBadRequest, Message: "the body cannot be read: " + err.Error()}
}
