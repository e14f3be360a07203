package loadgen

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/report"
)

// kind is a group of causes that have the same remedy.
type kind string

// NobodyListens is the name of the cause that there is no server.
const NobodyListens = string(absent)

const (
	absent       kind = "nobody listens"
	unreachable  kind = "no way there"
	noPorts      kind = "too few ports"
	noFiles      kind = "too few descriptors"
	noMemory     kind = "no memory for sockets"
	connectSlow  kind = "no answer to the connection"
	answerSlow   kind = "no answer to the handshake"
	wrongPath    kind = "wrong path"
	unauthorized kind = "not let in"
	overloaded   kind = "turned away for load"
	refused      kind = "handshake refused"
	shutOut      kind = "closed during the handshake"
	closedBy     kind = "closed by the server"
	dropped      kind = "dropped without a close frame"
	reset        kind = "reset by the server"
	timedOut     kind = "lost on the way"
	protocol     kind = "protocol error"
	otherCause   kind = "other"
)

// kindOf sorts what the kernel said on connecting or reading.
func kindOf(err error, open bool) kind {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return absent
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return unreachable
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EADDRINUSE):
		return noPorts
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return noFiles
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return noMemory
	case errors.Is(err, unix.ETIMEDOUT) && !open:
		return connectSlow
	case errors.Is(err, unix.ETIMEDOUT):
		return timedOut
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		if open {
			return reset
		}
		return shutOut
	case errors.Is(err, errProtocol):
		return protocol
	case errors.Is(err, errEnded):
		return closedBy
	}
	return otherCause
}

// kindOfStatus sorts the HTTP status of a refusal.
func kindOfStatus(status int) kind {
	switch status {
	case 401, 403, 407:
		return unauthorized
	case 404, 405, 301, 302, 307, 308, 200:
		return wrongPath
	case 429, 503, 502, 504:
		return overloaded
	}
	return refused
}

// advice is what to do about a cause.
var advice = map[kind]string{
	absent:       "Is the server running, and is the port of --url right?",
	unreachable:  "Is the host of --url right, and is there a route to it?",
	noPorts:      "One source address has as many connections to one target as net.ipv4.ip_local_port_range holds: give more with --source A-B, or more targets with --url.",
	noFiles:      "Raise the limit of open files (ulimit -n) of this shell: loadgen starts as many workers as it takes, but the host has a limit too (fs.file-max).",
	noMemory:     "The kernel has no memory for another socket: see net.ipv4.tcp_mem, the memory of the host, and of the cgroup.",
	connectSlow:  "The server does not accept as fast as that: its backlog (net.core.somaxconn) is full, or packets are dropped. Try a lower rate.",
	answerSlow:   "The server accepts and does not answer in time: it is overloaded, or --url is no WebSocket server.",
	wrongPath:    "The server has no WebSocket there: check the path of --url.",
	unauthorized: "The server wants to know who comes: give what it asks for with --header.",
	overloaded:   "The server is at a limit of its own; what it said stands beside it.",
	refused:      "The server does not want this handshake; what it said stands beside it.",
	shutOut:      "The server, or a proxy before it, closes before it answers: mostly a limit of connections or of open files there.",
}

// shown is a cause as a report has it.
func (c *cause) shown() report.Cause {
	name := string(c.Kind)
	if c.What != "" {
		name += ": " + c.What
	}
	if c.Class != healthy {
		name = fmt.Sprintf("%s client: %s", c.Class, name)
	}
	return report.Cause{Name: name, Count: c.N, Example: strings.ToValidUTF8(c.Example, "\uFFFD"), Advice: advice[c.Kind]}
}
