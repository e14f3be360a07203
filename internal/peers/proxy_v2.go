package peers

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

const (
	v2Signature = "\r\n\r\n\x00\r\nQUIT\n" // section 2.2
	v2Fixed     = 16                       // signature, version and command, family, length
	tlvCRC32C   = 0x03                     // PP2_TYPE_CRC32C, section 2.2.3
)

// v2Families are the lengths of the addresses by family and transport. Datagrams
// are none of ours.
var v2Families = map[byte]int{0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}

func parseProxyV2(b []byte) (n int, client netip.Addr, err error) {
	if m := min(len(b), len(v2Signature)); string(b[:m]) != v2Signature[:m] {
		return 0, client, badHeader("the signature of version 2 is not whole")
	}
	if len(b) > 12 && b[12] != 0x20 && b[12] != 0x21 {
		return 0, client, badHeader("version and command 0x%02x: expected 0x20 (LOCAL) or 0x21 (PROXY)", b[12])
	}
	if len(b) < 14 {
		return 0, client, nil
	}
	local := b[12] == 0x20
	addresses, known := v2Families[b[13]]
	if !known && !local {
		return 0, client, badHeader("family and transport 0x%02x: expected 0x11 (TCP over IPv4), 0x21 (IPv6), 0x31 (unix) or 0x00", b[13])
	}
	if len(b) < v2Fixed {
		return 0, client, nil
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	n = v2Fixed + length
	switch {
	case n > MaxProxyHeader:
		return 0, client, badHeader("it has %d bytes: expected at most %d", n, MaxProxyHeader)
	case !local && length < addresses:
		return 0, client, badHeader("%d bytes for the addresses: expected at least %d", length, addresses)
	case len(b) < n:
		return 0, client, nil
	case local || b[13] == 0: // whatever follows is to be ignored
		return n, client, nil
	}
	if err := checkTLVs(b[:n], v2Fixed+addresses); err != nil {
		return 0, client, err
	}
	switch b[13] {
	case 0x11:
		client = netip.AddrFrom4([4]byte(b[v2Fixed:]))
	case 0x21:
		client = netip.AddrFrom16([16]byte(b[v2Fixed:])).Unmap()
	}
	return n, client, nil
}

// checkTLVs walks over what follows the addresses, from at on, and verifies the
// checksum if there is one.
func checkTLVs(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return badHeader("it ends within a type-length-value")
		}
		begin := at + 3
		end := begin + int(binary.BigEndian.Uint16(header[at+1:]))
		if end > len(header) {
			return badHeader("a type-length-value is longer than the header")
		}
		if header[at] == tlvCRC32C {
			if end-begin != 4 {
				return badHeader("a checksum of %d bytes: expected 4", end-begin)
			}
			table := crc32.MakeTable(crc32.Castagnoli)
			sum := crc32.Update(0, table, header[:begin])
			sum = crc32.Update(sum, table, []byte{0, 0, 0, 0}) // the field itself counts as zero
			if sum = crc32.Update(sum, table, header[end:]); sum != binary.BigEndian.Uint32(header[begin:]) {
				return badHeader("its checksum is wrong")
			}
		}
		at = end
	}
	return nil
}
