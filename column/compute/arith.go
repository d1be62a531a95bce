package compute

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"spate/column"
)

// Errors of arithmetic.
var (
	ErrOverflow = errors.New("arithmetic overflow: the result does not fit a bigint")
	ErrDivide   = errors.New("divide by zero")
)

// Arith computes a op b; op is one of + - * / % & | ^.
func Arith(op string, a, b Operand, rows Rows) (column.Vector, *RowError) {
	if v, ok := arithFloats(op, a, b, rows.N); ok {
		return v, nil
	}
	return Map(rows, func(i int) (column.Value, error) { return ArithValue(op, a.At(i), b.At(i)) })
}

// arithFloats is the fast path: sums, differences and products of floats, with
// bigints among them where the result stays exact. It computes rows that do not
// reach the kernel too, which no one sees: where something could fail it gives
// way to the general path.
func arithFloats(op string, a, b Operand, n int) (column.Vector, bool) {
	x, ok1 := numbersOf(a)
	y, ok2 := numbersOf(b)
	if !ok1 || !ok2 || x.ints != nil || y.ints != nil || x.floats == nil && y.floats == nil {
		return column.Vector{}, false
	}
	out := column.Vector{Kind: column.Float64, Floats: make([]float64, n), Valid: andValid(x.valid, y.valid)}
	dst := out.Floats
	switch {
	case op == "-" && x.floats != nil && y.floats != nil:
		p, q := x.floats[:n], y.floats[:n]
		for i := range dst {
			dst[i] = p[i] - q[i]
		}
	case op == "-" && x.floats != nil:
		for i, v := range x.floats[:n] {
			dst[i] = v - y.c
		}
	case op == "-":
		for i, v := range y.floats[:n] {
			dst[i] = x.c - v
		}
	case (op == "+" || op == "*") && (x.floats != nil || y.floats != nil):
		for i := range dst {
			p, q := x.c, y.c
			if x.floats != nil {
				p = x.floats[i]
			}
			if y.floats != nil {
				q = y.floats[i]
			}
			if op == "+" {
				dst[i] = p + q
			} else {
				dst[i] = p * q
			}
		}
	default:
		return column.Vector{}, false
	}
	for _, v := range dst {
		if v-v != 0 { // infinite or no number
			return column.Vector{}, false
		}
	}
	clearNulls(dst, out.Valid)
	if x.mixed() && y.mixed() {
		return out, markWhole(&out, &x, &y)
	}
	return out, true
}

// markWhole marks the rows whose operands are both bigints. It reports false
// where such a result is beyond what a float holds exactly.
func markWhole(out *column.Vector, x, y *numbers) bool {
	for i, v := range out.Floats {
		if x.wholeAt(i) && y.wholeAt(i) && (out.Valid == nil || column.Bit(out.Valid, i)) {
			if v > maxWhole || v < -maxWhole {
				return false
			}
			if v == 0 {
				out.Floats[i] = 0 // there is no bigint -0
			}
			if out.Whole == nil {
				out.Whole = make([]uint64, column.Words(len(out.Floats)))
			}
			column.SetBit(out.Whole, i)
		}
	}
	return true
}

func clearNulls(dst []float64, valid []uint64) {
	if valid == nil {
		return
	}
	for i := range dst {
		if !column.Bit(valid, i) {
			dst[i] = 0
		}
	}
}

