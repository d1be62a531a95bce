package format

import (
	"encoding/binary"
	"math/bits"
)

// Limits of the predictive layer.
const (
	maxKeys       = 255   // field names that a scope knows
	maxProbes     = 8     // of the index of names
	strangerLimit = 4_096 // unknown names after which a full scope begins anew
)

// predictive is the second layer: it takes events of any key order and white
// space, unknown and missing keys included, and gives up, having left nothing
// behind, where names are escaped or come twice.
type predictive struct {
	top    *scope
	serial uint64 // number of the event
	sign   uint64 // of the event's names and classes in their order
}

// scope is what is known of one record: the event itself, or a record inside
// which columns read.
type scope struct {
	fields    []field
	keys      []key       // keys[0] matches nothing
	index     [512]uint8  // key by hash of its text; 0 is free
	follow    [1024]uint8 // key that came last time behind the two before it
	strangers int
}

// field is what columns read under one name and its spellings in other case.
type field struct {
	name  string
	cols  []int  // that read its value
	sub   *scope // nil: no column reads inside it
	event uint64 // the last event that had it
}

// key is a field name as it stands in events.
type key struct {
	text   string
	a, b   uint64 // what it is found by: keyWords of text
	field  int    // -1 if no column reads it
	lit    string // text, quote and colon
	w0, w1 uint64 // the first 16 bytes of lit
	m0, m1 uint64 // which of them count
	n      int    // length of lit
}

// newScope returns the scope of the record that path names.
func newScope(cols []Column, path []string) *scope {
	s := &scope{}
	depth := len(path)
	for i, c := range cols {
		if len(c.Path) <= depth || !samePath(c.Path[:depth], path) {
			continue
		}
		name := c.Path[depth]
		f := s.fieldOf(name)
		if f < 0 {
			f = len(s.fields)
			s.fields = append(s.fields, field{name: name})
		}
		if len(c.Path) == depth+1 {
			s.fields[f].cols = append(s.fields[f].cols, i)
		} else if s.fields[f].sub == nil {
			s.fields[f].sub = newScope(cols, c.Path[:depth+1])
		}
	}
	s.forget()
	return s
}

func samePath(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] && !sameName(a[i], b[i]) {
			return false
		}
	}
	return true
}

// fieldOf returns the index of the field that name is read by, -1 if none.
func (s *scope) fieldOf(name string) int {
	for i := range s.fields {
		if sameName(s.fields[i].name, name) {
			return i
		}
	}
	return -1
}

// forget leaves the names that columns read by as the only ones known.
func (s *scope) forget() {
	s.keys = append(s.keys[:0], key{n: 1 << 40})
	clear(s.index[:])
	clear(s.follow[:])
	s.strangers = 0
	for i := range s.fields {
		s.admit(s.fields[i].name, i)
	}
}

// admit makes text a known key and returns its index, 0 if there is no room.
func (s *scope) admit(text string, field int) uint8 {
	if len(s.keys) > maxKeys {
		return 0
	}
	k := key{text: text, field: field, lit: text + `":`}
	b := append([]byte(k.lit), make([]byte, slack)...)
	k.a, k.b = keyWords(b, 0, len(text))
	k.w0, k.w1, k.n = load64(b, 0), load64(b, 8), len(k.lit)
	k.m0, k.m1 = lowBytes(k.n), lowBytes(k.n-8)
	h := keyHash(k.a, k.b, len(text))
	for i := range maxProbes {
		if at := (h + i) & (len(s.index) - 1); s.index[at] == 0 {
			s.index[at] = uint8(len(s.keys))
			s.keys = append(s.keys, k)
			return s.index[at]
		}
	}
	return 0
}

// keyWords reads the first 16 bytes of a name as two words, zero behind its end;
// the second holds the last 8 bytes of a longer one.
func keyWords(data []byte, from, to int) (a, b uint64) {
	if to-from > 16 {
		return load64(data, from), load64(data, to-8)
	}
	return words(data, from, to)
}

func keyHash(a, b uint64, n int) int {
	h := (a ^ bits.RotateLeft64(b, 29) ^ uint64(n)) * mix
	h = (h ^ h>>32) * mix
	return int(h >> 55)
}

