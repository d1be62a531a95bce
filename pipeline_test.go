package spate

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// testPipeline is a pipeline that runs in a test.
type testPipeline struct {
	*Pipeline
	t    *testing.T
	stop func()
}

// run opens and runs a pipeline with one hub "in" until the test or stop ends it.
func run(t *testing.T, o Options) *testPipeline {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Hubs == nil {
		o.Hubs = []Hub{{Name: "in", Partitions: 2}}
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
	h, ok := p.namespace.Hub(name)
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
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
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
	o := Options{
		Dir: dir, Tables: []Table{{Name: "out"}, {Name: "raw"}},
		Jobs: []Job{{Name: "j", Script: "SELECT id, CAST(v AS float) AS v, w, nothing INTO o FROM [in]",
			Inputs: []Input{{Alias: "in", Hub: "in"}}, Outputs: []Output{{Alias: "o", Table: "out", Columns: []OutputColumn{{Name: "twice", Expr: "v * 2"}}}}}},
		Captures: []Capture{{Hub: "in", Table: "raw", Columns: []OutputColumn{{Name: "At", Expr: "EventEnqueuedUtcTime"}}}},
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
	if want := "id string, v double, w long, nothing string, twice double"; strings.Join(got, ", ") != want {
		t.Errorf("columns %v, want %s", got, want)
	}
}

func TestRetention(t *testing.T) {
	p := run(t, Options{Hubs: []Hub{{Name: "day"}, {Name: "all", Retention: Forever}, {Name: "hour", Retention: time.Hour}}})
	for name, want := range map[string]time.Duration{"day": 24 * time.Hour, "all": 0, "hour": time.Hour} {
		h, _ := p.namespace.Hub(name)
		if got := h.Settings().Retention; got != want {
			t.Errorf("hub %s keeps its events %v, want %v", name, got, want)
		}
	}
}

func TestActionGroupsAreFoundIgnoringCase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts.jsonl")
	p := run(t, Options{
		Hubs:         []Hub{{Name: "Alerts", Partitions: 1}},
		ActionGroups: []ActionGroup{{Name: "Ops", Receivers: []Receiver{{Name: "f", File: file}}}},
		Notify:       []Notify{{Name: "n", Hub: "alerts", ActionGroups: []string{"OPS"}}},
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

// letters are the lines of a job's dead letters.
func (p *testPipeline) letters(job string) (out []map[string]any) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.opts.Dir, "jobs", job, "dead-letter", "*.jsonl"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				p.t.Fatalf("%s: %v", line, err)
			}
			out = append(out, m)
		}
	}
	return out
}

