package conform_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
	"spate/sql/plan"
)

// inArrivalTime takes the times of all events from their arrival, as rows that are shown
// at once need it.
func inArrivalTime(job *plan.Job) *plan.Job {
	for _, in := range job.Inputs {
		in.Time = nil
	}
	return job
}

// sequences are the rows of each output as they came.
func sequences(rows map[string][]conform.Row) map[string][]string {
	out := make(map[string][]string)
	for name, list := range rows {
		for _, r := range list {
			row := column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values})
			out[name] = append(out[name], fmt.Sprintf("%s %s", r.Time, column.AppendJSON(nil, row)))
		}
	}
	return out
}

// differs says where the rows of two runs are not the same ones in the same order.
func differs(got, want map[string][]string) string {
	for name := range want {
		if g, w := got[name], want[name]; !slices.Equal(g, w) {
			for i := range min(len(g), len(w)) {
				if g[i] != w[i] {
					return fmt.Sprintf("row %d of output %s is %s, and %s elsewhere", i, name, g[i], w[i])
				}
			}
			return fmt.Sprintf("output %s has %d rows, and %d elsewhere", name, len(g), len(w))
		}
	}
	return ""
}

// Rows that are shown at once are those of the reference, in one order however the
// engine is run and broken off. The sink fails if a life of the job does not repeat what
// the life before has written.
func TestRowsShownAtOnceAreTheSameHoweverTheJobRuns(t *testing.T) {
	t.Parallel()
	hows := []conform.Streaming{
		{Batch: 1024},
		{Batch: 7, Shards: []int{4}},
		{Behind: every(conform.Crash)},
		{Behind: turns(conform.GoOn, conform.Restart, conform.Crash, conform.Crash), Shards: []int{1, 4, 2, 1, 3}},
	}
	ran := 0
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for _, s := range shapes() {
				job, err := c.Compile()
				if err != nil {
					return // a case of an error
				}
				events := s.change(job, c.Events(job))
				if len(events) > 200 {
					continue // a message at a time takes long
				}
				job = inArrivalTime(job)
				want, wantErr := conform.Reference(t.Context(), job, events, c.Options)
				var first map[string][]string
				for _, how := range hows {
					how.Immediate = true
					got, err := how.Run(t.Context(), job, events, c.Options)
					if errors.Is(err, conform.ErrUnsupported) {
						t.Skip(err)
					}
					if (err != nil) != (wantErr != nil) {
						t.Fatalf("%s: engine: %v, reference: %v", s.name, err, wantErr)
					}
					if err != nil {
						continue
					}
					ran++
					if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false); err != nil {
						t.Errorf("%s: %+v: %v", s.name, how, err)
					}
					if first == nil {
						first = sequences(got)
					}
					if d := differs(sequences(got), first); d != "" {
						t.Errorf("%s: %+v: %s", s.name, how, d)
					}
				}
			}
		})
	}
	if ran < 300 {
		t.Errorf("%d runs, most cases were left out", ran)
	}
}

func TestRandomRowsShownAtOnceAreTheSameHoweverTheJobRuns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("%s\n%v", script, err)
		}
		job = inArrivalTime(job)
		want, wantErr := conform.Reference(t.Context(), job, events, o)
		how := conform.Streaming{
			Immediate: true, Batch: rapid.SampledFrom([]int{1, 7, 1024}).Draw(t, "batch"),
			Shards: rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 4}), 1, 4).Draw(t, "shards"),
		}
		if rapid.Bool().Draw(t, "broken") {
			acts := rapid.SliceOfN(rapid.SampledFrom([]conform.Act{conform.GoOn, conform.Checkpoint, conform.Restart, conform.Crash}), 1, 7).Draw(t, "acts")
			how.Behind = turns(acts...)
		}
		var first map[string][]string
		for _, how := range []conform.Streaming{{Immediate: true}, how} {
			got, err := how.Run(t.Context(), job, events, o)
			if errors.Is(err, conform.ErrUnsupported) {
				t.Skip(err)
			}
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("%s\nengine: %v\nreference: %v", script, err, wantErr)
			}
			if err != nil {
				return
			}
			if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false); err != nil {
				t.Fatalf("%+v\n%s\n%v", how, script, err)
			}
			if first == nil {
				first = sequences(got)
			}
			if d := differs(sequences(got), first); d != "" {
				t.Fatalf("%+v\n%s\n%s", how, script, d)
			}
		}
	})
}
