//go:build race

package server_test

// raceDetector says that sync.Pool drops a quarter of what it is given.
const raceDetector = true
