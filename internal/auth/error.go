package auth

// Reason says in one word why a token was refused: a metric has it as label.
type Reason string

const (
	Malformed     Reason = "malformed"
	BadAlgorithm  Reason = "bad_algorithm"
	UnknownKey    Reason = "unknown_key"
	BadSignature  Reason = "bad_signature"
	Expired       Reason = "expired"
	NotYetValid   Reason = "not_yet_valid"
	WrongAudience Reason = "wrong_audience"
	WrongIssuer   Reason = "wrong_issuer"
	BadClaims     Reason = "bad_claims"
)

// Error is why a token was refused. It shows nothing of the token but what a
// claim has that cannot be.
type Error struct {
	Reason  Reason
	Message string // what was wrong and what was expected
}

func (e *Error) Error() string { return e.Message }

func refuse(reason Reason, message string) *Error { return &Error{reason, message} }
