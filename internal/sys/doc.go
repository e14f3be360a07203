// Package sys answers one question: how are the system calls of sockets and pollers made, and how are they made to fail?
//
// In a production binary each function is the call and nothing else, inlined. Built with the tag faults, on Linux, each asks
// first whether it is to fail: see Inject there. Only conn and netpoll call it, so a test's clients are not hit.
package sys
