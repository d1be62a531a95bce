package column

import (
	"math"
	"strconv"
	"strings"
)

// Cast converts v to kind k. It reports false where CAST is a runtime error and
// TRY_CAST gives NULL. NULL stays NULL.
func Cast(v Value, k Kind) (Value, bool) {
	if v.Kind == Null || v.Kind == k {
		return v, true
	}
	switch k {
	case Int64:
		return castInt(v)
	case Float64:
		switch v.Kind {
		case Int64, Bool:
			f, _ := v.Number()
			return FloatOf(f), true
		case Text:
			return ParseFloat(v.str)
		}
	case Text:
		return TextOf(string(AppendText(nil, v))), true
	case Time:
		if v.Kind == Text {
			t, ok := ParseTicks(v.str)
			return TimeOf(t), ok
		}
	case Bool:
		switch v.Kind {
		case Int64:
			return BoolOf(v.num != 0), true
		case Float64:
			return BoolOf(v.Float() != 0), true
		case Text:
			b, ok := ParseBit(v.str)
			return BoolOf(b == 1), ok
		}
	}
	return Value{}, false
}

func castInt(v Value) (Value, bool) {
	switch v.Kind {
	case Bool:
		return IntOf(int64(v.num)), true
	case Float64:
		f := math.Trunc(v.Float())
		if f >= -(1<<63) && f < 1<<63 {
			return IntOf(int64(f)), true
		}
	case Text:
		if i, err := strconv.ParseInt(strings.TrimSpace(v.str), 10, 64); err == nil {
			return IntOf(i), true
		}
	}
	return Value{}, false
}

// AppendText appends v as CAST AS nvarchar(max) and CONCAT write it.
func AppendText(dst []byte, v Value) []byte {
	switch v.Kind {
	case Null:
		return dst
	case Bool:
		return append(dst, '0'+byte(v.num))
	case Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Float64:
		return appendFloat(dst, v.Float(), false)
	case Time:
		return AppendTicks(dst, v.Ticks())
	case Text:
		return append(dst, v.str...)
	}
	return AppendJSON(dst, v)
}

// AppendFloat appends f as JSON output prints it: shortest digits that read back
// equal, always with a point or an exponent.
func AppendFloat(dst []byte, f float64) []byte { return appendFloat(dst, f, true) }

func appendFloat(dst []byte, f float64, point bool) []byte {
	a := math.Abs(f)
	if a == 0 || a >= 1e-5 && a < 1e15 {
		n := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		if point {
			for _, c := range dst[n:] {
				if c == '.' {
					return dst
				}
			}
			dst = append(dst, '.', '0')
		}
		return dst
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'E', -1, 64)
	// Go writes at least two exponent digits with a sign; the form wanted is 1.5E+20.
	for i := n; i < len(dst); i++ {
		if dst[i] != 'E' {
			continue
		}
		if len(dst) == i+4 && dst[i+2] == '0' {
			dst = append(dst[:i+2], dst[i+3])
		}
		break
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string.
func AppendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// AppendJSON appends v as JSON output prints it.
func AppendJSON(dst []byte, v Value) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Float64:
		return AppendFloat(dst, v.Float())
	case Time:
		return append(AppendTicks(append(dst, '"'), v.Ticks()), '"')
	case Text:
		return AppendQuoted(dst, v.str)
	case Record:
		dst = append(dst, '{')
		for i, n := range v.rec.Names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendQuoted(dst, n), ':')
			dst = AppendJSON(dst, v.rec.Values[i])
		}
		return append(dst, '}')
	}
	dst = append(dst, '[')
	for i, e := range v.arr {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, e)
	}
	return append(dst, ']')
}
