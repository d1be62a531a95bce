package monitor

import (
	"strings"
	"unicode"
)

// condition is a parsed $filter; nil matches everything.
type condition struct {
	op          string // and, or, eq, ne, startswith
	left, right *condition
	name, value string
}

// split is the dimensions compared with '*'.
func (c *condition) split() []string {
	if c == nil {
		return nil
	}
	if c.left != nil {
		return append(c.left.split(), c.right.split()...)
	}
	if c.op == "eq" && c.value == "*" {
		return []string{c.name}
	}
	return nil
}

func (c *condition) match(s *Series) bool {
	if c == nil {
		return true
	}
	switch c.op {
	case "and":
		return c.left.match(s) && c.right.match(s)
	case "or":
		return c.left.match(s) || c.right.match(s)
	}
	v, _ := s.Label(c.name)
	switch c.op {
	case "ne":
		return !strings.EqualFold(v, c.value)
	case "startswith":
		return len(v) >= len(c.value) && strings.EqualFold(v[:len(c.value)], c.value)
	}
	return c.value == "*" || strings.EqualFold(v, c.value)
}

// parseFilter reads: name eq 'value', name ne 'value', startswith(name,'p'), joined
// by and and or, in parentheses; ” is a quote.
func parseFilter(s string) (*condition, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	p := filterParser{words: filterWords(s)}
	c := p.or(0)
	if p.bad || p.at != len(p.words) {
		return nil, badRequest("$filter %q is not understood", s)
	}
	return c, nil
}

// filterWords splits s; a text keeps its first quote.
func filterWords(s string) []string {
	var out []string
	rs := []rune(s)
	for i := 0; i < len(rs); {
		switch c := rs[i]; {
		case unicode.IsSpace(c):
			i++
		case c == '\'':
			var b strings.Builder
			b.WriteByte('\'')
			for i++; i < len(rs); i++ {
				if rs[i] == '\'' {
					if i+1 == len(rs) || rs[i+1] != '\'' {
						break
					}
					i++
				}
				b.WriteRune(rs[i])
			}
			if i == len(rs) {
				return append(out, "'", "'") // not closed: no sentence of the grammar
			}
			i++
			out = append(out, b.String())
		case strings.ContainsRune("(),", c):
			out = append(out, string(c))
			i++
		default:
			from := i
			for i < len(rs) && !unicode.IsSpace(rs[i]) && !strings.ContainsRune("(),'", rs[i]) {
				i++
			}
			out = append(out, string(rs[from:i]))
		}
	}
	return out
}

type filterParser struct {
	words []string
	at    int
	bad   bool
}

// maxDepth bounds parentheses.
const maxDepth = 64

func (p *filterParser) accept(word string) bool {
	if p.at < len(p.words) && strings.EqualFold(p.words[p.at], word) {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) next() string {
	if p.at == len(p.words) {
		p.bad = true
		return ""
	}
	p.at++
	return p.words[p.at-1]
}

func (p *filterParser) text() string {
	w := p.next()
	if !strings.HasPrefix(w, "'") {
		p.bad = true
		return ""
	}
	return w[1:]
}

func (p *filterParser) or(depth int) *condition {
	c := p.and(depth)
	for !p.bad && p.accept("or") {
		c = &condition{op: "or", left: c, right: p.and(depth)}
	}
	return c
}

func (p *filterParser) and(depth int) *condition {
	c := p.one(depth)
	for !p.bad && p.accept("and") {
		c = &condition{op: "and", left: c, right: p.one(depth)}
	}
	return c
}

func (p *filterParser) one(depth int) *condition {
	if depth > maxDepth {
		p.bad = true
		return &condition{}
	}
	if p.accept("(") {
		c := p.or(depth + 1)
		p.bad = p.bad || !p.accept(")")
		return c
	}
	if p.accept("startswith") {
		p.bad = p.bad || !p.accept("(")
		c := &condition{op: "startswith", name: p.next()}
		p.bad = p.bad || !p.accept(",")
		c.value = p.text()
		p.bad = p.bad || !p.accept(")")
		return c
	}
	c := &condition{name: p.next(), op: strings.ToLower(p.next())}
	if c.op != "eq" && c.op != "ne" || strings.HasPrefix(c.name, "'") {
		p.bad = true
	}
	c.value = p.text()
	return c
}
