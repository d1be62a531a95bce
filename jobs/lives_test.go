package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"spate/blob"
	"spate/lake/delta"
	"spate/pipeline"
)

// A hub gets more partitions between two lives of a job with LAG, and the job other
// shards: it goes on where it was.
func TestAJobGoesOnOverAGrownHubAndOtherShards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // so that all shards run
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 2}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", Parallelism: 1, Outputs: []pipeline.Output{{Alias: "o", Table: "o"}},
			Script: "SELECT d, n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(minute, 5)) AS p INTO o FROM [in]"}},
	}
	for life, partitions := range []int{2, 4, 4} {
		o.Hubs[0].Partitions, o.Jobs[0].Parallelism = partitions, []int{1, 4, 2}[life]
		p := run(t, o)
		p.send("in", `{"d":"a","n":1}`, `{"d":"b","n":1}`, `{"d":"c","n":1}`)
		until(t, "the rows of a life", func() bool { return len(p.rowsOf("o")) == 3*(life+1) })
		p.stop()
		if life == 2 {
			null := 0
			for _, r := range p.rowsOf("o") {
				if r["p"] == nil {
					null++
				}
			}
			if null != 3 {
				t.Errorf("%d rows have no row before them, want one of each device: %v", null, p.rowsOf("o"))
			}
		}
	}
}

// The first rows of every device have no row before them: the column of LAG comes to the
// table with its first value, and as a number, also in another life of the job.
func TestTheColumnOfLAGIsANumber(t *testing.T) {
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", Outputs: []pipeline.Output{{Alias: "o", Table: "o"}},
			Script: "SELECT d, n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(minute, 5)) AS p INTO o FROM [in]"}},
	}
	for life := range 2 {
		p := run(t, o)
		p.send("in", `{"d":"a","n":1}`)
		until(t, "the row of a life", func() bool { return len(p.rowsOf("o")) == life+1 })
		if life == 1 {
			p.send("in", `{"d":"a","n":3}`)
			until(t, "the last row", func() bool { return len(p.rowsOf("o")) == 3 })
		}
		p.stop()
		table, err := delta.Open(t.Context(), blob.NewLocal(p.dir), "lake/spate/data/default.db/o")
		if err != nil {
			t.Fatal(err)
		}
		c := delta.FindColumn(table.Known().Columns, "p")
		if life == 0 && c != nil {
			t.Errorf("column p of type %s before its first value", c.Type)
		}
		if life == 1 && (c == nil || c.Type != delta.Double) {
			t.Errorf("columns %v, want p of type double", table.Known().Columns)
		}
		if rows := p.rowsOf("o"); life == 1 && (rows[1]["p"] != 1.0 || rows[2]["p"] != 1.0) {
			t.Errorf("rows %v", rows)
		}
	}
}

// A changed query goes on where the old one stopped, with the state of what it shares
// with it: no event is missing and none comes twice. A job whose folder is deleted is
// another one, and every row of its new life is in the table.
func TestAJobTakesAnotherScript(t *testing.T) {
	o := pipeline.Options{
		Dir:    t.TempDir(),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 2}},
		Tables: []pipeline.Table{{Name: "o"}, {Name: "p"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT d, n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS p INTO o FROM [in]",
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}, {Alias: "p", Table: "p"}}}},
	}
	one := func(p *testRoom, n int) {
		t.Helper()
		p.send("in", fmt.Sprintf(`{"d":"a","n":%d}`, n))
		until(t, "a row", func() bool { return len(p.rowsOf("o")) == n })
	}
	last := func(p *testRoom, column string, want any) {
		t.Helper()
		for _, r := range p.rowsOf("o") {
			if r["n"] == int64(len(p.rowsOf("o"))) && r[column] != want {
				t.Errorf("the last row is %v, want %s %v", r, column, want)
			}
		}
	}
	p := run(t, o)
	one(p, 1)
	one(p, 2)
	p.stop()
	// LAG stays and a step before it is there now, which has seen no event yet.
	o.Jobs[0].Script = "SELECT d, n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS p, LAG(n, 2) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS q INTO o FROM [in]; SELECT n INTO p FROM [in]"
	p = run(t, o)
	one(p, 3)
	last(p, "p", int64(2))
	last(p, "q", int64(1))
	until(t, "the new output", func() bool { return len(p.rowsOf("p")) == 1 })
	p.stop()
	// An output goes.
	o.Jobs[0].Script = "SELECT n INTO o FROM [in]"
	p = run(t, o)
	one(p, 4)
	p.stop()
	if err := os.RemoveAll(filepath.Join(o.Dir, "jobs", "j")); err != nil {
		t.Fatal(err)
	}
	p = run(t, o)
	for n := 5; n < 10; n++ {
		one(p, n)
	}
}

// A job that changes its level goes on behind the same events, and reads those that follow as
// the level does. What its steps remember of another level is not taken over.
func TestAJobTakesAnotherLevel(t *testing.T) {
	o := pipeline.Options{
		Dir:  t.TempDir(),
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "o", Partitions: 1}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT B, LAG(B) OVER (LIMIT DURATION(hour, 1)) AS P INTO o FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "o", Hub: "o"}}}},
	}
	for i, c := range []struct{ level, want string }{
		{"1.2", `{"B":true,"P":null}`},
		{"1.1", `{"B":1,"P":1}`},
		{"1.0", `{"b":1,"p":1}`},
		{"1.2", `{"B":true,"P":true}`},
	} {
		o.Jobs[0].Policies.Compat = c.level
		p := run(t, o)
		p.send("in", `{"b":true}`)
		until(t, "a row", func() bool { return len(p.eventsOf("o")[0]) == i+1 })
		if got := p.eventsOf("o")[0][i]; got != c.want {
			t.Errorf("level %s: %s, want %s", c.level, got, c.want)
		}
		p.stop()
	}
}
