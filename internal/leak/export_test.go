package leak

import "go.uber.org/goleak"

// Check runs f as tests would be run, and returns the exit code.
func Check(f func()) (code int) {
	goroutines, descriptors := goleak.IgnoreCurrent(), Open()
	f()
	return check(goroutines, descriptors)
}
