// Package auth answers one question: who is this, and what may they do?
//
// A [Verifier] has keys, of files and of a JWKS URL, and makes a [Grant] of a
// token that one of them signed. It verifies JSON Web Tokens (RFC 7519) in the
// compact form of RFC 7515, signed with HS256, RS256, ES256 or EdDSA, each key
// by its own algorithm only.
//
// The other direction is here too, for the commands and for tests: [Generate]
// makes a key and [Key.Sign] a token.
//
// No error and no log line of this package holds a token or a key. A Verifier
// may be used by any number of goroutines; Verify does not wait for anything
// and keeps nothing of what it is given.
package auth
