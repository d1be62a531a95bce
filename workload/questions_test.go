package workload

import (
	"context"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/conform"
	"spate/conform/reference"
	"spate/connector"
	"spate/stream/exec"
)

// The engine answers what the interpreter of the conformance cases does, also where events
// are late and out of order, and counts as many of those.
func TestQuestionsAgreeWithTheReference(t *testing.T) {
	for _, of := range []struct {
		name, input string
		list        []question
		src         *spreadSource
		policy      exec.TimePolicy
		disorder    bool
	}{
		{"nexmark", "nexmark", nexmarkQuestions, nexmarkSource(8000, 2), exec.TimePolicy{Late: column.Hour, Disorder: 4 * column.Second}, false},
		{"tsbs", "trucks", tsbsQuestions, tsbsSource(8000), tsbsPolicy, true},
		{"tsbs, dropping", "trucks", tsbsQuestions, tsbsSource(8000), exec.TimePolicy{Late: tsbsPolicy.Late, Disorder: tsbsPolicy.Disorder, Drop: true}, true},
	} {
		events := eventsOf(t, of.src, of.input)
		for _, q := range of.list {
			t.Run(of.name+"/"+q.name, func(t *testing.T) {
				script := shortWindows(q.script)
				job, err := conform.Compile(script)
				if err != nil {
					t.Fatal(err)
				}
				rows, counts, err := reference.Run(job, events, reference.Options{Late: of.policy.Late, Disorder: of.policy.Disorder, Drop: of.policy.Drop})
				if err != nil {
					t.Fatal(err)
				}
				var got rowSink
				a, err := askInto(t.Context(), script, of.input, of.src, of.policy, &got)
				if err != nil {
					t.Fatal(err)
				}
				want := printed(rows["o"])
				slices.Sort(want)
				slices.Sort(got.printed)
				if !slices.Equal(got.printed, want) {
					t.Errorf("%d rows, want %d", len(got.printed), len(want))
				}
				if len(want) == 0 {
					t.Error("no rows: the question says nothing")
				}
				if late, disorder := a.counts["LateInputEvents"], a.counts["DroppedOrAdjustedEvents"]; of.disorder && (late == 0 || disorder == 0) {
					t.Errorf("%d late, %d dropped or adjusted", late, disorder)
				} else if int(late) != counts.Late || int(disorder) != counts.OutOfOrder {
					t.Errorf("%d late, %d dropped or adjusted, want %+v", late, disorder, counts)
				}
			})
		}
	}
}

// shortWindows makes windows so short that few events fill several.
func shortWindows(script string) string {
	return strings.NewReplacer("TumblingWindow(minute, 10)", "TumblingWindow(second, 20)", "HoppingWindow(minute, 240, 10)", "HoppingWindow(second, 120, 20)",
		"COUNT(*) > 22", "COUNT(*) > 4", "TumblingWindow(hour, 1)", "TumblingWindow(minute, 2)", "HoppingWindow(hour, 24, 1)", "HoppingWindow(minute, 3, 1)",
		"< 0.1", "< 0.99", ">= 0.1", ">= 0.99", "AVG(velocity) < 1", "AVG(velocity) < 40",
		"TumblingWindow(second, 10)", "TumblingWindow(millisecond, 100)", "HoppingWindow(second, 10, 2)", "HoppingWindow(millisecond, 100, 20)", "BETWEEN 0 AND 9999", "BETWEEN 0 AND 99").Replace(script)
}

// eventsOf are the messages of a source in the order they arrive.
func eventsOf(t *testing.T, src *spreadSource, input string) []reference.Event {
	var all []byte
	for i := range src.n {
		c := &src.chunks[i%src.parts][i/src.parts/1024]
		k := i / src.parts % 1024
		all = append(append(all, c.Data[c.Starts[k]:c.Ends[k]]...), '\n')
	}
	values, err := conform.Records(all)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]reference.Event, src.n)
	for i := range events {
		events[i] = reference.Event{Input: input, Partition: i % src.parts, Arrival: src.arrival(i), Value: values[i]}
	}
	return events
}

// rowSink keeps rows as they print.
type rowSink struct {
	checksumSink
	printed []string
}

func (s *rowSink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return s, nil
}

func (s *rowSink) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	s.printed = append(s.printed, printed(conform.RowsOf(b))...)
	return nil, nil
}

func printed(rows []conform.Row) []string {
	var out []string
	for _, r := range conform.AsRecords(map[string][]conform.Row{"o": rows})["o"] {
		out = append(out, string(column.AppendJSON(nil, r)))
	}
	return out
}
