package notify

// appendCompact appends the JSON text src without the space between its tokens, as
// json.Compact does, which walks a state machine byte by byte. It is false, and what
// it has appended is of no use, if src is no JSON.
func appendCompact(dst, src []byte) ([]byte, bool) {
	c := compactor{src: src, dst: dst}
	c.space()
	if !c.value(0) {
		return c.dst, false
	}
	c.space()
	return append(c.dst, c.src[c.from:c.at]...), c.at == len(src)
}

// compactor is at src[at:]; what stands before src[from:] is in dst.
type compactor struct {
	src, dst []byte
	from, at int
}

// maxDepth is how deep containers may lie in each other, as in encoding/json.
const maxDepth = 10_000

// peek is the next byte; 0, which begins nothing, at the end.
func (c *compactor) peek() byte {
	if c.at < len(c.src) {
		return c.src[c.at]
	}
	return 0
}

func (c *compactor) space() {
	if c.peek() > ' ' {
		return
	}
	c.dst = append(c.dst, c.src[c.from:c.at]...)
	for b := c.peek(); b == ' ' || b == '\t' || b == '\n' || b == '\r'; b = c.peek() {
		c.at++
	}
	c.from = c.at
}

func (c *compactor) value(depth int) bool {
	switch b := c.peek(); b {
	case '"':
		return c.text()
	case '{', '[':
		return depth < maxDepth && c.container(b, depth+1)
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.number()
}

func (c *compactor) word(w string) bool {
	if len(c.src)-c.at < len(w) || string(c.src[c.at:c.at+len(w)]) != w {
		return false
	}
	c.at += len(w)
	return true
}

func (c *compactor) container(open byte, depth int) bool {
	end := open + 2 // of both kinds
	c.at++
	c.space()
	if c.peek() == end {
		c.at++
		return true
	}
	for {
		if open == '{' {
			if c.peek() != '"' || !c.text() {
				return false
			}
			if c.space(); c.peek() != ':' {
				return false
			}
			c.at++
			c.space()
		}
		if !c.value(depth) {
			return false
		}
		c.space()
		switch c.peek() {
		case end:
			c.at++
			return true
		case ',':
			c.at++
			c.space()
		default:
			return false
		}
	}
}

func (c *compactor) text() bool {
	for i := c.at + 1; i < len(c.src); i++ {
		switch b := c.src[i]; {
		case b == '"':
			c.at = i + 1
			return true
		case b < ' ':
			return false
		case b == '\\':
			if i++; i == len(c.src) {
				return false
			}
			switch c.src[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i == len(c.src) || !isHex(c.src[i]) {
						return false
					}
				}
			default:
				return false
			}
		}
	}
	return false
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

func (c *compactor) number() bool {
	if c.peek() == '-' {
		c.at++
	}
	if c.peek() == '0' {
		c.at++
	} else if !c.digits() {
		return false
	}
	if c.peek() == '.' {
		c.at++
		if !c.digits() {
			return false
		}
	}
	if b := c.peek(); b == 'e' || b == 'E' {
		c.at++
		if b := c.peek(); b == '+' || b == '-' {
			c.at++
		}
		return c.digits()
	}
	return true
}

// digits passes over one digit or more.
func (c *compactor) digits() bool {
	from := c.at
	for b := c.peek(); b >= '0' && b <= '9'; b = c.peek() {
		c.at++
	}
	return c.at > from
}
