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

var long = flag.Bool("hostile.long", false, "by the thousand, and for minutes")

// often is how many there are of something.
func often(short, inLong int) int {
	if *long {
		return inLong
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
