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

// numbers is a view of an operand whose values are all bigints or floats.
type numbers struct {
	floats []float64
	ints   []int64
	valid  []uint64
	c      float64
	bits   []uint64 // of floats: which are bigints; nil: none
	isInt  bool     // the constant is a bigint
}

// mixed reports whether a bigint is among the values.
func (x *numbers) mixed() bool { return x.bits != nil || x.isInt || x.ints != nil }

// wholeAt reports whether row i is a bigint.
func (x *numbers) wholeAt(i int) bool {
	if x.floats == nil {
		return x.isInt
	}
	return x.bits != nil && column.Bit(x.bits, i)
}

// numbersOf returns a view of o as numbers, or false if o is not purely numeric.
func numbersOf(o Operand) (numbers, bool) {
	if o.Vec == nil {
		switch o.Const.Kind {
		case column.Float64:
			return numbers{c: o.Const.Float()}, true
		case column.Int64:
			i := o.Const.Int()
			if i > maxWhole || i < -maxWhole {
				return numbers{}, false
			}
			return numbers{c: float64(i), isInt: true}, true
		}
		return numbers{}, false
	}
	switch o.Vec.Kind {
	case column.Float64:
		return numbers{floats: o.Vec.Floats, valid: o.Vec.Valid, bits: o.Vec.Whole}, true
	case column.Int64:
		return numbers{ints: o.Vec.Ints, valid: o.Vec.Valid}, true
	}
	return numbers{}, false
}

// maxWhole is the largest bigint that a float vector holds exactly.
const maxWhole = 1 << 53

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
