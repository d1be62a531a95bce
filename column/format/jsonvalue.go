package format

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
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
		return column.TextOf(string(b)), nil
	case 't':
		return column.BoolOf(true), p.word("true")
	case 'f':
		return column.BoolOf(false), p.word("false")
	case 'n':
		return column.Value{}, p.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return p.number()
		}
		return column.Value{}, p.fail(p.pos, "unexpected character %q", c)
	}
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
	r := &column.RecordValue{}
	p.space()
	if p.peek() == '}' {
		p.pos++
		return column.RecordOf(r), nil
	}
	var seen map[string]int // built when a record has many fields
	for {
		if p.peek() != '"' {
			return column.Value{}, p.fail(p.pos, "want a field name in quotes")
		}
		key, err := p.text()
		if err != nil {
			return column.Value{}, err
		}
		name := string(key)
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
		at := -1
		if seen == nil && len(r.Names) >= 16 {
			seen = make(map[string]int, 32)
			for i, n := range r.Names {
				seen[n] = i
			}
		}
		if seen != nil {
			if i, ok := seen[name]; ok {
				at = i
			}
		} else {
			for i, n := range r.Names {
				if n == name {
					at = i
				}
			}
		}
		if at >= 0 {
			r.Values[at] = v
		} else {
			if seen != nil {
				seen[name] = len(r.Names)
			}
			r.Names = append(r.Names, name)
			r.Values = append(r.Values, v)
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case '}':
			p.pos++
			return column.RecordOf(r), nil
		default:
			return column.Value{}, p.fail(p.pos, "want , or } behind the value of %q", name)
		}
	}
}

func (p *parser) array(depth int) (column.Value, *syntaxError) {
	if depth > MaxDepth {
		return column.Value{}, p.fail(p.pos, "nested deeper than %d", MaxDepth)
	}
	p.pos++
	p.space()
	elems := []column.Value{}
	if p.peek() == ']' {
		p.pos++
		return column.ArrayOf(elems), nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return column.Value{}, err
		}
		elems = append(elems, v)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case ']':
			p.pos++
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

// number parses by grammar and strconv: the long way.
func (p *parser) number() (column.Value, *syntaxError) {
	next, whole, ok := scanNumber(p.data[:p.end], p.pos)
	if !ok {
		return column.Value{}, p.fail(p.pos, "bad number")
	}
	lit := p.data[p.pos:next]
	if whole {
		i, err := strconv.ParseInt(string(lit), 10, 64)
		if err != nil {
			return column.Value{}, p.fail(p.pos, "integer %s does not fit bigint", shorten(lit, 40))
		}
		p.pos = next
		return column.IntOf(i), nil
	}
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil || math.IsInf(f, 0) {
		return column.Value{}, p.fail(p.pos, "number %s does not fit float", shorten(lit, 40))
	}
	p.pos = next
	return column.FloatOf(f), nil
}

// scanNumber finds the end of the number that begins at b[at].
func scanNumber(b []byte, at int) (next int, whole, ok bool) {
	i := at
	if i < len(b) && b[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, false, false
	}
	whole = true
	if i < len(b) && b[i] == '.' {
		whole = false
		i++
		if !digits() {
			return 0, false, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		whole = false
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, false, false
		}
	}
	return i, whole, true
}

func shorten(b []byte, n int) []byte {
	if len(b) > n {
		return b[:n]
	}
	return b
}

func load64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at : at+8]) }
