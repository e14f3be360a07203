package broadcast_test

import (
	"fmt"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// lines is an Encoder: each message is a line.
type lines struct{}

func (lines) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	return append(append(dst, m.Payload...), '\n')
}

// screen is a Writer whose connections never block.
type screen struct{}

func (screen) Write(slot uint32, a, b []byte) (int, broadcast.Outcome) {
	fmt.Printf("to %d: %q\n", slot, string(a)+string(b))
	return len(a) + len(b), broadcast.Sent
}

func (screen) Keep(uint32, []byte) {} // only after Blocked

func (screen) Tell(slot uint32, topic string, n broadcast.Notice) {
	if n.Kind == broadcast.Live {
		fmt.Printf("to %d: %s is live\n", slot, topic)
	}
}

// A server has a hub, and a shard for each goroutine that writes to sockets.
func Example() {
	hub := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: []broadcast.Encoder{lines{}}})

	// Publishers may be anywhere.
	first, err := hub.TryPublish("news", broadcast.Message{Payload: []byte("one")})
	if err != nil {
		fmt.Println(err)
		return
	}
	publish := func(text string) {
		if _, err := hub.TryPublish("news", broadcast.Message{Payload: []byte(text)}); err != nil {
			fmt.Println(err)
		}
	}
	publish("two")

	// The shard has one owner, which is woken when there is news.
	news := make(chan struct{}, 1)
	shard := hub.NewShard(screen{}, func() {
		select {
		case news <- struct{}{}:
		default: // it will look anyway
		}
	})
	owner := func() {
		for shard.Work(time.Now().Add(time.Millisecond)) {
			// Between the turns it sees to its connections.
		}
	}

	var late, early broadcast.List // one for each connection
	if _, err := shard.Subscribe(7, &late, "news", 0, broadcast.Options{}); err != nil {
		fmt.Println(err)
	}
	if _, err := shard.Subscribe(8, &early, "news", 0, broadcast.Options{Since: &first.Position}); err != nil {
		fmt.Println(err)
	}
	owner()

	publish("three")
	<-news
	owner()

	shard.Leave(&late)
	shard.Leave(&early)

	// Output:
	// to 8: "two\n"
	// to 8: news is live
	// to 7: "three\n"
	// to 8: "three\n"
}
