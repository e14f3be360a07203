package observe_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

func TestFilesLimit(t *testing.T) {
	const before = "Limit                     Soft Limit           Hard Limit           Units\n" +
		"Max processes             96000                96000                processes\n"
	for label, c := range map[string]struct {
		text       string
		soft, hard uint64
		err        string
	}{
		"both":      {"Max open files            20000                1048576              files     \n", 20000, 1048576, ""},
		"unlimited": {"Max open files            1024                 unlimited            files     \n", 1024, math.MaxUint64, ""},
		"nonsense":  {"Max open files            many                 1024                 files     \n", 0, 1024, `parsing "many"`},
		"short":     {"Max open files            1024\n", 0, 0, "expected a line of Max open files"},
		"none":      {"", 0, 0, "expected a line of Max open files"},
	} {
		t.Run(label, func(t *testing.T) {
			soft, hard, err := observe.FilesLimit(before + c.text)
			require.Equal(t, c.soft, soft)
			require.Equal(t, c.hard, hard)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestMeter(t *testing.T) {
	for label, c := range map[string]struct {
		keys   []int
		counts []float64
		want   float64
	}{
		"grows":                   {[]int{1, 1, 1}, []float64{5, 6, 8}, 8},
		"begins again":            {[]int{1, 1, 1}, []float64{5, 2, 3}, 8},
		"another after it":        {[]int{1, 1, 2, 2}, []float64{5, 6, 1, 2}, 8},
		"two beside each other":   {[]int{1, 2, 1, 2}, []float64{5, 1, 6, 2}, 8},
		"one that does not count": {[]int{1, 1}, []float64{8, 8}, 8},
	} {
		require.Equal(t, c.want, observe.Meter(c.keys, c.counts), label)
	}
}
