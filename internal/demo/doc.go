// Package demo is what a newcomer sees: a simulated market, or a recorded tape, and the page that shows it.
//
// [Market] and [Tape] publish JSON to topics below "demo." through a [Publisher] until their context ends; each runs in
// its caller's goroutine, starts no other, and returns nil when it was told to end. [Handler] serves the page, its
// assets, and config.json, from which the page learns its topics ([MarketConfig], [TapeConfig]).
//
// Nothing here knows the server: the page speaks pushd.v1 through client/js like anybody else's page.
package demo

import "context"

// Prefix begins every topic that this package publishes to.
const Prefix = "demo."

// A Publisher takes one message for a topic. It may keep json, which is never written to again.
type Publisher interface {
	Publish(ctx context.Context, topic, key string, json []byte) error
}
