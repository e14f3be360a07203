package observe

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/pushd/pushd/internal/client"
)

// AdminConfig says whose metrics are read, and which.
type AdminConfig struct {
	Address string        // HOST:PORT, :PORT, URL or unix:PATH; /metrics is added where it does not end so
	Token   string        // bearer token; "" means none
	Gauges  []string      // metrics wanted beside the process's
	Timeout time.Duration // for an answer; 0 means 2 s
}

// maxMetrics is the longest answer that is read. pushd's has some 20 KiB.
const maxMetrics = 16 << 20

// Admin reads the metrics of pushd, or of any server that has them in
// Prometheus's text format. Close it when done.
type Admin struct {
	cfg  AdminConfig
	url  string
	http *http.Client
}

// NewAdmin checks the address. It does not connect yet.
func NewAdmin(cfg AdminConfig) (*Admin, error) {
	base, door, err := client.AdminHTTP(cfg.Address)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	door.Timeout = cfg.Timeout
	return &Admin{cfg, strings.TrimSuffix(base, "/metrics") + "/metrics", door}, nil
}

// Close closes idle connections. It may be called twice.
func (a *Admin) Close() { a.http.CloseIdleConnections() }

// Sample reads the metrics once: the process_ ones of Prometheus's client
// libraries, pushd_connections, and the gauges asked for.
func (a *Admin) Sample(ctx context.Context) (*ServerSample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	if a.cfg.Token != "" {
		request.Header.Set("Authorization", "Bearer "+a.cfg.Token)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return nil, err // with method and URL
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: the server answered %s: expected metrics", a.url, response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(http.MaxBytesReader(nil, response.Body, maxMetrics))
	if err != nil {
		return nil, fmt.Errorf("GET %s: expected metrics in Prometheus's text format: %w", a.url, err)
	}
	s := &ServerSample{
		RSS:         integer(value(families["process_resident_memory_bytes"])),
		CPU:         value(families["process_cpu_seconds_total"]),
		OpenFiles:   integer(value(families["process_open_fds"])),
		MaxFiles:    integer(value(families["process_max_fds"])),
		Connections: value(families["pushd_connections"]),
		Gauges:      make(map[string]float64),
	}
	for _, name := range a.cfg.Gauges {
		if v := value(families[name]); v != nil {
			s.Gauges[name] = *v
		}
	}
	return s, nil
}

// value is a metric's, the sum of all its labels'; nil where there is none or it
// is no number.
func value(family *dto.MetricFamily) *float64 {
	var sum float64
	for _, m := range family.GetMetric() { // of the three, those that it is not are 0
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	if len(family.GetMetric()) == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil
	}
	return &sum
}

// integer rounds v down. An unlimited RLIMIT_NOFILE is 2^64 as a float.
func integer(v *float64) *uint64 {
	switch {
	case v == nil || *v < 0:
		return nil
	case *v >= math.MaxUint64:
		return new(uint64(math.MaxUint64))
	}
	return new(uint64(*v))
}
