package jobs

import (
	"os"
	"path/filepath"
	"testing"

	"spate/pipeline"
)

// What stands in the way of a checkpoint may go away again.
func TestAJobStartsAgainWhenItCanWrite(t *testing.T) {
	o := pipeline.Options{Dir: t.TempDir(), Tables: []pipeline.Table{{Name: "out"}}, Jobs: []pipeline.Job{{Name: "j", Script: "SELECT id INTO [out] FROM [in]",
		Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}}}
	p := run(t, o)
	state := filepath.Join(o.Dir, "jobs", "j", "state")
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, []byte("no folder"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.send("in", `{"id":1}`, `{"id":2}`)
	until(t, "a job in trouble", func() bool { s := p.Status()[0]; return s.State == "Degraded" && s.Error != "" })
	if err := p.health(); err == nil {
		t.Error("the health page sees no trouble")
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	until(t, "the rows", func() bool { return len(p.rowsOf("out")) == 2 })
	until(t, "a running job", func() bool { return p.Status()[0].State == "Running" })
	until(t, "health", func() bool { return p.health() == nil })
	p.send("in", `{"id":3}`)
	until(t, "later rows", func() bool { return len(p.rowsOf("out")) == 3 })
	p.stop()
}
