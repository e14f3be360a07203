package main_test

import (
	"os"
	"strings"
	"testing"

	main "github.com/pushd/pushd/cmd/pushd"
)

// Whatever stands in a file, it is refused with its name and a line, or what is
// printed of it says the same again.
func FuzzTopics(f *testing.F) {
	page, err := os.ReadFile("../../docs/pushd.yaml")
	if err != nil {
		f.Fatal(err)
	}
	_, topics, _ := strings.Cut(string(page), "\ntopics:")
	for _, seed := range []string{
		"topics:" + topics, "topics: []", "topics:\n- pattern: {new", "topics: &t\n- *t", "topics:\n- &r {pattern: a, <<: *r}",
		"topics: [{pattern: a, slow: conflate, max_rate: 1e-1, history: {count: 5, age: 1h}}, {pattern: '*'}]", "- a", "\x00", "topics: !!x [",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		printed, err := main.PrintedRules(file)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "pushd.yaml:") {
				t.Fatalf("%q: %v", file, err)
			}
			return
		}
		again, err := main.PrintedRules([]byte(printed))
		if err != nil || again != printed {
			t.Fatalf("%q is printed as\n%s, and that as\n%s, %v", file, printed, again, err)
		}
	})
}
