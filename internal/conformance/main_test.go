package conformance_test

import (
	"testing"

	"github.com/pushd/pushd/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
