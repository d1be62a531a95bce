package deltatable

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"spate/column"
	"spate/lake/parquetfile"
)

// badRows collects the rows of a batch that the table cannot hold: the first
// reason of each.
type badRows map[int32]string

func (b badRows) add(i int32, format string, args ...any) {
	if _, ok := b[i]; !ok {
		b[i] = fmt.Sprintf(format, args...)
	}
}

// convert returns the values of rows as the column stores them: v itself where
// nothing has to change. Rows that do not fit go to bad, and are null in the
// result.
func (t *target) convert(v *column.Vector, rows []int32, bad badRows) *column.Vector {
	k := t.parquet.Kind
	switch {
	case v.Kind == column.Time && (k == parquetfile.Timestamp || k == parquetfile.Date),
		v.Kind == column.Bool && k == parquetfile.Boolean,
		v.Kind == column.Int64 && k == parquetfile.Long,
		v.Kind == column.Float64 && k == parquetfile.Double:
		return v
	case v.Kind == column.Text && (k == parquetfile.Binary || k == parquetfile.String && validText(v)):
		return v
	case v.Kind == column.Int64 && k == parquetfile.Double:
		return widen(v)
	case v.Kind == column.Text && (k == parquetfile.Timestamp || k == parquetfile.Date):
		return t.parseTimes(v, rows, bad)
	}
	out := newTyped(t.parquet, v.Len())
	for _, i := range rows {
		x := v.At(int(i))
		if x.IsNull() {
			continue
		}
		y, why := t.value(x)
		if why != "" {
			bad.add(i, "column %s: %s", t.Name, why)
			continue
		}
		out.set(int(i), y)
	}
	return out.vector()
}

// value converts one value that is not null; why says what is wrong with it.
func (t *target) value(v column.Value) (out column.Value, why string) {
	switch t.parquet.Kind {
	case parquetfile.String:
		if v.Kind == column.Text {
			if !utf8.ValidString(v.Text()) {
				return out, "the text is no UTF-8"
			}
			return v, ""
		}
		if v.Kind == column.Record || v.Kind == column.Array {
			return column.TextOf(string(column.AppendJSON(nil, v))), ""
		}
		return column.TextOf(string(column.AppendText(nil, v))), ""
	case parquetfile.Binary:
		if v.Kind == column.Text {
			return v, ""
		}
	case parquetfile.Boolean:
		if v.Kind == column.Bool {
			return v, ""
		}
	case parquetfile.Byte, parquetfile.Short, parquetfile.Integer, parquetfile.Long:
		return t.integer(v)
	case parquetfile.Double, parquetfile.Float:
		f, ok := v.Number()
		if !ok {
			break
		}
		if t.parquet.Kind == parquetfile.Float && !math.IsInf(f, 0) && math.Abs(f) > math.MaxFloat32 {
			return out, fmt.Sprintf("%v is out of range for float", f)
		}
		return column.FloatOf(f), ""
	case parquetfile.Timestamp, parquetfile.Date:
		if v.Kind == column.Time {
			return v, ""
		}
		if v.Kind == column.Text {
			if at, ok := column.ParseTicks(v.Text()); ok {
				return column.TimeOf(at), ""
			}
			return out, fmt.Sprintf("%.40q is no ISO 8601 time", v.Text())
		}
	case parquetfile.Decimal:
		return t.decimal(v)
	}
	return out, fmt.Sprintf("a %s does not fit the type %s", v.Kind, t.Type)
}

func (t *target) integer(v column.Value) (out column.Value, why string) {
	var n int64
	switch v.Kind {
	case column.Int64:
		n = v.Int()
	case column.Bool:
		if v.Bool() {
			n = 1
		}
	case column.Float64:
		f := v.Float()
		if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 { // NaN and infinities too
			return out, fmt.Sprintf("%v is no whole number of 64 bits", f)
		}
		n = int64(f)
	default:
		return out, fmt.Sprintf("a %s does not fit the type %s", v.Kind, t.Type)
	}
	size := map[parquetfile.Kind]int{parquetfile.Byte: 8, parquetfile.Short: 16, parquetfile.Integer: 32, parquetfile.Long: 64}[t.parquet.Kind]
	if n != n<<(64-size)>>(64-size) {
		return out, fmt.Sprintf("%d is out of range for %s", n, t.Type)
	}
	return column.IntOf(n), ""
}

// decimal takes numbers that the scale holds exactly; floats by their shortest
// digits.
func (t *target) decimal(v column.Value) (out column.Value, why string) {
	var text string
	switch v.Kind {
	case column.Int64, column.Float64:
		text = string(column.AppendText(nil, v))
	case column.Text:
		text = strings.TrimSpace(v.Text())
	default:
		return out, fmt.Sprintf("a %s does not fit the type %s", v.Kind, t.Type)
	}
	zero, fits, ok := looksDecimal(text)
	switch {
	case !ok:
		return out, fmt.Sprintf("%.40q is no decimal number", text)
	case zero:
		return column.IntOf(0), ""
	case !fits:
		return out, fmt.Sprintf("%.40s does not fit %s", text, t.Type)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return out, fmt.Sprintf("%.40q is no decimal number", text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.parquet.Scale)), nil)))
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.parquet.Precision)), nil)
	if !r.IsInt() || r.Num().CmpAbs(limit) >= 0 {
		return out, fmt.Sprintf("%.40s does not fit %s", text, t.Type)
	}
	return column.IntOf(r.Num().Int64()), ""
}

