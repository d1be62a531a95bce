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
// objects; other bytes stay as they are. Text that is no JSON stays what the decoder
// refuses.
func appendWithoutField(dst, text []byte, name string) []byte {
	if out, ok := dropPlain(dst, text, name); ok {
		return out
	}
	return dropTokens(dst, text, name)
}

// dropPlain is appendWithoutField for one object whose keys have no escapes and whose
// dropped values are numbers, words and texts without escapes; ok is false for others.
// Kept values are not looked into: what is wrong with them the decoder finds.
func dropPlain(dst, text []byte, name string) (out []byte, ok bool) {
	begin, i := len(dst), blanks(text, 0)
	if i == len(text) || text[i] != '{' {
		return dst, false
	}
	i++
	kept, last := 0, i // text before kept has been appended; where the value before ended
	fields, dropped := 0, false
	for {
		i = blanks(text, i)
		if i == len(text) || text[i] != '"' {
			return dst[:begin], false
		}
		end := i + 1 + bytes.IndexByte(text[i+1:], '"')
		if end == i || bytes.IndexByte(text[i:end], '\\') >= 0 {
			return dst[:begin], false
		}
		key := text[i+1 : end]
		if i = blanks(text, end+1); i == len(text) || text[i] != ':' {
			return dst[:begin], false
		}
		from := blanks(text, i+1)
		if i = valueEnd(text, from); i < 0 {
			return dst[:begin], false
		}
		if dropped = column.EqualNames(string(key), name); !dropped {
			fields++
		} else {
			if !plainValue(text[from:i]) {
				return dst[:begin], false
			}
			dst = append(dst, text[kept:last]...)
			kept = i
		}
		last = i
		if i = blanks(text, i); i == len(text) {
			return dst[:begin], false
		}
		switch {
		case text[i] == ',':
			i++
			if dropped && fields == 0 {
				kept, last = i, i
			}
		case text[i] == '}' && blanks(text, i+1) == len(text):
			return append(dst, text[kept:]...), true
		default:
			return dst[:begin], false
		}
	}
}

func blanks(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// valueEnd is where the value that begins at i ends; -1 if it does not.
func valueEnd(text []byte, i int) int {
	depth, quoted := 0, false
	for from := i; i < len(text); i++ {
		switch x := text[i]; {
		case quoted && x == '\\':
			i++
		case x == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case x == '{' || x == '[':
			depth++
		case x == '}' || x == ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (x == ',' || x == ' ' || x == '\t' || x == '\r' || x == '\n'):
			if i == from {
				return -1
			}
			return i
		}
	}
	return -1
}

// plainValue reports whether a value is surely a number, a word, or a text without escapes.
func plainValue(v []byte) bool {
	if len(v) >= 2 && v[0] == '"' {
		for _, x := range v[1 : len(v)-1] {
			if x < ' ' || x == '\\' || x >= 0x80 || x == '"' {
				return false
			}
		}
		return v[len(v)-1] == '"'
	}
	return len(v) > 0 && v[0] != '{' && v[0] != '[' && json.Valid(v)
}

// dropTokens is appendWithoutField for all texts. Text that is no JSON is appended whole.
func dropTokens(dst, text []byte, name string) []byte {
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

// columnDropper takes a column out of CSV messages.
type columnDropper struct {
	name  string
	comma byte

	head, newHead []byte // header of the last message, with its end of line, and what becomes of it
	drop          int    // its field; -1: none
}

// append appends a message without the column.
func (d *columnDropper) append(dst, text []byte) []byte {
	if d.head != nil && bytes.HasPrefix(text, d.head) {
		if out, ok := d.dropPlain(dst, text[len(d.head):]); ok {
			return out
		}
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = rune(d.comma), -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return append(dst, text...)
	}
	d.drop = -1
	for i, h := range rows[0] {
		if column.EqualNames(strings.TrimSpace(h), d.name) {
			d.drop = i
		}
	}
	d.remember(text, rows[0])
	if d.drop < 0 {
		return append(dst, text...)
	}
	for _, row := range rows {
		dst = d.appendRow(dst, row)
	}
	return dst
}

// remember keeps a header that is its own line.
func (d *columnDropper) remember(text []byte, header []string) {
	d.head = nil
	if end := bytes.IndexByte(text, '\n') + 1; end > 1 && text[0] != '\r' && bytes.Count(text[:end], []byte{'"'})%2 == 0 {
		d.head, d.newHead = bytes.Clone(text[:end]), d.appendRow(nil, header)
	}
}

// dropPlain appends the known header and rows without quotes.
func (d *columnDropper) dropPlain(dst, rows []byte) ([]byte, bool) {
	if bytes.IndexByte(rows, '"') >= 0 {
		return dst, false
	}
	if d.drop < 0 {
		return append(append(dst, d.head...), rows...), true
	}
	dst = append(dst, d.newHead...)
	for len(rows) > 0 {
		line, after, _ := bytes.Cut(rows, []byte{'\n'})
		rows = after
		if line = bytes.TrimSuffix(line, []byte{'\r'}); len(line) == 0 {
			continue
		}
		from, field := 0, 0
		for ; field < d.drop; field++ {
			i := bytes.IndexByte(line[from:], d.comma)
			if i < 0 {
				break
			}
			from += i + 1
		}
		to := bytes.IndexByte(line[from:], d.comma)
		begin := len(dst)
		switch {
		case field < d.drop: // the row does not have it
			dst = append(dst, line...)
		case to >= 0:
			dst = append(append(dst, line[:from]...), line[from+to+1:]...)
		default:
			dst = append(dst, line[:max(from-1, 0)]...)
		}
		if len(dst) == begin { // a blank line is no row
			dst = append(dst, `""`...)
		}
		dst = append(dst, '\n')
	}
	return dst, true
}

// appendRow appends the fields of a row but the dropped one.
func (d *columnDropper) appendRow(dst []byte, row []string) []byte {
	if d.drop >= 0 && d.drop < len(row) {
		row = append(row[:d.drop:d.drop], row[d.drop+1:]...)
	}
	if len(row) == 1 && row[0] == "" { // a blank line is no row
		return append(dst, "\"\"\n"...)
	}
	for i, f := range row {
		if i > 0 {
			dst = append(dst, d.comma)
		}
		if strings.ContainsAny(f, "\"\r\n") || strings.IndexByte(f, d.comma) >= 0 {
			dst = append(append(append(dst, '"'), strings.ReplaceAll(f, `"`, `""`)...), '"')
		} else {
			dst = append(dst, f...)
		}
	}
	return append(dst, '\n')
}
