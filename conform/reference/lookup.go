package reference

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/plan"
)

// Snapshot is reference data of an input from a time on. Snapshots of one input are given in
// the order of their times.
type Snapshot struct {
	Input string
	From  column.Ticks
	Rows  []column.Value // records
}

// lookup puts beside every row each row of the reference data of its time that meets all
// conditions.
func (r *runner) lookup(n *plan.Lookup) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	width := len(n.In.Columns())
	var out []row
	add := func(x row) {
		vals := slices.Clone(x.vals[:width])
		for _, k := range n.Keep {
			vals = append(vals, x.vals[width+k])
		}
		x.vals = vals
		if x.at.turn = 0; len(out) > 0 && behind(&out[len(out)-1], &x) {
			x.at.turn = out[len(out)-1].at.turn + 1
		}
		out = append(out, x)
	}
	for i := range in {
		left, ok, err := r.sideOf(n, 0, &in[i], n.In.Columns(), 0)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		t := in[i].time
		if plan.IsReference(n) {
			t = r.time // of the row that all of it is for
		}
		rights, err := r.referenceSide(n, t)
		if err != nil {
			return nil, err
		}
		partner := false
		for k := range rights {
			pair := row{time: left.time, at: left.at, traced: left.traced, result: true}
			pair.vals = append(slices.Clone(left.vals[:width]), rights[k].vals[width:]...)
			met, err := r.meets(n, &left, &rights[k], &pair)
			if err != nil {
				if err := r.skip(n, n.PairColumns(), &pair, err); err != nil {
					return nil, err
				}
				continue
			}
			if met {
				partner, pair.result = true, false
				add(pair)
			}
		}
		if n.Outer && !partner {
			add(left.row)
		}
	}
	return out, nil
}

// sideOf is a row of one side, with place for the values of the other. ok is false if it is
// skipped.
func (r *runner) sideOf(n *plan.Lookup, side int, x *row, cols []plan.Column, before int) (out joined, ok bool, err error) {
	out = joined{row: *x, right: side == 1}
	out.result = false
	out.vals = make([]column.Value, len(n.PairColumns()))
	copy(out.vals[before:], x.vals)
	failed := error(nil)
	if on := [...]plan.Expr{n.OnLeft, n.OnRight}[side]; on != nil {
		holds := false
		holds, failed = r.holds(on, &out.row)
		out.alone = !holds
	}
	for _, k := range n.Keys {
		v := column.Value{}
		if failed == nil {
			v, failed = r.eval(k.(*plan.Call).Args[side], &out.row)
		}
		out.keys = append(out.keys, v)
	}
	if failed != nil {
		return out, false, r.skip(n, cols, x, failed)
	}
	return out, true, nil
}

// referenceSide are the rows of the reference data of a time.
func (r *runner) referenceSide(n *plan.Lookup, t column.Ticks) ([]joined, error) {
	sub := r.atTime(n, t)
	if rows, ok := sub.tables[n]; ok {
		return rows, nil
	}
	rows, err := sub.rows(n.Ref)
	if err != nil {
		return nil, err
	}
	out := []joined{}
	for i := range rows {
		x, ok, err := sub.sideOf(n, 1, &rows[i], n.Ref.Columns(), len(n.In.Columns()))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, x)
		}
	}
	sub.tables[n] = out
	return out, nil
}

// atTime is a runner over the snapshots of a time.
func (r *runner) atTime(n *plan.Lookup, t column.Ticks) *runner {
	key := ""
	for _, in := range n.ReferenceInputs() {
		key += fmt.Sprintf(" %d", r.inEffect(in.Name, t))
	}
	if r.snapshots == nil {
		r.snapshots = make(map[string]*runner)
	}
	key = fmt.Sprintf("%p%s", n, key)
	if r.snapshots[key] == nil {
		o := r.options
		o.Skipped = nil // rows of no stream
		r.snapshots[key] = &runner{options: o, level: r.level, done: map[plan.Node][]row{}, tables: map[*plan.Lookup][]joined{}, parts: r.parts, traced: -1, time: t}
	}
	return r.snapshots[key]
}

// inEffect is the number of the snapshot of an input that is in effect at a time; -1: none is.
func (r *runner) inEffect(input string, t column.Ticks) int {
	at := -1
	for i, s := range r.options.Snapshots {
		if strings.EqualFold(s.Input, input) && s.From <= t {
			at = i
		}
	}
	return at
}

// referenceInput are the rows of an input of reference data.
func (r *runner) referenceInput(n *plan.Input) []row {
	at := r.inEffect(n.Name, r.time)
	if at < 0 {
		return nil
	}
	var out []row
	for i, v := range r.options.Snapshots[at].Rows {
		x := row{at: position{seq: i}}
		value, ok := leveled(r.level, v)
		if !ok {
			continue
		}
		if x.vals, ok = r.source(n, &Event{Input: n.Name, Value: value}, int64(i)); ok {
			out = append(out, x)
		}
	}
	return out
}

// meets reports whether all conditions hold for a pair.
func (r *runner) meets(n *plan.Lookup, left, right *joined, pair *row) (bool, error) {
	return r.partners(&plan.Join{Keys: n.Keys, On: n.On}, left, right, pair)
}
