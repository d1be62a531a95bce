package regex

import (
	"errors"
	"fmt"
	"strconv"
	"unicode"
)

type kind uint8

// Kinds of nodes.
const (
	literal kind = iota
	class
	sequence
	choice
	repeat
	group // a capture
	reference
	assertion
	lookAround
)

// node is a part of a pattern.
type node struct {
	kind     kind
	subs     []*node
	r        rune // literal, in lower case if fold
	set      *set
	fold     bool
	min, max int // repeat; max < 0: any number
	lazy     bool
	number   int // group, reference
	op       op  // assertion
	behind   bool
	not      bool
	atomic   bool // lookAround that keeps what it matched
}

// options are those that (?ims) changes.
type options struct{ fold, multiline, dotAll bool }

type parser struct {
	src    []rune
	at     int
	depth  int
	opened int // groups so far
	groups int // in all
	names  map[string]int
	refers bool
	options
}

func newParser(src []rune) *parser {
	p := &parser{src: src, names: map[string]int{}, options: options{fold: true}}
	p.countGroups()
	return p
}

// countGroups numbers the groups, so that a reference may stand before its group.
func (p *parser) countGroups() {
	inClass := false
	for i := 0; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
			if i+1 < len(p.src) && p.src[i+1] == '^' {
				i++
			}
		case c == '(' && (i+1 >= len(p.src) || p.src[i+1] != '?'):
			p.groups++
		case c == '(':
			if name := groupName(p.src[i:]); name != "" {
				p.groups++
				p.names[name] = p.groups
			}
		}
	}
}

// groupName is the name of a group that src begins with, (?<name>; empty if it is none.
func groupName(src []rune) string {
	if len(src) < 4 || src[2] != '<' {
		return ""
	}
	i := 3
	for i < len(src) && (unicode.IsLetter(src[i]) || src[i] == '_' || src[i] == '$' || i > 3 && unicode.IsDigit(src[i])) {
		i++
	}
	if i == 3 || i == len(src) || src[i] != '>' {
		return ""
	}
	return string(src[3:i])
}

func (p *parser) more() bool { return p.at < len(p.src) }

func (p *parser) peek(text string) bool {
	r := []rune(text)
	if len(p.src)-p.at < len(r) {
		return false
	}
	for i := range r {
		if p.src[p.at+i] != r[i] {
			return false
		}
	}
	return true
}

func (p *parser) accept(text string) bool {
	ok := p.peek(text)
	if ok {
		p.at += len([]rune(text))
	}
	return ok
}

func (p *parser) parse() (*node, error) {
	n, err := p.alternatives()
	if err == nil && p.more() {
		err = errors.New("a parenthesis is closed that was not opened")
	}
	return n, err
}

// alternatives reads up to a closing parenthesis or the end.
func (p *parser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, ErrTooLarge
	}
	defer func() { p.depth-- }()
	out := &node{kind: choice}
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		out.subs = append(out.subs, n)
		if !p.accept("|") {
			break
		}
	}
	if len(out.subs) == 1 {
		return out.subs[0], nil
	}
	return out, nil
}

func (p *parser) sequence() (*node, error) {
	out := &node{kind: sequence}
	for p.more() && !p.peek("|") && !p.peek(")") {
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n == nil { // options or a comment
			continue
		}
		if n, err = p.quantified(n); err != nil {
			return nil, err
		}
		out.subs = append(out.subs, n)
	}
	return out, nil
}

// quantified reads the quantifier behind an atom, if there is one.
func (p *parser) quantified(n *node) (*node, error) {
	low, high, ok, err := p.quantifier()
	if !ok || err != nil {
		return n, err
	}
	n = &node{kind: repeat, subs: []*node{n}, min: low, max: high, lazy: p.accept("?")}
	if _, _, again, _ := p.quantifier(); again {
		return nil, errors.New("a quantifier follows a quantifier")
	}
	return n, nil
}

func (p *parser) quantifier() (low, high int, ok bool, err error) {
	switch {
	case p.accept("*"):
		return 0, -1, true, nil
	case p.accept("+"):
		return 1, -1, true, nil
	case p.accept("?"):
		return 0, 1, true, nil
	case !p.peek("{"):
		return 0, 0, false, nil
	}
	start := p.at
	p.at++
	low, ok = p.number()
	high = low
	if ok && p.accept(",") {
		if high = -1; !p.peek("}") {
			high, ok = p.number()
		}
	}
	if !ok || !p.accept("}") {
		p.at = start
		return 0, 0, false, nil // a brace
	}
	if high >= 0 && high < low {
		err = fmt.Errorf("the quantifier {%d,%d} is the wrong way round", low, high)
	}
	return low, high, true, err
}

