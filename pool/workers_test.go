package pool_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/pool"
)

func newWorkers(t testing.TB, cfg pool.WorkersConfig) *pool.Workers {
	t.Helper()
	w, err := pool.NewWorkers(cfg)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// submit tries until a worker is free: one that has just ended its task is a moment on its way back.
func submit(w *pool.Workers, task func()) {
	for !w.Submit(task) {
		runtime.Gosched()
	}
}

func TestWorkersSize(t *testing.T) {
	for _, c := range []struct {
		label string
		size  int
		want  int // 0: an error
	}{
		{"default", 0, max(32, 8*runtime.GOMAXPROCS(0))},
		{"as given", 3, 3},
		{"negative", -1, 0},
		{"more than ants can count", 1 << 31, 0},
	} {
		t.Run(c.label, func(t *testing.T) {
			w, err := pool.NewWorkers(pool.WorkersConfig{Size: c.size})
			if c.want == 0 {
				require.ErrorContains(t, err, "expected 1 to")
				return
			}
			require.NoError(t, err)
			defer w.Close()
			require.Equal(t, pool.WorkersStats{Size: c.want}, w.Stats())
		})
	}
}

func TestSubmitRefusesWhenAllAreBusy(t *testing.T) {
	const size = 2
	w := newWorkers(t, pool.WorkersConfig{Size: size})
	release := make(chan struct{})
	var begun, ended sync.WaitGroup
	for range size {
		begun.Add(1)
		ended.Add(1)
		require.True(t, w.Submit(func() { begun.Done(); <-release; ended.Done() }))
	}
	begun.Wait()
	for range 3 {
		require.False(t, w.Submit(func() { t.Error("a refused task ran") }))
	}
	require.Equal(t, pool.WorkersStats{Size: size, Running: size, Refused: 3}, w.Stats())
	close(release)
	ended.Wait()

	again := make(chan struct{})
	submit(w, func() { close(again) })
	<-again
}

func TestPanicIsCountedAndTold(t *testing.T) {
	t.Run("to the logger", func(t *testing.T) {
		var log bytes.Buffer
		w := newWorkers(t, pool.WorkersConfig{Size: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.True(t, w.Submit(explode))
		w.Close() // which waits for the report as well
		require.Contains(t, log.String(), "boom")
		require.Contains(t, log.String(), "pool_test.explode", "the stack shows who panicked")
		require.Equal(t, pool.WorkersStats{Size: 1, Panics: 1}, w.Stats())
	})
	t.Run("to OnPanic", func(t *testing.T) {
		var log, stack bytes.Buffer
		var value any
		w := newWorkers(t, pool.WorkersConfig{
			Size:    1,
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
			OnPanic: func(v any, s []byte) { value = v; stack.Write(s) },
		})
		require.True(t, w.Submit(explode))
		w.Close()
		require.Equal(t, "boom", value)
		require.Contains(t, stack.String(), "pool_test.explode")
		require.Empty(t, log.String())
	})
	t.Run("and a panic in OnPanic is logged", func(t *testing.T) {
		var log bytes.Buffer
		logged := make(chan struct{})
		w := newWorkers(t, pool.WorkersConfig{
			Size:    1,
			Logger:  slog.New(slog.NewTextHandler(writerFunc(func(p []byte) { log.Write(p); close(logged) }), nil)),
			OnPanic: func(any, []byte) { panic("and again") },
		})
		require.True(t, w.Submit(explode))
		<-logged
		require.Contains(t, log.String(), "and again")
	})
	t.Run("and the worker goes on", func(t *testing.T) {
		w := newWorkers(t, pool.WorkersConfig{Size: 1, OnPanic: func(any, []byte) {}})
		for range 100 {
			submit(w, explode)
		}
		w.Close()
		require.EqualValues(t, 100, w.Stats().Panics)
		require.Zero(t, w.Stats().Running)
	})
}

func explode() { panic("boom") }

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestCloseWaitsForRunningTasks(t *testing.T) {
	w := newWorkers(t, pool.WorkersConfig{Size: 4})
	var ended atomic.Int32
	var begun sync.WaitGroup
	for range 4 {
		begun.Add(1)
		require.True(t, w.Submit(func() {
			begun.Done()
			for range 1000 {
				runtime.Gosched()
			}
			ended.Add(1)
		}))
	}
	begun.Wait()
	w.Close()
	require.EqualValues(t, 4, ended.Load())
	require.False(t, w.Submit(func() { t.Error("a task ran after Close") }))
	w.Close()
}

// TestCloseLosesNothing lets Close meet Submit: what Submit took has run when Close returns, and nothing runs after.
func TestCloseLosesNothing(t *testing.T) {
	for range 200 {
		w := newWorkers(t, pool.WorkersConfig{Size: 4})
		var taken, ran atomic.Int32
		var submitters sync.WaitGroup
		for range 3 {
			submitters.Go(func() {
				for range 20 {
					if w.Submit(func() { ran.Add(1) }) {
						taken.Add(1)
					}
				}
			})
		}
		w.Close()
		atClose := ran.Load()
		submitters.Wait()
		require.Equal(t, taken.Load(), ran.Load())
		require.Equal(t, atClose, ran.Load())
	}
}

func TestSubmitDoesNotAllocate(t *testing.T) {
	w := newWorkers(t, pool.WorkersConfig{Size: 1})
	done := make(chan struct{}, 1)
	task := func() { done <- struct{}{} }
	submit(w, task)
	<-done
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		submit(w, task)
		<-done
	}))
}

func BenchmarkSubmit(b *testing.B) {
	w := newWorkers(b, pool.WorkersConfig{})
	var ran atomic.Int64
	task := func() { ran.Add(1) }
	b.ReportAllocs()
	for b.Loop() {
		submit(w, task)
	}
}
