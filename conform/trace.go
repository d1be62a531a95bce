package conform

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"spate/column"
	"spate/conform/reference"
	"spate/sql/plan"
	"spate/stream"
)

// Traces runs a job over events, then asks for each of them what became of it, and
// compares the answer with that of the reference interpreter. One that the reference
// cannot run is passed over.
func (s Streaming) Traces(ctx context.Context, job *plan.Job, events []Event, o Options) error {
	r, err := s.prepare(events, o, job)
	if err != nil {
		return err
	}
	if _, _, err := reference.Run(job, events, o); err != nil {
		return nil
	}
	if err := r.run(ctx, events); err != nil {
		return err
	}
	ended, err := stream.New(ctx, r.jobOptions())
	if err != nil {
		return err
	}
	for k, e := range events {
		msg := stream.Message{Partition: e.Partition, Offset: int64(k)}
		for name := range r.sources {
			if column.EqualNames(name, e.Input) {
				msg.Inputs = append(msg.Inputs, name)
			}
		}
		if msg.Inputs == nil {
			continue // the script does not read it
		}
		got, err := ended.Trace(ctx, msg)
		if err != nil {
			return fmt.Errorf("event %d: %w", k, err)
		}
		if err := sameTrace(job, events, o, k, got); err != nil {
			return err
		}
	}
	return nil
}

// distinct are verdicts in one order: several references to an input may share one.
func distinct(list []reference.Verdict) []reference.Verdict {
	slices.SortFunc(list, func(a, b reference.Verdict) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.Compact(list)
}

// sameTrace compares a trace with that of the reference interpreter.
func sameTrace(job *plan.Job, events []Event, o Options, k int, got *stream.Trace) error {
	want, verdicts, err := reference.Trace(job, events, o, k)
	if err != nil {
		return err
	}
	var said []reference.Verdict
	for _, d := range got.Verdicts {
		said = append(said, reference.Verdict{Kind: d.Kind, Dropped: d.Dropped})
	}
	said, verdicts = distinct(said), distinct(verdicts)
	if got.Error != "" || got.Unread || !slices.Equal(said, verdicts) {
		return fmt.Errorf("event %d: it is said %v, error %q, unread %v; want %v", k, said, got.Error, got.Unread, verdicts)
	}
	have := make(map[plan.Node]int)
	for _, st := range got.Steps {
		if have[st.Node] = st.Rows; st.Rows == 0 {
			delete(have, st.Node)
		}
		if st.Waiting > 0 {
			return fmt.Errorf("event %d: %d rows of a step wait behind the end of the input: %s", k, st.Waiting, plan.Describe(st.Node))
		}
	}
	if !maps.Equal(have, want) {
		for _, st := range got.Steps {
			if have[st.Node] != want[st.Node] {
				err = fmt.Errorf("event %d: it is in %d rows of a step, want %d: %s", k, have[st.Node], want[st.Node], plan.Describe(st.Node))
				break
			}
		}
	}
	return err
}
