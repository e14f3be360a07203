// Package conformance answers one question: does the server keep every rule of
// RFC 6455 (sections 4 to 8) and RFC 7692 (section 7) that binds a server?
//
// It has tests only. They start a real server, speak to it over TCP in bytes of
// their own making, and read what comes with a reader of their own, so that a
// fault in what the server is built of cannot hide itself. The rules stand in
// rules_test.go, each with its clause; every case names the one that it is about,
// and a rule without a case fails the tests. To read it all:
//
//	go test ./internal/conformance -v
package conformance
