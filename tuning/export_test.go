package tuning

import "io/fs"

// ApplyUntil applies a plan up to a change, before which it is broken off.
func (p *Plan) ApplyUntil(end int, because error) error {
	return p.apply(func(i int) error {
		if i == end {
			return because
		}
		return nil
	})
}

var (
	Raise          = raise
	FromFiles      = fromFiles
	ForConnections = forConnections
)

const (
	SysctlFile = sysctlFile
	DropIn     = dropIn
	LimitsFile = limitsFile
	StateFile  = stateFile
)

// ReadMemoryOf reads a recorded tree.
func ReadMemoryOf(root fs.FS) MemoryUse { return readMemory(root) }
