package pool

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/ants/v2"
)

// WorkersConfig sizes a Workers. The zero value is useful.
type WorkersConfig struct {
	Size    int                           // tasks at once, 1 to 2^31-1; 0: 8*GOMAXPROCS, at least 32
	Logger  *slog.Logger                  // gets a task's panic with its stack; nil: slog.Default()
	OnPanic func(value any, stack []byte) // called by the worker instead of logging; it may keep the stack, and must not panic
}

// Workers runs tasks on a bounded number of goroutines, which are started when first needed and kept until Close.
type Workers struct {
	size    int
	logger  *slog.Logger
	onPanic func(any, []byte)
	ants    *ants.PoolWithFuncGeneric[func()]

	running atomic.Int64
	refused atomic.Uint64
	panics  atomic.Uint64

	// closing is read-locked by Submit: ants, left to itself, may take a task that Close then does not wait for.
	closing sync.RWMutex
	closed  bool
	once    sync.Once
}

// WorkersStats is what a Workers has counted, field by field.
type WorkersStats struct {
	Size    int    // tasks at once at most
	Running int    // tasks under way
	Refused uint64 // calls of Submit that returned false
	Panics  uint64 // tasks that ended by a panic
}

// NewWorkers returns a Workers, to be closed by the caller. It fails when Size is out of range.
func NewWorkers(cfg WorkersConfig) (*Workers, error) {
	if cfg.Size < 0 || cfg.Size > math.MaxInt32 {
		return nil, fmt.Errorf("pool: %d workers: expected 1 to %d, or 0 for the default", cfg.Size, math.MaxInt32)
	}
	w := &Workers{size: cfg.Size, logger: cfg.Logger, onPanic: cfg.OnPanic}
	if w.size == 0 {
		w.size = max(32, 8*runtime.GOMAXPROCS(0))
	}
	if w.logger == nil {
		w.logger = slog.Default()
	}
	// Workers that have once been needed will be again: to end and restart them would cost a timer and, at each burst,
	// their stacks.
	var err error
	w.ants, err = ants.NewPoolWithFuncGeneric(w.size, w.run,
		ants.WithNonblocking(true), ants.WithDisablePurge(true), ants.WithPanicHandler(w.onPanicPanicked))
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	return w, nil
}

// Submit has task run soon on a worker and returns true, or returns false at once when all of them are busy or after Close.
func (w *Workers) Submit(task func()) bool {
	w.closing.RLock()
	taken := !w.closed && w.ants.Invoke(task) == nil
	w.closing.RUnlock()
	if !taken {
		w.refused.Add(1)
	}
	return taken
}

// run is what a worker does with a task. It catches the panic itself, not by ants' PanicHandler, which ants calls when it
// has already counted the worker as gone, so that Close would not wait for it.
func (w *Workers) run(task func()) {
	w.running.Add(1)
	defer w.running.Add(-1)
	defer func() {
		if value := recover(); value != nil {
			w.panicked(value, debug.Stack())
		}
	}()
	task()
}

func (w *Workers) panicked(value any, stack []byte) {
	w.panics.Add(1)
	if w.onPanic != nil {
		w.onPanic(value, stack)
		return
	}
	w.logger.Error("pool: a task panicked", "panic", value, "stack", string(stack))
}

func (w *Workers) onPanicPanicked(value any) {
	w.logger.Error("pool: OnPanic panicked", "panic", value, "stack", string(debug.Stack()))
}

// Stats returns the counters as they are now.
func (w *Workers) Stats() WorkersStats {
	return WorkersStats{
		Size:    w.size,
		Running: int(w.running.Load()),
		Refused: w.refused.Load(),
		Panics:  w.panics.Load(),
	}
}

// Close refuses further tasks and waits until those that were taken have ended; a task that calls it waits for itself. It
// may be called twice; each call waits.
func (w *Workers) Close() {
	w.once.Do(func() {
		w.closing.Lock()
		w.closed = true
		w.closing.Unlock()
		// It fails only for a pool already released or a context that ended, and neither can be.
		_ = w.ants.ReleaseContext(context.Background())
	})
}
