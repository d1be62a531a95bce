package compute

import (
	"spate/column"
)

// Truth is the outcome of a predicate for one row.
type Truth uint8

// Outcomes of predicates.
const (
	False Truth = iota
	True
	Unknown
)

// Not negates t.
func (t Truth) Not() Truth {
	if t == Unknown {
		return Unknown
	}
	return 1 - t
}

// TruthOf turns a bit value used as a predicate into its outcome.
func TruthOf(v column.Value) Truth {
	switch {
	case v.IsNull():
		return Unknown
	case v.Kind == column.Bool && v.Bool():
		return True
	}
	return False
}

// CompareOp is a comparison operator.
type CompareOp uint8

// Comparison operators.
const (
	EQ CompareOp = iota
	NE
	LT
	LE
	GT
	GE
)

// CompareOps are the operators by their spelling.
var CompareOps = map[string]CompareOp{
	"=": EQ, "<>": NE, "!=": NE, "<": LT, "<=": LE, ">": GT, ">=": GE, "!>": LE, "!<": GE,
}

// Holds returns the outcome of the operator for the outcome of a comparison.
func (op CompareOp) Holds(o column.Ordering) Truth {
	var b bool
	switch o {
	case column.Unknown:
		return Unknown
	case column.Unequal:
		switch op {
		case EQ:
			return False
		case NE:
			return True
		}
		return Unknown
	}
	switch op {
	case EQ:
		b = o == column.Equal
	case NE:
		b = o != column.Equal
	case LT:
		b = o == column.Less
	case LE:
		b = o != column.Greater
	case GT:
		b = o == column.Greater
	case GE:
		b = o != column.Less
	}
	return truth(b)
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// CompareValue is the general path for one pair of values.
func CompareValue(op CompareOp, a, b column.Value) (Truth, error) {
	o, err := column.Compare(a, b)
	if err != nil {
		return Unknown, err
	}
	return op.Holds(o), nil
}

// Compare writes the outcome of a op b for each row into dst[row].
func Compare(op CompareOp, a, b Operand, rows Rows, dst []Truth) *RowError {
	if compareNumbers(op, a, b, rows, dst) || compareCoded(op, a, b, rows, dst) {
		return nil
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		t, err := CompareValue(op, a.At(i), b.At(i))
		if err != nil {
			return &RowError{i, err}
		}
		dst[i] = t
	}
	return nil
}

func compareNumbers(op CompareOp, a, b Operand, rows Rows, dst []Truth) bool {
	x, ok1 := numbersOf(a)
	y, ok2 := numbersOf(b)
	if !ok1 || !ok2 || x.ints != nil || y.ints != nil || x.floats == nil && y.floats == nil {
		return false
	}
	valid := andValid(x.valid, y.valid)
	if rows.Live == nil && y.floats == nil && valid == nil {
		compareConst(op, x.floats[:rows.N], y.c, dst)
		return true
	}
	for k := range rows.Len() {
		i := rows.Row(k)
		if valid != nil && !column.Bit(valid, i) {
			dst[i] = Unknown
			continue
		}
		p, q := x.c, y.c
		if x.floats != nil {
			p = x.floats[i]
		}
		if y.floats != nil {
			q = y.floats[i]
		}
		dst[i] = compareFloats(op, p, q)
	}
	return true
}

func compareFloats(op CompareOp, p, q float64) Truth {
	switch op {
	case EQ:
		return truth(p == q)
	case NE:
		return truth(p != q)
	case LT:
		return truth(p < q)
	case LE:
		return truth(p <= q)
	case GT:
		return truth(p > q)
	}
	return truth(p >= q)
}

func compareConst(op CompareOp, x []float64, c float64, dst []Truth) {
	dst = dst[:len(x)]
	switch op {
	case GT:
		for i, v := range x {
			dst[i] = truth(v > c)
		}
	case LT:
		for i, v := range x {
			dst[i] = truth(v < c)
		}
	default:
		for i, v := range x {
			dst[i] = compareFloats(op, v, c)
		}
	}
}

// maxScan bounds the search of a constant in a dictionary; beyond it rows are
// compared one by one.
const maxScan = 256

// compareCoded compares a coded text with a constant text once per entry.
func compareCoded(op CompareOp, a, b Operand, rows Rows, dst []Truth) bool {
	if a.Vec == nil || a.Vec.Codes == nil || b.Vec != nil || b.Const.Kind != column.Text || op > NE || a.Vec.Dict.Len() > maxScan {
		return false
	}
	want, found := a.Vec.Dict.Find(b.Const.Text())
	for k := range rows.Len() {
		i := rows.Row(k)
		c := a.Vec.Codes[i]
		if c == 0 {
			dst[i] = Unknown
			continue
		}
		dst[i] = truth((found && c == want) == (op == EQ))
	}
	return true
}
