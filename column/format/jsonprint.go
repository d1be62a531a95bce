package format

import (
	"strconv"
	"strings"

	"spate/column"
)

// AppendValue appends v as JSON: bigints as integers, floats always with a point
// or an exponent, times with seven fraction digits and Z, NULL as null.
func AppendValue(dst []byte, v column.Value) []byte { return column.AppendJSON(dst, v) }

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
		dst = append(column.AppendQuoted(dst, b.Schema.Fields[i].Name), ':')
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
		dst = append(column.AppendQuoted(dst, name), ':')
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
		return column.AppendFloat(dst, v.Floats[row])
	case column.Time:
		return append(column.AppendTicks(append(dst, '"'), column.Ticks(v.Ints[row])), '"')
	case column.Text:
		return column.AppendQuoted(dst, v.TextAt(row))
	}
	return AppendValue(dst, v.Anys[row])
}
