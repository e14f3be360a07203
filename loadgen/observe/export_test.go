package observe

import (
	"io"
	"maps"
	"net/netip"
	"slices"
)

// FilesLimit is filesLimit.
var FilesLimit = filesLimit

// NewKernel is newKernel.
var NewKernel = newKernel

func (k *kernel) Sample() (KernelSample, error) { return k.sample() }

// Listeners reads a /proc/net/tcp, its addresses as text, and returns the inodes
// that serve addr, in order.
func Listeners(r io.Reader, addr netip.AddrPort) (all []string, inodes []string, err error) {
	found, err := listeners(r)
	for _, l := range found {
		all = append(all, l.addr.String())
	}
	return all, slices.Sorted(maps.Keys(serving(found, addr))), err
}

// Meter adds up counts under one key each.
func Meter(keys []int, counts []float64) float64 {
	var m meter
	for i := range keys {
		m.add(keys[i], counts[i])
	}
	return m.total
}
