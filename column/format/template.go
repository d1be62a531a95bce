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
	oftenMet        = 32 // sights in a trial that make a layout displace another
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
	hits  int    // lately, less its failures half way
}

// templates is the list of one decoder, more or less by use, and the trial that
// decides whether learning pays.
type templates struct {
	list    []*template
	met     sightings
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
	if l.tried++; l.tried == trialEvents {
		l.endTrial()
	}
	for i, t := range l.list {
		s := &t.steps[0]
		if (load64(data, at)^s.w0)&s.m0|(load64(data, at+8)^s.w1)&s.m1 != 0 {
			continue
		}
		next := d.match(t, data, at, end)
		if next == 0 {
			if len(d.whole) > 0 {
				continue
			}
			// The predictive layer costs no more than another attempt. What stands in
			// the way of layouts of the same beginning sinks.
			t.hits--
			if i+1 < len(l.list) && t.hits < l.list[i+1].hits {
				l.list[i+1], l.list[i] = t, l.list[i+1]
			}
			return 0
		}
		t.hits++
		if i > 0 && t.hits > l.list[i-1].hits {
			l.list[i-1], l.list[i] = t, l.list[i-1]
		}
		l.hit++
		d.rows++
		d.stats.Template++
		return next
	}
	return 0
}

func (l *templates) endTrial() {
	if 2*l.hit < l.tried {
		l.rest = restEvents
	}
	l.tried, l.hit = 0, 0
	l.met = sightings{}
	for _, t := range l.list {
		t.hits /= 2
	}
}

// sightings counts the layouts, by sign, that the predictive layer met in a trial.
type sightings [64]struct {
	sign  uint64
	count uint32
}

// worth reports whether the layout sign, which the predictive layer met, is to be
// learned: at its 2nd, 4th, 8th ... sight, later once there are enough templates.
func (l *templates) worth(sign uint64) bool {
	if l.rest > 0 {
		return false
	}
	e := &l.met[sign*mix>>58]
	if e.sign != sign {
		if e.count > 1 {
			e.count--
		} else {
			e.sign, e.count = sign, 1
		}
		return false
	}
	e.count++
	return e.count&(e.count-1) == 0 && (len(l.list) < maxTemplates || e.count >= oftenMet)
}

// admit puts t into the middle of the list, from where it has to rise or fall.
func (l *templates) admit(t *template) {
	if len(l.list) == maxTemplates {
		l.list = l.list[:maxTemplates-1]
	}
	at := len(l.list) / 2
	if at < len(l.list) {
		t.hits = l.list[at].hits
	}
	l.list = slices.Insert(l.list, at, t)
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
				d.bufs[c].put(row, d.arena.event(t.shape, d.vals))
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
				v = d.parser.bit(v.Bool())
				for _, c := range s.cols {
					d.bufs[c].putBit(row, v)
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

// putEscaped is the text value of step i of a template that holds a backslash.
func (d *Decoder) putEscaped(s *step, i int, data []byte, p, end int) (int, bool) {
	text, next, ok := d.escaped(data, p, end)
	if !ok {
		return 0, false
	}
	n := len(text) - slack
	for _, c := range s.cols {
		d.bufs[c].putText(d.rows, text, 0, n)
	}
	if len(d.whole) > 0 {
		d.vals[i] = column.TextOf(d.arena.text(text[:n]))
	}
	return next, true
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
