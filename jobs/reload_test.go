package jobs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
)

// A job that cannot be changed goes on as it was, and is tried again each time.
func TestAJobThatCannotChangeGoesOnAsItWas(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT n INTO o FROM [in]", Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	}
	p := run(t, o)
	p.send("in", `{"n":1}`)
	until(t, "a row", func() bool { return len(p.rowsOf("o")) == 1 })
	other := o
	other.Jobs = slices.Clone(o.Jobs)
	other.Jobs[0].Outputs = []pipeline.Output{{Alias: "o", Table: "later"}}
	for range 2 {
		did, err := p.Reload(t.Context(), other)
		if err == nil || !strings.Contains(err.Error(), "job j goes on as it was") || !strings.Contains(err.Error(), "table later is not declared") || len(did) > 0 {
			t.Fatalf("did %v, %v", did, err)
		}
		n := len(p.rowsOf("o"))
		p.send("in", `{"n":2}`)
		until(t, "a row as before", func() bool { return len(p.rowsOf("o")) == n+1 })
	}
	other.Tables = append(slices.Clone(o.Tables), pipeline.Table{Name: "later"})
	if did, err := p.Reload(t.Context(), other); err != nil || !slices.Equal(did, []string{"job j replaced"}) {
		t.Fatalf("did %v, %v", did, err)
	}
	p.send("in", `{"n":3}`)
	until(t, "a row in the other table", func() bool { return len(p.rowsOf("later")) == 1 })
	other.Jobs = nil
	if did, err := p.Reload(t.Context(), other); err != nil || !slices.Equal(did, []string{"job j stopped"}) {
		t.Fatalf("did %v, %v", did, err)
	}
	if err := p.Start(t.Context(), "j", pipeline.JobStart{}); !errors.Is(err, ErrNoJob) || p.Has("j") {
		t.Errorf("a job that is gone: %v", err)
	}
	if did, err := p.Reload(t.Context(), o); err != nil || !slices.Equal(did, []string{"job j started"}) {
		t.Fatalf("did %v, %v", did, err)
	}
	o.Jobs = slices.Clone(o.Jobs)
	o.Jobs[0].Disabled = true
	for _, want := range [][]string{{"job j stopped"}, nil} {
		if did, err := p.Reload(t.Context(), o); err != nil || !slices.Equal(did, want) {
			t.Fatalf("disabled: did %v, %v", did, err)
		}
	}
}

// Neither the new job can run nor the one before: it has failed, and any reload tries anew.
func TestAJobThatCannotGoOnAsItWasIsTriedAgain(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "out", Partitions: 1}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT n INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Hub: "out", Immediate: true}}}},
	}
	p := run(t, o)
	acknowledge := func(policy eventlog.Policy) {
		t.Helper()
		if _, err := p.o.Hubs.Create(t.Context(), hub.Spec{Name: "in", Policy: policy}); err != nil {
			t.Fatal(err)
		}
	}
	acknowledge(eventlog.OS)
	other := o
	other.Jobs = slices.Clone(o.Jobs)
	other.Jobs[0].Outputs = nil
	if did, err := p.Reload(t.Context(), other); err == nil || !strings.Contains(err.Error(), "starting it as it was: ") || len(did) > 0 {
		t.Fatalf("did %v, %v", did, err)
	}
	if err := p.health(); err == nil || !strings.Contains(err.Error(), "job j failed") {
		t.Errorf("health %v", err)
	}
	acknowledge(eventlog.Sync)
	if did, err := p.Reload(t.Context(), o); err != nil || !slices.Equal(did, []string{"job j replaced"}) {
		t.Fatalf("did %v, %v", did, err)
	}
	p.send("in", `{"n":1}`)
	until(t, "the row", func() bool { return len(p.eventsOf("out")[0]) == 1 })
	if err := p.health(); err != nil {
		t.Error(err)
	}
}
