package conform_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/conform"
	"spate/sql/plan"
)

// every does one thing behind every message.
func every(a conform.Act) func(int) conform.Act { return func(int) conform.Act { return a } }

// turns does several things in turn.
func turns(acts ...conform.Act) func(int) conform.Act {
	return func(i int) conform.Act { return acts[i%len(acts)] }
}

// variants are the ways to run the engine that must not show in a result.
func variants() map[string]conform.Streaming {
	out := map[string]conform.Streaming{
		"general":                   {General: true},
		"4 shards":                  {Batch: 7, Shards: []int{4}},
		"checkpoint every message":  {Behind: every(conform.Checkpoint)},
		"restart every message":     {Behind: every(conform.Restart)},
		"crash every third message": {Behind: turns(conform.Checkpoint, conform.GoOn, conform.Crash)},
		"other shards every restart": {
			Behind: turns(conform.Restart, conform.Checkpoint, conform.Crash),
			Shards: []int{1, 4, 3, 1, 2, 8, 1, 4, 2},
		},
	}
	for _, n := range []int{1, 7, 1024} {
		out[fmt.Sprintf("batches of %d", n)] = conform.Streaming{Batch: n}
	}
	return out
}

func TestCasesOnEngine(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for name, v := range variants() {
				err := c.Run(t.Context(), v.Run)
				if errors.Is(err, conform.ErrUnsupported) {
					t.Skip(err)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// shape changes the events of a case into another input, of which the reference
// says what comes out.
type shape struct {
	name   string
	change func(job *plan.Job, events []conform.Event) []conform.Event
}

func shapes() []shape {
	return []shape{
		{"over four partitions, row by row", func(_ *plan.Job, events []conform.Event) []conform.Event {
			for i := range events {
				events[i].Partition = i % 4
			}
			return events
		}},
		{"a hub that grows from one partition to four", func(_ *plan.Job, events []conform.Event) []conform.Event {
			for i := range events {
				events[i].Partition = i % (1 + 3*i/max(len(events), 1))
			}
			return events
		}},
		{"a hub that shrinks from four partitions to one", func(_ *plan.Job, events []conform.Event) []conform.Event {
			for i := range events {
				events[i].Partition = i % (1 + 3*(len(events)-i)/max(len(events), 1))
			}
			return events
		}},
		{"1,024 events of one time", func(_ *plan.Job, events []conform.Event) []conform.Event {
			if len(events) == 0 {
				return events
			}
			k := len(events) / 2
			var out []conform.Event
			out = append(out, events[:k]...)
			for range 1024 {
				out = append(out, events[k])
			}
			return append(out, events[k:]...)
		}},
		{"one clock that is nearly five minutes ahead", func(job *plan.Job, events []conform.Event) []conform.Event {
			for _, in := range job.Inputs {
				field := timeField(in)
				for k := len(events) / 3; k < len(events) && field != ""; k++ {
					if !column.EqualNames(events[k].Input, in.Name) || events[k].Value.FieldIndex(field) < 0 {
						continue
					}
					fast := events[k]
					r := &column.RecordValue{Names: fast.Value.Record().Names, Values: slices.Clone(fast.Value.Record().Values)}
					r.Values[fast.Value.FieldIndex(field)] = column.TextOf((fast.Arrival + 5*column.Minute - 1).String())
					fast.Value = column.RecordOf(r)
					return slices.Insert(events, k, fast)
				}
			}
			return events
		}},
	}
}

// timeField is the field that TIMESTAMP BY names; empty if it is no plain field.
func timeField(in *plan.Input) string {
	col, ok := in.Time.(*plan.Col)
	if !ok || in.Cols[col.Index].Kind != plan.Payload || len(in.Cols[col.Index].Path) != 1 {
		return ""
	}
	return in.Cols[col.Index].Path[0]
}

// The engine agrees with the reference on other inputs made of those of the cases,
// however it is run.
func TestCasesInOtherShapes(t *testing.T) {
	t.Parallel()
	hows := []conform.Streaming{
		{Batch: 7},
		{Batch: 1, Shards: []int{4}},
		{Follow: true, Behind: turns(conform.Checkpoint, conform.GoOn, conform.Restart), Shards: []int{1, 4, 2, 1, 3}},
		{Follow: true, Behind: turns(conform.GoOn, conform.Restart, conform.Crash)},
	}
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for _, s := range shapes() {
				job, err := c.Compile()
				if err != nil {
					return // a case of an error
				}
				events := s.change(job, c.Events(job))
				outcomes := make(map[bool]*outcome) // of an input that grows, and of one that does not
				for _, grows := range []bool{false, true} {
					o := c.Options
					o.Grows = grows
					out := new(outcome)
					o.Skipped = out.letters.Add
					out.rows, out.err = conform.Reference(t.Context(), job, events, o)
					outcomes[grows] = out
				}
				for _, how := range hows {
					want, wantErr := outcomes[how.Follow].rows, outcomes[how.Follow].err
					if len(events) > 200 && how.Behind != nil { // a message at a time takes long: break off at few places
						how.Behind = func(i int) conform.Act {
							if i%211 != 0 {
								return conform.GoOn
							}
							return conform.Restart
						}
					}
					o, letters := c.Options, conform.Letters{}
					o.Skipped = letters.Add
					got, err := how.Run(t.Context(), job, events, o)
					if errors.Is(err, conform.ErrUnsupported) {
						t.Skip(err)
					}
					if (err != nil) != (wantErr != nil) {
						t.Fatalf("%s: engine: %v, reference: %v", s.name, err, wantErr)
					}
					if err == nil {
						err = conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, false)
						if err != nil {
							t.Errorf("%s: %+v: %v", s.name, how, err)
						}
						if d := letters.Differ(&outcomes[how.Follow].letters); d != "" {
							t.Errorf("%s: %+v: rows that were skipped:\n%s", s.name, how, d)
						}
					}
				}
			}
		})
	}
}

