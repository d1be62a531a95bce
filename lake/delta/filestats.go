package delta

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// BoundKind is the form of a bound in the statistics of files.
type BoundKind uint8

// The forms of bounds.
const (
	NoBound      BoundKind = iota
	IntBound               // Byte to Long
	FloatBound             // Float, Double
	DecimalBound           // Text, as the log has it
	TextBound              // String: maybe cut, see Stats
	DateBound              // Int: days since 1970
	TimeBound              // Int: microseconds since 1970, cut to milliseconds by writers
)

// statColumnsOf says how the statistics of the columns are kept.
func statColumnsOf(columns []Column) []statColumn {
	out := make([]statColumn, len(columns))
	for i := range columns {
		c := &columns[i]
		k := statColumn{name: c.FileName()}
		switch c.Type {
		case Byte, Short, Integer, Long:
			k.kind = IntBound
		case Float:
			k.kind, k.bits = FloatBound, 32
		case Double:
			k.kind, k.bits = FloatBound, 64
		case Date:
			k.kind = DateBound
		case Timestamp:
			k.kind, k.zone = TimeBound, true
		case TimestampNTZ:
			k.kind = TimeBound
		case String:
			k.kind = TextBound
		default:
			if _, scale, ok := c.Type.DecimalParts(); ok {
				k.kind, k.scale = DecimalBound, scale
			}
		}
		out[i] = k
	}
	return out
}

// statScanner walks the JSON of statistics. There is one for every file of a table:
// the general decoder takes 20 times as long.
type statScanner struct {
	s  string
	i  int
	ok bool // nothing was malformed so far
}

func (s *statScanner) space() {
	for s.i < len(s.s) && (s.s[s.i] == ' ' || s.s[s.i] == '\n' || s.s[s.i] == '\t' || s.s[s.i] == '\r') {
		s.i++
	}
}

// is skips a character if it comes next.
func (s *statScanner) is(c byte) bool {
	s.space()
	if s.i < len(s.s) && s.s[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *statScanner) need(c byte) {
	if !s.is(c) {
		s.ok = false
	}
}

// text reads a text; the quote comes next.
func (s *statScanner) text() string {
	s.need('"')
	start, plain := s.i, true
	for s.ok && s.i < len(s.s) {
		switch c := s.s[s.i]; {
		case c == '"':
			s.i++
			if plain {
				return s.s[start : s.i-1]
			}
			var out string
			if json.Unmarshal([]byte(s.s[start-1:s.i]), &out) != nil {
				s.ok = false
			}
			return out
		case c == '\\':
			plain = false
			s.i++
		case c < ' ':
			s.ok = false
		}
		s.i++
	}
	s.ok = false
	return ""
}

// scalar reads what is no text, object or list.
func (s *statScanner) scalar() string {
	s.space()
	start := s.i
	for s.i < len(s.s) {
		switch s.s[s.i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r', '"', '{', '[':
			if s.i == start {
				s.ok = false
			}
			return s.s[start:s.i]
		}
		s.i++
	}
	s.ok = s.ok && s.i > start
	return s.s[start:s.i]
}

// skip passes over any value; it is an object or a list.
func (s *statScanner) skip(depth int) {
	s.space()
	if s.i >= len(s.s) || depth > 100 {
		s.ok = false
		return
	}
	switch s.s[s.i] {
	case '"':
		s.text()
	case '{':
		s.members(func(string) { s.skip(depth + 1) })
	case '[':
		s.i++
		if s.is(']') {
			return
		}
		for s.ok {
			s.skip(depth + 1)
			if !s.is(',') {
				break
			}
		}
		s.need(']')
	default:
		s.plain()
	}
}

// plain reads a number, true, false or null.
func (s *statScanner) plain() string {
	v := s.scalar()
	switch v {
	case "true", "false", "null":
	default:
		if _, err := strconv.ParseFloat(v, 64); err != nil && !strings.ContainsAny(v, "eE") || v == "" || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
			s.ok = false
		}
	}
	return v
}

// members calls f at the value of each member of an object.
func (s *statScanner) members(f func(name string)) {
	s.need('{')
	if s.is('}') {
		return
	}
	for s.ok {
		s.space()
		name := s.text()
		s.need(':')
		s.space()
		if !s.ok {
			return
		}
		f(name)
		if !s.is(',') {
			break
		}
	}
	s.need('}')
}

