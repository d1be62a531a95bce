package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"spate/blob"
	"spate/datafolder"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/internal/pipetest"
	"spate/metric"
	"spate/pipeline"
)

// testRoom is a room that runs in a test, over hubs without listeners.
type testRoom struct {
	*Room
	t    *testing.T
	dir  string
	stop func()
}

// open opens the hubs and jobs of a pipeline.
func open(t *testing.T, o pipeline.Options) (*testRoom, error) {
	t.Helper()
	return openOver(t, o, blob.NewLocal(o.Dir))
}

func openOver(t *testing.T, o pipeline.Options, store blob.Store) (*testRoom, error) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o, err := o.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	m := new(metric.Recorder)
	n, err := hub.Open(t.Context(), hub.Options{Dir: datafolder.HubsDir(o.Dir), Clock: o.Clock, Metrics: m, Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range o.Hubs {
		s := hub.Spec{Name: h.Name, Partitions: cmp.Or(h.Partitions, 4), Retention: 24 * time.Hour, Policy: eventlog.Sync}
		if h.Acknowledge == pipeline.AckOS {
			s.Policy = eventlog.OS
		}
		if _, err := n.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(t.Context(), Options{Hubs: n, Store: store, Storage: o.Storage, Drain: o.Drain, Metrics: m, Clock: o.Clock, Log: o.Log}, o)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &testRoom{Room: r, t: t, dir: o.Dir, stop: func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}}, nil
}

// run opens and runs the jobs of a pipeline with one hub "in" until the test or stop ends
// them.
func run(t *testing.T, o pipeline.Options) *testRoom {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	return runOver(t, o, blob.NewLocal(o.Dir))
}

func runOver(t *testing.T, o pipeline.Options, store blob.Store) *testRoom {
	t.Helper()
	if o.Hubs == nil {
		o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	}
	for i := range o.Jobs {
		if o.Jobs[i].CheckpointInterval == 0 {
			o.Jobs[i].CheckpointInterval = 20 * time.Millisecond
		}
	}
	p, err := openOver(t, o, store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	release, done := p.stop, false
	p.stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		<-ended
		release()
	}
	t.Cleanup(p.stop)
	until(t, "the room", p.Running)
	return p
}

func (p *testRoom) send(name string, bodies ...string) {
	p.t.Helper()
	pipetest.Send(p.t, p.o.Hubs, name, bodies...)
}

func (p *testRoom) rowsOf(table string) []map[string]any {
	p.t.Helper()
	return pipetest.Rows(p.t, p.dir, table)
}

func (p *testRoom) eventsOf(name string) [][]string {
	p.t.Helper()
	return pipetest.Events(p.t, p.o.Hubs, name)
}

func (p *testRoom) counter(name string, labels ...string) int64 {
	return pipetest.Counter(p.o.Metrics, name, labels...)
}

// health is why the room is not healthy; nil: it is.
func (p *testRoom) health() error { return errors.Join(p.Problems()...) }

var until = pipetest.Until
