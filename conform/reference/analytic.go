package reference

import (
	"fmt"

	"spate/column"
	"spate/sql/plan"
)

// analytic appends the value of each function to every row, by scanning back.
func (r *runner) analytic(n *plan.Analytic) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	out := make([]row, len(in))
	for i := range in {
		out[i] = in[i]
		out[i].vals = append([]column.Value(nil), in[i].vals...)
	}
	for f := range n.Funcs {
		vals, err := r.analyticFunc(&n.Funcs[f], in)
		if err != nil {
			return nil, err
		}
		for i := range out {
			out[i].vals = append(out[i].vals, vals[i])
		}
	}
	return out, nil
}

func (r *runner) analyticFunc(f *plan.AnalyticFunc, in []row) ([]column.Value, error) {
	keys := make([]string, len(in))
	when := make([]bool, len(in))
	args := make([]column.Value, len(in))
	for i := range in {
		var key []byte
		for _, k := range f.Keys {
			v, err := r.eval(k, &in[i])
			if err != nil {
				return nil, err
			}
			key = appendKey(key, v)
		}
		keys[i], when[i] = string(key), true
		var err error
		if f.When != nil {
			if when[i], err = r.holds(f.When, &in[i]); err != nil {
				return nil, err
			}
		}
		if f.Arg != nil && when[i] {
			if args[i], err = r.eval(f.Arg, &in[i]); err != nil {
				return nil, err
			}
		}
	}
	out := make([]column.Value, len(in))
	for i := range in {
		var err error
		switch f.Kind {
		case plan.Lag, plan.Last:
			at, left := i-1, f.Offset
			if f.Kind == plan.Last {
				at, left = i, 1
			}
			for ; at >= 0; at-- {
				if keys[at] == keys[i] && when[at] {
					if left--; left == 0 {
						break
					}
				}
			}
			switch {
			case at >= 0 && in[i].time-in[at].time <= f.Limit:
				out[i] = args[at]
			case f.Default != nil:
				out[i], err = r.eval(f.Default, &in[i])
			}
		case plan.IsFirst:
			first := when[i]
			for at := i - 1; at >= 0 && first; at-- {
				first = keys[at] != keys[i] || !when[at] || ceil(in[at].time, f.Limit, 0) != ceil(in[i].time, f.Limit, 0)
			}
			out[i] = column.IntOf(0)
			if first {
				out[i] = column.IntOf(1)
			}
		default:
			err = fmt.Errorf("analytic function %d is not supported yet", f.Kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