// Bounds of a decimal's text, so that taking it costs little. A number of maxDecimalText
// digits whose exponent is larger than maxExponent fits no decimal type.
const (
	maxDecimalText = 60
	maxExponent    = 100
)

// looksDecimal reports whether text is [+-]digits[.digits][e[+-]digits], whether it
// is zero, and whether its exponent is one that may fit.
func looksDecimal(text string) (zero, fits, ok bool) {
	if len(text) > maxDecimalText {
		return false, false, false
	}
	rest := strings.TrimLeft(text, "+-")
	if len(text)-len(rest) > 1 {
		return false, false, false
	}
	mantissa, exponent, has := rest, "", false
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, exponent, has = rest[:i], rest[i+1:], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false, false, false
	}
	fits = true
	if has {
		e, err := strconv.Atoi(exponent)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return false, false, false
		}
		fits = -maxExponent <= e && e <= maxExponent // out of range: the nearest int
	}
	return strings.Trim(digits, "0") == "", fits, true
}

// widen turns bigints into floats.
func widen(v *column.Vector) *column.Vector {
	out := &column.Vector{Kind: column.Float64, Valid: v.Valid, Floats: make([]float64, len(v.Ints))}
	for i, n := range v.Ints {
		out.Floats[i] = float64(n)
	}
	return out
}

func (t *target) parseTimes(v *column.Vector, rows []int32, bad badRows) *column.Vector {
	out := newTyped(t.parquet, v.Len())
	var p timeParser
	for _, i := range rows {
		if v.IsNull(int(i)) || v.Codes != nil && v.Codes[i] == 0 {
			continue
		}
		text := v.TextAt(int(i))
		at, ok := p.parse(text)
		if !ok {
			bad.add(i, "column %s: %.40q is no ISO 8601 time", t.Name, text)
			continue
		}
		out.v.Ints[i] = int64(at)
		column.SetBit(out.v.Valid, int(i))
	}
	return out.vector()
}

// validText reports whether all texts of a vector are UTF-8. Coded texts are
// looked at value by value when they are few.
func validText(v *column.Vector) bool {
	if v.Codes != nil {
		if v.Dict.Len() > 4*len(v.Codes)+64 { // cheaper by row
			for _, c := range v.Codes {
				if !utf8.Valid(v.Dict.At(c)) {
					return false
				}
			}
			return true
		}
		for c := range v.Dict.Len() {
			if !utf8.Valid(v.Dict.At(uint32(c))) {
				return false
			}
		}
		return true
	}
	if !utf8.Valid(v.Bytes) {
		return false
	}
	for _, end := range v.Ends {
		if int(end) < len(v.Bytes) && !utf8.RuneStart(v.Bytes[end]) {
			return false
		}
	}
	return true
}

// typed is a vector of one kind that is filled by row number.
type typed struct{ v column.Vector }

func newTyped(t parquetfile.Type, n int) *typed {
	o := &typed{column.Vector{Valid: make([]uint64, column.Words(n))}}
	switch t.Kind {
	case parquetfile.String, parquetfile.Binary:
		o.v.Kind, o.v.Ends = column.Text, make([]uint32, n)
	case parquetfile.Boolean:
		o.v.Kind, o.v.Ints = column.Bool, make([]int64, n)
	case parquetfile.Float, parquetfile.Double:
		o.v.Kind, o.v.Floats = column.Float64, make([]float64, n)
	case parquetfile.Timestamp, parquetfile.Date:
		o.v.Kind, o.v.Ints = column.Time, make([]int64, n)
	default:
		o.v.Kind, o.v.Ints = column.Int64, make([]int64, n)
	}
	return o
}

// set fills row i; rows come in ascending order.
func (o *typed) set(i int, v column.Value) {
	column.SetBit(o.v.Valid, i)
	switch o.v.Kind {
	case column.Text:
		o.v.Bytes = append(o.v.Bytes, v.Text()...)
		o.v.Ends[i] = uint32(len(o.v.Bytes))
	case column.Float64:
		o.v.Floats[i] = v.Float()
	case column.Bool:
		if v.Bool() {
			o.v.Ints[i] = 1
		}
	case column.Time:
		o.v.Ints[i] = int64(v.Ticks())
	default:
		o.v.Ints[i] = v.Int()
	}
}

func (o *typed) vector() *column.Vector {
	last := uint32(0)
	for i, e := range o.v.Ends { // rows that were not set are empty
		last = max(last, e)
		o.v.Ends[i] = last
	}
	return &o.v
}
