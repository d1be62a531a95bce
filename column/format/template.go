package format

import (
	"hash/maphash"
	"slices"

	"spate/column"
)

// Limits of the learned layer. Source: engine.md 4.5.
const (
	maxTemplates    = 8
	maxSteps        = 256
	maxLiteral      = 4 << 10
	trialEvents     = 4_096
	restEvents      = 65_536
	maxLearnPending = 16
	maxBegun        = 2
)

// class is what a step of a template accepts as value.
type class uint8

const (
	anyValue class = iota
	textValue
	numberValue
	boolValue
)

// step is the bytes between the previous value and this one, then a value. A
// text's quotes belong to the literals around it.
type step struct {
	lit        string
	w0, w1, w2 uint64 // the first 24 bytes of lit
	m0, m1, m2 uint64 // which of them count
	class      class
	cols       []int // destinations; none: the value is checked and skipped
	depth      int   // nesting the value stands in
}

// template is a layout that an event had which the general parser accepted.
// Exchanging a value of a valid document for another valid one of its class gives
// a valid document, so a match proves that the whole event is well-formed.
type template struct {
	steps []step // the last one is the tail: no value
	sign  uint64
	shape *shape // of the event as a record
}

// templates is the most-recently-used list of one decoder, and the trial that
// decides whether learning pays.
type templates struct {
	list    []*template
	pending [maxLearnPending]uint64 // signs of layouts seen once
	nextPen int
	seed    maphash.Seed
	seeded  bool

	tried, hit, rest int
}

// template decodes the event that begins at data[at] by a learned layout and
// returns the index behind it; 0, having written nothing, if none fits.
func (d *Decoder) template(data []byte, at, end int) int {
	l := &d.learned
	if l.rest > 0 {
		l.rest--
		return 0
	}
	if len(l.list) == 0 {
		return 0
	}
	if l.tried++; l.tried == trialEvents {
		if 2*l.hit < l.tried {
			l.rest = restEvents
		}
		l.tried, l.hit = 0, 0
	}
	begun := 0 // layouts that fitted at first
	for i, t := range l.list {
		s := &t.steps[0]
		if (load64(data, at)^s.w0)&s.m0|(load64(data, at+8)^s.w1)&s.m1 != 0 {
			continue
		}
		next := d.match(t, data, at, end)
		if next == 0 {
			if begun++; begun >= maxBegun && len(d.whole) == 0 {
				return 0 // the predictive layer costs less than another attempt
			}
			continue
		}
		if i > 0 {
			copy(l.list[1:i+1], l.list[:i])
			l.list[0] = t
		}
		l.hit++
		d.rows++
		d.stats.Template++
		return next
	}
	return 0
}

// match returns the index behind the event, 0 if t does not fit.
func (d *Decoder) match(t *template, data []byte, p, end int) int {
	row := d.rows
	whole := len(d.whole) > 0
	if whole && len(d.vals) < len(t.steps) {
		d.vals = make([]column.Value, len(t.steps))
	}
	for i := range t.steps {
		s := &t.steps[i]
		n := len(s.lit)
		if p+n > end || (load64(data, p)^s.w0)&s.m0|(load64(data, p+8)^s.w1)&s.m1 != 0 ||
			n > 16 && ((load64(data, p+16)^s.w2)&s.m2 != 0 || n > 24 && string(data[p+24:p+n]) != s.lit[24:]) {
			return d.miss(row)
		}
		p += n
		if i == len(t.steps)-1 {
			for _, c := range d.whole {
				d.bufs[c].put(row, d.arena.record(t.shape, d.vals))
			}
			return p
		}
		switch s.class {
		case textValue:
			q, ok := endOfText(data, p, end)
			if !ok {
				if q, ok = d.putEscaped(s, i, data, p, end); !ok {
					return d.miss(row)
				}
				p = q
				continue
			}
			for _, c := range s.cols {
				d.bufs[c].putText(row, data, p, q)
			}
			if whole {
				d.vals[i] = column.TextOf(d.arena.text(data[p:q]))
			}
			p = q
		case numberValue:
			x, ok := parseNumber(data, p, end)
			if !ok {
				if end-p < 4 || string(data[p:p+4]) != "null" {
					return d.miss(row)
				}
				p += 4
				if whole {
					d.vals[i] = column.Value{}
				}
				continue
			}
			if whole {
				d.vals[i] = x.value()
			}
			for _, c := range s.cols {
				if x.whole {
					d.bufs[c].putInt(row, x.int)
				} else {
					d.bufs[c].putFloat(row, x.float)
				}
			}
			p = x.next
		case boolValue:
			v, n := parseWord(data[p:end])
			if n == 0 {
				return d.miss(row)
			}
			if !v.IsNull() {
				for _, c := range s.cols {
					d.bufs[c].putBool(row, v.Bool())
				}
			}
			if whole {
				d.vals[i] = v
			}
			p += n
		default:
			q, ok := d.rawValue(s, i, row, data, p, end)
			if !ok {
				return d.miss(row)
			}
			p = q
		}
	}
	return d.miss(row)
}

// miss takes back what a template wrote before it failed.
func (d *Decoder) miss(row int) int {
	for i := range d.bufs {
		d.bufs[i].truncate(row)
	}
	return 0
}

// parseWord reads true, false or null and returns its length, 0 if b begins otherwise.
func parseWord(b []byte) (column.Value, int) {
	switch {
	case len(b) >= 4 && string(b[:4]) == "true":
		return column.BoolOf(true), 4
	case len(b) >= 5 && string(b[:5]) == "false":
		return column.BoolOf(false), 5
	case len(b) >= 4 && string(b[:4]) == "null":
		return column.Value{}, 4
	}
	return column.Value{}, 0
}

