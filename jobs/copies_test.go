package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/pipeline"
)

// A data folder is put together from parts of two ages: the folder of the job, the
// table, the log; each as it was last, an older copy, or gone; the script changed or
// not. Either the job goes on, and every event that it had not read comes into the table
// once, or the start is refused, and what the refusal advises works.
func TestPartsOfDifferentAge(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some 150 pipelines")
	}
	of := func(dir string, script string) pipeline.Options {
		return pipeline.Options{
			Dir: dir, Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}}, Tables: []pipeline.Table{{Name: "o"}},
			Jobs: []pipeline.Job{{Name: "j", Script: script, CheckpointInterval: 20 * time.Millisecond, Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
		}
	}
	script, other := "SELECT n INTO o FROM [in]", "SELECT n + 0 AS n INTO o FROM [in]"
	rows := func(p *testRoom) (out []int) {
		for _, r := range p.rowsOf("o") {
			out = append(out, int(r["n"].(float64)))
		}
		slices.Sort(out)
		return out
	}
	// life sends the events and waits for the rows of all.
	life := func(what string, o pipeline.Options, send []int, want []int) {
		t.Helper()
		p := run(t, o)
		for _, n := range send {
			p.send("in", fmt.Sprintf(`{"n":%d}`, n))
		}
		for end := time.Now().Add(20 * time.Second); len(rows(p)) < len(want); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				break
			}
		}
		p.stop()
		if got := rows(p); !slices.Equal(got, want) {
			t.Errorf("%s: rows %v, want %v", what, got, want)
		}
	}
	copyOf := func(to, from string) {
		t.Helper()
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	young, old := t.TempDir(), t.TempDir()
	life("the first life", of(young, script), []int{1, 2, 3}, []int{1, 2, 3})
	copyOf(old, young)
	life("the second life", of(young, script), []int{4, 5, 6}, []int{1, 2, 3, 4, 5, 6})

	upTo := map[string]int{"kept": 6, "older": 3, "gone": 0}
	ages := []string{"kept", "older", "gone"}
	refused := 0
	for i := range 3 * 3 * 3 * 2 {
		job, table, hub, changed := ages[i%3], ages[i/3%3], ages[i/9%3], i/27 == 1
		name := fmt.Sprintf("job %s, table %s, hub %s, changed %t", job, table, hub, changed)
		make := func() pipeline.Options {
			dir := t.TempDir()
			for part, age := range map[string]string{"jobs": job, "lake": table, "log": hub} {
				from := map[string]string{"kept": young, "older": old, "gone": ""}[age]
				if from != "" {
					copyOf(filepath.Join(dir, part), filepath.Join(from, part))
				}
			}
			if changed {
				return of(dir, other)
			}
			return of(dir, script)
		}
		o := make()
		var want []int
		for n := range upTo[table] {
			want = append(want, n+1)
		}
		fresh := []int{10, 11, 12}
		good := job == "gone" || hub != "gone" && upTo[job] <= upTo[hub] && (table == "gone" || table == job)
		if good {
			if job != "gone" {
				for n := upTo[job]; n < upTo[hub]; n++ {
					want = append(want, n+1)
				}
			}
			life(name, o, fresh, append(want, fresh...))
			life(name+", again", o, []int{20}, append(want, append(fresh, 20)...))
			continue
		}
		refused++
		_, err := open(t, o)
		if err == nil || !strings.Contains(err.Error(), "give the job another name, or delete its folder") {
			t.Fatalf("%s: open: %v", name, err)
		}
		if err := os.RemoveAll(filepath.Join(o.Dir, "jobs", "j")); err != nil {
			t.Fatal(err)
		}
		life(name+", its folder deleted", o, fresh, append(want, fresh...))
		o = make()
		o.Jobs[0].Name = "k"
		life(name+", another name", o, fresh, append(want, fresh...))
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}
