package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// Storm has everybody come back at once after the server is restarted.
type Storm struct {
	Common
	N           int
	ConnectRate float64       // connections a second before the storm; 0: as fast as goes
	Server      []string      // a command that runs the server, which is then started, killed and started again; nil: somebody else restarts it
	For         time.Duration // how long they may take to return; 0: 2 min
}

// Run measures. See [Hold.Run].
func (s Storm) Run(ctx context.Context) (*report.Report, error) {
	if s.N < 1 || s.For < 0 {
		return nil, fmt.Errorf("%d clients, for %v: expected 1 client or more, and no time below 0", s.N, s.For)
	}
	if err := checkRate("connections", s.ConnectRate, true); err != nil {
		return nil, err
	}
	if s.For == 0 {
		s.For = 2 * time.Minute
	}
	var server *child
	if len(s.Server) > 0 {
		var err error
		if server, err = startChild(s.Server); err != nil {
			return nil, err
		}
		defer func() { server.kill() }()
	}
	r, err := s.start("storm", Audience{Topics: 1, Each: 1}, s.N, func(p *plan) { p.Await = true })
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, s.run(ctx, r, &server))
}

func (s Storm) run(ctx context.Context, r *run, server **child) error {
	if _, err := s.listening(ctx, r, 30*time.Second); err != nil {
		return err
	}
	r.first = r.watch.Sample(ctx)
	if err := r.open(ctx, s.N, s.ConnectRate); err != nil {
		return err
	}
	there := r.fleet.counts().open()
	if *server != nil {
		(*server).kill()
	}
	if err := r.wait(ctx, "waiting for the server to be restarted", func(c counts) bool { return c.open() == 0 && c.Waiting >= there }); err != nil {
		return err
	}
	if *server != nil {
		again, err := startChild(s.Server)
		if err != nil {
			return err
		}
		*server = again
	}
	r.begin = r.mark(ctx)
	listens, err := s.listening(ctx, r, s.For)
	if err != nil {
		return err
	}
	if err := r.fleet.tell(order{Return: true}); err != nil {
		return err
	}
	limit := listens.Add(s.For)
	err = r.wait(ctx, "coming back", func(c counts) bool { return c.open() >= there || time.Now().After(limit) })
	took := time.Since(listens)
	if err == nil {
		err = r.pause(ctx, "coming back", 2*r.fleet.plan.Tick) // what was counted last is on its way
	}
	s.judge(r, there, took)
	if c := r.fleet.counts(); err == nil && c.open() < there {
		err = fmt.Errorf("%d of %d clients had not come back after %v", there-c.open(), there, s.For)
	}
	return err
}

// listening waits until somebody accepts connections, and says since when.
func (s Storm) listening(ctx context.Context, r *run, lasts time.Duration) (at time.Time, err error) {
	limit := time.Now().Add(lasts)
	dialer := net.Dialer{Timeout: time.Second}
	var last error
	err = r.wait(ctx, "waiting for the server to listen", func(counts) bool {
		for range 5 {
			c, err := dialer.DialContext(ctx, "tcp", r.targets[0].Addr.String())
			if last = err; err == nil {
				at = time.Now()
				c.Close()
				return true
			}
			time.Sleep(2 * time.Millisecond)
		}
		return time.Now().After(limit)
	})
	if err == nil && last != nil {
		err = fmt.Errorf("nobody listens: %w", last)
	}
	return at, err
}

// judge adds what the storm has shown.
func (s Storm) judge(r *run, there int, took time.Duration) {
	r.sample(context.Background())
	c := r.fleet.counts()
	worst, attempts, refused := 0, 0, 0
	r.fleet.mu.Lock()
	for _, second := range r.fleet.served {
		worst = max(worst, second.Attempts)
		attempts, refused = attempts+second.Attempts, refused+second.Refused
	}
	r.fleet.mu.Unlock()
	const section = "storm"
	r.figures = append(r.figures,
		figure(section, "returned", "clients served again", float64(c.open()), report.Count, report.Higher),
		figure(section, "return_time", "from listen() until the last was served", took.Seconds(), report.Seconds, report.Lower),
		figure(section, "absent", "not served again", float64(there-c.open()), report.Count, report.Lower),
		figure(section, "return_attempts", "attempts", float64(attempts), report.Count, report.Lower),
		figure(section, "return_refused", "attempts refused", float64(refused), report.Count, report.Lower),
		figure(section, "retries_max", "retries of one client after its first refused attempt, at most", float64(c.MostRetries), report.Count, report.Lower),
		figure(section, "worst_second", "attempts in the busiest second", float64(worst), report.Count, report.Neither))
	r.figures = append(r.figures, report.Quantiles(section, "return_", "served again after", r.fleet.total.back.Histogram)...)
}

// child is a server that a storm started.
type child struct {
	cmd  *exec.Cmd
	gone chan struct{}
}

func startChild(command []string) (*child, error) {
	c := &child{exec.Command(command[0], command[1:]...), make(chan struct{})}
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = ownGroup()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	go func() {
		defer close(c.gone)
		c.cmd.Wait()
	}()
	return c, nil
}

// kill ends the server, and what it has started, at once: nobody is told.
func (c *child) kill() {
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.cmd.Process.Kill()
	}
	<-c.gone
}
