package loadgen_test

import (
	"os"
	"testing"

	"github.com/pushd/pushd/internal/leak"
	"github.com/pushd/pushd/loadgen"
)

// TestMain also is the worker process of the tests.
func TestMain(m *testing.M) {
	if os.Getenv("LOADGEN_TEST_WORKER") != "" {
		if err := loadgen.Work(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	leak.Main(m)
}