// rawValue takes any value at all as that of step i.
func (d *Decoder) rawValue(s *step, i, row int, data []byte, p, end int) (int, bool) {
	if len(d.whole) == 0 {
		next, _ := d.value(s.cols, data, p, end, s.depth)
		return next, next != 0
	}
	g := &d.parser
	g.data, g.pos, g.end = data, p, end
	v, err := g.value(s.depth)
	if err != nil {
		return 0, false
	}
	d.vals[i] = v
	if !v.IsNull() {
		for _, c := range s.cols {
			d.bufs[c].put(row, v)
		}
	}
	return g.pos, true
}

// learn takes the layout of the event data[at:end], which another layer accepted.
// It is used at once if it is known to come again, else from the second event of
// that layout on.
func (l *templates) learn(d *Decoder, data []byte, at, end int, again bool) {
	if l.rest > 0 {
		return
	}
	if !l.seeded {
		l.seed, l.seeded = maphash.MakeSeed(), true
	}
	w := learner{d: d, p: parser{data: data, pos: at, end: end}, lit: at}
	form := w.object(nil, 1)
	if form == nil || len(w.steps) >= maxSteps {
		return
	}
	w.add(anyValue, nil, 0) // the tail
	total := 0
	var h maphash.Hash
	h.SetSeed(l.seed)
	for i := range w.steps {
		s := &w.steps[i]
		total += len(s.lit)
		h.WriteString(s.lit)
		h.WriteByte(byte(s.class))
		var b [24]byte
		copy(b[:], s.lit)
		s.w0, s.w1, s.w2 = load64(b[:], 0), load64(b[:], 8), load64(b[:], 16)
		s.m0, s.m1, s.m2 = lowBytes(len(s.lit)), lowBytes(len(s.lit)-8), lowBytes(len(s.lit)-16)
	}
	if total > maxLiteral {
		return
	}
	sign := h.Sum64()
	for _, t := range l.list {
		if t.sign == sign {
			return
		}
	}
	if again || slices.Contains(l.pending[:], sign) {
		t := &template{steps: w.steps, sign: sign, shape: form}
		l.list = append([]*template{t}, l.list[:min(len(l.list), maxTemplates-1)]...)
		return
	}
	l.pending[l.nextPen] = sign
	l.nextPen = (l.nextPen + 1) % maxLearnPending
}

// lowBytes is the mask of the n low bytes of a word.
func lowBytes(n int) uint64 {
	switch {
	case n <= 0:
		return 0
	case n >= 8:
		return ^uint64(0)
	}
	return 1<<(8*uint(n)) - 1
}

// learner walks a valid event and writes down its layout.
type learner struct {
	d     *Decoder
	p     parser
	lit   int // where the next literal begins
	steps []step
}

func (w *learner) add(c class, cols []int, depth int) {
	w.steps = append(w.steps, step{lit: string(w.p.data[w.lit:w.p.pos]), class: c, cols: cols, depth: depth})
}

// object walks the record at p.pos, reached by path. It returns nil for what is
// not learned: keys equal ignoring case, a record read both whole and in part.
func (w *learner) object(path []string, depth int) *shape {
	p := &w.p
	form := &shape{}
	p.pos++
	p.space()
	if p.peek() == '}' {
		p.pos++
		return form
	}
	for {
		text, err := p.text()
		if err != nil {
			return nil
		}
		key := string(text)
		for _, k := range form.names {
			if sameName(k, key) {
				return nil
			}
		}
		form.names = append(form.names, key)
		p.space()
		p.pos++ // colon
		p.space()
		if len(w.steps) >= maxSteps {
			return nil
		}
		k, ok := w.field(append(path[:len(path):len(path)], key), depth)
		if !ok {
			return nil
		}
		form.kids = append(form.kids, k)
		p.space()
		more := p.peek() == ','
		p.pos++
		if !more {
			return form
		}
		p.space()
	}
}

func (w *learner) field(path []string, depth int) (kid, bool) {
	cols, inside := w.d.readers(path)
	p := &w.p
	k := kid{step: len(w.steps)}
	switch c := p.peek(); {
	case c == '{' && len(cols) == 0:
		k.sub = w.object(path, depth+1)
		return k, k.sub != nil
	case c == '"':
		p.pos++
		w.add(textValue, cols, depth)
		p.pos--
		if _, err := p.text(); err != nil {
			return k, false
		}
		w.lit = p.pos - 1
		return k, true
	case c == 't' || c == 'f':
		w.add(boolValue, cols, depth)
	case c == '-' || c >= '0' && c <= '9':
		w.add(numberValue, cols, depth)
	default:
		// A record may stand here in a later event: not learned if a column reads inside it.
		if inside {
			return k, false
		}
		w.add(anyValue, cols, depth)
	}
	if _, err := p.value(depth); err != nil {
		return k, false
	}
	w.lit = p.pos
	return k, true
}

// readers returns the columns that read the field at path, and whether some
// column reads a field inside it.
func (d *Decoder) readers(path []string) (cols []int, inside bool) {
	for i := range d.cols {
		want := d.cols[i].Path
		if len(want) < len(path) {
			continue
		}
		if !samePath(want[:len(path)], path) {
			continue
		}
		if len(want) == len(path) {
			cols = append(cols, i)
		} else {
			inside = true
		}
	}
	return cols, inside
}
