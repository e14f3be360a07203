package server_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWallClock: a step of the wall clock must not move a deadline, so nothing that counts time may ask for the time of day. What
// time.Now returns carries both clocks, and Sub, Before and their like compare the monotonic ones, until one of these is called.
func TestWallClock(t *testing.T) {
	asks := []string{"Unix", "UnixMilli", "UnixMicro", "UnixNano", "UTC", "Local", "In", "Truncate", "Date", "ClockGettime", "Gettimeofday"}
	files := 0
	for _, folder := range []string{"../../conn", "../../broadcast", "../../netpoll", "../../pool"} {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			set := gotoken.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if f, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(asks, f.Sel.Name) {
						t.Errorf("%s: %s: the time of day, which may step", set.Position(f.Pos()), f.Sel.Name)
					}
				}
				return true
			})
		}
	}
	require.Greater(t, files, 50)
}
