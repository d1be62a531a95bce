package spate

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/lake/delta"
	"spate/lake/parquetfile"
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

// send appends events to a hub and waits until they are durable.
func (p *testPipeline) send(name string, bodies ...string) {
	p.t.Helper()
	h, ok := p.hubs.namespace.Hub(name)
	if !ok {
		p.t.Fatalf("no hub %s", name)
	}
	for i, b := range bodies {
		ticket := h.Partition(i%h.Partitions()).Append(eventlog.AMQP, []hub.Event{{Body: []byte(b)}})
		if err := ticket.Wait(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
}

// until polls a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// rowsOf reads a table of the default names.
func (p *testPipeline) rowsOf(name string) (out []map[string]any) {
	p.t.Helper()
	store := blob.NewLocal(p.opts.Dir)
	table, err := delta.Open(p.t.Context(), store, "lake/spate/data/default.db/"+name)
	if err != nil {
		return nil
	}
	s := table.Known()
	for _, a := range s.Files() {
		r, err := store.Open(p.t.Context(), s.Key(a), 0, -1)
		if err != nil {
			p.t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		list, err := parquetfile.ReadRows(data, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		out = append(out, list...)
	}
	return out
}

// counter is the sum of a metric over the series with the labels.
func (p *testPipeline) counter(name string, labels ...string) (n int64) {
	for _, s := range p.metrics.Series() {
		if s.Name != name || s.Counter == nil {
			continue
		}
		match := true
		for i := 0; i < len(labels); i += 2 {
			has := false
			for _, l := range s.Labels {
				has = has || l.Name == labels[i] && strings.EqualFold(l.Value, labels[i+1])
			}
			match = match && has
		}
		if match {
			n += s.Counter.Value()
		}
	}
	return n
}

func TestATableWithoutColumnsIsMadeFromItsRows(t *testing.T) {
	dir := t.TempDir()
	o := pipeline.Options{
		Dir: dir, Tables: []pipeline.Table{{Name: "out"}, {Name: "raw"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT id, CAST(v AS float) AS v, w, nothing INTO o FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "o", Table: "out", Columns: []pipeline.OutputColumn{{Name: "twice", Expr: "v * 2"}}}}}},
		Captures: []pipeline.Capture{{Hub: "in", Table: "raw", Columns: []pipeline.OutputColumn{{Name: "At", Expr: "EventEnqueuedUtcTime"}}}},
	}
	p := run(t, o)
	p.send("in", `{"id":"a","v":1,"w":2}`)
	until(t, "the first row", func() bool { return len(p.rowsOf("out")) == 1 && len(p.rowsOf("raw")) == 1 })
	p.stop()

	p = run(t, o) // the table is there now
	p.send("in", `{"id":"b","v":2,"w":3,"extra":1}`)
	until(t, "the second row", func() bool { return len(p.rowsOf("out")) == 2 && len(p.rowsOf("raw")) == 2 })
	if n := p.counter("TableValuesDropped", "Table", "default.raw"); n != 1 {
		t.Errorf("%d values dropped, want 1: extra", n)
	}
	table, err := delta.Open(t.Context(), blob.NewLocal(dir), filepath.Join("lake/spate/data/default.db/out"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range table.Known().Columns {
		got = append(got, c.Name+" "+string(c.Type))
	}
	if want := "id string, v double, w long, twice double"; strings.Join(got, ", ") != want {
		t.Errorf("columns %v, want %s: nothing has no value yet", got, want)
	}
}

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
