package spate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/console"
	"spate/datafolder"
	"spate/internal/pipetest"
	"spate/pipeline"
)

// gather makes a backup of a running pipeline.
func (p *testPipeline) gather(to string) error {
	p.t.Helper()
	s, err := datafolder.NewStage(p.opts.Dir)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close()
	if err := p.Gather(s.Name()); err != nil {
		return err
	}
	_, err = datafolder.Backup(p.t.Context(), p.opts.Dir, to, s, "test")
	return err
}

// A backup of a pipeline with a damaged partition would pass for a whole one.
func TestADamagedPartitionIsNotBackedUpWhileItRuns(t *testing.T) {
	dir := t.TempDir()
	p := run(t, pipeline.Options{Dir: dir})
	p.send("in", strings.Repeat("a", 100), "b", strings.Repeat("c", 100), "d")
	h, _ := p.hubs.namespace.Hub("in")
	id := h.ID()
	p.stop()
	segment := filepath.Join(datafolder.HubsDir(dir), "hubs", hex.EncodeToString(id[:]), "0001", "00000000000000000000.seg")
	st, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segment, st.Size()-10); err != nil {
		t.Fatal(err)
	}
	p = run(t, pipeline.Options{Dir: dir})
	to := filepath.Join(t.TempDir(), "backup")
	if err := p.gather(to); err == nil || !strings.Contains(err.Error(), "in partition 1: ") || !strings.Contains(err.Error(), "stop the pipeline, and make the backup then") {
		t.Errorf("%v", err)
	}
	p.stop()
	if _, err := datafolder.Backup(t.Context(), dir, to, nil, "test"); err != nil { // as it is, with the damage
		t.Fatal(err)
	}
}

// What leaves the pipeline by a reload is said once, and deleted when somebody asks for it.
func TestAHubThatLeavesByAReload(t *testing.T) {
	var text lockedBuffer
	o := pipeline.Options{Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&text, nil)),
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "Other", Partitions: 1}}}
	p := run(t, o)
	p.send("other", "{}")
	told := func(want int) {
		t.Helper()
		if got := strings.Count(text.String(), "a hub is not in the pipeline any more"); got != want {
			t.Errorf("it was said %d times, want %d: %s", got, want, text.String())
		}
	}
	told(0)
	if got := p.Status().GoneHubs; len(got) != 0 {
		t.Errorf("gone: %v", got)
	}
	if err := p.DeleteHub("other"); !errors.Is(err, console.ErrHubUsed) {
		t.Errorf("deleted: %v", err)
	}
	less := o
	less.Hubs = o.Hubs[:1]
	for range 2 {
		if _, err := p.Reload(t.Context(), less); err != nil {
			t.Fatal(err)
		}
		told(1)
	}
	if got := p.Status().GoneHubs; len(got) != 1 || got[0] != "Other" {
		t.Errorf("gone: %v", got)
	}
	if _, err := p.Reload(t.Context(), o); err != nil { // it comes back, with its events
		t.Fatal(err)
	}
	if got := pipetest.Events(t, p.hubs.namespace, "other"); fmt.Sprint(got) != "[[{}]]" {
		t.Errorf("events %v", got)
	}
	if _, err := p.Reload(t.Context(), less); err != nil {
		t.Fatal(err)
	}
	told(2)
	if err := p.DeleteHub("OTHER"); err != nil {
		t.Fatal(err)
	}
	if got := p.Status().GoneHubs; len(got) != 0 {
		t.Errorf("gone: %v", got)
	}
	if _, err := p.Reload(t.Context(), o); err != nil { // another one of that name
		t.Fatal(err)
	}
	if got := pipetest.Events(t, p.hubs.namespace, "other"); fmt.Sprint(got) != "[[]]" {
		t.Errorf("events %v", got)
	}
}

// Checkpoints wait while the files are gathered, and nothing else is disturbed: a pipeline
// goes on, and stops, beside backups that come one after the other.
func TestBackupsBesideARunningPipeline(t *testing.T) {
	o := pipeline.Options{Dir: t.TempDir(), Tables: []pipeline.Table{{Name: "out"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT n INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}}}
	p := run(t, o)
	var folders []string
	for k := range 8 {
		for i := range 20 {
			p.send("in", fmt.Sprintf(`{"n":%d}`, 20*k+i))
		}
		to := filepath.Join(t.TempDir(), "backup")
		if err := p.gather(to); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, to)
	}
	until(t, "all rows", func() bool { return len(p.rowsOf("out")) == 160 })
	p.stop()
	for k, from := range folders {
		again := o
		again.Dir = filepath.Join(t.TempDir(), "data")
		if _, err := datafolder.Restore(t.Context(), from, again.Dir); err != nil {
			t.Fatal(err)
		}
		r := run(t, again)
		r.send("in", `{"n":1000}`)
		want := 20*(k+1) + 1
		until(t, "all rows", func() bool { return len(r.rowsOf("out")) >= want })
		r.stop()
		seen := make(map[string]bool)
		for _, row := range r.rowsOf("out") {
			seen[fmt.Sprint(row["n"])] = true
		}
		if rows := r.rowsOf("out"); len(rows) != want || len(seen) != want {
			t.Errorf("backup %d: %d rows, %d different, want %d", k, len(rows), len(seen), want)
		}
	}
}