// name reads the name that begins at data[p], behind its quote, and the colon.
// It returns the key's index, 0 if it is not known; the field that it names; and
// the index behind the colon, 0 for what this layer leaves alone.
func (s *scope) name(data []byte, p, end int) (i uint8, field, next int) {
	q := p
	for {
		if q >= end {
			return 0, 0, 0
		}
		w := load64(data, q) ^ lo*'"'
		if m := (w - lo) &^ w & hi; m != 0 {
			q += bits.TrailingZeros64(m) >> 3
			break
		}
		q += 8
	}
	if q >= end {
		return 0, 0, 0
	}
	next = q + 1
	if data[next] != ':' {
		if next = skipSpace(data, next, end); next >= end || data[next] != ':' {
			return 0, 0, 0
		}
	}
	next++
	a, b := keyWords(data, p, q)
	h := keyHash(a, b, q-p)
	for probe := range maxProbes {
		i = s.index[(h+probe)&(len(s.index)-1)]
		if i == 0 {
			break
		}
		if k := &s.keys[i]; k.a == a && k.b == b && len(k.text) == q-p && (q-p <= 16 || k.text == string(data[p:q])) {
			return i, k.field, next
		}
	}
	return s.stranger(data, p, q, next)
}

// stranger handles the name data[p:q], which is not known: it may hold anything.
func (s *scope) stranger(data []byte, p, q, next int) (uint8, int, int) {
	if e, ok := endOfText(data, p, q+1); !ok || e != q {
		return 0, 0, 0
	}
	if len(s.keys) > maxKeys {
		if s.strangers++; s.strangers >= strangerLimit {
			s.forget()
		}
	}
	field := -1
	for i := range s.fields {
		if n := s.fields[i].name; len(n) == q-p && sameName(n, string(data[p:q])) {
			field = i
		}
	}
	if len(s.keys) > maxKeys {
		return 0, field, next
	}
	return s.admit(string(data[p:q]), field), field, next
}

func skipSpace(data []byte, p, end int) int {
	for p < end && (data[p] == ' ' || data[p] == '\n' || data[p] == '\r' || data[p] == '\t') {
		p++
	}
	return p
}

// predict decodes the event that begins at data[at] into the next row and returns
// the index behind it; 0, having written nothing, if it is not for this layer.
func (d *Decoder) predict(data []byte, at, end int) int {
	l := &d.predicted
	if l.top == nil {
		l.top = newScope(d.cols, nil)
	}
	l.serial++
	l.sign = 0
	next := d.predictRecord(l.top, data, at, end, 1)
	if next == 0 {
		return d.miss(d.rows)
	}
	d.rows++
	d.stats.Predictive++
	return next
}

// predictRecord decodes the record that begins at data[p] and returns the index
// behind it, 0 if it is not for this layer.
func (d *Decoder) predictRecord(s *scope, data []byte, p, end, depth int) int {
	l := &d.predicted
	if p = skipSpace(data, p+1, end); p >= end || depth > MaxDepth {
		return 0
	}
	if data[p] != '"' {
		if data[p] != '}' {
			return 0
		}
		return p + 1
	}
	p++
	last, before := 0, 0
	for {
		guess := &s.follow[(last+before<<5)&(len(s.follow)-1)]
		i, f := *guess, 0
		k := &s.keys[i]
		if n := k.n; p+n <= end && (load64(data, p)^k.w0)&k.m0|(load64(data, p+8)^k.w1)&k.m1 == 0 &&
			(n <= 16 || string(data[p+16:p+n]) == k.lit[16:]) {
			p += n
			f = k.field
		} else {
			if i, f, p = s.name(data, p, end); p == 0 {
				return 0
			}
			if i != 0 {
				*guess = i
			}
		}
		last, before = int(i), last
		if data[p] == ' ' {
			p++
		}
		if data[p] <= ' ' {
			p = skipSpace(data, p, end)
		}
		var c class
		if f < 0 {
			p, c = d.value(nil, data, p, end, depth)
		} else {
			r := &s.fields[f]
			if r.event == l.serial {
				return 0 // which of the two counts is not for this layer
			}
			r.event = l.serial
			if r.sub == nil || p >= end || data[p] != '{' {
				p, c = d.value(r.cols, data, p, end, depth)
			} else if len(r.cols) == 0 {
				p = d.predictRecord(r.sub, data, p, end, depth+1)
			} else {
				return 0 // read both whole and in part
			}
		}
		if p == 0 {
			return 0
		}
		l.sign = (l.sign ^ uint64(i)<<2 ^ uint64(c)) * mix
		w := binary.LittleEndian.Uint32(data[p : p+4])
		switch {
		case w&0xFFFFFF == ','|' '<<8|'"'<<16:
			p += 3
		case w&0xFFFF == ','|'"'<<8:
			p += 2
		default:
			if p = skipSpace(data, p, end); p >= end {
				return 0
			}
			if data[p] == '}' {
				return p + 1
			}
			if data[p] != ',' {
				return 0
			}
			if p = skipSpace(data, p+1, end); p >= end || data[p] != '"' {
				return 0
			}
			p++
		}
	}
}
