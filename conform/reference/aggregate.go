package reference

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// group is the rows of one key in one window, in total order.
type group struct {
	end  column.Ticks
	keys []column.Value // as the first row has them
	rows []row
}

// aggregate evaluates the windows by definition: it forms the set of rows of
// every group and window, then computes each aggregate over the set.
func (r *runner) aggregate(n *plan.Aggregate) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	in, keys, overs, err := r.aggregateArgs(n, in)
	if err != nil {
		return nil, err
	}
	var out []row
	for w := range n.Windows {
		groups, err := window(&n.Windows[w], in, keys, overs[w])
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			x := row{time: g.end, at: g.rows[0].at, vals: append([]column.Value(nil), g.keys...)}
			x.at.branch += plan.WindowBranch(n, w)
			x.traced = slices.ContainsFunc(g.rows, func(in row) bool { return in.traced })
			x.result = true
			var failed error
			for a := range n.Aggs {
				v, err := r.agg(&n.Aggs[a], a, g.rows)
				if err != nil && failed == nil {
					failed = err
				}
				x.vals = append(x.vals, v)
			}
			if n.WindowID {
				id := null
				if n.Windows[w].ID != "" {
					id = column.TextOf(n.Windows[w].ID)
				}
				x.vals = append(x.vals, id)
			}
			if failed == nil {
				x.result = false
				out = append(out, x)
			} else if err := r.skip(n, n.Columns(), &x, failed); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// aggregateArgs computes keys and arguments of every row that belongs to a window, and by
// window the keys of its sessions, before any window looks at a row. It returns the rows
// for which nothing fails.
func (r *runner) aggregateArgs(n *plan.Aggregate, in []row) (out []row, keys [][]column.Value, overs [][]string, err error) {
	overs = make([][]string, len(n.Windows))
	for i := range in {
		x := in[i]
		if !inSomeWindow(n, x.time) {
			continue
		}
		key, over, failed := r.aggregateArg(n, &x)
		if failed != nil {
			if err := r.skip(n, n.In.Columns(), &in[i], failed); err != nil {
				return nil, nil, nil, err
			}
			continue
		}
		out, keys = append(out, x), append(keys, key)
		for w := range overs {
			overs[w] = append(overs[w], over[w])
		}
	}
	return out, keys, overs, nil
}

// inSomeWindow reports whether a row of time t belongs to a window: hopping windows may
// have gaps.
func inSomeWindow(n *plan.Aggregate, t column.Ticks) bool {
	for _, w := range n.Windows {
		if w.Kind != plan.Hopping || ceil(t, w.Hop, w.Offset)-w.Size < t {
			return true
		}
	}
	return false
}

// aggregateArg computes the keys of a row, its arguments, and its session key by window.
func (r *runner) aggregateArg(n *plan.Aggregate, x *row) (keys []column.Value, overs []string, err error) {
	for k := range n.Keys {
		v, err := r.eval(n.Keys[k].Expr, x)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, v)
	}
	for a := range n.Aggs {
		v, err := r.argument(&n.Aggs[a], x)
		if err != nil {
			return nil, nil, err
		}
		order, err := r.orderKeys(&n.Aggs[a], x)
		if err != nil {
			return nil, nil, err
		}
		x.args, x.orders = append(x.args, v), append(x.orders, order)
	}
	for _, w := range n.Windows {
		var id []byte
		for _, e := range w.OverKey {
			v, err := r.eval(e, x)
			if err != nil {
				return nil, nil, err
			}
			id = appendKey(id, v)
		}
		overs = append(overs, string(id))
	}
	return keys, overs, nil
}

// argument is what an aggregate makes of a row; an error if it cannot take that.
func (r *runner) argument(a *plan.Agg, x *row) (column.Value, error) {
	if a.Arg == nil {
		return null, nil
	}
	v, err := r.eval(a.Arg, x)
	if err != nil || picks(a.Func) {
		return v, err
	}
	extreme := a.Func == plan.Min || a.Func == plan.Max
	if a.Func != plan.Count && (a.ArgType == column.Null || a.ArgType == column.Text && !extreme) {
		if v, err = untyped(a.Func, v); err != nil {
			return null, err
		}
	}
	if extreme && a.ArgType == column.Float64 && (v.Kind == column.Int64 || v.Kind == column.Bool) {
		v = column.FloatOf(floatOf(v))
	}
	switch a.Func {
	case plan.Count, plan.Min, plan.Max:
		return v, nil
	}
	if isPercentile(a.Func) && a.ArgType != column.Int64 && (isNumber(v) || v.Kind == column.Bool) {
		v = column.FloatOf(floatOf(v))
	}
	if v.IsNull() {
		return v, nil
	}
	if !isNumber(v) && v.Kind != column.Bool {
		return null, wrongType(string(a.Func), 1, v, column.Int64, column.Float64)
	}
	if a.Func != plan.Sum && a.Func != plan.Avg && !isPercentile(a.Func) { // over floats whose squares are floats
		v = column.FloatOf(floatOf(v))
		if math.IsInf(v.Float()*v.Float(), 0) {
			return null, errOverflow
		}
	}
	return v, nil
}

