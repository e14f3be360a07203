package peers

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// key is what connections are counted by: an IPv4 address, or the /64 of an IPv6
// one, which is the least that a customer gets (RFC 6177) and of which each phone
// changes the rest as it likes (RFC 8981).
type key struct {
	bits uint64
	four bool
}

func keyOf(addr netip.Addr) key {
	if addr = addr.Unmap(); addr.Is4() {
		b := addr.As4()
		return key{uint64(binary.BigEndian.Uint32(b[:])), true}
	}
	b := addr.As16()
	return key{binary.BigEndian.Uint64(b[:]), false}
}

func (k key) prefix() netip.Prefix {
	if k.four {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.bits))
		return netip.PrefixFrom(netip.AddrFrom4(b), 32)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], k.bits)
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// entry is what is known of an address: 40 bytes, and as many again in the index.
type entry struct {
	key      key
	full     time.Duration // when the bucket of handshakes is full, since the table began
	conns    uint32        // connected, without those that are being refused
	refusing uint32        // heard only to be refused
	refused  uint32        // so far
	used     bool
}

// idle reports whether nothing would be lost if the entry were forgotten.
func (e *entry) idle(now time.Duration) bool {
	return e.conns == 0 && e.refusing == 0 && e.full <= now
}

// take takes one out of the bucket, which holds a second's worth and is refilled
// evenly; every is the time for one. It is kept as the moment at which it is full
// (the generic cell rate algorithm, ITU-T I.371).
func (e *entry) take(now, every time.Duration) bool {
	full := max(e.full, now) + every
	if full-now > max(time.Second, every) {
		return false
	}
	e.full = full
	return true
}
