package hostile_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var siege = flag.Duration("hostile.siege", 0, "how long each run of TestSiege takes; other than 0 the attackers come by the thousand")

// inLongRun reports whether the tests are to be as long as they are meant to be.
func inLongRun() bool { return *siege > 0 }

// often is how many there are of something.
func often(short, long int) int {
	if inLongRun() {
		return long
	}
	return short
}

// pushd is the path of the server, which is built for this run.
var pushd string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	exit := func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}
	pushd = filepath.Join(dir, "pushd")
	if said, err := exec.Command("go", "build", "-o", pushd, "github.com/pushd/pushd/cmd/pushd").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, said)
		exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(exit))
}
