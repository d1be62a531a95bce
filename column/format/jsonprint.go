package format

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"spate/column"
)

// AppendValue appends v as JSON: bigints as integers, floats always with a point
// or an exponent, times with seven fraction digits and Z, NULL as null.
func AppendValue(dst []byte, v column.Value) []byte {
	switch v.Kind {
	case column.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case column.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case column.Float64:
		return AppendFloat(dst, v.Float())
	case column.Time:
		return appendTime(dst, v.Ticks())
	case column.Text:
		return AppendString(dst, v.Text())
	case column.Record:
		r := v.Record()
		dst = append(dst, '{')
		for i, name := range r.Names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, name), ':')
			dst = AppendValue(dst, r.Values[i])
		}
		return append(dst, '}')
	case column.Array:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, e)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

// AppendRow appends row number row of b as one JSON object. Keys stand in schema
// order; the fields of a Star column stand in its place, without those whose
// name, ignoring case, a column or field to their left has. The same holds for
// columns to the right of a Star column.
func AppendRow(dst []byte, b *column.Batch, row int) []byte {
	star := false
	for i := range b.Schema.Fields {
		star = star || b.Schema.Fields[i].Star
	}
	if star {
		return appendStarRow(dst, b, row)
	}
	dst = append(dst, '{')
	for i := range b.Schema.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, b.Schema.Fields[i].Name), ':')
		dst = AppendCell(dst, &b.Cols[i], row)
	}
	return append(dst, '}')
}

func appendStarRow(dst []byte, b *column.Batch, row int) []byte {
	var room [32]string
	names := room[:0] // printed so far
	taken := func(name string, upTo int) bool {
		for _, n := range names[:upTo] {
			if strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
	dst = append(dst, '{')
	key := func(name string) {
		if len(names) > 0 {
			dst = append(dst, ',')
		}
		names = append(names, name)
		dst = append(AppendString(dst, name), ':')
	}
	for i := range b.Schema.Fields {
		f := &b.Schema.Fields[i]
		if !f.Star {
			if !taken(f.Name, len(names)) {
				key(f.Name)
				dst = AppendCell(dst, &b.Cols[i], row)
			}
			continue
		}
		r := b.Cols[i].At(row).Record()
		if r == nil {
			continue
		}
		left := len(names)
		for k, name := range r.Names {
			if !taken(name, left) {
				key(name)
				dst = AppendValue(dst, r.Values[k])
			}
		}
	}
	return append(dst, '}')
}

// AppendCell appends row number row of v as JSON.
func AppendCell(dst []byte, v *column.Vector, row int) []byte {
	if v.IsNull(row) {
		return append(dst, "null"...)
	}
	switch v.Kind {
	case column.Bool:
		return strconv.AppendBool(dst, v.Ints[row] != 0)
	case column.Int64:
		return strconv.AppendInt(dst, v.Ints[row], 10)
	case column.Float64:
		if v.Whole != nil && column.Bit(v.Whole, row) {
			return strconv.AppendInt(dst, int64(v.Floats[row]), 10)
		}
		return AppendFloat(dst, v.Floats[row])
	case column.Time:
		return appendTime(dst, column.Ticks(v.Ints[row]))
	case column.Text:
		t := v.TextAt(row)
		return AppendString(dst, unsafe.String(unsafe.SliceData(t), len(t)))
	}
	return AppendValue(dst, v.Anys[row])
}

// AppendFloat appends the shortest digits that give f back: plain for
// 1e-5 <= |f| < 1e15, else with an exponent; never without both point and
// exponent. Source: stream-analytics.md 2.2. What is no number prints null.
func AppendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e15) {
		return strconv.AppendFloat(dst, f, 'E', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[n:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

func appendTime(dst []byte, t column.Ticks) []byte {
	dst = append(dst, '"')
	dst = column.AppendTicks(dst, t)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// AppendString appends s in quotes, escaping what RFC 8259 demands and no more.
// Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[from:i]...)
				dst = append(dst, "\uFFFD"...)
				i++
				from = i
				continue
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