// agg computes aggregate number k over a set of rows.
func (r *runner) agg(a *plan.Agg, k int, rows []row) (column.Value, error) {
	if a.Arg == nil {
		return column.IntOf(int64(len(rows))), nil
	}
	switch {
	case a.Func == plan.User:
		return userAggregate(a, k, rows)
	case a.Func == plan.Collect:
		return collected(k, rows), nil
	case picks(a.Func):
		return ranked(a, k, rows)
	}
	var vals []column.Value
	seen := map[string]bool{}
	for i := range rows {
		v := rows[i].args[k]
		if v.IsNull() {
			continue
		}
		if a.Distinct {
			key := string(appendKey(nil, v))
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		vals = append(vals, v)
	}
	switch {
	case a.Func == plan.Count:
		return column.IntOf(int64(len(vals))), nil
	case len(vals) == 0:
		return null, nil
	case a.Func == plan.Min || a.Func == plan.Max:
		return r.extreme(a.Func, vals)
	case isPercentile(a.Func):
		return percentile(a, vals)
	}
	sum, squares := new(big.Rat), new(big.Rat)
	floats := false
	for _, v := range vals {
		floats = floats || v.Kind == column.Float64
		x := exact(v)
		sum.Add(sum, x)
		squares.Add(squares, x.Mul(x, x))
	}
	switch a.Func {
	case plan.Sum:
		if !floats {
			if !sum.Num().IsInt64() {
				return null, errOverflow
			}
			return column.IntOf(sum.Num().Int64()), nil
		}
		return rounded(sum)
	case plan.Avg:
		s, err := rounded(sum)
		if err != nil {
			return null, err
		}
		return column.FloatOf(s.Float() / float64(len(vals))), nil
	}
	return variance(a.Func, sum, squares, int64(len(vals)))
}

// rounded rounds an exact sum once, to nearest even. A sum of zero is +0.
func rounded(x *big.Rat) (column.Value, error) {
	f, _ := x.Float64()
	if math.IsInf(f, 0) {
		return null, errOverflow
	}
	return column.FloatOf(f), nil
}

func variance(f plan.AggFunc, sum, squares *big.Rat, n int64) (column.Value, error) {
	by := n
	if f == plan.Var || f == plan.Stdev {
		by--
	}
	if by == 0 {
		return null, nil
	}
	// (Σv² - (Σv)²/n) / by
	v := new(big.Rat).Mul(sum, sum)
	v.Quo(v, new(big.Rat).SetInt64(n))
	v.Sub(squares, v)
	v.Quo(v, new(big.Rat).SetInt64(by))
	out, err := rounded(v)
	if err == nil && (f == plan.Stdev || f == plan.StdevP) {
		out = column.FloatOf(math.Sqrt(out.Float()))
	}
	return out, err
}

// untyped converts a value of an argument without a static type: numbers and
// bits to float, text to float or, for MIN and MAX, datetime.
func untyped(f plan.AggFunc, v column.Value) (column.Value, error) {
	extreme := f == plan.Min || f == plan.Max
	switch v.Kind {
	case column.Null:
		return v, nil
	case column.Int64, column.Float64, column.Bool:
		return column.FloatOf(floatOf(v)), nil
	case column.Time:
		if extreme {
			return v, nil
		}
	case column.Text:
		if x, ok := parseFloat(v.Text()); ok {
			return column.FloatOf(x), nil
		}
		if t, ok := parseTime(v.Text()); ok && extreme {
			return column.TimeOf(t), nil
		}
	}
	return null, fmt.Errorf("a value of type '%s' cannot be used in %s", v.Kind, f)
}

func negatives(v column.Value) int {
	if math.Signbit(v.Float()) {
		return 1
	}
	return 0
}

// extreme returns the smallest or largest value. Texts keep their case here,
// and -0 lies below +0, so no two values of one kind are equal.
func (r *runner) extreme(f plan.AggFunc, vals []column.Value) (column.Value, error) {
	best := vals[0]
	for _, v := range vals[1:] {
		if (v.Kind == column.Time) != (best.Kind == column.Time) {
			return null, fmt.Errorf("datetimes and other values cannot be mixed in %s", f)
		}
		o, err := r.compare(v, best)
		if err != nil {
			return null, err
		}
		switch {
		case v.Kind == column.Text && best.Kind == column.Text:
			o = sign(compareUnits(v.Text(), best.Text()))
		case v.Kind == column.Float64 && best.Kind == column.Float64 && o == equal:
			o = sign(negatives(best) - negatives(v))
		}
		if o == less && f == plan.Min || o == greater && f == plan.Max {
			best = v
		}
	}
	return best, nil
}
