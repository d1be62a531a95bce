package format

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"spate/column"
)

// csvShape is what a decoder knows of messages that begin with one header: a file that is
// cut into messages gives each of its rows the same one.
type csvShape struct {
	head   []byte // with its end of line; nil: none is known
	header []string
	of     []int // field of each column, -1: none
}

// remember keeps the header of a message that was decoded.
func (d *CSVDecoder) remember(m []byte, header []string) {
	d.shape.head = nil
	end := bytes.IndexByte(m, '\n') + 1
	if d.NoHeader || end == 0 || m[0] == '\r' || m[0] == '\n' || m[0] == 0xef ||
		bytes.Count(m[:end], []byte{'"'})%2 != 0 { // the first line is not the header, or a part of it
		return
	}
	of := d.shape.of[:0]
	for i := range d.cols {
		at := -1
		if c := &d.cols[i]; !c.Whole && len(c.Path) == 1 {
			at = columnOf(header, c.Path[0])
		}
		of = append(of, at)
	}
	d.shape = csvShape{bytes.Clone(m[:end]), header, of}
}

// fast splits the rows of a message with the known header into fields. ok is false if it
// has another, or something in it that needs a closer look: a mistake, or a quote that
// encloses more than plain text. What is split is what encoding/csv gives.
func (d *CSVDecoder) fast(m []byte) (fields []string, ok bool) {
	if d.shape.head == nil || !bytes.HasPrefix(m, d.shape.head) {
		return nil, false
	}
	rest := m[len(d.shape.head):]
	if !utf8.Valid(rest) {
		return nil, false
	}
	fields = d.fields[:0]
	for text := string(rest); text != ""; {
		line, after, _ := strings.Cut(text, "\n")
		text = after
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			continue
		}
		before := len(fields)
		if fields, ok = d.split(fields, line); !ok || len(fields)-before != len(d.shape.header) {
			return nil, false
		}
	}
	d.fields = fields
	return fields, true
}

// split appends the fields of a line.
func (d *CSVDecoder) split(fields []string, line string) ([]string, bool) {
	comma := byte(d.comma)
	if strings.IndexByte(line, '"') < 0 {
		for {
			i := strings.IndexByte(line, comma)
			if i < 0 {
				return append(fields, line), true
			}
			fields, line = append(fields, line[:i]), line[i+1:]
		}
	}
	for {
		if line == "" || line[0] != '"' {
			i := strings.IndexByte(line, comma)
			field := line
			if i >= 0 {
				field = line[:i]
			}
			if strings.IndexByte(field, '"') >= 0 {
				return fields, false
			}
			fields = append(fields, field)
			if i < 0 {
				return fields, true
			}
			line = line[i+1:]
			continue
		}
		end := strings.IndexByte(line[1:], '"') + 1
		if end == 0 {
			return fields, false
		}
		fields = append(fields, line[1:end])
		if end+1 == len(line) {
			return fields, true
		}
		if line[end+1] != comma { // a doubled quote, or a mistake
			return fields, false
		}
		line = line[end+2:]
	}
}

// appendFields adds the rows that fast has split.
func (d *CSVDecoder) appendFields(out *Rows, builders []*column.Builder, fields []string) {
	width := len(d.shape.header)
	for ; len(fields) > 0; fields = fields[width:] {
		for i, at := range d.shape.of {
			switch {
			case at >= 0:
				builders[i].Append(column.TextOf(fields[at]))
			case d.cols[i].Whole:
				builders[i].Append(d.cols[i].ofCSV(d.shape.header, fields[:width]))
			default:
				builders[i].Append(column.Value{})
			}
		}
		out.Src = append(out.Src, int32(out.Next))
		out.Rows++
	}
}
