package eval

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"spate/column"
)

// appendWithoutField appends JSON text without the fields of a name at the top of its
// objects; other bytes stay as they are. Text that is no JSON is appended whole, for
// the decoder to refuse.
func appendWithoutField(dst, text []byte, name string) []byte {
	begin := len(dst)
	d := json.NewDecoder(bytes.NewReader(text))
	kept := 0     // text before it has been appended
	objects := 0  // open ones
	arrays := 0   // open around the objects
	fields := 0   // kept of the open object
	dropped := -1 // end of the last dropped field, if nothing was kept since
	for {
		from := int(d.InputOffset())
		tok, err := d.Token()
		if errors.Is(err, io.EOF) && objects == 0 && arrays == 0 {
			return append(dst, text[kept:]...)
		}
		if err != nil {
			return append(dst[:begin], text...)
		}
		switch {
		case tok == json.Delim('['):
			arrays++
		case tok == json.Delim(']'):
			arrays--
		case tok == json.Delim('{'):
			objects, fields = 1, 0
		case tok == json.Delim('}'):
			objects, dropped = 0, -1
		case objects == 1:
			key, _ := tok.(string)
			var v json.RawMessage
			if d.Decode(&v) != nil {
				return append(dst[:begin], text...)
			}
			if !column.EqualNames(key, name) {
				if dropped >= 0 && fields == 0 { // the comma behind the dropped field
					dst = append(dst, text[kept:from]...)
					kept = from + bytes.IndexByte(text[from:], ',') + 1
				}
				dropped = -1
				fields++
				continue
			}
			dst = append(dst, text[kept:from]...)
			kept = int(d.InputOffset())
			dropped = kept
		}
	}
}

// appendWithoutColumn appends a CSV message without a column.
func appendWithoutColumn(dst, text []byte, name string, comma byte) []byte {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = rune(comma), -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return append(dst, text...)
	}
	drop := -1
	for i, h := range rows[0] {
		if column.EqualNames(strings.TrimSpace(h), name) {
			drop = i
		}
	}
	if drop < 0 {
		return append(dst, text...)
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = rune(comma)
	for _, row := range rows {
		if drop < len(row) {
			row = append(row[:drop:drop], row[drop+1:]...)
		}
		if err := w.Write(row); err != nil {
			return append(dst, text...)
		}
	}
	w.Flush()
	return append(dst, out.Bytes()...)
}
