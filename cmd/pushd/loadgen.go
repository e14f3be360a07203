package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/pushd/pushd/internal/client"
	"github.com/pushd/pushd/loadgen"
	"github.com/pushd/pushd/loadgen/report"
)

type loadgenCmd struct {
	Hold    holdCmd    `cmd:"" help:"How many connections does the server hold?"`
	Fanout  fanoutCmd  `cmd:"" help:"How fast does it push to many?"`
	Ticker  tickerCmd  `cmd:"" help:"Many topics of unlike popularity, and subscribers of many."`
	Churn   churnCmd   `cmd:"" help:"Clients that come and go."`
	Storm   stormCmd   `cmd:"" help:"All come back at once after a restart."`
	Slow    slowCmd    `cmd:"" help:"Some stop reading, crawl or vanish; what do the others get?"`
	Compare compareCmd `cmd:"" help:"Set runs side by side."`
	Worker  workerCmd  `cmd:"" hidden:""`
}

// loadFlags are what all scenarios share.
type loadFlags struct {
	URL            []string      `name:"url" sep:"none" default:"ws://127.0.0.1:8080/ws?topic={topic}" help:"The server: ws://…, or http://… for server-sent events; repeat it for several. {topic}, {client}."`
	Header         []string      `sep:"none" placeholder:"NAME:VALUE" help:"A header of the clients' requests."`
	FirstFrame     []string      `sep:"none" placeholder:"TEXT" help:"A frame that a client sends first. {topic} (a frame for each), {topics}, {client}, {n}."`
	Answer         []string      `sep:"none" placeholder:"MESSAGE=ANSWER" help:"Answer a keep-alive that comes as a message."`
	GapMarker      string        `placeholder:"TEXT" help:"What a message holds that tells of a gap."`
	Topic          string        `default:"loadgen" help:"The topic, or the beginning of the topics' names."`
	Admin          string        `default:"127.0.0.1:8081" help:"A pushd's admin door, to publish to and to ask what it costs; \"\" for none."`
	AdminTokenFile string        `placeholder:"FILE" help:"Holds the admin door's token. PUSHD_ADMIN_TOKEN may hold the token itself."`
	ServerPid      []int         `placeholder:"PID" help:"The server's processes on this host; found by itself if it listens here."`
	Source         []string      `placeholder:"A-B" help:"Addresses that the clients come from; found by itself on loopback."`
	Pending        int           `default:"200" help:"Handshakes under way at most, of each worker."`
	Timeout        time.Duration `default:"10s" help:"How long a handshake may take."`
	Workers        int           `default:"0" help:"Worker processes at least; 0 is as many as open files ask for."`
	DumpOne        bool          `help:"Show the first client's wire on standard error."`

	Json   string   `placeholder:"FILE" help:"Write the report as JSON; - is standard output."`
	Html   string   `placeholder:"FILE" help:"Write the report as one page with charts."`
	Expect []string `sep:"none" placeholder:"FIGURE<VALUE" help:"Exit with 1 where this does not hold: 'p99<50ms', lost=0."`
}

// publishFlags are those of scenarios that publish.
type publishFlags struct {
	N             int           `name:"connections" short:"n" default:"1000" help:"Subscribers."`
	ConnectRate   float64       `default:"0" help:"Connections a second; 0 is as fast as goes."`
	Rate          float64       `default:"10" help:"Messages a second, of all topics together."`
	Messages      int           `placeholder:"N" help:"End after so many messages."`
	For           time.Duration `placeholder:"TIME" help:"End after so long; 10s unless --messages says otherwise."`
	Arrivals      string        `default:"even" enum:"even,poisson,bursts" help:"How messages are spread over time: even, poisson or bursts."`
	Burst         int           `default:"50" help:"Messages at once, with --arrivals bursts."`
	Bytes         size          `default:"128" help:"A payload's length."`
	Patience      time.Duration `default:"10s" help:"How long no message must have come before those that are missing count as lost."`
	PublishURL    string        `name:"publish-url" placeholder:"URL" help:"Where each message is posted to, for servers other than pushd. {topic}."`
	PublishHeader []string      `sep:"none" placeholder:"NAME:VALUE" help:"A header of these requests."`
	PublishBody   string        `placeholder:"TEXT" help:"Their body, {payload} unless set. {topic}, {payload}."`
}

type holdCmd struct {
	loadFlags `embed:""`
	N         int           `name:"connections" short:"n" default:"0" help:"Connections; 0 searches for the most there can be."`
	Rate      float64       `default:"0" help:"Connections a second; 0 is as fast as goes."`
	For       time.Duration `placeholder:"TIME" help:"Keep them so long, and tell every one that is lost."`
	Idle      bool          `help:"Measure what an idle connection costs in CPU."`
}

type fanoutCmd struct {
	loadFlags      `embed:""`
	publishFlags   `embed:""`
	Topics         int    `default:"1" help:"Topics; a subscriber has one of them."`
	ComparePolling bool   `help:"Show what the same freshness costs by HTTP polling."`
	PollURL        string `name:"poll-url" placeholder:"URL" help:"What a poll would ask for; of a pushd, the topic's newest messages. {topic}."`
}

