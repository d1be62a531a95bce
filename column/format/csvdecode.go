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
// Source: stream-analytics.md 1.4 and 2.1.
type CSVDecoder struct {
	// NoHeader: messages have no header, and their columns are column1, column2, ...
	NoHeader bool
	// LowerNames puts the names of columns into lower case.
	LowerNames bool

	cols  []Column
	comma rune

	shape  csvShape
	fields []string // scratch
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
		if fields, ok := d.fast(m); ok {
			d.appendFields(&out, builders, fields)
			out.Next++
			continue
		}
		header, events, err := d.message(m)
		if err != nil {
			err.Message = out.Next
			out.Bad = append(out.Bad, *err)
		} else if len(header) > 0 {
			d.remember(m, header)
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
	if i := columnOf(header, c.Path[0]); i >= 0 {
		return column.TextOf(fields[i])
	}
	return column.Value{}
}

// columnOf finds a column of the header: by exact spelling first, then ignoring case;
// -1 if there is none.
func columnOf(header []string, name string) int {
	found := -1
	for i, h := range header {
		if h == name {
			return i
		}
		if found < 0 && column.EqualNames(h, name) {
			found = i
		}
	}
	return found
}

// numbered are the names of the columns of CSV without a header.
func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("column%d", i+1)
	}
	return names
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
	case err != nil && d.NoHeader:
		return nil, nil, fail(InvalidData, 0, "%v", csvReason(err))
	case err != nil:
		return nil, nil, fail(InvalidHeader, 0, "the header cannot be read: %v", csvReason(err))
	}
	top := "header"
	if d.NoHeader {
		top = "first line"
		events = append(events, header)
		header = numbered(len(header))
	}
	seen := make(map[string]bool, len(header))
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		low := strings.ToLower(header[i])
		if d.LowerNames {
			header[i] = low
		}
		switch {
		case low == "":
			return nil, nil, fail(InvalidHeader, 0, "column %d of the header has no name", i+1)
		case seen[low]:
			return nil, nil, fail(InvalidHeader, 0, "the header names %s twice", header[i])
		default:
			seen[low] = true
		}
	}
	for i := range d.cols {
		if c := &d.cols[i]; c.Required && columnOf(header, c.Path[0]) < 0 {
			return nil, nil, fail(MissingColumns, 0, "there is no column %s", c.Path[0])
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
			return nil, nil, fail(MissingColumns, at, "%d fields, the %s has %d", len(e), top, len(header))
		case len(e) > len(header):
			return nil, nil, fail(InvalidData, at, "%d fields, the %s has %d", len(e), top, len(header))
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
