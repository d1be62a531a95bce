package jobs

import (
	"encoding/json"
	"strings"
	"testing"

	"spate/pipeline"
)

// A job that is to go on without rows that it cannot compute does: they are counted and
// kept, with where they came from. One that has failed goes on behind that with another
// policy.
func TestAJobGoesOnWithoutRowsThatItCannotCompute(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}}, Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "WITH s AS (\n  SELECT id, CAST(n AS bigint) AS n FROM [in]\n)\nSELECT id, n INTO o FROM s",
			Outputs: []pipeline.Output{{Alias: "o", Table: "o", Columns: []pipeline.OutputColumn{{Name: "q", Expr: "12 / n"}}}}}},
	}
	p := run(t, o)
	p.send("in", `{"id":1,"n":"4"}`, `{"id":2,"n":"x"}`, `{"id":3,"n":"0"}`)
	until(t, "the failure", func() bool { return p.Status()[0].State == "Failed" })
	p.stop()
	o.Jobs[0].Policies.RuntimeError = pipeline.SkipRow
	p = run(t, o)
	p.send("in", `{"id":4,"n":"6"}`)
	until(t, "the rows", func() bool { return len(p.rowsOf("o")) == 2 })
	until(t, "the letters", func() bool { return len(p.letters("j")) == 2 })
	if s := p.Status()[0]; s.State != "Running" || s.Errors != 2 {
		t.Errorf("state %s, %d runtime errors, want Running and 2", s.State, s.Errors)
	}
	data, err := json.Marshal(p.letters("j"))
	if err != nil {
		t.Fatal(err)
	}
	all := string(data)
	for _, want := range []string{
		"RuntimeError: runtime error at line 2 and column 14 for the row of ",
		"Cannot cast value 'x' of type 'nvarchar(max)' to type 'bigint' in expression 'n'.", "divide by zero",
		`"input":"in","kind":"runtime","line":1,"offset":1,"partition":0,`, `"row":{"id":2,"n":"x"},"step":"s"`,
		`"input":"in","kind":"runtime","line":4,"offset":2,"output":"o","partition":0,`, `"row":{"id":3,"n":0}`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in\n%s", want, all)
		}
	}
	if n := p.counter("DeadLetterEvents", "JobName", "j", "Reason", "RuntimeError"); n != 2 {
		t.Errorf("%d letters are counted, want 2", n)
	}
}
