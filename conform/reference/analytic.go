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
	in, args, err := r.analyticArgs(n, in)
	if err != nil {
		return nil, err
	}
	out, failed := make([]row, len(in)), make([]error, len(in))
	for i := range in {
		out[i] = in[i]
		out[i].vals = append([]column.Value(nil), in[i].vals...)
	}
	for f := range n.Funcs {
		var vals []column.Value
		var err error
		if agg := n.Funcs[f].Agg; agg != nil {
			vals = r.overRows(&n.Funcs[f], in, args[f], failed)
		} else if n.Funcs[f].Anomaly != nil {
			vals = anomalies(&n.Funcs[f], in, args[f])
		} else if vals, err = analyticFunc(&n.Funcs[f], in, args[f]); err != nil {
			return nil, err
		}
		for i := range out {
			out[i].vals = append(out[i].vals, vals[i])
		}
	}
	good := out[:0]
	for i := range out {
		if failed[i] == nil {
			good = append(good, out[i])
			continue
		}
		x := out[i]
		x.result = true
		if err := r.skip(n, n.Columns(), &x, failed[i]); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// overRows computes an aggregate for every row over those of its key that qualify, from the
// limit before it up to itself. Rows that have no result are in failed.
func (r *runner) overRows(f *plan.AnalyticFunc, in []row, args []analyticArg, failed []error) []column.Value {
	out := make([]column.Value, len(in))
	for i := range in {
		var rows []row
		for k := range i + 1 {
			if args[k].when && args[k].key == args[i].key && in[k].time >= in[i].time-f.Limit {
				x := in[k]
				x.args, x.orders = []column.Value{args[k].arg}, [][]column.Value{args[k].order}
				rows = append(rows, x)
			}
		}
		var err error
		if out[i], err = r.agg(f.Agg, 0, rows); err != nil && failed[i] == nil {
			out[i], failed[i] = null, err
		}
	}
	return out
}

// analyticArg is what a function is given of a row. The argument is computed for rows
// that WHEN takes, the default for all.
type analyticArg struct {
	key      string
	when     bool
	arg, def column.Value
	order    []column.Value // of an aggregate, the keys of ORDER BY
}

// analyticArgs computes the arguments of all functions, by function and row, before any
// function looks at a row. It returns the rows for which nothing fails.
func (r *runner) analyticArgs(n *plan.Analytic, in []row) ([]row, [][]analyticArg, error) {
	args := make([][]analyticArg, len(n.Funcs))
	var out []row
	for i := range in {
		own := make([]analyticArg, len(n.Funcs))
		var failed error
		for f := range n.Funcs {
			if own[f], failed = r.analyticArg(&n.Funcs[f], &in[i]); failed != nil {
				break
			}
		}
		if failed != nil {
			if err := r.skip(n, n.In.Columns(), &in[i], failed); err != nil {
				return nil, nil, err
			}
			continue
		}
		out = append(out, in[i])
		for f := range own {
			args[f] = append(args[f], own[f])
		}
	}
	return out, args, nil
}

func (r *runner) analyticArg(f *plan.AnalyticFunc, x *row) (analyticArg, error) {
	out := analyticArg{when: true}
	var key []byte
	for _, k := range f.Keys {
		v, err := r.eval(k, x)
		if err != nil {
			return out, err
		}
		key = appendKey(key, v)
	}
	out.key = string(key)
	var err error
	if f.When != nil {
		if out.when, err = r.holds(f.When, x); err != nil {
			return out, err
		}
	}
	if f.Agg != nil && out.when {
		if out.arg, err = r.argument(f.Agg, x); err != nil {
			return out, err
		}
		if out.order, err = r.orderKeys(f.Agg, x); err != nil {
			return out, err
		}
	}
	if f.Arg != nil && out.when {
		if out.arg, err = r.eval(f.Arg, x); err != nil {
			return out, err
		}
		if f.Anomaly != nil && !out.arg.IsNull() {
			if out.arg, err = anomalyArg(f.Kind.String(), out.arg); err != nil {
				return out, err
			}
		}
	}
	if f.Default != nil {
		out.def, err = r.eval(f.Default, x)
	}
	return out, err
}

func analyticFunc(f *plan.AnalyticFunc, in []row, args []analyticArg) ([]column.Value, error) {
	out := make([]column.Value, len(in))
	for i := range in {
		switch f.Kind {
		case plan.Lag, plan.Last:
			at, left := i-1, f.Offset
			if f.Kind == plan.Last {
				at, left = i, 1
			}
			for ; at >= 0; at-- {
				if args[at].key == args[i].key && args[at].when {
					if left--; left == 0 {
						break
					}
				}
			}
			out[i] = args[i].def
			if at >= 0 && in[i].time-in[at].time <= f.Limit {
				out[i] = args[at].arg
			}
		case plan.IsFirst:
			first := args[i].when
			for at := i - 1; at >= 0 && first; at-- {
				first = args[at].key != args[i].key || !args[at].when || ceil(in[at].time, f.Limit, 0) != ceil(in[i].time, f.Limit, 0)
			}
			out[i] = column.IntOf(0)
			if first {
				out[i] = column.IntOf(1)
			}
		default:
			return nil, fmt.Errorf("analytic function %d is not supported yet", f.Kind)
		}
	}
	return out, nil
}
