package format

import (
	"bytes"
	"strconv"

	"spate/column"
)

// AppendCSVHeader appends the header line of a CSV output.
func AppendCSVHeader(dst []byte, s *column.Schema, delimiter byte) []byte {
	for i := range s.Fields {
		if i > 0 {
			dst = append(dst, delimiter)
		}
		dst = appendCSVText(dst, []byte(s.Fields[i].Name), delimiter)
	}
	return append(dst, '\r', '\n')
}

// AppendCSVRow appends one line of a CSV output. NULL is an empty field, records
// and arrays print as the words Record and Array.
func AppendCSVRow(dst []byte, b *column.Batch, row int, delimiter byte) []byte {
	for i := range b.Cols {
		if i > 0 {
			dst = append(dst, delimiter)
		}
		v := &b.Cols[i]
		if v.IsNull(row) {
			continue
		}
		if v.Kind == column.Text {
			dst = appendCSVText(dst, v.TextAt(row), delimiter)
			continue
		}
		switch x := v.At(row); x.Kind {
		case column.Bool:
			dst = strconv.AppendBool(dst, x.Bool())
		case column.Int64:
			dst = strconv.AppendInt(dst, x.Int(), 10)
		case column.Float64:
			dst = column.AppendFloat(dst, x.Float())
		case column.Time:
			dst = column.AppendTicks(dst, x.Ticks())
		case column.Text:
			dst = appendCSVText(dst, []byte(x.Text()), delimiter)
		case column.Record:
			dst = append(dst, "Record"...)
		case column.Array:
			dst = append(dst, "Array"...)
		}
	}
	return append(dst, '\r', '\n')
}

func appendCSVText(dst, s []byte, delimiter byte) []byte {
	if bytes.IndexByte(s, delimiter) < 0 && !bytes.ContainsAny(s, "\"\r\n") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
