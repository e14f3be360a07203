package dialect

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// Error codes, as they stand in "code" on both doors.
const (
	CodeBadRequest       = "bad_request"
	CodeBadTopic         = "bad_topic"
	CodeBadJSON          = "bad_json"
	CodeUnauthorized     = "unauthorized"
	CodeForbidden        = "forbidden"
	CodeNotFound         = "not_found"
	CodeMethod           = "method"
	CodeTimeout          = "timeout"
	CodePositionConflict = "position_conflict"
	CodeTooLarge         = "too_large"
	CodeMediaType        = "media_type"
	CodeUpgradeRequired  = "upgrade_required"
	CodeRateLimited      = "rate_limited"
	CodeHeadersTooLarge  = "headers_too_large"
	CodeQueueFull        = "queue_full"
	CodeOverloaded       = "overloaded"
	CodeDraining         = "draining"
)

var statuses = map[string]int{
	CodeBadRequest:       http.StatusBadRequest,
	CodeBadTopic:         http.StatusBadRequest,
	CodeBadJSON:          http.StatusBadRequest,
	CodeUnauthorized:     http.StatusUnauthorized,
	CodeForbidden:        http.StatusForbidden,
	CodeNotFound:         http.StatusNotFound,
	CodeMethod:           http.StatusMethodNotAllowed,
	CodeTimeout:          http.StatusRequestTimeout,
	CodePositionConflict: http.StatusConflict,
	CodeTooLarge:         http.StatusRequestEntityTooLarge,
	CodeMediaType:        http.StatusUnsupportedMediaType,
	CodeUpgradeRequired:  http.StatusUpgradeRequired,
	CodeRateLimited:      http.StatusTooManyRequests,
	CodeHeadersTooLarge:  http.StatusRequestHeaderFieldsTooLarge,
	CodeQueueFull:        http.StatusServiceUnavailable,
	CodeOverloaded:       http.StatusServiceUnavailable,
	CodeDraining:         http.StatusServiceUnavailable,
}

// HTTPStatus returns the status that goes with an error code, and 500 for what
// is none. A 503 is sent with Retry-After.
func HTTPStatus(code string) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Close codes (RFC 6455, 7.4.1; from 4000 on they are ours). What a client
// does on each stands in docs/PROTOCOL.md.
const (
	CloseGoingAway       ws.StatusCode = 1001
	CloseProtocolError   ws.StatusCode = 1002
	CloseUnsupportedData ws.StatusCode = 1003
	CloseInvalidPayload  ws.StatusCode = 1007
	ClosePolicyViolation ws.StatusCode = 1008
	CloseTooLarge        ws.StatusCode = 1009
	CloseInternalError   ws.StatusCode = 1011
	CloseRestart         ws.StatusCode = 1012 // with RetryReason
	CloseTryAgainLater   ws.StatusCode = 1013 // slow or overloaded, with RetryReason
	CloseUnauthorized    ws.StatusCode = 4401
	CloseForbidden       ws.StatusCode = 4403
	CloseGone            ws.StatusCode = 4410
	CloseRateLimited     ws.StatusCode = 4429 // with RetryReason
)

// RetryReason is the close reason that tells a client when to come back.
func RetryReason(after time.Duration) string {
	return "retry_ms=" + strconv.FormatInt(after.Milliseconds(), 10)
}
