package jobs

import (
	"path/filepath"
	"strings"
	"testing"

	"spate/blob"
	"spate/lake/delta"
	"spate/pipeline"
)

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
	if want := "id string, v double, w double, twice double"; strings.Join(got, ", ") != want {
		t.Errorf("columns %v, want %s: nothing has no value yet", got, want)
	}
}
