// Package client is how pushd's own commands talk to a server: a Subscriber
// that reads topics over WebSocket and a Publisher that posts to the admin
// door.
//
// # Subscriber
//
// Run blocks until its context ends, the handler returns an error, or the
// server says that coming back is no use. In between it reconnects by itself
// and resumes each topic from the last position it handed on, so a handler
// sees every message once and in order; where the server no longer has what
// was missed, OnGap is told before the next message.
//
// All callbacks run on the goroutine that called Run, one at a time. What they
// are given is borrowed: it is valid until they return.
//
// A server that was never reached ends Run with an *UnreachableError. Once it
// has been reached, losing it is only a reason to come back.
//
// # Publisher
//
// A Publisher's methods may be called from several goroutines. An answer from
// them means what the server's acknowledgement means: in the log, in order.
package client
