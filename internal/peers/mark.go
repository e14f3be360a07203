package peers

// Mark is what a Table gives for a connection, and gets back: where it is
// counted, and how it came.
//
//	  31      30     29     28   27 26           0
//	┌───────┬───────┬──────┬─────┬─┬──────────────┐
//	│trusted│crowded│hasty │named│0│    entry     │
//	└───────┴───────┴──────┴─────┴─┴──────────────┘
//
// The zero Mark is of a connection that is not counted.
type Mark uint32

const (
	trusted Mark = 1 << (31 - iota) // from a network that is trusted: what it says of others is believed
	crowded                         // too many are connected from there: to be refused
	hasty                           // too many came from there within a second: to be refused
	named                           // counted for whom a proxy named, not for where its socket leads

	entryBits = 27
)

// Trusted reports whether the connection is a proxy's that is believed.
func (m Mark) Trusted() bool { return m&trusted != 0 }

// Crowded reports whether the connection is to be refused because there are as
// many from its address as may be.
func (m Mark) Crowded() bool { return m&crowded != 0 }

// Hasty reports whether it is to be refused because too many came at once.
func (m Mark) Hasty() bool { return m&hasty != 0 }

// Named reports whether its address is not that of its socket but one that a
// proxy named.
func (m Mark) Named() bool { return m&named != 0 }

func (m Mark) refused() bool { return m&(crowded|hasty) != 0 }
func (m Mark) entry() uint32 { return uint32(m) & (1<<entryBits - 1) }
