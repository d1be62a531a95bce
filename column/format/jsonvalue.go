package format

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"spate/column"
)

// MaxDepth is the deepest nesting of records and arrays that an event may have.
const MaxDepth = 256

// syntaxError is why a message is no valid JSON, and where.
type syntaxError struct {
	at     int
	reason string
}

func (e *syntaxError) Error() string { return e.reason }

// parser is the general parser (layer 3): everything RFC 8259 allows, nothing
// else, with the limits of the ingress mapping. It reads data[pos:end].
type parser struct {
	data    []byte
	pos     int
	end     int
	scratch []byte
	mem     *arena // of texts and records; nil: each has memory of its own

	bigints, lower, times bool // as Options has them

	// Fields and elements of the records and arrays that are open.
	names  []string
	values []column.Value

	shapes [][]string        // by depth, the names of the last record there
	known  map[string]string // names met
}

// maxKnown bounds the names that a parser keeps to share.
const maxKnown = 1_024

// begin forgets what an error left open.
func (p *parser) begin() { p.names, p.values = p.names[:0], p.values[:0] }

// intern returns name as a string.
func (p *parser) intern(name []byte) string {
	if s, ok := p.known[string(name)]; ok {
		return s
	}
	s := string(name)
	if p.mem != nil && len(p.known) < maxKnown {
		if p.known == nil {
			p.known = make(map[string]string)
		}
		p.known[s] = s
	}
	return s
}

func (p *parser) fail(at int, format string, args ...any) *syntaxError {
	return &syntaxError{at: at, reason: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.pos < p.end {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < p.end {
		return p.data[p.pos]
	}
	return 0
}

// value parses one value at p.pos; depth is the nesting it stands in.
func (p *parser) value(depth int) (column.Value, *syntaxError) {
	if p.pos >= p.end {
		return column.Value{}, p.fail(p.pos, "unexpected end of JSON")
	}
	switch c := p.data[p.pos]; c {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case '"':
		b, err := p.text()
		if err != nil {
			return column.Value{}, err
		}
		if p.times {
			if t, ok := momentOf(b); ok {
				return column.TimeOf(t), nil
			}
		}
		return column.TextOf(p.mem.text(b)), nil
	case 't':
		return p.bit(true), p.word("true")
	case 'f':
		return p.bit(false), p.word("false")
	case 'n':
		return column.Value{}, p.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return p.number()
		}
		return column.Value{}, p.fail(p.pos, "unexpected character %q", c)
	}
}

// bit is a word of JSON as a value.
func (p *parser) bit(b bool) column.Value {
	switch {
	case !p.bigints:
		return column.BoolOf(b)
	case b:
		return column.IntOf(1)
	}
	return column.IntOf(0)
}

// momentOf reads a date with a time of day, yyyy-MM-ddThh:mm:ss, and what ISO 8601 lets
// stand behind it: digits of a second, and a distance to UTC.
func momentOf(b []byte) (column.Ticks, bool) {
	if len(b) < 19 || len(b) > 40 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	return column.ParseTicks(string(b))
}

func (p *parser) word(w string) *syntaxError {
	if p.end-p.pos < len(w) || string(p.data[p.pos:p.pos+len(w)]) != w {
		return p.fail(p.pos, "unknown word, want %s", w)
	}
	p.pos += len(w)
	return nil
}

// object parses a record. A key that comes again, equal to the letter, keeps its
// place and takes the last value.
func (p *parser) object(depth int) (column.Value, *syntaxError) {
	if depth > MaxDepth {
		return column.Value{}, p.fail(p.pos, "nested deeper than %d", MaxDepth)
	}
	p.pos++
	p.space()
	if p.peek() == '}' {
		p.pos++
		return column.RecordOf(&column.RecordValue{}), nil
	}
	for len(p.shapes) <= depth {
		p.shapes = append(p.shapes, nil)
	}
	last := p.shapes[depth]
	same := true // the names so far are those of last
	first, firstValue := len(p.names), len(p.values)
	var seen map[string]int // built when a record has many fields
	for {
		if p.peek() != '"' {
			return column.Value{}, p.fail(p.pos, "want a field name in quotes")
		}
		key, err := p.text()
		if err != nil {
			return column.Value{}, err
		}
		if p.lower {
			key = bytes.ToLower(key)
		}
		n, at := len(p.names)-first, -1
		var name string
		if same = same && n < len(last) && last[n] == string(key); same {
			name = last[n]
		} else {
			name = p.intern(key)
			if at, seen = p.fieldAt(first, name, seen); at < 0 && seen != nil {
				seen[name] = n
			}
		}
		switch {
		case at < 0:
			p.names = append(p.names, name)
		case p.lower:
			return column.Value{}, p.fail(p.pos, "two fields of one record are named %q, whatever the case", name)
		}
		p.space()
		if p.peek() != ':' {
			return column.Value{}, p.fail(p.pos, "want : behind the field name %q", name)
		}
		p.pos++
		p.space()
		v, err := p.value(depth)
		if err != nil {
			return column.Value{}, err
		}
		if at >= 0 {
			p.values[firstValue+at] = v
		} else {
			p.values = append(p.values, v)
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case '}':
			p.pos++
			if same = same && len(p.names)-first == len(last); !same {
				last = slices.Clip(slices.Clone(p.names[first:]))
				p.shapes[depth] = last
			}
			v := p.mem.record(last, p.values[firstValue:])
			p.names, p.values = p.names[:first], p.values[:firstValue]
			return v, nil
		default:
			return column.Value{}, p.fail(p.pos, "want , or } behind the value of %q", name)
		}
	}
}

// fieldAt returns where among the open record's names, which begin at first, name
// stands, -1 if it does not. seen is an index of them, which it makes when it pays.
func (p *parser) fieldAt(first int, name string, seen map[string]int) (int, map[string]int) {
	names := p.names[first:]
	if len(names) < 16 {
		return slices.Index(names, name), nil
	}
	if seen == nil {
		seen = make(map[string]int, 2*len(names))
		for i, n := range names {
			seen[n] = i
		}
	}
	if i, ok := seen[name]; ok {
		return i, seen
	}
	return -1, seen
}

func (p *parser) array(depth int) (column.Value, *syntaxError) {
	if depth > MaxDepth {
		return column.Value{}, p.fail(p.pos, "nested deeper than %d", MaxDepth)
	}
	p.pos++
	p.space()
	if p.peek() == ']' {
		p.pos++
		return column.ArrayOf([]column.Value{}), nil
	}
	first := len(p.values)
	for {
		v, err := p.value(depth)
		if err != nil {
			return column.Value{}, err
		}
		p.values = append(p.values, v)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case ']':
			p.pos++
			elems := p.mem.list(len(p.values) - first)
			copy(elems, p.values[first:])
			p.values = p.values[:first]
			return column.ArrayOf(elems), nil
		default:
			return column.Value{}, p.fail(p.pos, "want , or ] in an array")
		}
	}
}

