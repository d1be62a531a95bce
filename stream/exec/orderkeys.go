package exec

import (
	"cmp"
	"fmt"
	"math"

	"spate/column"
	"spate/column/compute"
)

// withKeys puts the keys of ORDER BY behind the argument: an array of both, which is what
// the accumulators of TopOne and CollectTop add.
func (a *aggregate) withKeys(o compute.Operand, b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	if a.order == nil {
		return o, nil
	}
	keys := make([]compute.Operand, len(a.order))
	for k, v := range a.order {
		var err *compute.RowError
		if keys[k], err = v.eval(b, rows); err != nil {
			return o, err
		}
	}
	v, failed := compute.Map(rows, func(i int) (column.Value, error) {
		list := make([]column.Value, 1+len(keys))
		list[0] = o.At(i)
		for k := range keys {
			var err error
			if list[1+k], err = a.orderKey(keys[k].At(i)); err != nil {
				return column.Value{}, err
			}
		}
		return column.ArrayOf(list), nil
	})
	if failed != nil {
		return o, a.rowError(failed.Row, failed.Err)
	}
	return compute.Operand{Vec: &v}, nil
}

// orderKey reads a key of ORDER BY: a number, a datetime, or a text that reads as one of
// them.
func (a *aggregate) orderKey(v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Null, column.Int64, column.Float64, column.Time:
		return v, nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f, nil
		}
		if t, ok := column.ParseTicks(v.Text()); ok {
			return column.TimeOf(t), nil
		}
		return v, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to type 'datetime' in ORDER BY of aggregate %s", v.Text(), a.spec.Func)
	}
	return v, fmt.Errorf("ORDER BY of aggregate %s cannot take a value of type '%s'", a.spec.Func, v.Kind)
}

// compareKeys orders the keys of two rows: NULL before everything. Datetimes and numbers
// have no common order; a group with both has no result.
func (a *aggregate) compareKeys(x, y []column.Value) int {
	for k := range a.order {
		c := compareKey(&x[k], &y[k])
		if c == 0 {
			continue
		}
		if a.spec.Order[k].Desc {
			return -c
		}
		return c
	}
	return 0
}

func compareKey(x, y *column.Value) int {
	switch {
	case x.Kind == column.Int64 && y.Kind == column.Float64:
		return compareExactly(x.Int(), y.Float())
	case x.Kind == column.Float64 && y.Kind == column.Int64:
		return -compareExactly(y.Int(), x.Float())
	case x.Kind != y.Kind:
		return cmp.Compare(keyClass(x.Kind), keyClass(y.Kind))
	case x.Kind == column.Float64:
		return cmp.Compare(x.Float(), y.Float())
	}
	return cmp.Compare(x.Int(), y.Int())
}

// compareExactly compares a bigint with a float as numbers: beyond 2^53 not every bigint
// is a float, and an order must not have two that differ equal a third.
func compareExactly(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -(1 << 63):
		return 1
	}
	whole := math.Floor(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(whole, f)
}

// The classes of keys. Values of one have an order; a group holds numbers or datetimes.
const (
	nullKey uint8 = iota
	numberKey
	timeKey
	mixedKeys = numberKey | timeKey
)

func keyClass(k column.Kind) uint8 {
	switch k {
	case column.Null:
		return nullKey
	case column.Time:
		return timeKey
	}
	return numberKey
}