// What a job drops is counted, kept and written to the log once a minute.
func TestDroppedEventsAndRows(t *testing.T) {
	var log lockedBuffer
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	p := run(t, Options{
		Hubs:   []Hub{{Name: "in", Partitions: 1}},
		Tables: []Table{{Name: "out", Columns: []TableColumn{{Name: "v", Type: "double"}}}},
		Jobs: []Job{{Name: "j", Script: "SELECT v INTO out FROM [in] TIMESTAMP BY at",
			Inputs: []Input{{Alias: "in", Hub: "in"}}, Outputs: []Output{{Alias: "out", Table: "out"}}, Policies: Policies{Action: Drop}}},
		Log: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	good := `{"at":"` + at(10*time.Second) + `","v":1}`
	p.send("in", good, `{"at":`, `{"at":"no time","v":1}`, `{"at":"`+at(-time.Hour)+`","v":1}`, `{"at":"`+at(time.Hour)+`","v":1}`,
		`{"at":"`+at(11*time.Second)+`","v":"text"}`)
	for range 20 {
		p.send("in", "no JSON")
	}
	p.send("in", `{"at":"`+at(12*time.Second)+`","v":2}`)
	until(t, "the rows", func() bool { return len(p.rowsOf("out")) == 2 })
	for name, want := range map[string]int64{
		"InputEventsSourcesPerSecond": 27, "InputEvents": 6, "DeserializationError": 21, "InvalidInputTimeStamp": 1, "LateInputEvents": 1,
		"EarlyInputEvents": 1, "ConversionErrors": 1, "OutputEvents": 2, "Errors": 0, "DeadLetterEvents": 25,
	} {
		if got := p.counter(name, "JobName", "j"); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
	if n := p.counter("InputEventBytes", "JobName", "j", "LogicalName", "in", "PartitionId", "0"); n < 6*int64(len(`{"at":"","v":1}`)) || n > 6*64 {
		t.Errorf("InputEventBytes %d: want those of six events", n)
	}
	p.stop()

	kinds := make(map[string]int)
	for _, l := range p.letters("j") {
		kinds[l["kind"].(string)]++
		switch {
		case l["kind"] == "conversion" && (l["output"] != "out" || l["row"].(map[string]any)["v"] != "text"),
			l["kind"] == "late" && l["offset"] != 3.0, l["kind"] == "early" && l["offset"] != 4.0:
			t.Errorf("letter %v", l)
		}
	}
	if want := map[string]int{"deserialization": 21, "timestamp": 1, "late": 1, "early": 1, "conversion": 1}; !maps.Equal(kinds, want) {
		t.Errorf("letters %v, want %v", kinds, want)
	}
	warned := 0
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"kind":"deserialization"`) {
			warned++
			if warned == 2 && !strings.Contains(line, `"count":20`) {
				t.Errorf("the second line does not count the rest: %s", line)
			}
		}
	}
	if warned != 2 {
		t.Errorf("%d lines of bad messages, want the first and a count:\n%s", warned, log.String())
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCSVInput(t *testing.T) {
	p := run(t, Options{
		Tables: []Table{{Name: "out"}},
		Jobs: []Job{{Name: "j", Script: "CREATE TABLE [in] (id nvarchar(max), v float); SELECT id, v INTO out FROM [in]",
			Inputs: []Input{{Alias: "in", Hub: "in", Format: "csv", Delimiter: ";"}}, Outputs: []Output{{Alias: "out", Table: "out"}}}},
	})
	p.send("in", "id;v\na;1.5\nb;2\n", "id;v\nc;x\n", "id\n\"no end")
	until(t, "the rows", func() bool {
		return len(p.rowsOf("out")) == 2 && p.counter("DeserializationError", "JobName", "j") == 2
	})
}

func TestAFailedJobIsSeen(t *testing.T) {
	p := run(t, Options{
		Tables: []Table{{Name: "out"}, {Name: "other"}},
		Jobs: []Job{
			{Name: "bad", Script: "SELECT CAST(v AS bigint) AS v INTO out FROM [in]", Outputs: []Output{{Alias: "out", Table: "out"}}},
			{Name: "good", Script: "SELECT v INTO other FROM [in]", Outputs: []Output{{Alias: "other", Table: "other"}}},
		},
	})
	if err := p.health(); err != nil {
		t.Fatal(err)
	}
	p.send("in", `{"v":"x"}`)
	until(t, "the job to fail", func() bool { return p.health() != nil })
	if err := p.health().Error(); !strings.Contains(err, "job bad failed") || !strings.Contains(err, "line 1 and column 8") {
		t.Errorf("health says %q", err)
	}
	until(t, "the other job's row", func() bool { return len(p.rowsOf("other")) == 1 })
	states := make(map[string]string)
	for _, j := range p.Status().Jobs {
		states[j.Name] = j.State
		if (j.State == "Failed") != (j.Error != "") {
			t.Errorf("status %+v", j)
		}
	}
	if states["bad"] != "Failed" || states["good"] != "Running" || p.counter("Errors", "JobName", "bad") != 1 {
		t.Errorf("states %v, %d errors", states, p.counter("Errors", "JobName", "bad"))
	}
}

func TestACheckpointOfAnotherQueryIsRefused(t *testing.T) {
	o := Options{
		Dir: t.TempDir(), Tables: []Table{{Name: "out"}},
		Jobs: []Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []Output{{Alias: "out", Table: "out"}}}},
	}
	run(t, o).stop()
	o.Hubs, o.Log = []Hub{{Name: "in", Partitions: 2}}, slog.New(slog.DiscardHandler)
	o.Jobs[0].Script = "SELECT v INTO out FROM [in] WHERE v > 1"
	_, err := Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "another query") || !strings.Contains(err.Error(), filepath.Join("jobs", "j")) {
		t.Errorf("open: %v", err)
	}
	o.Jobs[0].Script = "SELECT  v\nINTO out FROM [in] -- the same" // layout is no other query
	p, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestCommitInterval(t *testing.T) {
	tb := func(d time.Duration) Table { return Table{Name: "t", Flush: Flush{Interval: d}} }
	for _, c := range []struct {
		own    time.Duration
		tables []Table
		want   time.Duration
		fails  bool
	}{
		{0, nil, 0, false}, {0, []Table{tb(0), tb(2), tb(2)}, 2, false}, {3, []Table{tb(3), tb(0)}, 3, false},
		{3, []Table{tb(2)}, 0, true}, {0, []Table{tb(3), tb(2)}, 0, true},
	} {
		got, err := CommitInterval(c.own, c.tables...)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%v, %v: %v, %v", c.own, c.tables, got, err)
		}
	}
}

// A stop reads what was accepted before it; a short patience leaves it to the
// next start.
func TestAStopReadsWhatWasAccepted(t *testing.T) {
	for _, patience := range []time.Duration{0, time.Nanosecond} {
		o := Options{
			Dir: t.TempDir(), Tables: []Table{{Name: "out"}}, Drain: patience,
			Jobs: []Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []Output{{Alias: "out", Table: "out"}}}},
		}
		p := run(t, o)
		const events = 400
		for range events / 2 {
			p.send("in", `{"v":1}`, `{"v":2}`)
		}
		p.stop()
		if n := len(p.rowsOf("out")); patience == 0 && n != events {
			t.Errorf("%d rows behind a stop, want %d", n, events)
		}
		p = run(t, o)
		until(t, "all rows", func() bool { return len(p.rowsOf("out")) >= events })
		if n := len(p.rowsOf("out")); n != events {
			t.Errorf("%d rows behind the next start, want %d", n, events)
		}
	}
}

// A row that the table cannot hold stops the job, which goes back to it again and
// again; what comes behind it waits.
func TestStopPolicyHoldsTheRow(t *testing.T) {
	for _, byOutput := range []bool{true, false} {
		out, policies := Output{Alias: "out", Table: "out"}, Policies{OutputError: Stop}
		if byOutput {
			out.ErrorPolicy, policies = Stop, Policies{}
		}
		p := run(t, Options{
			Hubs: []Hub{{Name: "in", Partitions: 1}}, Tables: []Table{{Name: "out", Columns: []TableColumn{{Name: "v", Type: "double"}}}},
			Jobs: []Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []Output{out}, Policies: policies}},
		})
		p.send("in", `{"v":1}`)
		until(t, "the good row", func() bool { return len(p.rowsOf("out")) == 1 })
		p.send("in", `{"v":"x"}`, `{"v":2}`)
		until(t, "the job to stop", func() bool { return p.health() != nil })
		if err := p.health().Error(); !strings.Contains(err, `{"v":"x"}`) || !strings.Contains(err, "held") {
			t.Errorf("health says %q", err)
		}
		if n := len(p.rowsOf("out")); n != 1 || len(p.letters("j")) != 0 || p.counter("Errors", "JobName", "j") != 0 {
			t.Errorf("%d rows, %d letters, want the first row alone", n, len(p.letters("j")))
		}
		p.stop()
	}
}

// Names that differ only in case are one output: no statement's rows are lost.
func TestOutputNamesIgnoreCase(t *testing.T) {
	p := run(t, Options{
		Tables: []Table{{Name: "out", Columns: []TableColumn{{Name: "v", Type: "long"}}}},
		Jobs: []Job{{Name: "j", Script: "SELECT v INTO [out] FROM [in]; SELECT v + 10 AS v INTO [OUT] FROM [IN]",
			Inputs: []Input{{Alias: "In", Hub: "in"}}, Outputs: []Output{{Alias: "Out", Table: "out"}}}},
	})
	p.send("in", `{"v":1}`, `{"v":2}`)
	until(t, "four rows", func() bool { return len(p.rowsOf("out")) == 4 })
	if n := p.counter("InputEvents", "JobName", "j"); n != 2 {
		t.Errorf("InputEvents %d, want 2: one input", n)
	}
}

func TestJobsThatShareAFolderAreRefused(t *testing.T) {
	job := func(name string) Job {
		return Job{Name: name, Script: "SELECT v INTO out FROM [in]", Outputs: []Output{{Alias: "out", Table: "out"}}}
	}
	for _, o := range []Options{
		{Jobs: []Job{job("a"), job("A")}},
		{Jobs: []Job{job("Capture-in")}, Captures: []Capture{{Hub: "in", Table: "out"}}},
		{Captures: []Capture{{Hub: "in", Table: "out"}, {Hub: "IN", Table: "out"}}},
	} {
		o.Dir, o.Hubs, o.Tables, o.Log = t.TempDir(), []Hub{{Name: "in"}}, []Table{{Name: "out"}}, slog.New(slog.DiscardHandler)
		if p, err := Open(t.Context(), o); err == nil {
			t.Error("the jobs share a folder")
			p.Close()
		}
	}
}
