package file

import (
	"bytes"
	"strconv"
	"strings"
)

// lineCutter cuts lines.
type lineCutter struct {
	line int64
	seen int // bytes without an end of line
}

func (*lineCutter) prefix() []byte { return nil }

func (c *lineCutter) cut(b []byte, last bool) (m message, next int, ok bool) {
	i := bytes.IndexByte(b[c.seen:], '\n')
	if i < 0 && !last {
		c.seen = len(b)
		return m, 0, false
	}
	to := len(b)
	next = to
	if i >= 0 {
		to = c.seen + i
		next = to + 1
	}
	c.seen = 0
	c.line++
	from := 0
	for from < to && (b[from] == ' ' || b[from] == '\t' || b[from] == '\r') {
		from++
	}
	if from < to && b[to-1] == '\r' {
		to--
	}
	return message{from, to, c.line}, next, true
}

// jsonCutter cuts a file of one array, or of values one after the other. What is no
// JSON is cut at ends of lines and left to the decoder, which refuses it.
type jsonCutter struct {
	event int64
	array bool // inside the array that the file is
	begun bool

	// Of the value that is being cut; at is how far it has been looked at.
	at             int
	depth          int
	text, escaped  bool
	value, bracket bool // there is one; it is an object or array
}

func (*jsonCutter) prefix() []byte { return nil }

func (c *jsonCutter) cut(b []byte, last bool) (m message, next int, ok bool) {
	if !c.value {
		i := 0
		for ; i < len(b); i++ {
			switch x := b[i]; {
			case x == ' ' || x == '\t' || x == '\r' || x == '\n', c.array && x == ',':
				continue
			case !c.begun && x == '[':
				c.begun, c.array = true, true
				continue
			case c.array && x == ']':
				c.array = false
				continue
			}
			break
		}
		if i > 0 {
			return message{n: c.event}, i, true
		}
		c.begun, c.value, c.at, c.depth, c.bracket = true, true, 0, 0, b[0] == '{' || b[0] == '['
	}
	for ; c.at < len(b); c.at++ {
		x := b[c.at]
		switch {
		case c.escaped:
			c.escaped = false
		case c.text:
			c.escaped, c.text = x == '\\', x != '"'
		case x == '"':
			c.text = true
		case x == '{' || x == '[':
			c.depth++
		case x == '}' || x == ']':
			if c.depth--; c.depth == 0 && c.bracket {
				return c.end(c.at+1, c.at+1)
			}
			if c.depth < 0 { // behind a value of an array that is no object
				return c.end(c.at, c.at)
			}
		case c.depth > 0:
		case x == '\n' || c.array && x == ',':
			return c.end(c.at, c.at)
		}
	}
	if last {
		return c.end(len(b), len(b))
	}
	return m, 0, false
}

func (c *jsonCutter) end(to, next int) (message, int, bool) {
	c.event++
	c.value, c.text, c.escaped = false, false, false
	if next == 0 { // a bracket too many is an event of its own
		to, next = 1, 1
	}
	return message{0, to, c.event}, next, true
}

// csvCutter cuts rows, which may hold ends of lines in quotes. Each message begins with
// the header.
type csvCutter struct {
	delimiter byte
	noHeader  bool
	names     []string
	header    []byte // with its end of line; nil: not read yet
	line      int64  // lines before the row

	at     int // how far the row has been looked at
	lines  int64
	quoted bool // inside quotes
	inside bool // the field has begun
}

func (c *csvCutter) prefix() []byte { return c.header }

func (c *csvCutter) cut(b []byte, last bool) (m message, next int, ok bool) {
	for ; c.at < len(b); c.at++ {
		x := b[c.at]
		switch {
		case c.quoted && x == '"':
			if c.at+1 == len(b) && !last {
				return m, 0, false // whether it is doubled is not known
			}
			if c.at+1 < len(b) && b[c.at+1] == '"' {
				c.at++
			} else {
				c.quoted = false
			}
		case x == '\n':
			c.lines++
			if !c.quoted {
				return c.row(b, c.at, c.at+1)
			}
		case c.quoted:
		case x == c.delimiter:
			c.inside = false
		case x == '"' && !c.inside:
			c.quoted, c.inside = true, true
		default:
			c.inside = true
		}
	}
	if !last {
		return m, 0, false
	}
	c.lines++
	return c.row(b, len(b), len(b))
}

func (c *csvCutter) row(b []byte, to, next int) (message, int, bool) {
	first := c.line + 1
	c.line += c.lines
	c.at, c.lines, c.quoted, c.inside = 0, 0, false, false
	if to > 0 && b[to-1] == '\r' {
		to--
	}
	switch {
	case to == 0:
	case c.header == nil && c.noHeader:
		c.header = headerFor(b[:to], c.delimiter, c.names)
	case c.header == nil:
		c.header = append(bytes.Clone(b[:to]), '\n')
		to = 0
	}
	return message{0, to, first}, next, true
}

// headerFor names the columns of a row.
func headerFor(row []byte, delimiter byte, names []string) []byte {
	fields, quoted := 1, false
	for _, x := range row {
		switch {
		case x == '"':
			quoted = !quoted
		case x == delimiter && !quoted:
			fields++
		}
	}
	var out []byte
	for i := range fields {
		if i > 0 {
			out = append(out, delimiter)
		}
		name := "column" + strconv.Itoa(i+1)
		if i < len(names) {
			name = names[i]
		}
		out = append(out, '"')
		out = append(out, strings.ReplaceAll(name, `"`, `""`)...)
		out = append(out, '"')
	}
	return append(out, '\n')
}