// number reads digits; what is larger than any program is cut.
func (p *parser) number() (int, bool) {
	start, n := p.at, 0
	for p.more() && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
		n = min(n*10+int(p.src[p.at]-'0'), maxProgram+1)
		p.at++
	}
	return n, p.at > start
}

func (p *parser) char(r rune) *node {
	n := &node{kind: literal, r: r, fold: p.fold}
	if p.fold {
		n.r = unicode.ToLower(r)
	}
	return n
}

// atom reads one part without its quantifier; nil for what matches nothing itself.
func (p *parser) atom() (*node, error) {
	c := p.src[p.at]
	switch c {
	case '*', '+', '?', '{':
		if _, _, is, _ := p.quantifier(); is {
			return nil, errors.New("a quantifier has nothing to repeat")
		}
	case '(':
		p.at++
		return p.group()
	case '[':
		p.at++
		return p.class()
	case '\\':
		p.at++
		return p.escape()
	}
	p.at++
	switch c {
	case '.':
		s := &set{parts: []part{{spans: lineSpans, not: true}}}
		if p.dotAll {
			s = &set{not: true}
		}
		return &node{kind: class, set: s.seal()}, nil
	case '^':
		if p.multiline {
			return &node{kind: assertion, op: opLineBegin}, nil
		}
		return &node{kind: assertion, op: opBegin}, nil
	case '$':
		if p.multiline {
			return &node{kind: assertion, op: opLineEnd}, nil
		}
		return &node{kind: assertion, op: opEnd}, nil
	}
	return p.char(c), nil
}

// group reads what follows an opening parenthesis.
func (p *parser) group() (*node, error) {
	outer := p.options
	out := &node{kind: lookAround}
	name := ""
	if p.at > 0 {
		name = groupName(p.src[p.at-1:])
	}
	switch {
	case !p.peek("?"), name != "":
		if name != "" {
			p.at += len([]rune(name)) + 3
		}
		p.opened++
		out = &node{kind: group, number: p.opened}
	case p.accept("?:"):
		out = nil
	case p.accept("?="):
	case p.accept("?!"):
		out.not = true
	case p.accept("?<="):
		out.behind = true
	case p.accept("?<!"):
		out.behind, out.not = true, true
	case p.accept("?>"):
		out.atomic = true
	case p.accept("?#"):
		for p.more() && !p.peek(")") {
			p.at++
		}
		if !p.accept(")") {
			return nil, errors.New("a comment is not closed")
		}
		return nil, nil
	default:
		p.at++
		if !p.inlineOptions() {
			return nil, errors.New("a group of an unknown kind")
		}
		if p.accept(")") {
			return nil, nil // up to the end of the group around it
		}
		p.at++ // the colon
		out = nil
	}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	p.options = outer
	if !p.accept(")") {
		return nil, errors.New("a parenthesis is not closed")
	}
	if out == nil {
		return n, nil
	}
	out.subs = []*node{n}
	return out, nil
}

// inlineOptions reads options such as i-s up to a colon or a parenthesis.
func (p *parser) inlineOptions() bool {
	on := true
	for ; p.more(); p.at++ {
		switch p.src[p.at] {
		case '-':
			on = false
		case 'i':
			p.fold = on
		case 'm':
			p.multiline = on
		case 's':
			p.dotAll = on
		case ':', ')':
			return true
		default:
			return false
		}
	}
	return false
}

// escape reads what follows a backslash outside of a class.
func (p *parser) escape() (*node, error) {
	if !p.more() {
		return nil, errors.New("a backslash ends the pattern")
	}
	c := p.src[p.at]
	switch {
	case c == 'b', c == 'B':
		p.at++
		return &node{kind: assertion, op: opWordEdge, not: c == 'B'}, nil
	case c == 'A', c == 'G':
		p.at++
		return &node{kind: assertion, op: opBegin}, nil
	case c == 'z', c == 'Z':
		p.at++
		return &node{kind: assertion, op: opEnd}, nil
	case c == 'k' && len(p.names) > 0:
		name := groupName(append([]rune("(?"), p.src[p.at+1:]...))
		number, ok := p.names[name]
		if !ok {
			return nil, errors.New("a reference to a group that is not there")
		}
		p.at += len([]rune(name)) + 3
		return p.reference(number), nil
	case c >= '1' && c <= '9':
		start := p.at
		if number, _ := p.number(); number <= p.groups {
			return p.reference(number), nil
		}
		p.at = start // a character by its octal code
	}
	if s, ok, err := p.classEscape(); ok || err != nil {
		if err != nil {
			return nil, err
		}
		return &node{kind: class, set: (&set{parts: []part{s}, fold: p.fold}).seal(), fold: p.fold}, nil
	}
	return p.char(p.charEscape()), nil
}

