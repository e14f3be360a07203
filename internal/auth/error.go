package auth

import "fmt"

// Reason says why a token was refused.
type Reason string

const (
	ReasonTooLarge    Reason = "too_large"     // more than MaxToken bytes
	ReasonMalformed   Reason = "malformed"     // not a JWT, or of a kind that is not understood
	ReasonAlgorithm   Reason = "bad_algorithm" // an algorithm that is not taken here, or not that of the key named
	ReasonUnknownKey  Reason = "unknown_key"   // no key fits; where there is a JWKS URL it will be asked
	ReasonSignature   Reason = "bad_signature" // the key is there, and did not sign this
	ReasonClaims      Reason = "bad_claims"    // signed, but a claim is missing or of the wrong kind
	ReasonExpired     Reason = "expired"
	ReasonNotYetValid Reason = "not_yet_valid"
	ReasonWrongAud    Reason = "wrong_audience"
	ReasonWrongIssuer Reason = "wrong_issuer"
)

// Error is why a token was refused. Message says what was wrong and what was
// expected, for whoever brought the token. It may quote 64 bytes of the key id,
// and of claims that were signed, but no more of the token.
type Error struct {
	Reason  Reason
	Message string
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
