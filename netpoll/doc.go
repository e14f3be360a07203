// Package netpoll answers one question: which file descriptors are ready? It does no I/O on a descriptor that it was
// handed and closes none of them. It also opens the listening sockets whose connections are then watched.
//
// # Readiness
//
// A Poller registers a descriptor once, edge-triggered, and never re-arms it: one epoll_ctl(2) in most connections' lives,
// and a second in those that are too slow for what is sent to them once. An edge means "something has changed since you last looked", so whoever gets one reads until EAGAIN,
// or until a short read on a descriptor for which neither PeerClosed nor Hangup was seen, and writes until EAGAIN. Who
// stops before that must remember so, for the kernel will not say it again.
//
// Readiness is a hint. An event may be stale, may come twice and may turn out to be EAGAIN. It closes nothing: read(2)
// returning 0 or an errno does.
//
// The kernel reports by handle, 64 bits of the caller's choice, not by descriptor number, since the kernel reuses numbers
// at once. A handle with a generation in it tells a late event from one meant for the number's next holder.
//
// # Goroutines
//
// One goroutine at a time is in Wait. Add, Delete, Wake and Close may be called from any goroutine, during Wait too.
//
// # Platforms
//
// Linux uses epoll(7), macOS and FreeBSD kqueue(2); queue is the contract that poller_linux.go and poller_bsd.go meet.
// Linux is where a server runs, the others are where people develop.
package netpoll
