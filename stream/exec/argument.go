package exec

import (
	"fmt"
	"math"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// argument turns what the argument of an aggregate is for the rows of a batch into what
// its accumulators add. A value that the function cannot take is the error of its row.
func (a *aggregate) argument(o compute.Operand, rows compute.Rows) (compute.Operand, *compute.RowError) {
	switch a.spec.Func {
	case plan.Count, plan.Collect, plan.CollectTop, plan.TopOne, plan.User:
		return o, nil
	case plan.Min, plan.Max:
		if t := a.spec.ArgType; t != column.Null && t != column.Any || o.Vec != nil && o.Vec.Kind == column.Float64 {
			return o, nil // of its static type, or made so without fail
		}
		return a.converted(o, rows, a.untypedExtreme)
	case plan.Sum, plan.Avg, plan.PercentileCont, plan.PercentileDisc:
		switch {
		case a.ints && o.Vec != nil && (o.Vec.Kind == column.Int64 || o.Vec.Kind == column.Bool):
			return o, nil
		case a.ints:
			return a.converted(o, rows, a.whole)
		}
		return a.floats(o, rows)
	}
	o, err := a.floats(o, rows)
	if err == nil {
		err = a.squares(o, rows)
	}
	return o, err
}

// converted converts values one by one.
func (a *aggregate) converted(o compute.Operand, rows compute.Rows, f func(column.Value) (column.Value, error)) (compute.Operand, *compute.RowError) {
	of := func(v column.Value) (column.Value, error) {
		if v.IsNull() {
			return v, nil
		}
		return f(v)
	}
	if o.Vec == nil {
		v, err := of(o.Const)
		if err != nil {
			return o, a.rowError(rows.Row(0), err)
		}
		return compute.Operand{Const: v}, nil
	}
	v, failed := compute.Map(rows, func(i int) (column.Value, error) { return of(o.Vec.At(i)) })
	if failed != nil {
		return o, a.rowError(failed.Row, failed.Err)
	}
	return compute.Operand{Vec: &v}, nil
}

// floats are the values of a function that computes with floats.
func (a *aggregate) floats(o compute.Operand, rows compute.Rows) (compute.Operand, *compute.RowError) {
	v := o.Vec
	switch {
	case v == nil:
		return a.converted(o, rows, func(v column.Value) (column.Value, error) {
			f, err := a.float(v)
			return column.FloatOf(f), err
		})
	case v.Kind == column.Float64:
		return o, nil
	}
	out := column.Vector{Kind: column.Float64, Floats: make([]float64, rows.N), Valid: make([]uint64, column.Words(rows.N))}
	for k := range rows.Len() {
		i := rows.Row(k)
		x := v.At(i)
		if x.IsNull() {
			continue
		}
		f, err := a.float(x)
		if err != nil {
			return o, a.rowError(i, err)
		}
		out.Floats[i] = f
		column.SetBit(out.Valid, i)
	}
	return compute.Operand{Vec: &out}, nil
}

// squares checks that the square of every value is a float.
func (a *aggregate) squares(o compute.Operand, rows compute.Rows) *compute.RowError {
	for k := range rows.Len() {
		i := rows.Row(k)
		f := 0.0
		switch v := o.Vec; {
		case v == nil && !o.Const.IsNull():
			f = o.Const.Float()
		case v != nil && (v.Valid == nil || column.Bit(v.Valid, i)):
			f = v.Floats[i]
		}
		if math.IsInf(f*f, 0) {
			return a.rowError(i, fmt.Errorf("%s: the square of %v does not fit a float", a.spec.Func, f))
		}
	}
	return nil
}

// rowError is the error of one row of the aggregate's argument.
func (a *aggregate) rowError(row int, err error) *compute.RowError {
	return &compute.RowError{Row: row, Err: &placed{err, a.spec.Where}}
}

// float reads an argument of a function that computes with floats.
func (a *aggregate) float(v column.Value) (float64, error) {
	switch v.Kind {
	case column.Int64, column.Float64, column.Bool:
		f, _ := v.Number()
		return f, nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f.Float(), nil
		}
		return 0, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to type 'float' for aggregate %s", v.Text(), a.spec.Func)
	}
	return 0, a.refused(v)
}

// whole reads an argument whose static type is a bigint or a bit.
func (a *aggregate) whole(v column.Value) (column.Value, error) {
	if v.Kind != column.Int64 && v.Kind != column.Bool {
		return v, a.refused(v)
	}
	return v, nil
}

// untypedExtreme reads an argument of MIN or MAX without a static type: a number or a
// bit, which is a float then, a datetime, or a text that reads as one of them.
func (a *aggregate) untypedExtreme(v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Time:
		return v, nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f, nil
		}
		if t, ok := column.ParseTicks(v.Text()); ok {
			return column.TimeOf(t), nil
		}
		return v, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to type 'float' for aggregate %s", v.Text(), a.spec.Func)
	case column.Record, column.Array:
		return v, a.refused(v)
	}
	f, _ := v.Number()
	return column.FloatOf(f), nil
}

func (a *aggregate) refused(v column.Value) error {
	return fmt.Errorf("aggregate %s cannot take a value of type '%s'", a.spec.Func, v.Kind)
}
