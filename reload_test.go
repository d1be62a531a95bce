package spate

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/monitor"
	"spate/pipeline"
)

// runs waits until the pipeline can be changed.
func (p *testPipeline) runs() {
	p.t.Helper()
	until(p.t, "the pipeline", func() bool { return p.Jobs().Running() && p.simulation.running() })
}

// While events come a script changes ten times, the hub gets more partitions, a job
// comes and goes: every event is in the table once, and in every output of its time.
func TestAJobIsReplacedWhileEventsCome(t *testing.T) {
	script := func(n int) string {
		return fmt.Sprintf("SELECT d, n, LAG(n, %d) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS p, %d AS version INTO o FROM [in]", n%3+1, n)
	}
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "o", Columns: []pipeline.TableColumn{{Name: "d", Type: "string"}, {Name: "n", Type: "long"}, {Name: "p", Type: "long"}, {Name: "version", Type: "long"}}}},
		Jobs: []pipeline.Job{{Name: "j", Script: script(0), CheckpointInterval: 20 * time.Millisecond,
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	}
	p := run(t, o)
	p.runs()
	sent := 0
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			sent++
			p.send("in", fmt.Sprintf(`{"d":"a","n":%d}`, sent))
			time.Sleep(time.Millisecond)
		}
	})
	for n := range 10 {
		o.Jobs = slices.Clone(o.Jobs)
		o.Jobs[0].Script = script(n + 1)
		if n == 5 {
			o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 3}}
		}
		did, err := p.Reload(t.Context(), o)
		if err != nil || !slices.Contains(did, "job j replaced") {
			t.Errorf("change %d: %v, %v", n, did, err)
		}
		have := len(p.rowsOf("o"))
		until(t, "rows of the new script", func() bool { return len(p.rowsOf("o")) > have })
	}
	close(over)
	wg.Wait()
	until(t, "all rows", func() bool { return len(p.rowsOf("o")) >= sent })
	rows := p.rowsOf("o")
	slices.SortFunc(rows, func(a, b map[string]any) int { return int(a["n"].(int64) - b["n"].(int64)) })
	versions := make(map[int64]bool)
	for i, r := range rows {
		version := r["version"].(int64)
		versions[version] = true
		want := any(int64(i+1) - (version%3 + 1))
		if want.(int64) < 1 {
			want = nil
		}
		if r["n"] != int64(i+1) || r["p"] != want {
			t.Fatalf("row %d of %d is %v, want n %d and p %v", i, len(rows), r, i+1, want)
		}
	}
	if len(rows) != sent || len(versions) < 8 {
		t.Errorf("%d rows of %d versions, want %d", len(rows), len(versions), sent)
	}
}

