package js_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/pushd/pushd/client/js"
)

func TestSource(t *testing.T) {
	if !bytes.Contains(js.Source, []byte("export function connect(")) {
		t.Error("Source does not export connect")
	}
}

// TestNode runs the tests of the client itself, where there is a node to run them.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the client was not tested")
	}
	out, err := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=spec").CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
