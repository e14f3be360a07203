package observe_test

import (
	"os"
	"testing"

	"github.com/pushd/pushd/internal/leak"
)

// roles are what the test's binary is when a test starts it again.
var roles = map[string]func(args []string) error{}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role := roles[os.Args[1]]; role != nil {
			if err := role(os.Args[2:]); err != nil {
				os.Stderr.WriteString(err.Error() + "\n")
				os.Exit(1)
			}
			return
		}
	}
	leak.Main(m)
}
