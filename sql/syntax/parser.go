package syntax

import (
	"cmp"
	"fmt"
)

// maxDepth bounds nesting, so that no text can exhaust the stack; maxChain
// bounds the operators and members that one construct chains.
const (
	maxDepth = 250
	maxChain = 5000
)

// parser reads tokens by recursive descent. After the first mistake of a
// statement it shows the end of the text to everybody, so that all callers
// return at once; script then goes on at the next statement.
type parser struct {
	dialect Dialect
	stmts   []statement
	toks    []token
	pos     int
	failed  bool
	depth   int
	params  int
	errs    Errors
}

func newParser(src string, d Dialect) *parser {
	return &parser{dialect: d, stmts: statementsOf(d), toks: lex(src, d)}
}

func (p *parser) tok() token { return p.peek(0) }

func (p *parser) peek(n int) token {
	last := len(p.toks) - 1
	if p.failed || p.pos+n > last {
		t := p.toks[last]
		return token{kind: tokEOF, span: t.span}
	}
	return p.toks[p.pos+n]
}

func (p *parser) next() token {
	t := p.tok()
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

// report notes a mistake that does not hinder reading on.
func (p *parser) report(at Span, hint, format string, args ...any) {
	if !p.failed {
		p.errs = append(p.errs, &Error{Span: at, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
}

// fail notes a mistake and ends the statement.
func (p *parser) fail(at Span, hint, format string, args ...any) {
	p.report(at, hint, format, args...)
	p.failed = true
}

// unexpected fails at the current token.
func (p *parser) unexpected(want string) {
	hint := ""
	if t := p.tok(); p.dialect == ASA {
		hint = p.slip(want).hint()
	} else if t.kind == tokName && reserved[p.dialect][t.word] && want == "a name" {
		hint = keywordHint(t)
	}
	p.stopped(want, hint)
}

// stopped fails at the current token, with a hint.
func (p *parser) stopped(want, hint string) {
	switch t := p.tok(); {
	case p.failed:
	case t.kind == tokBad:
		p.fail(t.span, hint, "%s", t.text)
	case t.kind == tokEOF:
		p.fail(t.span, hint, "the text ends where %s is expected", want)
	default:
		p.fail(t.span, hint, "unexpected %s, want %s", t.show(), want)
	}
}

// need reads a word of a construct; form shows the whole of it.
func (p *parser) need(word, form string) {
	if p.word(word) {
		return
	}
	hint := ""
	if p.dialect == ASA {
		hint = cmp.Or(p.slip(word).hint(), form)
	}
	p.stopped(word, hint)
}

func (t token) show() string {
	switch t.kind {
	case tokName:
		if t.text == t.word {
			return t.word
		}
		return "name " + t.text
	case tokQuoted:
		return "name [" + t.text + "]"
	case tokString:
		return "string '" + t.text + "'"
	case tokNumber:
		return "number " + t.text
	}
	return "'" + t.text + "'"
}

// span is from the start of from to the end of the last token read.
func (p *parser) span(from Span) Span {
	if p.pos > 0 && p.pos <= len(p.toks) {
		if to := p.toks[p.pos-1].span.To; to.Offset >= from.From.Offset {
			return Span{from.From, to}
		}
	}
	return from
}

// enter counts a level of nesting; leave must follow.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		p.fail(p.tok().span, "", "nested more than %d levels deep", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) chain(n int) bool {
	if n > maxChain {
		p.fail(p.tok().span, "", "more than %d parts in a row", maxChain)
	}
	return !p.failed
}

// isWord reports whether the n-th token from here is the bare word w.
func (p *parser) isWord(n int, w string) bool {
	t := p.peek(n)
	return t.kind == tokName && t.word == w
}

func (p *parser) isOp(n int, op string) bool {
	t := p.peek(n)
	return t.kind == tokOp && t.text == op
}

// word reads the given bare words if they are next.
func (p *parser) word(ws ...string) bool {
	for i, w := range ws {
		if !p.isWord(i, w) {
			return false
		}
	}
	for range ws {
		p.next()
	}
	return true
}

func (p *parser) op(op string) bool {
	if p.isOp(0, op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) needWord(ws ...string) {
	for _, w := range ws {
		if !p.word(w) {
			p.unexpected(w)
			return
		}
	}
}

func (p *parser) needOp(op string) {
	if !p.op(op) {
		p.unexpected("'" + op + "'")
	}
}

// isName reports whether the n-th token from here can be a name.
func (p *parser) isName(n int) bool {
	t := p.peek(n)
	return t.kind == tokQuoted || t.kind == tokName && !reserved[p.dialect][t.word]
}

func (t token) ident() Ident { return Ident{t.span, t.text, t.quote} }

func (p *parser) ident() Ident {
	if !p.isName(0) {
		p.unexpected("a name")
		return Ident{}
	}
	return p.next().ident()
}

// part reads what may follow a dot: any word.
func (p *parser) part() Ident {
	if t := p.tok(); t.kind == tokName || t.kind == tokQuoted {
		return p.next().ident()
	}
	p.unexpected("a name behind the dot")
	return Ident{}
}

// name reads a name of several parts; T-SQL allows empty ones in the middle.
func (p *parser) name() *Name {
	from := p.tok().span
	n := &Name{Parts: []Ident{p.ident()}}
	for p.isOp(0, ".") && p.chain(len(n.Parts)) {
		p.next()
		if p.dialect == TSQL && p.isOp(0, ".") {
			n.Parts = append(n.Parts, Ident{Span: p.tok().span})
			continue
		}
		n.Parts = append(n.Parts, p.part())
	}
	n.Span = p.span(from)
	return n
}

// list reads one or more elements between commas.
func list[T any](p *parser, read func() T) []T {
	var out []T
	for {
		out = append(out, read())
		if p.failed || !p.op(",") {
			return out
		}
	}
}

// inParens reads "(" elements ")".
func inParens[T any](p *parser, read func() T) []T {
	p.needOp("(")
	out := list(p, read)
	p.needOp(")")
	return out
}

// text reads a string.
func (p *parser) text(want string) string {
	if p.tok().kind != tokString {
		p.unexpected(want)
		return ""
	}
	return p.next().text
}
