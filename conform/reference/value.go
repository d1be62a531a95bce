package reference

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"

	"spate/column"
)

var null = column.Value{}

// field reads a field of a record: exact spelling first, then ignoring case.
func field(v column.Value, name string) column.Value {
	rec := v.Record()
	if rec == nil {
		return null
	}
	for i, n := range rec.Names {
		if n == name {
			return rec.Values[i]
		}
	}
	for i, n := range rec.Names {
		if strings.EqualFold(n, name) {
			return rec.Values[i]
		}
	}
	return null
}

func isNumber(v column.Value) bool { return v.Kind == column.Int64 || v.Kind == column.Float64 }

// exact returns a bigint, float or bit as a rational number.
func exact(v column.Value) *big.Rat {
	switch v.Kind {
	case column.Int64:
		return new(big.Rat).SetInt64(v.Int())
	case column.Bool:
		return new(big.Rat).SetInt64(bigintOf(v).Int())
	}
	return new(big.Rat).SetFloat64(v.Float())
}

func floatOf(v column.Value) float64 {
	if v.Kind == column.Float64 {
		return v.Float()
	}
	f, _ := exact(v).Float64()
	return f
}

func bigintOf(bit column.Value) column.Value {
	if bit.Bool() {
		return column.IntOf(1)
	}
	return column.IntOf(0)
}

// outcome of a comparison: the three orders, different without an order, or
// unknown because of a NULL.
type outcome int

const (
	less outcome = iota
	equal
	greater
	different
	unknown
)

func sign(c int) outcome {
	switch {
	case c < 0:
		return less
	case c > 0:
		return greater
	}
	return equal
}

func (o outcome) turned() outcome {
	switch o {
	case less:
		return greater
	case greater:
		return less
	}
	return o
}

// compare compares two values by the rules of stream-analytics.md 2.3.
func (r *runner) compare(a, b column.Value) (outcome, error) {
	switch {
	case a.IsNull() || b.IsNull():
		return unknown, nil
	case a.Kind == b.Kind:
		return r.compareSame(a, b), nil
	case isNumber(a) && isNumber(b), a.Kind == column.Bool && isNumber(b), isNumber(a) && b.Kind == column.Bool:
		return sign(exact(a).Cmp(exact(b))), nil
	case a.Kind == column.Text:
		o, err := r.compare(b, a)
		return o.turned(), err
	case b.Kind != column.Text:
		return different, nil
	}
	switch a.Kind { // with text
	case column.Int64, column.Float64:
		f, ok := parseFloat(b.Text())
		if !ok {
			return different, nil
		}
		return sign(exact(a).Cmp(exact(column.FloatOf(f)))), nil
	case column.Time:
		t, ok := parseTime(b.Text())
		if !ok {
			return unknown, fmt.Errorf("Cannot convert string to datetime: '%s'", b.Text())
		}
		return r.compareSame(a, column.TimeOf(t)), nil
	case column.Bool:
		bit, ok := parseBit(b.Text())
		if !ok {
			return different, nil
		}
		return r.compareSame(a, column.BoolOf(bit)), nil
	}
	return different, nil
}

func (r *runner) compareSame(a, b column.Value) outcome {
	switch a.Kind {
	case column.Int64, column.Float64, column.Bool:
		return sign(exact(a).Cmp(exact(b)))
	case column.Time:
		return sign(int(min(max(a.Ticks()-b.Ticks(), -1), 1)))
	case column.Text:
		x, y := a.Text(), b.Text()
		if r.options.FoldCase {
			x, y = strings.ToUpper(x), strings.ToUpper(y)
		}
		return sign(compareUnits(x, y))
	}
	if same(a, b) {
		return equal
	}
	return different
}

// compareUnits orders by UTF-16 unit.
func compareUnits(a, b string) int {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}

// same is structural equality of records and arrays.
func same(a, b column.Value) bool {
	if a.Kind != b.Kind {
		return isNumber(a) && isNumber(b) && exact(a).Cmp(exact(b)) == 0
	}
	switch a.Kind {
	case column.Array:
		x, y := a.Array(), b.Array()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	case column.Record:
		x, y := a.Record(), b.Record()
		if len(x.Names) != len(y.Names) {
			return false
		}
		for i := range x.Names {
			if x.Names[i] != y.Names[i] || !same(x.Values[i], y.Values[i]) {
				return false
			}
		}
		return true
	}
	return string(appendKey(nil, a)) == string(appendKey(nil, b))
}

// appendKey writes v so that equal bytes mean one group: numbers by value
// whatever their kind, NULL equal to NULL.
func appendKey(dst []byte, v column.Value) []byte {
	switch v.Kind {
	case column.Null:
		return append(dst, 'n')
	case column.Int64, column.Float64:
		return append(append(append(dst, '#'), exact(v).String()...), ';')
	case column.Bool:
		return append(dst, 'b', byte(bigintOf(v).Int()))
	case column.Time:
		return binary.BigEndian.AppendUint64(append(dst, 't'), uint64(v.Ticks()))
	case column.Text:
		return append(binary.AppendUvarint(append(dst, 's'), uint64(len(v.Text()))), v.Text()...)
	case column.Array:
		dst = binary.AppendUvarint(append(dst, 'a'), uint64(len(v.Array())))
		for _, e := range v.Array() {
			dst = appendKey(dst, e)
		}
		return dst
	}
	rec := v.Record()
	dst = binary.AppendUvarint(append(dst, 'r'), uint64(len(rec.Names)))
	for i, n := range rec.Names {
		dst = appendKey(appendKey(dst, column.TextOf(n)), rec.Values[i])
	}
	return dst
}

