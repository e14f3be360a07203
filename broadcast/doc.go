// Package broadcast answers three questions: what was said, in what order, and
// how far has each audience come?
//
// A [Hub] holds topics. A topic's log holds its newest messages, encoded once
// for each wire form in use, and doubles as every subscriber's queue: whoever
// is behind has a cursor in it. A [Shard] holds the audiences of some of the
// connections and is owned by one goroutine, which subscribes, unsubscribes and
// runs the passes that write news to everybody. Publishers only append to the
// log and mark audiences dirty.
//
// The package moves bytes through a [Writer] and knows nothing of sockets or
// protocols. The rules that keep it correct (B1 to B10) stand in
// docs/ARCHITECTURE.md.
//
// Hub's methods may be called from any goroutine. Shard's methods, except where
// they say otherwise, must be called by the shard's one owner.
package broadcast
