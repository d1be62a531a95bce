package spate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"spate/column"
	"spate/connector/file"
)

// readCSV cuts a file with a header into messages: the header and one row each.
// A row that cannot be read is a message too, which the decoder will refuse.
func readCSV(r io.Reader, name string, comma byte) ([]file.Message, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	c := csvReader(raw, comma)
	if _, err := c.Read(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return []file.Message{{Body: raw, Line: 1}}, nil
	}
	header := raw[:c.InputOffset()]
	if !bytes.HasSuffix(header, []byte("\n")) {
		return nil, nil
	}
	var out []file.Message
	for {
		from := c.InputOffset()
		_, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		m := file.Message{Body: append(bytes.Clone(header), raw[from:c.InputOffset()]...)}
		var p *csv.ParseError
		if errors.As(err, &p) {
			m.Line = int64(p.StartLine)
		} else {
			line, _ := c.FieldPos(0)
			m.Line = int64(line)
		}
		out = append(out, m)
	}
}

func csvReader(raw []byte, comma byte) *csv.Reader {
	c := csv.NewReader(bytes.NewReader(raw))
	c.Comma, c.FieldsPerRecord, c.ReuseRecord = rune(comma), -1, true
	return c
}

// dropCSVField removes a column from a message.
func dropCSVField(body []byte, name string, comma byte) ([]byte, error) {
	c := csvReader(body, comma)
	c.ReuseRecord = false
	rows, err := c.ReadAll()
	if err != nil || len(rows) == 0 {
		return body, err
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = rune(comma)
	drop := -1
	for i, h := range rows[0] {
		if column.EqualNames(h, name) {
			drop = i
		}
	}
	for _, r := range rows {
		if drop >= 0 && drop < len(r) {
			r = append(r[:drop:drop], r[drop+1:]...)
		}
		if err := w.Write(r); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}