func parseFloat(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	for _, c := range s {
		if !strings.ContainsRune("0123456789+-.eE", c) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

func parseBigint(s string) (int64, bool) {
	i, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return i, err == nil
}

func parseBit(s string) (bit, ok bool) {
	switch strings.ToLower(s) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

func toTime(v column.Value) (column.Ticks, bool) {
	switch v.Kind {
	case column.Time:
		return v.Ticks(), true
	case column.Text:
		return parseTime(v.Text())
	}
	return 0, false
}

// convert is CAST; false is its failure.
func convert(v column.Value, to column.Kind) (column.Value, bool) {
	if v.IsNull() || v.Kind == to {
		return v, true
	}
	switch to {
	case column.Text:
		return column.TextOf(textOf(v)), true
	case column.Time:
		if v.Kind != column.Text {
			return null, false
		}
		t, ok := parseTime(v.Text())
		return column.TimeOf(t), ok
	case column.Int64:
		switch v.Kind {
		case column.Float64:
			f := math.Trunc(v.Float())
			if f < -(1<<63) || f >= 1<<63 {
				return null, false
			}
			return column.IntOf(int64(f)), true
		case column.Bool:
			return bigintOf(v), true
		case column.Text:
			i, ok := parseBigint(v.Text())
			return column.IntOf(i), ok
		}
	case column.Float64:
		switch v.Kind {
		case column.Int64, column.Bool:
			return column.FloatOf(floatOf(v)), true
		case column.Text:
			f, ok := parseFloat(v.Text())
			return column.FloatOf(f), ok
		}
	case column.Bool:
		switch v.Kind {
		case column.Int64, column.Float64:
			return column.BoolOf(floatOf(v) != 0), true
		case column.Text:
			bit, ok := parseBit(v.Text())
			return column.BoolOf(bit), ok
		}
	}
	return null, false
}

// textOf is CAST AS nvarchar(max): floats without .0, bits as 1 and 0.
func textOf(v column.Value) string {
	switch v.Kind {
	case column.Text:
		return v.Text()
	case column.Float64:
		return strings.TrimSuffix(string(column.AppendJSON(nil, v)), ".0")
	case column.Bool:
		return textOf(bigintOf(v))
	case column.Time:
		return v.Ticks().String()
	case column.Null:
		return ""
	}
	return string(column.AppendJSON(nil, v))
}

var (
	errOverflow = errors.New("arithmetic overflow")
	errDivide   = errors.New("divide by zero")
)

// arithmetic computes a op b.
func arithmetic(op string, a, b column.Value) (column.Value, error) {
	if a.IsNull() || b.IsNull() {
		return null, nil
	}
	if op == "+" && a.Kind == column.Text && b.Kind == column.Text {
		return column.TextOf(a.Text() + b.Text()), nil
	}
	var err error
	if a, err = operand(op, a); err != nil {
		return null, err
	}
	if b, err = operand(op, b); err != nil {
		return null, err
	}
	if a.Kind == column.Int64 && b.Kind == column.Int64 {
		return bigintArithmetic(op, a.Int(), b.Int())
	}
	x, y := floatOf(a), floatOf(b)
	var z float64
	switch op {
	case "+":
		z = x + y
	case "-":
		z = x - y
	case "*":
		z = x * y
	case "/":
		if y == 0 {
			return null, nil
		}
		z = x / y
	case "%":
		if y == 0 {
			return null, nil
		}
		z = math.Mod(x, y)
	}
	if math.IsInf(z, 0) || math.IsNaN(z) {
		return null, errOverflow
	}
	return column.FloatOf(z), nil
}

// operand makes a number of an operand; text is read as a float.
func operand(op string, v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Int64, column.Float64:
		return v, nil
	case column.Bool:
		return bigintOf(v), nil
	case column.Text:
		if f, ok := parseFloat(v.Text()); ok {
			return column.FloatOf(f), nil
		}
	}
	return null, fmt.Errorf("operator '%s' cannot be applied to a value of type '%s'", op, v.Kind)
}

func bigintArithmetic(op string, a, b int64) (column.Value, error) {
	x, y, z := big.NewInt(a), big.NewInt(b), new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	default:
		if b == 0 {
			return null, errDivide
		}
		if op == "/" {
			z.Quo(x, y)
		} else {
			z.Rem(x, y)
		}
	}
	if !z.IsInt64() {
		return null, errOverflow
	}
	return column.IntOf(z.Int64()), nil
}

// bitwise computes a op b for & | and ^.
func bitwise(op string, a, b column.Value) (column.Value, error) {
	if a.IsNull() || b.IsNull() {
		return null, nil
	}
	bits := a.Kind == column.Bool && b.Kind == column.Bool
	var n [2]int64
	for i, v := range []column.Value{a, b} {
		if !isNumber(v) && v.Kind != column.Bool {
			return null, fmt.Errorf("operator '%s' cannot be applied to a value of type '%s'", op, v.Kind)
		}
		c, ok := convert(v, column.Int64)
		if !ok {
			return null, errOverflow
		}
		n[i] = c.Int()
	}
	z := map[string]int64{"&": n[0] & n[1], "|": n[0] | n[1], "^": n[0] ^ n[1]}[op]
	if bits {
		return column.BoolOf(z != 0), nil
	}
	return column.IntOf(z), nil
}
