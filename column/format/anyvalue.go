package format

// value decodes the value at data[p], which stands at nesting depth, into cols
// and returns the index behind it and its class; 0: bad, or not for the learned
// layers.
func (d *Decoder) value(cols []int, data []byte, p, end, depth int) (int, class) {
	if p >= end {
		return 0, anyValue
	}
	switch c := data[p]; {
	case c == '"':
		p++
		q, ok := endOfText(data, p, end)
		if !ok {
			text, next, ok := d.escaped(data, p, end)
			if !ok {
				return 0, textValue
			}
			for _, c := range cols {
				d.bufs[c].putText(d.rows, text, 0, len(text)-slack)
			}
			return next + 1, textValue
		}
		for _, c := range cols {
			d.bufs[c].putText(d.rows, data, p, q)
		}
		return q + 1, textValue
	case c == '-' || c-'0' <= 9:
		x, ok := parseNumber(data, p, end)
		if !ok {
			return 0, numberValue
		}
		for _, c := range cols {
			if x.whole {
				d.bufs[c].putInt(d.rows, x.int)
			} else {
				d.bufs[c].putFloat(d.rows, x.float)
			}
		}
		return x.next, numberValue
	case c == '{' || c == '[':
		return d.nested(cols, data, p, end, depth), anyValue
	}
	v, n := parseWord(data[p:end])
	if n == 0 {
		return 0, boolValue
	}
	if v.IsNull() {
		return p + n, anyValue
	}
	v = d.parser.bit(v.Bool())
	for _, c := range cols {
		d.bufs[c].putBit(d.rows, v)
	}
	return p + n, boolValue
}

// nested decodes the record or array at data[p] into cols; it is only checked if
// there are none.
func (d *Decoder) nested(cols []int, data []byte, p, end, depth int) int {
	g := &d.parser
	g.data, g.pos, g.end = data, p, end
	if len(cols) == 0 {
		if !g.skip(depth) {
			return 0
		}
		return g.pos
	}
	v, err := g.value(depth)
	if err != nil {
		return 0
	}
	for _, c := range cols {
		d.bufs[c].put(d.rows, v)
	}
	return g.pos
}

// escaped decodes the text that begins at data[p], behind its quote, and holds a
// backslash. The text has slack bytes behind it and is valid until the next call;
// next is the index of the quote that ends it.
func (d *Decoder) escaped(data []byte, p, end int) (text []byte, next int, ok bool) {
	g := &d.parser
	g.data, g.pos, g.end = data, p-1, end
	text, err := g.text()
	if err != nil {
		return nil, 0, false
	}
	return text[:len(text)+slack], g.pos - 1, true
}

// skip moves p.pos behind the record or array that stands there at nesting depth.
// It accepts what value accepts, and needs no stack and no memory.
func (p *parser) skip(depth int) bool {
	var record [MaxDepth + 1]bool // by level
	level := depth
	for {
		opened := false
		switch c := p.peek(); {
		case c == '{' || c == '[':
			if level++; level > MaxDepth {
				return false
			}
			record[level] = c == '{'
			p.pos++
			p.space()
			if p.peek() != c+2 { // not empty
				opened = true
			}
		case c == '"':
			if !p.skipText() {
				return false
			}
		case c == '-' || c-'0' <= 9:
			x, ok := parseNumber(p.data, p.pos, p.end)
			if !ok {
				return false
			}
			p.pos = x.next
		default:
			_, n := parseWord(p.data[p.pos:p.end])
			if n == 0 {
				return false
			}
			p.pos += n
		}
		for !opened {
			if level == depth {
				return true
			}
			p.space()
			switch c := p.peek(); {
			case c == ',':
				p.pos++
				p.space()
				opened = true
			case c == '}' && record[level] || c == ']' && !record[level]:
				p.pos++
				level--
			default:
				return false
			}
		}
		if record[level] && !p.skipName() {
			return false
		}
	}
}

func (p *parser) skipText() bool {
	q, ok := endOfText(p.data, p.pos+1, p.end)
	if !ok {
		_, err := p.text()
		return err == nil
	}
	p.pos = q + 1
	return true
}

// skipName moves p.pos behind a field name, its colon and white space.
func (p *parser) skipName() bool {
	if p.peek() != '"' || !p.skipText() {
		return false
	}
	p.space()
	if p.peek() != ':' {
		return false
	}
	p.pos++
	p.space()
	return true
}
