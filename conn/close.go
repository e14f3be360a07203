package conn

import (
	"strings"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// closing is a close that is to begin when the shard's goroutine is back in its
// loop: whoever asks may be in the middle of a list that the close would change.
type closing struct {
	h      Handle
	code   ws.StatusCode
	reason string
}

// EndSoon closes the connection in a slot as End does, when the calls under way
// have returned. From now on Write finds it Ended.
func (s *Shard) EndSoon(slot uint32, code ws.StatusCode, reason string) {
	c := s.table.at(slot)
	c.flags |= ending
	s.closings = append(s.closings, closing{s.Handle(c), code, reason})
}

// failed notes that c's socket is dead.
func (s *Shard) failed(c *Conn) { s.EndSoon(c.slot, ws.StatusAbnormalClosure, "") }

// End begins the close: nothing new is sent but what has been begun and, once
// the handshake is done, a close frame. The peer has 5 s (RFC 6455 section 7.1).
// The code 1006 resets without a word.
func (s *Shard) End(c *Conn, code ws.StatusCode, reason string) {
	if !s.end(c, code) {
		return
	}
	if code == ws.StatusAbnormalClosure {
		s.release(c)
		return
	}
	if word(c.word.Load()).has(open) {
		s.Send(c, s.closeFrame(code, reason))
	}
	s.settle(c)
}

// end is what every close begins with. It reports false where one has begun.
func (s *Shard) end(c *Conn, code ws.StatusCode) bool {
	w := word(c.word.Load())
	if w.any(ended | done) {
		return false
	}
	clear := word(0)
	if c.flags&pending != 0 { // nobody will answer any more
		c.flags &^= pending
		clear = posted
	}
	s.mine(c, ended, clear)
	s.owner.Gone(c, w.has(open), code)
	wait := s.engine.cfg.CloseTimeout
	if !w.has(open) {
		wait = min(wait, lingerTimeout)
	}
	s.setDue(c, wait)
	return true
}

// settle looks how far an ended connection has come. When our output has left we
// wait for the peer's close frame. Where that has come, and after an HTTP answer,
// and after a close frame to a peer that makes no sense, we send FIN, so that the
// server closes TCP first, and wait for the peer's (RFC 6455 section 7.1.1): a
// close(2) with input unread would reset, and could destroy the answer on its way.
func (s *Shard) settle(c *Conn) {
	w := word(c.word.Load())
	if c.out != nil || w.has(done) || c.flags&shut != 0 {
		return
	}
	if w.has(open) && c.flags&(peerClosed|failed) == 0 {
		return
	}
	c.flags |= shut
	err := sys.Fail(sys.CallShutdown, int(c.fd))
	if err == nil {
		err = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	}
	switch {
	case c.flags&peerClosed == 0:
	case err != nil: // close(2) says FIN too
		s.release(c)
	default:
		s.setDue(c, min(s.engine.cfg.CloseTimeout, lingerTimeout))
	}
}

// reset makes the coming close(2) a reset: the peer had its time.
func (s *Shard) reset(c *Conn) {
	if sys.Fail(sys.CallSetsockopt, int(c.fd)) == nil {
		unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	s.release(c)
}

// release says that nothing is left to wait for, and frees c if nobody holds it;
// otherwise whoever holds it links it, and it is tried again then.
func (s *Shard) release(c *Conn) {
	s.mine(c, done, 0)
	s.free(c)
}

// free gives the slot back if it is done and nobody holds it (rule S5). Since
// done is set nobody can begin to.
func (s *Shard) free(c *Conn) {
	w := word(c.word.Load())
	if !w.has(done) || w.any(scheduled|linked|posted) {
		return
	}
	s.dropOutput(c)
	s.dropInput(c)
	if c.fd >= 0 {
		s.poller.Delete(int(c.fd))
		sys.Close(int(c.fd))
	}
	s.table.due(c.slot).Store(0)
	s.engine.cfg.Peers.Leave(c.From)
	c.fd, c.flags, c.Kind, c.List, c.From, c.opened, c.lastWrite = -1, 0, 0, 0, 0, 0, 0
	c.lastRead.Store(0)
	c.word.Store(uint64(w.generation()+1) << 32)
	s.table.release(c.slot)
	s.engine.live.Add(-1)
	if w.has(open) {
		s.engine.opened.Add(-1)
	}
	s.live.Add(-1)
}

// control returns a control frame (RFC 6455 section 5.5), valid until the next.
func (s *Shard) control(op ws.OpCode, payload []byte) []byte {
	s.frame.Reset()
	ws.WriteHeaderBuffer(&s.frame, ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))}, s.header[:])
	s.frame.Write(payload)
	return s.frame.Bytes()
}

// closeFrame returns a close frame. 1005 stands for one without a code (RFC 6455
// section 7.1.5). A reason is cut, between two characters, to what a control
// frame can hold; what is not UTF-8 in it becomes U+FFFD (section 5.5.1).
func (s *Shard) closeFrame(code ws.StatusCode, reason string) []byte {
	if code == ws.StatusNoStatusRcvd {
		return s.control(ws.OpClose, nil)
	}
	var body [ws.MaxControlFramePayloadSize]byte
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if most := len(body) - 2; len(reason) > most {
		reason = strings.ToValidUTF8(reason[:most], "")
	}
	ws.PutCloseFrameBody(body[:2+len(reason)], code, reason)
	return s.control(ws.OpClose, body[:2+len(reason)])
}
