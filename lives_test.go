package spate

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"spate/blob"
	"spate/lake/delta"
)

// A hub gets more partitions between two lives of a job with LAG, and the job other
// shards: it goes on where it was.
func TestAJobGoesOnOverAGrownHubAndOtherShards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // so that all shards run
	o := Options{
		Dir:    t.TempDir(),
		Hubs:   []Hub{{Name: "in", Partitions: 2}},
		Tables: []Table{{Name: "o"}},
		Jobs: []Job{{Name: "j", Parallelism: 1, Outputs: []Output{{Alias: "o", Table: "o"}},
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
	o := Options{
		Dir:    t.TempDir(),
		Hubs:   []Hub{{Name: "in", Partitions: 1}},
		Tables: []Table{{Name: "o"}},
		Jobs: []Job{{Name: "j", Outputs: []Output{{Alias: "o", Table: "o"}},
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
		table, err := delta.Open(t.Context(), blob.NewLocal(p.opts.Dir), "lake/spate/data/default.db/o")
		if err != nil {
			t.Fatal(err)
		}
		c := delta.FindColumn(table.Known().Columns, "p")
		if life == 0 && c != nil {
			t.Errorf("column p of type %s before its first value", c.Type)
		}
		if life == 1 && (c == nil || c.Type != delta.Long) {
			t.Errorf("columns %v, want p of type long", table.Known().Columns)
		}
		if rows := p.rowsOf("o"); life == 1 && (rows[1]["p"] != int64(1) || rows[2]["p"] != int64(1)) {
			t.Errorf("rows %v", rows)
		}
	}
}

// A changed query is refused with an advice that works: behind it the job is another
// one, and every row of its new life is in the table.
func TestAJobBeginsAnewWhenItsFolderIsDeleted(t *testing.T) {
	o := Options{
		Dir:    t.TempDir(),
		Hubs:   []Hub{{Name: "in", Partitions: 1}},
		Tables: []Table{{Name: "o"}},
		Jobs:   []Job{{Name: "j", Script: "SELECT n INTO o FROM [in]", Outputs: []Output{{Alias: "o", Table: "o"}}}},
	}
	p := run(t, o)
	for i := range 3 {
		p.send("in", `{"n":1}`)
		until(t, "rows", func() bool { return len(p.rowsOf("o")) == i+1 })
	}
	p.stop()
	o.Jobs[0].Script = "SELECT n + 100 AS n INTO o FROM [in]"
	if _, err := Open(t.Context(), o); err == nil {
		t.Fatal("a changed query was taken")
	}
	if err := os.RemoveAll(filepath.Join(o.Dir, "jobs", "j")); err != nil {
		t.Fatal(err)
	}
	p = run(t, o)
	for i := range 6 {
		p.send("in", `{"n":1}`)
		until(t, "rows of the new life", func() bool { return len(p.rowsOf("o")) == 3+i+1 })
	}
}
