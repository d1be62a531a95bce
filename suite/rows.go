package suite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// rowSource gives expected rows one by one, and io.EOF behind the last.
type rowSource interface {
	next() (*row, error)
	close() error
}

// rowFile reads the objects of a file: on lines of their own, between commas, or in a list.
type rowFile struct {
	name  string
	file  io.Closer
	r     *bufio.Reader
	p     *rowParser
	line  int
	list  bool // the file is a list
	begun bool
}

// maxRow is how long one row may be.
const maxRow = 16 << 20

func openRows(name string, p *rowParser) (*rowFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &rowFile{name: name, file: f, r: bufio.NewReaderSize(f, 64<<10), p: p, line: 1}, nil
}

func rowsOf(name string, text []byte, p *rowParser) *rowFile {
	return &rowFile{name: name, file: io.NopCloser(nil), r: bufio.NewReader(bytes.NewReader(text)), p: p, line: 1}
}

func (f *rowFile) close() error { return f.file.Close() }

func (f *rowFile) next() (*row, error) {
	text, line, err := f.object()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("%s:%d: %w", f.name, line, err)
	}
	r, err := f.p.parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", f.name, line, err)
	}
	return r, nil
}

// object is the text of the next object without line ends outside of texts, and the line on
// which it begins.
func (f *rowFile) object() (text []byte, line int, err error) {
	depth, quoted, escaped := 0, false, false
	line = f.line
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) && depth > 0 {
				err = errors.New("the row has no end")
			}
			return nil, line, err
		}
		if c == '\n' {
			f.line++
		}
		if depth == 0 {
			switch c {
			case '{':
				depth, line, text = 1, f.line, append(text, c)
			case '[':
				f.list = f.list || !f.begun
			case ' ', '\t', '\r', '\n', ',', ']', 0xef, 0xbb, 0xbf: // a byte order mark too
				continue
			default:
				return nil, f.line, fmt.Errorf("want a row of JSON, got %q", c)
			}
			f.begun = true
			continue
		}
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '\n' || c == '\r':
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if text = append(text, c); len(text) > maxRow {
			return nil, line, fmt.Errorf("the row has more than %d bytes", maxRow)
		}
		if depth == 0 {
			return text, line, nil
		}
	}
}