// agree checks that the engine gives the rows of the reference, to the last bit, and in
// its order where a step has one.
func agree(t *rapid.T, how conform.Streaming, job *plan.Job, script string, events []conform.Event, o conform.Options, want *outcome) {
	var letters conform.Letters
	o.Skipped = letters.Add
	got, err := how.Run(t.Context(), job, events, o)
	if (err != nil) != (want.err != nil) {
		t.Fatalf("%s\nengine: %v\nreference: %v", script, err, want.err)
	}
	if err != nil {
		return
	}
	if d := letters.Differ(&want.letters); d != "" {
		t.Fatalf("%+v\n%s\n%s\n%+v\nrows that were skipped:\n%s", how, script, listed(events), o, d)
	}
	if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want.rows), conform.Exact, false); err != nil {
		t.Fatalf("%+v\n%s\n%s\n%+v\n%v", how, script, listed(events), o, err)
	}
	for name := range inOrder(job) {
		if err := sameOrder(got[name], want.rows[name]); err != nil {
			t.Fatalf("%+v\n%s\noutput %s: %v", how, script, name, err)
		}
	}
}

// Random scripts over random streams: the engine, however it is run, gives the
// rows of the reference interpreter, to the last bit.
func TestRandomScriptsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		level := rapid.SampledFrom([]plan.Level{plan.Level12, plan.Level12, plan.Level12, plan.Level11, plan.Level10}).Draw(t, "level")
		respell(t, level, events)
		job, err := conform.CompileAt(script, level)
		if err != nil {
			t.Fatalf("level %s: %s\n%v", level, script, err)
		}
		how := conform.Streaming{
			Batch: rapid.SampledFrom([]int{1, 7, 1024}).Draw(t, "batch"), General: rapid.Bool().Draw(t, "general"),
			Shards: rapid.SliceOfN(rapid.SampledFrom([]int{1, 1, 2, 3, 4, 8, 128}), 1, 4).Draw(t, "shards"),
		}
		if rapid.Bool().Draw(t, "broken") {
			acts := rapid.SliceOfN(rapid.SampledFrom([]conform.Act{conform.GoOn, conform.Checkpoint, conform.Restart, conform.Crash}), 1, 7).Draw(t, "acts")
			how.Behind, how.Follow = turns(acts...), rapid.Bool().Draw(t, "follow")
		}
		o.Grows = how.Follow
		agree(t, how, job, script, events, o, byDefinition(t, job, events, o))
	})
}

// respell gives some events names in another case, of jobs below the newest level.
func respell(t *rapid.T, level plan.Level, events []conform.Event) {
	if level == plan.Level12 {
		return
	}
	for i := range events {
		r := events[i].Value.Record()
		k := rapid.IntRange(0, 60).Draw(t, "respelled")
		if k >= len(r.Names) {
			continue
		}
		r = &column.RecordValue{Names: slices.Clone(r.Names), Values: slices.Clone(r.Values)}
		if name := strings.ToUpper(r.Names[k]); rapid.Bool().Draw(t, "beside") {
			r.Names, r.Values = append(r.Names, name), append(r.Values, r.Values[k])
		} else {
			r.Names[k] = name
		}
		events[i].Value = column.RecordOf(r)
	}
}

