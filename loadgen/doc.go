// Package loadgen answers one question: how many connections does a server
// hold, how fast does it push to them, and what stops it?
//
// A scenario ([Hold], [Fanout], [Ticker], [Churn], [Storm], [Slow]) is a struct of settings
// with a Run method that returns a [report.Report]. It works on any server that
// speaks WebSocket (RFC 6455) or server-sent events without TLS: what it needs
// to recognize a message is a marker that it puts into the payload itself.
//
// # Processes
//
// The clients live in worker processes, started from [Common].Worker, each as many
// as its descriptors allow. A worker is one goroutine with one poller: a client
// is a descriptor and 24 bytes, and 8 bytes a subscription.
// The process that was asked publishes, samples the server and merges what the workers
// count, which they tell once a tick as JSON lines.
//
// # What is counted
//
// Each message carries the moment at which it was to be sent, its topic and its
// number there (see marker). Latency is from that moment, so a publisher that
// is held back shows in it (no coordinated omission). Per subscription the numbers tell losses, repeats and
// messages that came after a newer one.
package loadgen
