package server

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/internal/dialect"
)

// closable are the codes that an operator may close a connection with. What each
// means to the client stands in docs/PROTOCOL.md.
var closable = []ws.StatusCode{
	ws.StatusNormalClosure, dialect.CloseGoingAway, dialect.ClosePolicyViolation, dialect.CloseInternalError, dialect.CloseRestart,
	dialect.CloseTryAgainLater, dialect.CloseUnauthorized, dialect.CloseForbidden, dialect.CloseGone, dialect.CloseRateLimited,
}

// operatorRetry is when somebody whom an operator closed may come back.
const operatorRetry = time.Second

// closeConnection closes the connection that the path names.
func (s *Server) closeConnection(w http.ResponseWriter, r *http.Request) {
	h, err := parseID(r.PathValue("id"))
	if err != nil {
		refuseError(w, err)
		return
	}
	code, reason, err := closeOf(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	found := false
	if h.Shard() < len(s.owners) {
		shard := s.owners[h.Shard()].shard
		err = visit(r.Context(), shard, func() {
			if c := shard.Conn(h); c != nil {
				found = true
				shard.End(c, code, reason)
			}
		})
	}
	switch {
	case err != nil:
		refuseError(w, err)
	case !found:
		refuse(w, dialect.CodeNotFound, "no connection "+h.String())
	default:
		answer(w, http.StatusOK, struct {
			ID     string        `json:"id"`
			Code   ws.StatusCode `json:"code"`
			Reason string        `json:"reason"`
		}{h.String(), code, reason})
	}
}

// closeOf reads code= and reason=. The codes that tell a client to come back
// after a time tell it so unless something else is to be said.
func closeOf(r *http.Request) (code ws.StatusCode, reason string, err error) {
	query := r.URL.Query()
	code, reason = dialect.CloseRestart, query.Get("reason")
	if given := query.Get("code"); given != "" {
		n, err := strconv.ParseUint(given, 10, 16)
		if code = ws.StatusCode(n); err != nil || !slices.Contains(closable, code) {
			return 0, "", &dialect.Error{Code: dialect.CodeBadRequest,
				Message: "code " + quote(given) + ": expected 1000, 1001, 1008, 1011, 1012, 1013, 4401, 4403, 4410 or 4429"}
		}
	}
	const most = ws.MaxControlFramePayloadSize - 2 // RFC 6455, 5.5 and 5.5.1
	if len(reason) > most || !utf8.ValidString(reason) {
		return 0, "", &dialect.Error{Code: dialect.CodeBadRequest, Message: "reason: expected at most " + itoa(most) + " bytes of UTF-8"}
	}
	if reason == "" && (code == dialect.CloseRestart || code == dialect.CloseTryAgainLater || code == dialect.CloseRateLimited) {
		reason = dialect.RetryReason(operatorRetry)
	}
	return code, reason, nil
}
