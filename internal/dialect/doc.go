// Package dialect answers one question: how does a message look on this wire?
//
// Two dialects are spoken, told apart by Sec-WebSocket-Protocol: Raw, which
// carries payloads exactly as they were published, and JSON, which carries
// them in envelopes with their topic and position. docs/PROTOCOL.md is the
// contract with the other end; this package is its only implementation.
//
// Everything here is a function of its arguments: nothing is kept, nothing is
// locked, all of it may be called from any goroutine. What is named Append…
// appends one complete unmasked WebSocket frame to dst, like append, and
// allocates nothing but dst's growth. What is named Parse… or Check… returns
// an *Error for input that may not pass; its Message is written for whoever
// sent that input, and its Code is one of the Code constants.
//
// Slices and strings: Append functions keep nothing that they are given.
// Command and Line may alias the bytes they were parsed from, where their
// fields say so.
package dialect
