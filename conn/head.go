package conn

// The limits of a request head. What passes one is refused at the first byte beyond it.
const (
	MaxHead    = 16 << 10 // bytes of the whole head, blank line included: 431
	MaxTarget  = 8 << 10  // bytes of the request target: 414
	MaxHeaders = 100      // header lines: 431
)

// Head parses one HTTP/1.1 request head (RFC 9112) that arrives in pieces. The zero value is ready.
//
// It holds offsets and no pointer: 88 bytes that can be pooled or copied, while the buffer that they refer to grows and
// moves. The accessors are given that buffer again; they are for a head that Parse has found complete, and what they
// return are slices of the buffer, valid as long as its contents are.
type Head struct {
	method, target, path, query, authority span

	first [fieldCount]span  // the first value of each header that we know
	count [fieldCount]uint8 // and how many there were

	pos     uint16 // the next byte to look at; at rest after a refusal, so that it is found again
	mark    uint16 // where the name or value under way begins
	fields  uint16 // where the header lines begin
	state   headState
	field   field // whose value is under way
	lines   uint8 // header lines begun
	minor   byte  // the y of HTTP/1.y
	options headOptions
}

// span is a part of the buffer. MaxHead keeps offsets below 1<<16.
type span struct{ off, end uint16 }

func (s span) of(buf []byte) []byte { return buf[s.off:s.end:s.end] }

// headState says what the byte at pos is.
type headState uint8

const (
	atStart     headState = iota // the first byte of all
	atStartLF                    // the LF of an empty line before the request line
	atRequest                    // the first byte after such a line
	atMethod                     // in the method, or the SP after it
	atTarget                     // in the request target, or the SP after it
	atVersion                    // in "HTTP/1.y"
	atRequestCR                  // the CR, and
	atRequestLF                  // the LF that end the request line
	atLine                       // the first byte of a header line, or of the blank one
	atName                       // in a header's name, or the colon after it
	atSpace                      // in the white space before a value
	atValue                      // in a value, or the CR after it
	atValueLF                    // the LF that ends a header line
	atBlankLF                    // the LF of the blank line
	atEnd                        // beyond the head
)

// Reset makes h ready for another head.
func (h *Head) Reset() { *h = Head{} }

// Parse goes on where it stopped. buf holds every byte received so far: the ones that an earlier call has seen must not
// have changed, though the buffer may have moved. n is the length of the head, its blank line included, once that has
// arrived; what follows in buf belongs to whatever comes next. 0, nil asks for more. An error is a *Refusal, shared and
// not to be changed, and it is the same however the bytes were cut into calls: the first byte that no valid head could
// have in its place decides. A further call repeats the result.
//
// No byte is scanned twice, whatever the cut; a target, a name or a value is then looked at once it is complete. Nothing
// is allocated, nor is buf kept.
//
// Parse is strict where leniency has let requests be smuggled past a proxy: lines end in CRLF (a server MAY take a bare
// LF, RFC 9112 2.2; we do not), and neither folding (5.2) nor a space before the colon (5.1) is repaired.
func (h *Head) Parse(buf []byte) (n int, err error) {
	buf = buf[:min(len(buf), MaxHead)]
	i, r := h.scan(buf)
	h.pos = uint16(i)
	switch {
	case r != nil:
		return 0, r
	case h.state == atEnd:
		return i, nil
	case i == MaxHead:
		return 0, refuseHeadSize
	}
	return 0, nil
}

// scan looks at buf from pos on and returns where it stopped. A refusal leaves the state as the refused byte found it.
func (h *Head) scan(buf []byte) (int, *Refusal) {
	i := int(h.pos)
	for i < len(buf) {
		c := buf[i]
		switch h.state {
		case atStart, atRequest:
			switch {
			case c == '\r' && h.state == atStart: // RFC 9112 2.2: one empty line before the request is ignored
				h.state = atStartLF
				i++
			case c == 0x16:
				return i, refuseTLS
			case !isToken(c):
				return i, refuseMethodByte
			default:
				h.method.off, h.state = uint16(i), atMethod
			}

		case atStartLF:
			if c != '\n' {
				return i, refuseBareCR
			}
			h.state = atRequest
			i++

		case atMethod:
			if i = afterToken(buf, i); i == len(buf) {
				return i, nil
			}
			if buf[i] != ' ' {
				return i, refuseMethodByte
			}
			h.method.end, h.state = uint16(i), atTarget
			i++
			h.target.off = uint16(i)

		case atTarget:
			begin := int(h.target.off)
			if i == begin && !beginsTarget(c) {
				return i, refuseTarget
			}
			i = afterTarget(buf, i)
			if i-begin > MaxTarget {
				return begin + MaxTarget, refuseTargetSize
			}
			if i == len(buf) {
				return i, nil
			}
			if buf[i] != ' ' {
				return i, targetByte(buf[i])
			}
			h.target.end = uint16(i)
			if r := h.splitTarget(buf); r != nil {
				return i, r
			}
			h.state = atVersion
			i++
			h.mark = uint16(i)

		case atVersion:
			at := i - int(h.mark)
			if r := versionByte(at, c); r != nil {
				return i, r
			}
			if i++; at == len("HTTP/1.") {
				h.minor, h.state = c, atRequestCR
			}

		case atRequestCR:
			if c != '\r' {
				return i, refuseVersionEnd
			}
			h.state = atRequestLF
			i++

		case atRequestLF, atValueLF:
			if c != '\n' {
				return i, refuseBareCR
			}
			i++
			if h.state == atRequestLF {
				h.fields = uint16(i)
			}
			h.state = atLine

		case atLine:
			switch {
			case c == '\r':
				h.state = atBlankLF
				i++
			case !isToken(c):
				return i, lineByte(c)
			case h.lines == MaxHeaders:
				return i, refuseHeaderCount
			default:
				h.lines++
				h.mark, h.state = uint16(i), atName
			}

		case atName:
			if i = afterToken(buf, i); i == len(buf) {
				return i, nil
			}
			if buf[i] != ':' {
				return i, nameByte(buf[i])
			}
			h.field, h.state = fieldOf(buf[h.mark:i]), atSpace
			i++

		case atSpace:
			if isSpace(c) {
				i++
				break
			}
			h.mark, h.state = uint16(i), atValue

		case atValue:
			if i = afterValue(buf, i); i == len(buf) {
				return i, nil
			}
			if buf[i] != '\r' {
				return i, valueByte(buf[i])
			}
			h.note(buf, trimRight(buf, span{h.mark, uint16(i)}))
			h.state = atValueLF
			i++

		case atBlankLF:
			if c != '\n' {
				return i, refuseBareCR
			}
			h.state = atEnd
			return i + 1, nil

		case atEnd:
			return i, nil
		}
	}
	return i, nil
}
