package conform_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
	"spate/conform/random"
	"spate/sql/plan"
)

// other gives the steps and outputs of a random script names of their own.
func other(script string) string {
	return strings.NewReplacer("step", "other", "INTO o", "INTO p").Replace(script)
}

// declares is what a script says of the events of its inputs.
func declares(script string) string {
	i := strings.Index(script, "CREATE TABLE")
	if i < 0 {
		return ""
	}
	return script[i : i+strings.Index(script[i:], ";")]
}

// readsOnly reports whether a job reads no input that another does not.
func readsOnly(job, than *plan.Job) bool {
	known := func(name string) bool {
		for _, in := range than.Inputs {
			if in.Name == name {
				return true
			}
		}
		return false
	}
	for _, in := range job.Inputs {
		if !known(in.Name) {
			return false
		}
	}
	return true
}

// sameTimes reports whether a job has no TIMESTAMP BY that another does not have.
func sameTimes(job, than *plan.Job) bool {
	known := make(map[string]bool)
	a, b := plan.NewCanon(plan.Level12), plan.NewCanon(plan.Level12)
	for _, in := range than.Inputs {
		known[a.Rows(in)] = true
	}
	for _, in := range job.Inputs {
		if !known[b.Rows(in)] {
			return false
		}
	}
	return true
}

// A script may change between any two messages. What comes out is what the old script
// has written until then, and what the new one writes from then on had it always been
// there: no event is missing and none comes twice, whatever steps the two share.
func TestAChangedScriptGoesOn(t *testing.T) {
	t.Parallel()
	ran := 0
	rapid.Check(t, func(t *rapid.T) {
		skip, draw := rapid.Bool().Draw(t, "skip"), random.Script
		if skip {
			draw = random.FailingScript
		}
		a, b := draw(t), other(draw(t))
		first, then := a, b
		switch both := a + b; rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			then = both
		case 1:
			first = both
		case 2:
			first, then = both, both+"\nSELECT k, COUNT(*) AS n INTO q FROM i TIMESTAMP BY t GROUP BY k, TumblingWindow(second, 7);"
		}
		events, o := random.Stream(t)
		o.SkipErrors = skip
		if len(events) == 0 {
			t.Skip("nothing is read") // another draw; at the end some must have run
		}
		events = events[:min(len(events), 60)] // they are given out one by one, three times
		at := rapid.IntRange(0, len(events)-1).Draw(t, "at")
		compile := func(script string) *plan.Job {
			job, err := conform.Compile(script)
			if err != nil {
				t.Skip(err) // two tables of one name
			}
			return job
		}
		if !readsOnly(compile(then), compile(first)) || declares(first) != declares(then) {
			t.Skip("it reads other events, by whose times the old script has not judged")
		}
		how := conform.Streaming{Batch: 7, Shards: rapid.SliceOfN(rapid.SampledFrom([]int{1, 1, 2, 4}), 1, 3).Draw(t, "shards")}
		if rapid.Bool().Draw(t, "broken") {
			kinds := []conform.Act{conform.GoOn, conform.Checkpoint, conform.Crash, conform.Restart}
			// Where a partition that came later begins is not known of times that the old
			// script did not have.
			if how.Follow = rapid.Bool().Draw(t, "follow") && sameTimes(compile(then), compile(first)); how.Follow {
				kinds = kinds[:3] // at a restart partitions go, and cannot be read again
			}
			how.Behind = turns(rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 7).Draw(t, "acts")...)
		}
		changed := func(first, then string, letters *conform.Letters) (before, after map[string][]conform.Row) {
			o := o
			o.Skipped = letters.Add
			before, after, err := how.RunChanged(t.Context(), compile(first), compile(then), at, events, o)
			if err != nil && first == then {
				t.Skip(err) // the script fails on these events, changed or not
			}
			if err != nil {
				t.Fatalf("%s\nchanged before message %d to\n%s\n%s\n%v", first, at, then, listed(events), err)
			}
			return before, after
		}
		var letters, wanted conform.Letters
		_, want := changed(then, then, &wanted)
		before, _ := changed(first, first, new(conform.Letters))
		got, rest := changed(first, then, &letters)
		ran++
		compare := func(what string, got, want map[string][]conform.Row) {
			drop := func(rows map[string][]conform.Row) map[string][]column.Value {
				out := conform.AsRecords(rows)
				for name := range out {
					if len(out[name]) == 0 {
						delete(out, name)
					}
				}
				return out
			}
			if err := conform.Compare(drop(got), drop(want), conform.Exact, false); err != nil {
				t.Fatalf("%s\nchanged before message %d to\n%s\n%+v\n%s\n%+v\n%s: %v", first, at, then, how, listed(events), o, what, err)
			}
		}
		compare("the old script", got, before)
		compare("the new script", rest, want)
		if d := letters.Differ(&wanted); d != "" {
			t.Fatalf("%s\nchanged before message %d to\n%s\n%+v\n%s\n%+v\nrows that were skipped: %s", first, at, then, how, listed(events), o, d)
		}
	})
	if ran == 0 {
		t.Error("no script ran")
	}
}
