package format

import (
	"hash/maphash"
	"slices"
)

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
		l.admit(&template{steps: w.steps, sign: sign, shape: form})
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
			form.names = slices.Clip(form.names)
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