// ArithValue computes a op b for two values.
func ArithValue(op string, a, b column.Value) (column.Value, error) {
	if a.IsNull() || b.IsNull() {
		return column.Value{}, nil
	}
	if op == "+" && a.Kind == column.Text && b.Kind == column.Text {
		return column.TextOf(a.Text() + b.Text()), nil
	}
	switch op {
	case "&", "|", "^":
		return bitwise(op, a, b)
	}
	x, err := operandNumber(op, a)
	if err != nil {
		return column.Value{}, err
	}
	y, err := operandNumber(op, b)
	if err != nil {
		return column.Value{}, err
	}
	if x.Kind == column.Int64 && y.Kind == column.Int64 {
		return arithInts(op, x.Int(), y.Int())
	}
	p, _ := x.Number()
	q, _ := y.Number()
	var r float64
	switch op {
	case "+":
		r = p + q
	case "-":
		r = p - q
	case "*":
		r = p * q
	case "/":
		if q == 0 {
			return column.Value{}, nil
		}
		r = p / q
	case "%":
		if q == 0 {
			return column.Value{}, nil
		}
		r = math.Mod(p, q)
	}
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return column.Value{}, errors.New("arithmetic overflow: the result does not fit a float")
	}
	return column.FloatOf(r), nil
}

// operandNumber turns an operand into a bigint or float: bits count as 1 and 0,
// text is parsed.
func operandNumber(op string, v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Int64, column.Float64:
		return v, nil
	case column.Bool:
		if v.Bool() {
			return column.IntOf(1), nil
		}
		return column.IntOf(0), nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f, nil
		}
		return v, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to a number for operator '%s'", v.Text(), op)
	}
	return v, fmt.Errorf("operator '%s' cannot be applied to a value of type '%s'", op, v.Kind)
}

func arithInts(op string, a, b int64) (column.Value, error) {
	switch op {
	case "+":
		r := a + b
		if (r > a) != (b > 0) && b != 0 {
			return column.Value{}, ErrOverflow
		}
		return column.IntOf(r), nil
	case "-":
		r := a - b
		if (r < a) != (b > 0) && b != 0 {
			return column.Value{}, ErrOverflow
		}
		return column.IntOf(r), nil
	case "*":
		hi, lo := bits.Mul64(abs64(a), abs64(b))
		neg := (a < 0) != (b < 0)
		if hi != 0 || lo > 1<<63 || lo == 1<<63 && !neg {
			return column.Value{}, ErrOverflow
		}
		if neg {
			return column.IntOf(-int64(lo)), nil
		}
		return column.IntOf(int64(lo)), nil
	}
	if b == 0 {
		return column.Value{}, ErrDivide
	}
	if a == math.MinInt64 && b == -1 {
		if op == "%" {
			return column.IntOf(0), nil
		}
		return column.Value{}, ErrOverflow
	}
	if op == "%" {
		return column.IntOf(a % b), nil
	}
	return column.IntOf(a / b), nil
}

func abs64(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func bitwise(op string, a, b column.Value) (column.Value, error) {
	x, ok1 := bitOperand(a)
	y, ok2 := bitOperand(b)
	if !ok1 || !ok2 {
		return column.Value{}, fmt.Errorf("operator '%s' cannot be applied to values of types '%s' and '%s'", op, a.Kind, b.Kind)
	}
	var r int64
	switch op {
	case "&":
		r = x & y
	case "|":
		r = x | y
	default:
		r = x ^ y
	}
	if a.Kind == column.Bool && b.Kind == column.Bool {
		return column.BoolOf(r != 0), nil
	}
	return column.IntOf(r), nil
}

func bitOperand(v column.Value) (int64, bool) {
	switch v.Kind {
	case column.Int64, column.Float64, column.Bool:
		i, ok := column.Cast(v, column.Int64)
		return i.Int(), ok
	}
	return 0, false
}

// Negate computes -v.
func Negate(v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Null:
		return v, nil
	case column.Float64:
		return column.FloatOf(-v.Float()), nil
	}
	return ArithValue("-", column.IntOf(0), v)
}

// Invert computes ~v.
func Invert(v column.Value) (column.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	if v.Kind == column.Bool {
		return column.BoolOf(!v.Bool()), nil
	}
	i, ok := bitOperand(v)
	if !ok {
		return v, fmt.Errorf("operator '~' cannot be applied to a value of type '%s'", v.Kind)
	}
	return column.IntOf(^i), nil
}
