// Package reference runs a plan by definition: a row at a time, with the whole
// input in hand and unbounded memory. It is slow and obviously right, and the
// engine must equal it on every input. What values are, how they compare,
// convert and add up is written here a second time, so that a mistake in the
// engine's kernels cannot hide.
//
// Stability: importable, not promised before 1.0.
package reference

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/plan"
)

// Event is one event of an input. Events are given in arrival order.
type Event struct {
	Input     string // alias of the input, compared ignoring case
	Partition int
	Arrival   column.Ticks // never decreasing within a partition
	Value     column.Value // a record

	Key        column.Value // partition key; NULL: none
	Properties column.Value // application properties: a record; NULL: none
}

// Options are the settings of a job that change its rows.
type Options struct {
	Late     column.Ticks // late arrival tolerance; negative: unlimited
	Disorder column.Ticks // out-of-order tolerance
	Drop     bool         // late and out-of-order events are dropped instead of adjusted
	NoEarly  bool         // no early limit; jobs always have one
	Start    column.Ticks // rows before it are not given out
	FoldCase bool         // stringCompare: ignoreCase

	// Grows says that an input gets a partition, and those with lower numbers, with the
	// first event of it. Its time begins where the least of the others is by then.
	Grows bool

	// SkipErrors drops a row for which an expression of a step fails, at that step, and
	// tells Skipped, if that is set. Without it the run ends there.
	SkipErrors bool
	Skipped    func(Skipped)

	Snapshots []Snapshot // of reference data

	// SystemColumns appends EventProcessedUtcTime, PartitionId and
	// EventEnqueuedUtcTime to events read whole.
	SystemColumns bool
}

// Skipped is a row that a step could not compute: as it came to the step, or a row of a
// window that has no result, with NULL for what has none.
type Skipped struct {
	At  plan.Part
	Row Row
}

// Row is one row of an output, Star columns expanded.
type Row struct {
	Time   column.Ticks
	Names  []string
	Values []column.Value
}

// Counts says what the time stages dropped or changed.
type Counts struct {
	Early, Late, OutOfOrder, BadTime, BadKey, Undeclared, BadEvent int
}

// Run runs job over events and returns the rows of each output, in time order.
func Run(job *plan.Job, events []Event, o Options) (map[string][]Row, Counts, error) {
	r := &runner{events: events, options: o, level: job.Level, done: map[plan.Node][]row{}, inputs: job.Inputs, parts: job.Parts(), traced: -1}
	out := map[string][]Row{}
	for _, output := range job.Outputs {
		if _, ok := out[output.Name]; !ok {
			out[output.Name] = nil
		}
		rows, err := r.rows(output.In)
		if err != nil {
			return nil, r.counts, fmt.Errorf("output %s: %w", output.Name, err)
		}
		cols := output.In.Columns()
		for i := range rows {
			if rows[i].time >= o.Start {
				out[output.Name] = append(out[output.Name], Expand(rows[i].time, cols, rows[i].vals))
			}
		}
	}
	return out, r.counts, nil
}

// position is a row's place among rows of one time: arrival, input, partition,
// then the order of the events given, and which member of a UNION it came through.
type position struct {
	arrival   column.Ticks
	input     int
	partition int
	seq       int
	branch    int64
	turn      int // among the pairs of a JOIN, and the parts that an APPLY makes
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.arrival, q.arrival), cmp.Compare(p.input, q.input),
		cmp.Compare(p.partition, q.partition), cmp.Compare(p.seq, q.seq), cmp.Compare(p.branch, q.branch), cmp.Compare(p.turn, q.turn))
}

// row is a row of a node. at is the position of the event it came from, of a
// group the position of the first.
type row struct {
	time   column.Ticks
	at     position
	vals   []column.Value
	traced bool           // the traced event has come into it
	args   []column.Value // of the aggregates that the row comes to
	orders [][]column.Value
	result bool // of a window, on its way out of the step
}

// sortRows brings rows into total order.
func sortRows(rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.time, b.time), a.at.compare(b.at))
	})
}

