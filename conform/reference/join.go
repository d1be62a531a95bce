package reference

import (
	"cmp"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// joined is a row of one side of a join.
type joined struct {
	row
	right   bool
	keys    []column.Value
	alone   bool // it fails a condition of its side
	partner bool
}

// join pairs every row with every row of the other side that stands before it.
func (r *runner) join(n *plan.Join) ([]row, error) {
	width := len(n.Left.Columns())
	all, err := r.sides(n)
	if err != nil {
		return nil, err
	}
	var out []row
	for i := range all {
		for k := range all[:i] {
			left, right := &all[k], &all[i]
			if left.right == right.right {
				continue
			}
			if left.right {
				left, right = right, left
			}
			later := all[i].row
			pair := row{time: later.time, at: later.at, traced: left.traced || right.traced, result: true}
			pair.vals = append(slices.Clone(left.vals[:width]), right.vals[width:]...)
			ok, err := r.partners(n, left, right, &pair)
			if err != nil {
				if err := r.skip(n, n.Columns(), &pair, err); err != nil {
					return nil, err
				}
				continue
			}
			if ok {
				left.partner = true
				pair.result = false
				if n := len(out) - 1; n >= 0 && behind(&out[n], &pair) {
					pair.at.turn = out[n].at.turn + 1
				} else {
					pair.at.turn = 0
				}
				out = append(out, pair)
			}
		}
	}
	for i := range all {
		if x := &all[i]; n.Outer && !x.right && !x.partner {
			single := x.row
			single.time += n.Wait
			out = append(out, single)
		}
	}
	return out, nil
}

// behind reports whether a pair stands where the one before it does.
func behind(last, pair *row) bool {
	x, y := last.at, pair.at
	x.turn, y.turn = 0, 0
	return last.time == pair.time && x == y
}

// sides are the rows of both sides in one order. Their values have place for those of the
// other side.
func (r *runner) sides(n *plan.Join) ([]joined, error) {
	var all []joined
	before := 0
	for side, in := range n.Inputs() {
		rows, err := r.rows(in)
		if err != nil {
			return nil, err
		}
		cols := in.Columns()
		on := [...]plan.Expr{n.OnLeft, n.OnRight}[side]
		for i := range rows {
			x := joined{row: rows[i], right: side == 1}
			x.vals = make([]column.Value, len(n.Columns()))
			copy(x.vals[before:], rows[i].vals)
			failed := error(nil)
			if on != nil {
				ok := false
				ok, failed = r.holds(on, &x.row)
				x.alone = !ok
			}
			for _, k := range n.Keys {
				v := column.Value{}
				if failed == nil {
					v, failed = r.eval(k.(*plan.Call).Args[side], &x.row)
				}
				x.keys = append(x.keys, v)
			}
			if failed != nil {
				if err := r.skip(n, cols, &rows[i], failed); err != nil {
					return nil, err
				}
				continue
			}
			all = append(all, x)
		}
		before += len(cols)
	}
	slices.SortStableFunc(all, func(x, y joined) int { return cmp.Or(cmp.Compare(x.time, y.time), x.at.compare(y.at)) })
	return all, nil
}

// partners reports whether all conditions hold for a pair.
func (r *runner) partners(n *plan.Join, left, right *joined, pair *row) (bool, error) {
	if left.alone || right.alone {
		return false, nil
	}
	for i := range n.Keys {
		if !r.sameKey(left.keys[i], right.keys[i]) {
			return false, nil
		}
	}
	for i := range n.Bounds {
		b := &n.Bounds[i]
		times := [2]column.Ticks{left.time, right.time}
		for k, e := range []plan.Expr{b.From, b.To} {
			if e == nil {
				continue
			}
			v, err := r.eval(e, pair)
			if err != nil || v.IsNull() {
				return false, err
			}
			times[k] = v.Ticks()
		}
		apart := int64(times[1] - times[0])
		if b.Unit != "" {
			v, err := dateFunctions["DATEDIFF"].run(r, []column.Value{column.TextOf(b.Unit), column.TimeOf(times[0]), column.TimeOf(times[1])})
			if err != nil {
				return false, err
			}
			apart = v.Int()
		}
		if apart < b.Min || apart > b.Max {
			return false, nil
		}
	}
	if n.On == nil {
		return true, nil
	}
	return r.holds(n.On, pair)
}

// sameKey is "=" of keys, where kinds that cannot be compared differ, and a text of digits
// is a number.
func (r *runner) sameKey(a, b column.Value) bool {
	if a.Kind == column.Text && b.Kind == column.Time {
		a, b = b, a
	}
	if a.Kind == column.Time && b.Kind == column.Text {
		if _, number := parseFloat(b.Text()); number {
			return false
		}
	}
	o, err := r.compare(a, b)
	return err == nil && o == equal
}
