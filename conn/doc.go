// Package conn is one connection's life, from its first byte to its close: the
// request, frames in, bytes out, deadlines, the close. It sees bytes; what they
// mean is its [Handler]'s and its [Owner]'s business.
//
// An [Engine] accepts sockets and gives each to one of its shards for life. In a
// [Shard] a connection is a slot of a table, not a goroutine: a loop waits for
// the poller's edges, workers of a bounded pool read and parse what has come
// and leave a [Post], and the shard's goroutine does the rest. Only that
// goroutine writes to a socket, and only it closes one. A connection that
// sleeps holds its slot and its descriptor, no buffer, no timer, no goroutine.
//
// The rules of the state word (S1 to S10) and of partial input (I1 to I6) stand in
// docs/ARCHITECTURE.md. A *[Conn] is valid during the call it is passed to; keep
// its [Handle].
package conn
