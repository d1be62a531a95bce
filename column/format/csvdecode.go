package format

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"spate/column"
)

// Types of data errors of CSV messages.
const (
	InvalidHeader  = "InputDeserializerError.InvalidHeader"
	MissingColumns = "InputDeserializerError.MissingColumns"
)

// CSVDecoder turns CSV messages into columns: the first line of a message names
// its columns, each further line is an event whose fields are text. It belongs
// to one goroutine.
type CSVDecoder struct {
	cols  []Column
	comma rune
}

// NewCSVDecoder returns a decoder for cols. The delimiter is a comma, semicolon,
// tab, space or vertical bar; 0 is a comma.
func NewCSVDecoder(cols []Column, delimiter byte) (*CSVDecoder, error) {
	switch delimiter {
	case 0:
		delimiter = ','
	case ',', ';', '\t', ' ', '|':
	default:
		return nil, fmt.Errorf("decoding csv: %q is no delimiter: want a comma, semicolon, tab, space or vertical bar", delimiter)
	}
	return &CSVDecoder{cols: cols, comma: rune(delimiter)}, nil
}

// Decode is Decode of Decoder for CSV messages. A message of which a line cannot
// be read gives no rows.
func (d *CSVDecoder) Decode(data []byte, starts, ends []uint32, first int) Rows {
	out := Rows{Next: first}
	builders := make([]*column.Builder, len(d.cols))
	for i := range builders {
		builders[i] = column.NewBuilder(nil)
	}
	for out.Next < len(starts) && out.Rows < MaxRows {
		m := data[starts[out.Next]:ends[out.Next]]
		header, events, err := d.message(m)
		if err != nil {
			err.Message = out.Next
			out.Bad = append(out.Bad, *err)
		}
		for _, e := range events {
			for i, c := range d.cols {
				builders[i].Append(c.ofCSV(header, e))
			}
			out.Src = append(out.Src, int32(out.Next))
		}
		out.Rows += len(events)
		out.Next++
	}
	for _, b := range builders {
		out.Cols = append(out.Cols, b.Vector())
	}
	return out
}

// ofCSV is the value that a column has in an event.
func (c *Column) ofCSV(header, fields []string) column.Value {
	if c.Whole {
		values := make([]column.Value, len(fields))
		for i, f := range fields {
			values[i] = column.TextOf(f)
		}
		return column.RecordOf(&column.RecordValue{Names: header, Values: values})
	}
	if len(c.Path) != 1 {
		return column.Value{}
	}
	found := -1
	for i, name := range header {
		if name == c.Path[0] {
			found = i
			break
		}
		if found < 0 && column.EqualNames(name, c.Path[0]) {
			found = i
		}
	}
	if found < 0 {
		return column.Value{}
	}
	return column.TextOf(fields[found])
}

// message reads one message.
func (d *CSVDecoder) message(m []byte) (header []string, events [][]string, bad *BadRecord) {
	fail := func(typ string, at int, format string, args ...any) *BadRecord {
		return &BadRecord{Type: typ, ByteOffset: at, Reason: fmt.Sprintf(format, args...), Excerpt: csvExcerpt(m, at)}
	}
	m = bytes.TrimPrefix(m, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(m) {
		return nil, nil, fail(InvalidData, 0, "the message is no UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(m))
	r.Comma, r.FieldsPerRecord = d.comma, -1
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fail(InvalidHeader, 0, "the header cannot be read: %v", csvReason(err))
	}
	seen := make(map[string]bool, len(header))
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		switch low := strings.ToLower(header[i]); {
		case low == "":
			return nil, nil, fail(InvalidHeader, 0, "column %d of the header has no name", i+1)
		case seen[low]:
			return nil, nil, fail(InvalidHeader, 0, "the header names %s twice", header[i])
		default:
			seen[low] = true
		}
	}
	for {
		at := int(r.InputOffset())
		e, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return header, events, nil
		case err != nil:
			return nil, nil, fail(InvalidData, at, "%v", csvReason(err))
		case len(e) < len(header):
			return nil, nil, fail(MissingColumns, at, "%d fields, the header has %d", len(e), len(header))
		case len(e) > len(header):
			return nil, nil, fail(InvalidData, at, "%d fields, the header has %d", len(e), len(header))
		}
		events = append(events, e)
	}
}

// csvReason is what is wrong, without the place, which is that of the message.
func csvReason(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func csvExcerpt(m []byte, at int) string {
	at = min(at, len(m))
	return strings.ToValidUTF8(string(m[at:min(at+80, len(m))]), "?")
}