type tickerCmd struct {
	loadFlags    `embed:""`
	publishFlags `embed:""`
	Topics       int     `default:"1000" help:"Topics."`
	Each         int     `default:"20" help:"Topics of a subscriber."`
	Skew         float64 `default:"1" help:"Zipf's exponent: topic i is wanted in proportion to 1/i^SKEW."`
	Tape         string  `placeholder:"FILE" help:"Play a recording by its own timing: NDJSON lines {at,topic,data}, gzip or plain."`
	Speed        float64 `default:"1" help:"How many times as fast as recorded."`
}

type churnCmd struct {
	loadFlags `embed:""`
	Rate      float64       `default:"100" help:"Connections a second."`
	Life      time.Duration `default:"1s" help:"How long a client stays."`
	For       time.Duration `default:"10s" help:"How long it goes on."`
}

type stormCmd struct {
	loadFlags   `embed:""`
	N           int           `name:"connections" short:"n" default:"1000" help:"Clients."`
	ConnectRate float64       `default:"0" help:"Connections a second before the storm; 0 is as fast as goes."`
	For         time.Duration `default:"2m" help:"How long they may take to come back."`
	Server      []string      `arg:"" optional:"" passthrough:"" help:"A command that runs the server: it is started, killed and started again. Without it, restart the server yourself."`
}

type slowCmd struct {
	loadFlags    `embed:""`
	publishFlags `embed:""`
	Stop         float64 `default:"0.05" help:"Share of the subscribers that stop reading."`
	Crawl        float64 `default:"0.05" help:"Share that reads a few bytes a second."`
	Vanish       float64 `default:"0.05" help:"Share that vanishes without a FIN."`
	CrawlBytes   int     `default:"100" help:"Bytes a second that a crawling one reads."`
}

type workerCmd struct{}

// Run is called by kong. It is for loadgen itself. A worker makes little
// garbage, and is to be small.
func (workerCmd) Run(w *world) error {
	debug.SetGCPercent(25)
	return loadgen.Work(w.stdin, w.stdout)
}

// Run is called by kong.
func (c *holdCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		return loadgen.Hold{Common: common, N: c.N, Rate: c.Rate, For: c.For, Idle: c.Idle}
	})
}

// Run is called by kong.
func (c *fanoutCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		f := c.fanout(common, c.Topics)
		if c.ComparePolling || c.PollURL != "" {
			f.Poll = &loadgen.Polling{URL: c.PollURL}
			if base, _, err := client.AdminHTTP(c.Admin); f.Poll.URL == "" && err == nil {
				f.Poll.URL = base + "/v1/topics/{topic}/messages?limit=1"
			}
		}
		return f
	})
}

// Run is called by kong.
func (c *tickerCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		return loadgen.Ticker{Fanout: c.fanout(common, c.Topics), Each: c.Each, Skew: c.Skew, Tape: c.Tape, Speed: c.Speed}
	})
}

// Run is called by kong.
func (c *churnCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		return loadgen.Churn{Common: common, Rate: c.Rate, Life: c.Life, For: c.For}
	})
}

// Run is called by kong.
func (c *stormCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		if len(c.Server) > 0 && c.Server[0] == "--" {
			c.Server = c.Server[1:]
		}
		return loadgen.Storm{Common: common, N: c.N, ConnectRate: c.ConnectRate, For: c.For, Server: c.Server}
	})
}

// Run is called by kong.
func (c *slowCmd) Run(w *world) error {
	return c.measure(w, func(common loadgen.Common) scenario {
		return loadgen.Slow{Fanout: c.fanout(common, 1), Stop: c.Stop, Crawl: c.Crawl, Vanish: c.Vanish, CrawlBytes: c.CrawlBytes}
	})
}

func (p *publishFlags) fanout(common loadgen.Common, topics int) loadgen.Fanout {
	common.Publishing = loadgen.Publishing{URL: p.PublishURL, Headers: p.PublishHeader, Body: p.PublishBody, Bytes: int(p.Bytes)}
	return loadgen.Fanout{
		Common: common, N: p.N, ConnectRate: p.ConnectRate, Topics: topics,
		Rate: p.Rate, Messages: p.Messages, For: p.For, Arrivals: loadgen.Arrivals(p.Arrivals), Burst: p.Burst, Patience: p.Patience,
	}
}

type compareCmd struct {
	Files []string `arg:"" name:"file" help:"Reports that --json wrote; the first is what the others are held against."`
	Html  string   `placeholder:"FILE" help:"Write the comparison as one page with charts."`
}

// Run is called by kong.
func (c *compareCmd) Run(w *world) error {
	var runs []report.Run
	for _, path := range c.Files {
		r, err := readReport(path)
		if err != nil {
			return usageError{err}
		}
		runs = append(runs, report.Run{Name: filepath.Base(path), Report: r})
	}
	if c.Html != "" {
		return toFile(c.Html, func(file *os.File) error { return report.HTML(file, runs[0], runs[1:]...) })
	}
	return report.Compare(w.stdout, runs...)
}

func readReport(path string) (*report.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := report.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
