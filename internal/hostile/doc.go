// Package hostile answers one question: what can clients that mean harm do to a server, and to those who do not?
//
// It has tests only. They run pushd as a process of its own, on loopback, and look at what it says and at what it costs: its
// memory as the kernel counts it, its metrics. In short, as `go test` runs them, they are some tens of each kind; `make
// hostile` has them by the thousand, beside subscribers who must not notice.
package hostile
