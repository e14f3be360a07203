package report

import "time"

// Schema is the version of Report's JSON. It grows when a field changes its
// meaning; fields may come at any time.
const Schema = 1

// Report is what one run found. Durations are seconds, memory is bytes.
type Report struct {
	Schema   int       `json:"schema"`
	Scenario string    `json:"scenario"` // hold, fanout, …
	Version  string    `json:"version"`  // of the program that measured
	Command  []string  `json:"command"`  // that gives the run again, secrets left out
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Ended    string    `json:"ended"` // "", or why the run ended before it was through: "interrupted", …
	Host     Host      `json:"host"`
	Targets  []string  `json:"targets"` // URLs of the servers

	Void         []Void        `json:"void"`    // what must not be believed, first of all
	Figures      []Figure      `json:"figures"` // in the order in which they are shown
	Causes       []Cause       `json:"causes"`  // what went wrong, most frequent first
	Stopped      *Stop         `json:"stopped"` // what kept the count of connections from rising
	Series       Series        `json:"series"`  // over time
	Histograms   []Histogram   `json:"histograms"`
	Expectations []Expectation `json:"expectations"`
	Notes        []string      `json:"notes"` // how to read it
}

// Host is the machine that the generator ran on.
type Host struct {
	OS     string `json:"os"` // with the kernel's version
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Memory uint64 `json:"memory"`
	Go     string `json:"go"`
}

// Unit says how a value is written.
type Unit string

const (
	Count      Unit = ""      // 12,345
	Seconds    Unit = "s"     // 12.3 ms
	Bytes      Unit = "bytes" // 4.1 KiB
	PerSecond  Unit = "/s"    // 12,345/s
	Ratio      Unit = "ratio" // 97%
	BytesRate  Unit = "bytes/s"
	CPUSeconds Unit = "cpu-s" // seconds of CPU time: 1.31 s
)

// Better says which of two values is preferred.
type Better string

const (
	Neither Better = ""
	Lower   Better = "lower"
	Higher  Better = "higher"
)

// Figure is one number of a run.
type Figure struct {
	Section string  `json:"section"` // the heading that it stands under: connections, delivery, server, …
	Name    string  `json:"name"`    // unique in a report, [a-z0-9_]+, for --expect and scripts: p99, lost
	Label   string  `json:"label"`   // for people: "delivery latency, p99"
	Value   float64 `json:"value"`
	Unit    Unit    `json:"unit"`
	Better  Better  `json:"better"`
}

// Void says which figures must not be believed, and why.
type Void struct {
	Figures []string `json:"figures"` // names; none: all that are measured in time
	Why     string   `json:"why"`     // "the generator was late: …"
}

// Cause is one way in which connections or messages failed.
type Cause struct {
	Name    string `json:"name"` // "refused by the server: 503 overloaded"
	Count   int    `json:"count"`
	Example string `json:"example"` // what the kernel or the server said, once
	Advice  string `json:"advice"`  // what to do, or ""
}

// Stop is the limit that kept the count of connections from rising.
type Stop struct {
	Limit string `json:"limit"` // RLIMIT_NOFILE
	Of    string `json:"of"`    // of whom: "pushd (pid 4711)", "this host"
	Value string `json:"value"` // what it is now: "20000"
	Set   string `json:"set"`   // the line to change: "LimitNOFILE=1100000 in the unit's [Service]"
	Why   string `json:"why"`   // how that is known
}

// Series are columns of the same length over time.
type Series struct {
	At      []float64 `json:"at"` // seconds since the start
	Columns []Column  `json:"columns"`
}

// Column is one series. A nil value was not measured at that moment.
type Column struct {
	Chart  string     `json:"chart"` // the chart that it is drawn in: "connections", "latency", "messages", "memory", "cpu", "spread"
	Name   string     `json:"name"`
	Label  string     `json:"label"`
	Unit   Unit       `json:"unit"`
	Values []*float64 `json:"values"`
}

// Histogram is a distribution of durations.
type Histogram struct {
	Name  string `json:"name"` // delivery, spread, connect
	Label string `json:"label"`
	HDR   string `json:"hdr"` // HdrHistogram V2, compressed, base64; counts microseconds
}

// Expectation is what a run was to show, and whether it did.
type Expectation struct {
	Text string `json:"text"` // as given: p99<50ms
	Met  bool   `json:"met"`
	Got  string `json:"got"` // "61.2 ms", or why it cannot be judged
}