func (p *parser) reference(number int) *node {
	p.refers = true
	return &node{kind: reference, number: number, fold: p.fold}
}

// classEscape reads a class such as \d behind its backslash; false if there is none.
func (p *parser) classEscape() (out part, ok bool, err error) {
	c := p.src[p.at]
	switch c {
	case 'd', 'D':
		out = part{spans: digitSpans, not: c == 'D'}
	case 'w', 'W':
		out = part{spans: wordSpans, not: c == 'W'}
	case 's', 'S':
		out = part{spans: spaceSpans, not: c == 'S'}
	case 'p', 'P':
		end := p.at + 1
		for end < len(p.src) && p.src[end] != '}' {
			end++
		}
		if end == len(p.src) || end < p.at+3 || p.src[p.at+1] != '{' {
			return out, false, errors.New("a category has no name in braces")
		}
		name := string(p.src[p.at+2 : end])
		table := unicode.Categories[name]
		if table == nil {
			table = unicode.Scripts[name]
		}
		if table == nil {
			return out, false, fmt.Errorf("there is no category %s", name)
		}
		p.at = end + 1
		return part{table: table, not: c == 'P'}, true, nil
	default:
		return out, false, nil
	}
	p.at++
	return out, true, nil
}

// charEscape reads one character behind its backslash. What has no meaning stands for
// itself.
func (p *parser) charEscape() rune {
	c := p.src[p.at]
	p.at++
	switch c {
	case 'a':
		return '\a'
	case 'e':
		return 0x1b
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 'x':
		return p.hex(2, c)
	case 'u':
		return p.hex(4, c)
	case 'c':
		if p.more() {
			if x := p.src[p.at] &^ 0x20; x >= 'A' && x <= 'Z' {
				p.at++
				return x & 31
			}
		}
	}
	if c < '0' || c > '7' {
		return c
	}
	n := c - '0' // octal, up to 0377
	for range 2 {
		if n >= 0x20 || !p.more() || p.src[p.at] < '0' || p.src[p.at] > '7' {
			break
		}
		n = n<<3 | (p.src[p.at] - '0')
		p.at++
	}
	return n
}

// hex reads so many hexadecimal digits; without them the letter c stands for itself.
func (p *parser) hex(digits int, c rune) rune {
	if len(p.src)-p.at < digits {
		return c
	}
	n, err := strconv.ParseUint(string(p.src[p.at:p.at+digits]), 16, 32)
	if err != nil {
		return c
	}
	p.at += digits
	return rune(n)
}

// class reads what follows an opening bracket.
func (p *parser) class() (*node, error) {
	s := &set{fold: p.fold, not: p.accept("^")}
	for !p.accept("]") {
		from, isPart, err := p.member(s)
		if err != nil {
			return nil, err
		}
		if isPart {
			continue
		}
		to := from
		if p.peek("-") && p.at+1 < len(p.src) && p.src[p.at+1] != ']' {
			start := p.at
			p.at++
			if to, isPart, err = p.member(s); err != nil {
				return nil, err
			}
			if isPart { // [a-\d] is a, - and \d
				s.spans = append(s.spans, span{'-', '-'})
				to = from
			} else if to < from {
				return nil, fmt.Errorf("the range %s is the wrong way round", string(p.src[start-1:p.at]))
			}
		}
		s.spans = append(s.spans, span{from, to})
		if p.fold && from == to {
			s.spans = append(s.spans, span{unicode.ToLower(from), unicode.ToLower(from)})
		}
	}
	return &node{kind: class, set: s.seal(), fold: p.fold}, nil
}

// member reads one character of a class, or a class in it, which it adds.
func (p *parser) member(s *set) (r rune, isPart bool, err error) {
	if !p.more() {
		return 0, false, errors.New("a bracket is not closed")
	}
	if !p.accept("\\") {
		r = p.src[p.at]
		p.at++
		return r, false, nil
	}
	if !p.more() {
		return 0, false, errors.New("a backslash ends the pattern")
	}
	if p.accept("b") {
		return '\b', false, nil
	}
	c, ok, err := p.classEscape()
	if ok {
		s.parts = append(s.parts, c)
	}
	if ok || err != nil {
		return 0, ok, err
	}
	return p.charEscape(), false, nil
}
