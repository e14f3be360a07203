package conn

import (
	"fmt"
	"sync/atomic"
)

// Handle names a connection: 32 bits of generation, 8 of shard, 24 of slot. It
// stays valid to ask about after the connection has gone; it then names nobody.
type Handle uint64

const (
	slotBits  = 24
	maxSlots  = 1 << slotBits
	MaxShards = 255 // so that no handle is netpoll.ReservedHandle
)

func newHandle(shard, slot, generation uint32) Handle {
	return Handle(generation)<<32 | Handle(shard)<<slotBits | Handle(slot)
}

func (h Handle) slot() uint32       { return uint32(h) & (maxSlots - 1) }
func (h Handle) generation() uint32 { return uint32(h >> 32) }

// Shard returns the index of the connection's shard.
func (h Handle) Shard() int { return int(uint32(h) >> slotBits) }

// String returns the connection's public name: shard, slot and generation in
// hexadecimal, as in 2-81f-7.
func (h Handle) String() string {
	return fmt.Sprintf("%x-%x-%x", h.Shard(), h.slot(), h.generation())
}

// ParseHandle reads what String wrote.
func ParseHandle(s string) (Handle, error) {
	var shard, slot, generation uint32
	if n, err := fmt.Sscanf(s, "%x-%x-%x", &shard, &slot, &generation); n != 3 || err != nil || shard > MaxShards || slot >= maxSlots || newHandle(shard, slot, generation).String() != s {
		return 0, fmt.Errorf("connection id %q: expected SHARD-SLOT-GENERATION in hexadecimal, as in 2-81f-7", s)
	}
	return newHandle(shard, slot, generation), nil
}

// Conn is a connection: a slot of its shard's table. It is small, and nearly
// all of its pointers are nil while it sleeps.
type Conn struct {
	word atomic.Uint64

	fd   int32  // set before the slot is live; -1 once handed off
	slot uint32 // never changes

	entryNext uint32 // the shard's entry list, while linked: slot plus one
	readyNext uint32 // the ready list, while scheduled: slot plus one

	in   *input  // input that is not whole yet: the worker's while scheduled, then the shard's
	post *Post   // what the worker leaves: the shard's while posted
	out  *output // own output that has not left: the shard's

	lastRead  atomic.Uint32 // in ticks
	lastWrite uint32        // in ticks; the shard's
	opened    uint32        // in ticks

	// List is free for the Owner's use: it is 0 when the connection begins.
	List uint32
	// From is the mark that Config.Peers gave when the connection came, and is given
	// back when it is closed. The Handler may change it in Request, and
	// Owner.HandOff may take it over by setting it to 0.
	From uint32
	// Kind is free for the Handler's and Owner's use, under the rules of a post.
	Kind uint8

	flags     flags // the shard's
	overLimit bool  // came above the connection limit; set before the slot is live
}

type flags uint8

const (
	peerClosed flags = 1 << iota // the peer's close frame has come
	failed                       // the peer's close frame would not be understood
	shut                         // our side has been shut down
	pending                      // the owner has not answered yet
	armed                        // the poller watches output too
	ending                       // EndSoon was called: messages have an end
	cut                          // own output found no room and is not whole: nothing more is written
)

// OverLimit reports whether the connection came when there were as many as the
// limit allows: it is to be refused.
func (c *Conn) OverLimit() bool { return c.overLimit }

// Opened reports whether the handshake is done.
func (c *Conn) Opened() bool { return word(c.word.Load()).has(open) }

// Slot returns where the connection sits in its shard's table.
func (c *Conn) Slot() uint32 { return c.slot }
