// Package server makes a server of the pieces: the public door, where
// connections live in conn's shards and are subscribed through broadcast's, the
// admin door for publishers and operators, metrics, the demo.
//
// [New] opens the listeners, so that a port in use is known early; Run serves
// until its context ends.
package server