// text parses a string; the result lies in the message or in scratch, has room
// for slack bytes behind it, and is valid until the next call.
func (p *parser) text() ([]byte, *syntaxError) {
	start := p.pos + 1
	if q, ok := endOfText(p.data, start, p.end); ok {
		p.pos = q + 1
		return p.data[start:q], nil
	}
	i, high := start, false
	for ; i < p.end; i++ {
		switch c := p.data[i]; {
		case c == '"':
			s := p.data[start:i]
			if high && !utf8.Valid(s) {
				return nil, p.fail(start, "text is not UTF-8")
			}
			p.pos = i + 1
			return s, nil
		case c == '\\':
			return p.escapedText(start, i)
		case c < 0x20:
			return nil, p.fail(i, "control character %#02x in a text", c)
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	return nil, p.fail(start-1, "text does not end")
}

// escapedText goes on at the first backslash, data[i].
func (p *parser) escapedText(start, i int) ([]byte, *syntaxError) {
	out := append(p.scratch[:0], p.data[start:i]...)
	for i < p.end {
		c := p.data[i]
		switch {
		case c == '"':
			out = slices.Grow(out, slack)
			p.scratch = out
			if !utf8.Valid(out) {
				return nil, p.fail(start, "text is not UTF-8")
			}
			p.pos = i + 1
			return out, nil
		case c < 0x20:
			return nil, p.fail(i, "control character %#02x in a text", c)
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= p.end {
			break
		}
		e := p.data[i+1]
		switch e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(p.data[:p.end], i+2)
			if !ok {
				return nil, p.fail(i, "bad escape in a text")
			}
			i += 6
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if i+1 < p.end && p.data[i] == '\\' && p.data[i+1] == 'u' {
					low, ok = hex4(p.data[:p.end], i+2)
				}
				if both := utf16.DecodeRune(r, low); ok && both != utf8.RuneError {
					r = both
					i += 6
				} else {
					r = utf8.RuneError // a lone surrogate
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		default:
			return nil, p.fail(i, "bad escape in a text")
		}
		i += 2
	}
	return nil, p.fail(start-1, "text does not end")
}

func hex4(b []byte, at int) (rune, bool) {
	if at+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
