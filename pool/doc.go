// Package pool answers one question: how is work bounded? Workers bounds goroutines: so many tasks run at once and no more
// are taken. Buffers bounds bytes: what is given back is kept for the next one up to a limit. Both refuse or let go rather
// than wait, and both count what they do.
//
// All methods may be called from any goroutine. In steady state, Submit, Get and Put allocate nothing.
//
// With the race detector on, Buffers also checks how it is used and panics where a buffer is given back twice or written
// to after it was.
package pool