// outcome is what the reference makes of a job.
type outcome struct {
	rows    map[string][]conform.Row
	err     error
	letters conform.Letters
}

// byDefinition runs a job on the reference.
func byDefinition(t *rapid.T, job *plan.Job, events []conform.Event, o conform.Options) *outcome {
	out := new(outcome)
	o.Skipped = out.letters.Add
	out.rows, out.err = conform.Reference(t.Context(), job, events, o)
	return out
}

// inTurn gives events arrivals of their own, and times that never go back.
func inTurn(events []conform.Event) {
	last := make(map[string]column.Ticks) // by field
	for i := range events {
		e := &events[i]
		e.Arrival += column.Ticks(i)
		r := &column.RecordValue{Names: e.Value.Record().Names, Values: slices.Clone(e.Value.Record().Values)}
		e.Value = column.RecordOf(r)
		for _, name := range []string{"t", "u"} {
			k := e.Value.FieldIndex(name)
			if k < 0 || r.Values[k].Kind != column.Text {
				continue
			}
			at, ok := column.ParseTicks(r.Values[k].Text())
			if !ok || at > e.Arrival+5*column.Minute {
				continue // no row comes of it
			}
			last[name] = max(last[name], at)
			r.Values[k] = column.TextOf(last[name].String())
		}
	}
}

// Where times do not go back it does not show which partition an event came through,
// nor how the job ran: row for row, in the same order.
func TestPartitionsDoNotShow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		inTurn(events)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("%s\n%v", script, err)
		}
		if showsPlaces(job) {
			t.Skip("it shows where events stand in their partition")
		}
		for i := range events {
			events[i].Partition = 0
		}
		want := byDefinition(t, job, events, o)
		partitions := rapid.IntRange(1, 5).Draw(t, "partitions")
		for i := range events {
			events[i].Partition = rapid.IntRange(0, partitions-1).Draw(t, "partition")
		}
		how := conform.Streaming{
			Batch:  rapid.SampledFrom([]int{1, 7, 1024}).Draw(t, "batch"),
			Shards: rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 4, 8}), 1, 4).Draw(t, "shards"),
		}
		if rapid.Bool().Draw(t, "broken") {
			acts := rapid.SliceOfN(rapid.SampledFrom([]conform.Act{conform.GoOn, conform.Checkpoint, conform.Restart, conform.Crash}), 1, 7).Draw(t, "acts")
			how.Behind, how.Follow = turns(acts...), rapid.Bool().Draw(t, "follow")
		}
		agree(t, how, job, script, events, o, want)
	})
}

// showsPlaces reports whether a script reads where events stand in their partition.
func showsPlaces(job *plan.Job) bool {
	return slices.ContainsFunc(job.Inputs, func(in *plan.Input) bool {
		return slices.ContainsFunc(in.Cols, func(c plan.Source) bool {
			return c.Kind == plan.Partition || c.Kind == plan.Metadata && (c.Path[0] == "EventId" || c.Path[0] == "EventHub" && c.Path[1] != "PartitionKey")
		})
	})
}

// listed prints events in the order of their arrival.
func listed(events []conform.Event) string {
	var sb strings.Builder
	for _, e := range events {
		fmt.Fprintf(&sb, "%s %d %s %s\n", e.Input, e.Partition, e.Arrival, column.AppendJSON(nil, e.Value))
	}
	return sb.String()
}

// inOrder lists the outputs of one statement whose rows a step made in total order.
func inOrder(job *plan.Job) map[string]bool {
	out := make(map[string]bool)
	statements := make(map[string]int)
	for _, o := range job.Outputs {
		statements[o.Name]++
		n := o.In
		for {
			switch n.(type) {
			case *plan.Filter, *plan.Project:
				n = n.Inputs()[0]
				continue
			case *plan.Aggregate, *plan.Analytic:
				out[o.Name] = true
			}
			break
		}
	}
	maps.DeleteFunc(out, func(name string, _ bool) bool { return statements[name] > 1 })
	return out
}

// sameOrder compares rows one by one.
func sameOrder(got, want []conform.Row) error {
	print := func(r conform.Row) string {
		return r.Time.String() + " " + string(column.AppendJSON(nil, column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values})))
	}
	for i := range got {
		if g, w := print(got[i]), print(want[i]); g != w {
			return fmt.Errorf("row %d is %s, want %s", i, g, w)
		}
	}
	return nil
}