// stats puts statistics into the columns at the newest row. It returns false when
// these do not tell all of the text; what is malformed leaves nothing in them.
func (b *chunkBuilder) stats(text string) (whole bool) {
	row := b.c.n - 1
	s := &statScanner{s: text, ok: true}
	whole = true
	s.members(func(name string) {
		switch name {
		case "numRecords":
			v := s.plain()
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
				b.c.rows[row] = n
			} else if v != "null" {
				whole = false
			}
		case "tightBounds":
			switch v := s.plain(); v {
			case "true", "false":
				if b.c.tight == nil {
					b.c.tight = map[uint16]bool{}
				}
				b.c.tight[uint16(row)] = v == "true"
			case "null":
			default:
				whole = false
			}
		case "minValues", "maxValues", "nullCount":
			if s.i < len(s.s) && s.s[s.i] != '{' {
				whole = s.plain() == "null" && whole
				return
			}
			what := map[string]uint8{"minValues": hasMin, "maxValues": hasMax, "nullCount": hasNulls}[name]
			s.members(func(column string) { whole = b.member(s, row, column, what) && whole })
		default:
			whole = false
			s.skip(0)
		}
	})
	if s.space(); !s.ok || s.i != len(s.s) {
		b.forget(row)
		return false
	}
	return whole
}

// forget takes the statistics of a row back.
func (b *chunkBuilder) forget(row int) {
	b.c.rows[row] = -1
	delete(b.c.tight, uint16(row))
	for i := range b.c.columns {
		k := &b.c.columns[i]
		if row < len(k.has) {
			k.has[row] = 0
		}
		if row < len(k.nulls) {
			k.nulls[row] = 0
		}
	}
}

// member reads one bound or count of a column.
func (b *chunkBuilder) member(s *statScanner, row int, column string, what uint8) (whole bool) {
	i, ok := b.at[column]
	if s.i < len(s.s) && (s.s[s.i] == '{' || s.s[s.i] == '[') || !ok {
		if s.skip(0); ok {
			k := &b.c.columns[i]
			k.has = pad(k.has, row+1)
			k.has[row] |= hasOther
		}
		return false
	}
	k := &b.c.columns[i]
	if s.i < len(s.s) && s.s[s.i] == '"' {
		text := s.text()
		return s.ok && what != hasNulls && b.textBound(k, row, what, text)
	}
	v := s.plain()
	switch {
	case !s.ok:
		return false
	case v == "null":
		return true
	case what == hasNulls:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return false
		}
		b.setNulls(k, row, n)
		return true
	}
	switch k.kind {
	case IntBound:
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil {
			b.set(k, row, what, n)
		}
		return err == nil
	case FloatBound:
		// The value that this text was written for is the nearest of the column's type.
		f, err := strconv.ParseFloat(v, k.bits)
		if err == nil {
			b.set(k, row, what, int64(math.Float64bits(f)))
		}
		return err == nil
	case DecimalBound:
		b.set(k, row, what, b.textAt(v))
		return true
	}
	return false
}

func (b *chunkBuilder) textBound(k *chunkColumn, row int, what uint8, text string) bool {
	switch k.kind {
	case TextBound:
		b.set(k, row, what, b.textAt(text))
		return true
	case DecimalBound:
		b.set(k, row, what, b.textAt(text))
		return false // it is written as a number again
	case DateBound:
		t, err := time.Parse("2006-01-02", text)
		if err == nil {
			b.set(k, row, what, t.Unix()/86400)
		}
		return err == nil
	case TimeBound:
		t, ok := parseStatTime(text)
		if ok {
			b.set(k, row, what, t.UnixMicro())
		}
		return ok && t.Nanosecond()%1_000_000 == 0 && t.Year() > 0 && t.Year() < 10000
	case FloatBound:
		switch {
		case text == "Infinity" && what == hasMax, text == "Infinity" && what == hasMin:
			b.set(k, row, what, int64(math.Float64bits(math.Inf(1))))
			return true
		case text == "-Infinity":
			b.set(k, row, what, int64(math.Float64bits(math.Inf(-1))))
			return true
		}
	}
	return false
}