func TestReloadTakesAllOrSaysWhatNot(t *testing.T) {
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 2}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs:   []pipeline.Job{{Name: "j", Script: "SELECT n INTO o FROM [in]", CheckpointInterval: 20 * time.Millisecond, Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	}
	p := run(t, o)
	p.runs()
	works := func(n int) {
		t.Helper()
		p.send("in", `{"n":1}`)
		until(t, "a row", func() bool { return len(p.rowsOf("o")) == n })
	}
	works(1)
	for name, change := range map[string]func(o *pipeline.Options){
		"the text ends":            func(o *pipeline.Options) { o.Jobs[0].Script = "SELECT [n INTO o FROM [in]" },
		"cannot shrink to 1":       func(o *pipeline.Options) { o.Hubs[0].Partitions = 1 },
		"server.kafka.port":        func(o *pipeline.Options) { o.Listen.Kafka = "127.0.0.1:0" },
		"reads hub other":          func(o *pipeline.Options) { o.Jobs[0].Script = "SELECT n INTO o FROM other" },
		"bound to no table and no": func(o *pipeline.Options) { o.Jobs[0].Script = "SELECT n INTO elsewhere FROM [in]" },
	} {
		c := o
		c.Jobs, c.Hubs = slices.Clone(o.Jobs), slices.Clone(o.Hubs)
		change(&c)
		if did, err := p.Reload(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: did %v, error %v", name, did, err)
		}
		if did, err := p.Reload(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, once more: did %v, error %v", name, did, err)
		}
		if did, err := p.Reload(t.Context(), o); err != nil {
			t.Errorf("%s, taken back: did %v, error %v", name, did, err)
		}
	}
	works(2)
	o.Hubs = append(slices.Clone(o.Hubs), pipeline.Hub{Name: "more", Partitions: 1})
	o.Tables = append(slices.Clone(o.Tables), pipeline.Table{Name: "k"})
	o.Jobs = append(slices.Clone(o.Jobs), pipeline.Job{Name: "k", Script: "SELECT n INTO k FROM more", CheckpointInterval: 20 * time.Millisecond, Outputs: []pipeline.Output{{Alias: "k", Table: "k"}}})
	did, err := p.Reload(t.Context(), o)
	if want := "hub more; job k started"; err != nil || strings.Join(did, "; ") != want {
		t.Errorf("did %v, %v, want %s", did, err, want)
	}
	p.send("more", `{"n":7}`)
	until(t, "a row of the new job", func() bool { return len(p.rowsOf("k")) == 1 })
	if _, err := p.history.List(monitor.Query{Resource: "job/k", Metrics: []string{"InputEvents"}}); err != nil {
		t.Errorf("metrics of the new job: %v", err)
	}
	o.Jobs = o.Jobs[:1]
	if did, err = p.Reload(t.Context(), o); err != nil || strings.Join(did, "; ") != "job k stopped" {
		t.Errorf("did %v, %v", did, err)
	}
	works(3)
}

// A hub gets more partitions while events come: those in the new ones have the time of
// their arrival, as all others. A job that went on without them would let time pass them.
func TestEventsOfANewPartitionAreNotLate(t *testing.T) {
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", CheckpointInterval: 20 * time.Millisecond, Outputs: []pipeline.Output{{Alias: "o", Table: "o"}},
			Script: "SELECT n, DATEDIFF(millisecond, EventEnqueuedUtcTime, System.Timestamp()) AS moved INTO o FROM [in] TIMESTAMP BY EventEnqueuedUtcTime"}},
	}
	p := run(t, o)
	p.runs()
	sent := 0
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			h, _ := p.hubs.namespace.Hub("in")
			n := h.Partitions()
			sent += n
			p.send("in", slices.Repeat([]string{`{"n":1}`}, n)...)
		}
	})
	for n := range 6 {
		o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2 + n}}
		if did, err := p.Reload(t.Context(), o); err != nil || !slices.Contains(did, "job j replaced") {
			t.Errorf("%v, %v", did, err)
		}
	}
	close(over)
	wg.Wait()
	until(t, "the rows", func() bool { return len(p.rowsOf("o")) == sent })
	for _, r := range p.rowsOf("o") {
		if r["moved"] != int64(0) {
			t.Fatalf("an event was moved in time: %v", r)
		}
	}
}

// A job that somebody has stopped takes another script and stays stopped.
func TestAStoppedJobStaysStopped(t *testing.T) {
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs:   []pipeline.Job{{Name: "j", Script: "SELECT n INTO o FROM [in]", Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	}
	p := run(t, o)
	p.runs()
	if err := p.Jobs().Stop(t.Context(), "j", true); err != nil {
		t.Fatal(err)
	}
	o.Hubs = []pipeline.Hub{{Name: "in", Partitions: 2}}
	o.Jobs = slices.Clone(o.Jobs)
	o.Jobs[0].Script = "SELECT n + 1 AS n INTO o FROM [in]"
	if _, err := p.Reload(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if s := p.Status().Jobs[0]; s.State != "Stopped" {
		t.Errorf("the job is %s", s.State)
	}
	p.send("in", `{"n":1}`)
	if err := p.Jobs().Start(t.Context(), "j", pipeline.JobStart{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the row", func() bool { return len(p.rowsOf("o")) == 1 })
	if n := p.rowsOf("o")[0]["n"]; n != 2.0 {
		t.Errorf("n is %v, want that of the new script", n)
	}
}
