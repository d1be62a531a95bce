package reference

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// picks reports whether an aggregate gives values of rows as they are.
func picks(f plan.AggFunc) bool {
	return f == plan.Collect || f == plan.CollectTop || f == plan.TopOne || f == plan.User
}

func isPercentile(f plan.AggFunc) bool {
	return f == plan.PercentileCont || f == plan.PercentileDisc
}

// orderKeys computes the ORDER BY of an aggregate for a row.
func (r *runner) orderKeys(a *plan.Agg, x *row) ([]column.Value, error) {
	var keys []column.Value
	for _, k := range a.Order {
		v, err := r.eval(k.Expr, x)
		if err != nil {
			return nil, err
		}
		if v.Kind == column.Text {
			if f, ok := parseFloat(v.Text()); ok {
				v = column.FloatOf(f)
			} else if t, ok := parseTime(v.Text()); ok {
				v = column.TimeOf(t)
			}
		}
		if !v.IsNull() && !isNumber(v) && v.Kind != column.Time {
			return nil, fmt.Errorf("a value of type '%s' cannot be used in ORDER BY of %s", v.Kind, a.Func)
		}
		keys = append(keys, v)
	}
	if a.At != nil {
		v, err := r.eval(a.At, x)
		return append(keys, v), err
	}
	return keys, nil
}

// byPlace orders rows as they came. Rows of one place, which windows made of one event,
// are in the order of their values.
func byPlace(k int) func(x, y *row) int {
	return func(x, y *row) int {
		return cmp.Or(cmp.Compare(x.time, y.time), x.at.compare(y.at),
			bytes.Compare(column.AppendBinary(nil, x.args[k]), column.AppendBinary(nil, y.args[k])))
	}
}

func sorted(rows []row, by func(x, y *row) int) []row {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(x, y row) int { return by(&x, &y) })
	return out
}

// collected is Collect: the values in the order of their rows, without NULL.
func collected(k int, rows []row) column.Value {
	var out []column.Value
	for _, x := range sorted(rows, byPlace(k)) {
		if v := x.args[k]; !v.IsNull() {
			out = append(out, v)
		}
	}
	return column.ArrayOf(out)
}

// ranked is TopOne and CollectTop: all rows, ordered, of which the first count.
func ranked(a *plan.Agg, k int, rows []row) (column.Value, error) {
	for o := range a.Order {
		numbers, times := false, false
		for i := range rows {
			key := rows[i].orders[k][o]
			numbers, times = numbers || isNumber(key), times || key.Kind == column.Time
		}
		if numbers && times {
			return null, fmt.Errorf("datetimes and numbers cannot be mixed in ORDER BY of %s", a.Func)
		}
	}
	place := byPlace(k)
	in := sorted(rows, func(x, y *row) int {
		for o := range a.Order {
			c := compareOrder(x.orders[k][o], y.orders[k][o])
			if a.Order[o].Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return place(x, y)
	})
	if a.Func == plan.TopOne && len(in) == 0 {
		return null, nil
	}
	if a.Func == plan.TopOne {
		return in[0].args[k], nil
	}
	var out []column.Value
	for i := range min(len(in), a.Top) {
		out = append(out, column.RecordOf(&column.RecordValue{Names: []string{"rank", "value"}, Values: []column.Value{column.IntOf(int64(i + 1)), in[i].args[k]}}))
	}
	return column.ArrayOf(out), nil
}

// compareOrder orders keys of one kind, NULL first.
func compareOrder(a, b column.Value) int {
	switch {
	case a.IsNull() && b.IsNull():
		return 0
	case a.IsNull():
		return -1
	case b.IsNull():
		return 1
	case a.Kind == column.Time:
		return cmp.Compare(a.Ticks(), b.Ticks())
	}
	return exact(a).Cmp(exact(b))
}

// percentile is PERCENTILE_CONT and PERCENTILE_DISC over values that are not NULL.
func percentile(a *plan.Agg, vals []column.Value) (column.Value, error) {
	vals = slices.Clone(vals)
	slices.SortFunc(vals, func(x, y column.Value) int {
		c := exact(x).Cmp(exact(y))
		if c == 0 && x.Kind == column.Float64 {
			c = negatives(y) - negatives(x)
		}
		if a.Desc {
			c = -c
		}
		return c
	})
	n := int64(len(vals))
	if a.Func == plan.PercentileDisc { // the first whose share of all, (i+1)/n, is enough
		for i, v := range vals {
			if big.NewRat(int64(i+1), n).Cmp(a.Share) >= 0 {
				return v, nil
			}
		}
	}
	rank := new(big.Rat).Mul(a.Share, big.NewRat(n-1, 1))
	for i := range vals {
		part := new(big.Rat).Sub(rank, big.NewRat(int64(i), 1))
		switch {
		case part.Sign() == 0:
			return column.FloatOf(floatOf(vals[i])), nil
		case part.Cmp(big.NewRat(1, 1)) < 0:
			lo, hi := exact(vals[i]), exact(vals[i+1])
			lo.Mul(lo, new(big.Rat).Sub(big.NewRat(1, 1), part))
			return rounded(lo.Add(lo, hi.Mul(hi, part)))
		}
	}
	return null, fmt.Errorf("no value at %s of %d", a.Share, n)
}
