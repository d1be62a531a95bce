// Package compute holds the kernels of the engine: functions over vectors and
// the scalar functions of the language over single values.
//
// A kernel works on the rows that reach it and on no others, and reports the
// first row that fails. Every kernel has fast paths for typed vectors and one
// general path, which goes through the scalar function of the same name, so
// that both give the same results.
package compute

import "spate/column"

// Operand is a vector or a constant.
type Operand struct {
	Vec   *column.Vector
	Const column.Value // used when Vec is nil
}

// At returns the value of row i.
func (o Operand) At(i int) column.Value {
	if o.Vec == nil {
		return o.Const
	}
	return o.Vec.At(i)
}

// IsConst reports whether the operand is a constant.
func (o Operand) IsConst() bool { return o.Vec == nil }

// Rows are the rows that reach a kernel: all N of a batch, or those in Live.
type Rows struct {
	N    int
	Live []int32
}

// Len is the number of rows that reach the kernel.
func (r Rows) Len() int {
	if r.Live != nil {
		return len(r.Live)
	}
	return r.N
}

// Row returns the k-th row.
func (r Rows) Row(k int) int {
	if r.Live != nil {
		return int(r.Live[k])
	}
	return k
}

// RowError is a runtime error of one row.
type RowError struct {
	Row int
	Err error
}

// Error implements error.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// numeric reports whether every live row of o is read as a float64 by floats,
// and whether integers may be among them.
type numbers struct {
	floats []float64
	ints   []int64
	valid  []uint64
	c      float64
	whole  bool // some value is a bigint
}

// numbersOf returns a view of o as numbers, or false if o is not purely numeric.
func numbersOf(o Operand) (numbers, bool) {
	if o.Vec == nil {
		switch o.Const.Kind {
		case column.Float64:
			return numbers{c: o.Const.Float()}, true
		case column.Int64:
			i := o.Const.Int()
			if i > 1<<53 || i < -(1<<53) {
				return numbers{}, false
			}
			return numbers{c: float64(i), whole: true}, true
		}
		return numbers{}, false
	}
	switch o.Vec.Kind {
	case column.Float64:
		return numbers{floats: o.Vec.Floats, valid: o.Vec.Valid, whole: o.Vec.Whole != nil}, true
	case column.Int64:
		return numbers{ints: o.Vec.Ints, valid: o.Vec.Valid, whole: true}, true
	}
	return numbers{}, false
}

// andValid returns the bitmap of rows that are not null in both.
func andValid(a, b []uint64) []uint64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := make([]uint64, len(a))
	for i := range out {
		out[i] = a[i] & b[i]
	}
	return out
}

// Map computes a vector row by row: the general path. Rows that do not reach it
// are null in the result.
func Map(rows Rows, f func(i int) (column.Value, error)) (column.Vector, *RowError) {
	b := column.NewBuilder(nil)
	next := 0
	for k := range rows.Len() {
		i := rows.Row(k)
		for ; next < i; next++ {
			b.Append(column.Value{})
		}
		v, err := f(i)
		if err != nil {
			return column.Vector{}, &RowError{i, err}
		}
		b.Append(v)
		next++
	}
	for ; next < rows.N; next++ {
		b.Append(column.Value{})
	}
	return b.Vector(), nil
}
