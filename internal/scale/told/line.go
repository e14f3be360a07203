package told

import "github.com/pushd/pushd/loadgen/report"

// Line is one line of JSON. One of its fields is set.
type Line struct {
	Kernel string         `json:",omitempty"` // its version
	Step   *Step          `json:",omitempty"`
	Report *report.Report `json:",omitempty"` // of loadgen, without series and histograms
	Failed string         `json:",omitempty"` // why it ended before it was through
}

// Step is what was seen when there were so many connections.
type Step struct {
	Seconds     float64 // since the first connection was asked for
	Connections int
	Delivered   bool   // messages had been published and had come
	Server      uint64 // bytes of the server that are resident
	Kernel      uint64 // bytes that the kernel uses for itself, caches of files left out
	Slab        uint64 // bytes of these that are objects: sockets, files, epoll's entries
}
