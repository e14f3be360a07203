package report

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// EncodeHistogram makes h, which counts microseconds, a part of a report.
func EncodeHistogram(name, label string, h *hdrhistogram.Histogram) (Histogram, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase) // in base64 already
	if err != nil {
		return Histogram{}, fmt.Errorf("histogram %s: %w", name, err)
	}
	return Histogram{Name: name, Label: label, HDR: string(b)}, nil
}

// Decode is the histogram, which counts microseconds.
func (h Histogram) Decode() (*hdrhistogram.Histogram, error) {
	decoded, err := hdrhistogram.Decode([]byte(h.HDR))
	if err != nil {
		return nil, fmt.Errorf("histogram %s: %w", h.Name, err)
	}
	return decoded, nil
}

// Quantiles are the usual figures of h, which counts microseconds: p50, p90,
// p99, p999 and max, each name after prefix ("", "connect_") and each label
// after label ("delivery latency"). There are none of an empty histogram.
func Quantiles(section, prefix, label string, h *hdrhistogram.Histogram) []Figure {
	if h.TotalCount() == 0 {
		return nil
	}
	figure := func(name, of string, micros int64) Figure {
		return Figure{
			Section: section, Name: prefix + name, Label: label + ", " + of,
			Value: float64(micros) / 1e6, Unit: Seconds, Better: Lower,
		}
	}
	return []Figure{
		figure("p50", "median", h.ValueAtPercentile(50)),
		figure("p90", "p90", h.ValueAtPercentile(90)),
		figure("p99", "p99", h.ValueAtPercentile(99)),
		figure("p999", "p99.9", h.ValueAtPercentile(99.9)),
		figure("max", "longest", h.Max()),
	}
}