// Expand turns the columns of a row into what is printed: the fields of a Star
// column in its place; a name that, ignoring case, stands further left is dropped.
func Expand(at column.Ticks, cols []plan.Column, vals []column.Value) Row {
	out := Row{Time: at}
	taken := func(name string, upTo int) bool {
		return slices.ContainsFunc(out.Names[:upTo], func(n string) bool { return strings.EqualFold(n, name) })
	}
	for i, c := range cols {
		if !c.Star {
			if !taken(c.Name, len(out.Names)) {
				out.Names = append(out.Names, c.Name)
				out.Values = append(out.Values, vals[i])
			}
			continue
		}
		rec := vals[i].Record()
		if rec == nil {
			continue
		}
		left := len(out.Names)
		for k, name := range rec.Names {
			if !taken(name, left) {
				out.Names = append(out.Names, name)
				out.Values = append(out.Values, rec.Values[k])
			}
		}
	}
	return out
}

type runner struct {
	events  []Event
	options Options
	level   plan.Level
	counts  Counts
	done    map[plan.Node][]row // a step read twice is computed once
	inputs  []*plan.Input
	parts   map[plan.Node]plan.Part
	related map[string]relation // of the geometries that were related, by both

	snapshots map[string]*runner // over reference data, by what is in effect
	tables    map[*plan.Lookup][]joined
	time      column.Ticks // of the rows that reference data is joined to

	traced   int       // the event that is traced; -1: none
	seq      int       // the event whose time is worked out
	verdicts []Verdict // of the traced event
}

// skip says what becomes of a row, with columns cols, for which step n fails: nil, or the
// error that ends the run.
func (r *runner) skip(n plan.Node, cols []plan.Column, x *row, err error) error {
	if cannot := unsupported(""); !r.options.SkipErrors || errors.As(err, &cannot) {
		return err
	}
	if x.traced && !x.result && ofEvents(n) {
		r.verdicts = append(r.verdicts, Verdict{"runtime", true})
	}
	if r.options.Skipped != nil {
		r.options.Skipped(Skipped{r.parts[n], Expand(x.time, cols, x.vals)})
	}
	return nil
}

// ofEvents reports whether the rows that come to a node are events, each in its place.
func ofEvents(n plan.Node) bool {
	for _, in := range n.Inputs() {
		switch in.(type) {
		case *plan.Aggregate, *plan.Join, *plan.Match:
			return false
		}
		if !ofEvents(in) {
			return false
		}
	}
	return true
}

// ordinal is the place of an input among those of the job, by name: rows of one time of
// two inputs are taken in that order.
func (r *runner) ordinal(name string) int {
	before := make(map[string]bool)
	for _, in := range r.inputs {
		if other := strings.ToLower(in.Name); other < strings.ToLower(name) {
			before[other] = true
		}
	}
	return len(before)
}

// rows computes all rows of a node, in total order. It is the only place that tells the
// kinds of nodes apart.
func (r *runner) rows(n plan.Node) ([]row, error) {
	if rows, ok := r.done[n]; ok {
		return rows, nil
	}
	var rows []row
	var err error
	switch n := n.(type) {
	case *plan.Input:
		if n.Reference {
			rows = r.referenceInput(n)
		} else {
			rows, err = r.input(n)
		}
	case *plan.Lookup:
		rows, err = r.lookup(n)
	case *plan.Filter:
		rows, err = r.filter(n)
	case *plan.Project:
		rows, err = r.project(n)
	case *plan.Aggregate:
		rows, err = r.aggregate(n)
	case *plan.Analytic:
		rows, err = r.analytic(n)
	case *plan.Union:
		rows, err = r.union(n)
	case *plan.Join:
		rows, err = r.join(n)
	case *plan.Apply:
		rows, err = r.apply(n)
	case *plan.Match:
		rows, err = r.match(n)
	default:
		err = fmt.Errorf("a plan with a %T is not supported yet", n)
	}
	if err != nil {
		return nil, err
	}
	sortRows(rows)
	r.done[n] = rows
	return rows, nil
}
