package tuning

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