func parseStatTime(text string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (b *chunkBuilder) set(k *chunkColumn, row int, what uint8, v int64) {
	k.has = pad(k.has, row+1)
	k.has[row] |= what
	k.lo, k.hi = pad(k.lo, row+1), pad(k.hi, row+1)
	if what == hasMin {
		k.lo[row] = v
	} else {
		k.hi[row] = v
	}
}

func (b *chunkBuilder) setNulls(k *chunkColumn, row int, n int64) {
	k.has = pad(k.has, row+1)
	k.has[row] |= hasNulls
	if n != 0 || k.nulls != nil {
		k.nulls = pad(k.nulls, row+1)
		k.nulls[row] = n
	}
}

// textAt puts a text into the arena, once.
func (b *chunkBuilder) textAt(s string) int64 {
	if at, ok := b.texts[s]; ok {
		return at
	}
	at := int64(len(b.c.arena))
	b.c.arena = append(binary.AppendUvarint(b.c.arena, uint64(len(s))), s...)
	if len(b.texts) < 4*chunkRows { // a help, no more
		b.texts[strings.Clone(s)] = at
	}
	return at
}

// textOf puts a text of a column into the arena. Texts are looked for as long as the column
// has some that come again.
func (b *chunkBuilder) textOf(k *chunkColumn, s []byte) int64 {
	if k.looked > 64 && k.met*4 < k.looked {
		at := int64(len(b.c.arena))
		b.c.arena = append(binary.AppendUvarint(b.c.arena, uint64(len(s))), s...)
		return at
	}
	k.looked++
	if at, ok := b.texts[string(s)]; ok {
		k.met++
		return at
	}
	return b.textAt(string(s))
}

func (c *chunk) textOf(at int64) string {
	n, k := binary.Uvarint(c.arena[at:])
	from := int(at) + k
	return string(c.arena[from : from+int(n)])
}

// statsOf writes the statistics of a file, by its own text or from the columns: members
// are ordered by name.
func (c *chunk) statsOf(row int) string {
	if text, ok := c.raw[uint16(row)]; ok {
		return text
	}
	some := c.rows[row] >= 0
	for i := range c.columns {
		some = some || c.columns[i].has[row] != 0
	}
	if _, ok := c.tight[uint16(row)]; !some && !ok {
		return ""
	}
	b := append(make([]byte, 0, 512), '{')
	if c.rows[row] >= 0 {
		b = strconv.AppendInt(append(b, `"numRecords":`...), c.rows[row], 10)
	}
	for _, part := range [...]struct {
		name string
		what uint8
	}{{"minValues", hasMin}, {"maxValues", hasMax}, {"nullCount", hasNulls}} {
		start := len(b)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), part.name...), `":{`...)
		open := len(b)
		for i := range c.columns {
			k := &c.columns[i]
			if k.has[row]&part.what == 0 {
				continue
			}
			if len(b) > open {
				b = append(b, ',')
			}
			b = append(appendJSONText(b, k.name), ':')
			switch part.what {
			case hasMin:
				b = c.appendBound(b, k, k.low(row))
			case hasMax:
				b = c.appendBound(b, k, k.high(row))
			default:
				b = strconv.AppendInt(b, k.nullsOf(row), 10)
			}
		}
		if len(b) == open {
			b = b[:start]
			continue
		}
		b = append(b, '}')
	}
	if tight, ok := c.tight[uint16(row)]; ok {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendBool(append(b, `"tightBounds":`...), tight)
	}
	return string(append(b, '}'))
}

func (k *chunkColumn) nullsOf(row int) int64 {
	if k.nulls == nil {
		return 0
	}
	return k.nulls[row]
}

func (c *chunk) appendBound(b []byte, k *chunkColumn, v int64) []byte {
	switch k.kind {
	case IntBound:
		return strconv.AppendInt(b, v, 10)
	case FloatBound:
		t := Double
		if k.bits == 32 {
			t = Float
		}
		return append(b, floatText(math.Float64frombits(uint64(v)), t)...)
	case DecimalBound:
		return append(b, c.textOf(v)...)
	case TextBound:
		return appendJSONText(b, c.textOf(v))
	case DateBound:
		return append(time.Unix(v*86400, 0).UTC().AppendFormat(append(b, '"'), "2006-01-02"), '"')
	case TimeBound:
		layout := "2006-01-02T15:04:05.000"
		if k.zone {
			layout = "2006-01-02T15:04:05.000Z"
		}
		return append(time.UnixMicro(v).UTC().AppendFormat(append(b, '"'), layout), '"')
	}
	return append(b, "null"...)
}

func appendJSONText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return append(b, marshal(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
