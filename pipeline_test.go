package spate

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/internal/pipetest"
	"spate/pipeline"
)

// testPipeline is a pipeline that runs in a test.
type testPipeline struct {
	*Pipeline
	t    *testing.T
	stop func()
}

// run opens and runs a pipeline with one hub "in" until the test or stop ends it.
func run(t *testing.T, o pipeline.Options) *testPipeline {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Hubs == nil {
		o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for i := range o.Jobs {
		if o.Jobs[i].CheckpointInterval == 0 {
			o.Jobs[i].CheckpointInterval = 20 * time.Millisecond
		}
	}
	p, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	until(t, "the pipeline to run", func() bool { return len(ended) > 0 || p.Jobs().Running() && p.simulation.running() })
	done := false
	tp := &testPipeline{Pipeline: p, t: t}
	tp.stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(tp.stop)
	return tp
}

func (p *testPipeline) send(name string, bodies ...string) {
	p.t.Helper()
	pipetest.Send(p.t, p.hubs.namespace, name, bodies...)
}

func (p *testPipeline) rowsOf(table string) []map[string]any {
	p.t.Helper()
	return pipetest.Rows(p.t, p.opts.Dir, table)
}

func (p *testPipeline) counter(name string, labels ...string) int64 {
	return pipetest.Counter(p.metrics, name, labels...)
}

var until = pipetest.Until

func TestRetention(t *testing.T) {
	p := run(t, pipeline.Options{Hubs: []pipeline.Hub{{Name: "day"}, {Name: "all", Retention: pipeline.Forever}, {Name: "hour", Retention: time.Hour}}})
	for name, want := range map[string]time.Duration{"day": 24 * time.Hour, "all": 0, "hour": time.Hour} {
		h, _ := p.hubs.namespace.Hub(name)
		if got := h.Settings().Retention; got != want {
			t.Errorf("hub %s keeps its events %v, want %v", name, got, want)
		}
	}
}

func TestActionGroupsAreFoundIgnoringCase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts.jsonl")
	p := run(t, pipeline.Options{
		Hubs:         []pipeline.Hub{{Name: "Alerts", Partitions: 1}},
		ActionGroups: []pipeline.ActionGroup{{Name: "Ops", Receivers: []pipeline.Receiver{{Name: "f", File: file}}}},
		Notify:       []pipeline.Notify{{Name: "n", Hub: "alerts", ActionGroups: []string{"OPS"}}},
	})
	p.send("ALERTS", `{"a":1}`)
	until(t, "the notification", func() bool {
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b), `"a":1`)
	})
	if s := p.Status(); s.Alerts != 1 || s.EventsIn != 0 {
		t.Errorf("status %+v, want one alert", s)
	}
}

// What a job writes to a hub came in as events before: it is not counted again.
func TestEventsInCountWhatCameFromOutside(t *testing.T) {
	p := run(t, pipeline.Options{
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 2}, {Name: "out", Partitions: 1}},
		Jobs: []pipeline.Job{{
			Name: "pass", Script: "SELECT n INTO [out] FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "out", Hub: "Out"}},
		}},
	})
	p.send("in", `{"n":1}`, `{"n":2}`, `{"n":3}`)
	until(t, "the job's output", func() bool { return p.counter("IncomingMessages", "EntityName", "out") == 3 })
	if s := p.Status(); s.EventsIn != 3 || s.RowsOut != 3 {
		t.Errorf("%d events in, %d rows out, want 3 and 3", s.EventsIn, s.RowsOut)
	}
}
