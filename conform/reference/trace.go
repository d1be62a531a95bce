package reference

import "spate/sql/plan"

// Verdict is what a policy said of an event: dropped, or moved in time.
type Verdict struct {
	Kind    string
	Dropped bool
}

// judge notes what is said of the event whose time is worked out.
func (r *runner) judge(kind string, dropped bool) {
	if r.seq == r.traced {
		r.verdicts = append(r.verdicts, Verdict{kind, dropped})
	}
}

// Trace says what becomes of events[k]: what is said of it where it comes in, and how many
// rows of each step it has come into.
func Trace(job *plan.Job, events []Event, o Options, k int) (map[plan.Node]int, []Verdict, error) {
	r := &runner{events: events, options: o, level: job.Level, done: map[plan.Node][]row{}, inputs: job.Inputs, traced: k}
	for _, output := range job.Outputs {
		if _, err := r.rows(output.In); err != nil {
			return nil, nil, err
		}
	}
	rows := make(map[plan.Node]int)
	for n, list := range r.done {
		for i := range list {
			if list[i].traced {
				rows[n]++
			}
		}
	}
	return rows, r.verdicts, nil
}
