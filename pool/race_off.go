//go:build !race

package pool

// raceEnabled turns the checks of invariants.go on.
const raceEnabled = false
