// Package auth answers one question: who is this, and what may they do?
//
// A [Verifier] checks tokens (JWT, RFC 7519, signed by RFC 7515) against keys that come from files, from a JSON Web Key
// Set behind a URL (RFC 7517), or both, and says what they allow as a [Grant]. It never waits for the network and may be
// used from many goroutines.
package auth
