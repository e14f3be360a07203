package pool

import (
	"bytes"
	"fmt"
)

// poison fills what is idle, so that a use after Put shows: reads give nonsense and writes are found by the next Get.
var poison = bytes.Repeat([]byte{0xdb}, 1<<minClassBits)

// checkReturned panics when p, of length 0, is in stack already, and poisons it otherwise.
func checkReturned(p []byte, stack [][]byte) {
	if !raceEnabled {
		return
	}
	p = p[:cap(p)]
	for _, q := range stack {
		if &q[:1][0] == &p[0] {
			panic(fmt.Sprintf("pool: a buffer of %d bytes was given back twice", cap(p)))
		}
	}
	for len(p) > 0 {
		p = p[copy(p, poison):]
	}
}

// checkIdle panics when p, of length 0 and about to be lent again, is not as checkReturned left it.
func checkIdle(p []byte) {
	if !raceEnabled {
		return
	}
	for p = p[:cap(p)]; len(p) > 0; p = p[len(poison):] {
		if !bytes.Equal(p[:len(poison)], poison) {
			panic("pool: a buffer was written to after it was given back")
		}
	}
}
