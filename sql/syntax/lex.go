package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokKind uint8

const (
	tokEOF tokKind = iota
	tokName
	tokQuoted   // a quoted name, quote tells how
	tokString   // national tells N'..'
	tokNumber   // num tells the literal kind
	tokBinary   // text: hex digits
	tokVariable // text with its @
	tokOp       // text: the operator or punctuation
	tokBad      // text: what is wrong with it
)

type token struct {
	kind     tokKind
	quote    byte
	num      LiteralKind
	national bool
	glued    bool   // no blank between this token and the one before
	text     string // decoded
	suffix   string // type letters behind a number, in upper case
	word     string // upper case, of a tokName
	span     Span
}

type lexer struct {
	src     string
	dialect Dialect
	pos     Pos
	toks    []token

	comments func(Span) // is told of each; may be nil
}

func newLexer(src string, d Dialect) *lexer {
	l := &lexer{src: src, dialect: d, pos: Pos{Line: 1, Col: 1}}
	if strings.HasPrefix(src, "\uFEFF") {
		l.pos.Offset = len("\uFEFF")
	}
	return l
}

// lex splits src into tokens; the last one is tokEOF.
func lex(src string, d Dialect) []token { return newLexer(src, d).all() }

func (l *lexer) all() []token {
	src, d := l.src, l.dialect
	for {
		end := l.pos.Offset
		bad := l.blanks()
		glued := l.pos.Offset == end && len(l.toks) > 0
		t := token{}
		from := l.pos
		switch {
		case bad != "":
			l.skip(len(l.rest()))
			t = token{kind: tokBad, text: bad}
		case l.pos.Offset < len(src):
			t = l.token(glued)
		}
		t.glued = glued
		t.span = Span{from, l.pos}
		if t.kind == tokString && d == Spark && l.joins() {
			last := &l.toks[len(l.toks)-1]
			last.text += t.text
			last.span.To = l.pos
			continue
		}
		l.toks = append(l.toks, t)
		if t.kind == tokEOF {
			return l.toks
		}
	}
}

// joins reports whether the token before is a string, which in Spark takes in
// the next one.
func (l *lexer) joins() bool {
	return len(l.toks) > 0 && l.toks[len(l.toks)-1].kind == tokString
}

func (l *lexer) rest() string { return l.src[l.pos.Offset:] }

func (l *lexer) at(i int) byte {
	if l.pos.Offset+i < len(l.src) {
		return l.src[l.pos.Offset+i]
	}
	return 0
}

// skip moves over n bytes.
func (l *lexer) skip(n int) {
	for _, r := range l.src[l.pos.Offset : l.pos.Offset+n] {
		if r == '\n' {
			l.pos.Line++
			l.pos.Col = 1
		} else {
			l.pos.Col++
		}
	}
	l.pos.Offset += n
}

// blanks skips white space and comments and returns what is wrong with them.
func (l *lexer) blanks() string {
	for l.pos.Offset < len(l.src) {
		rest, from := l.rest(), l.pos
		switch r, size := utf8.DecodeRuneInString(rest); {
		case unicode.IsSpace(r):
			l.skip(size)
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.skip(n)
			l.commented(from)
		case strings.HasPrefix(rest, "/*"):
			if n := l.comment(rest); n > 0 {
				l.skip(n)
				l.commented(from)
			} else {
				return "comment without end"
			}
		default:
			return ""
		}
	}
	return ""
}

// commented notes the comment that ends here.
func (l *lexer) commented(from Pos) {
	if l.comments != nil {
		l.comments(Span{from, l.pos})
	}
}

// comment returns the length of the block comment at the start of s, 0 if it
// has no end. Comments nest, except in Stream Analytics.
func (l *lexer) comment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); {
		switch {
		case s[i] == '/' && s[i+1] == '*' && (depth == 0 || l.dialect != ASA):
			depth++
			i += 2
		case s[i] == '*' && s[i+1] == '/':
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return 0
}

func (l *lexer) token(glued bool) token {
	c, next := l.at(0), l.at(1)
	switch {
	case c == '\'':
		return l.str('\'', false)
	case c == '"' && l.dialect == Spark:
		return l.str('"', false)
	case c == '"', c == '`':
		return l.quoted(c, c)
	case c == '[' && !(l.dialect == Spark && glued && l.indexable()):
		return l.quoted('[', ']')
	case (c == 'N' || c == 'n') && next == '\'' && l.dialect == TSQL:
		l.skip(1)
		return l.str('\'', true)
	case (c == 'X' || c == 'x') && next == '\'' && l.dialect == Spark:
		l.skip(1)
		t := l.str('\'', false)
		if t.kind == tokString {
			t.kind = tokBinary
			if strings.ContainsFunc(t.text, func(r rune) bool { return r > 'f' || !isHex(byte(r)) }) {
				return token{kind: tokBad, text: "X'..' holds hexadecimal digits"}
			}
		}
		return t
	case c == '0' && (next == 'x' || next == 'X') && l.dialect != ASA:
		l.skip(2)
		n := 0
		for isHex(l.at(n)) {
			n++
		}
		t := token{kind: tokBinary, text: l.rest()[:n]}
		l.skip(n)
		return l.alone(t)
	case isDigit(c), c == '.' && isDigit(next):
		return l.number()
	case c == '$' && l.dialect == TSQL && isDigit(next):
		l.skip(1)
		t := l.number()
		t.num = MoneyLit
		return t
	}
	r, size := utf8.DecodeRuneInString(l.rest())
	if isNameStart(r) {
		return l.name()
	}
	return l.operator(r, size)
}

// indexable reports whether `[` behind the last token is an index.
func (l *lexer) indexable() bool {
	if len(l.toks) == 0 {
		return false
	}
	last := l.toks[len(l.toks)-1]
	return last.kind == tokName || last.kind == tokQuoted || last.kind == tokOp && (last.text == ")" || last.text == "]")
}

var operators = []string{"<=>", "<>", "<=", ">=", "!=", "!<", "!>", "==", "||", "::"}

func (l *lexer) operator(r rune, size int) token {
	for _, op := range operators {
		if strings.HasPrefix(l.rest(), op) {
			l.skip(len(op))
			return token{kind: tokOp, text: op}
		}
	}
	text := l.rest()[:size]
	l.skip(size)
	if strings.ContainsRune("+-*/%&|^~=<>(),.;?{}]:!", r) {
		return token{kind: tokOp, text: text}
	}
	if r == '[' {
		return token{kind: tokOp, text: text}
	}
	if r == utf8.RuneError {
		return token{kind: tokBad, text: "the text is not UTF-8"}
	}
	return token{kind: tokBad, text: "unexpected character " + text}
}

func (l *lexer) name() token {
	s := l.rest()
	n := len(s)
	for i, r := range s {
		if !isNamePart(r) {
			n = i
			break
		}
	}
	text := s[:n]
	l.skip(n)
	if text[0] == '@' && l.dialect != ASA {
		return token{kind: tokVariable, text: text}
	}
	return token{kind: tokName, text: text, word: upper(text)}
}

// upper raises ASCII letters: keywords have no others.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func (l *lexer) quoted(open, end byte) token {
	s := l.rest()
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == end {
			b.WriteByte(end)
			i++
			continue
		}
		l.skip(i + 1)
		return l.checked(token{kind: tokQuoted, quote: open, text: b.String()})
	}
	l.skip(len(s))
	return token{kind: tokBad, text: "name in quotes without end, opened with " + string(open)}
}

func (l *lexer) checked(t token) token {
	if !utf8.ValidString(t.text) {
		return token{kind: tokBad, text: "the text is not UTF-8"}
	}
	return t
}

// str reads a string from its opening quote on.
func (l *lexer) str(quote byte, national bool) token {
	s := l.rest()
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && l.dialect == Spark && i+1 < len(s):
			i += l.escape(s[i+1:], &b)
		case s[i] != quote:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			l.skip(i + 1)
			return l.checked(token{kind: tokString, text: b.String(), national: national})
		}
	}
	l.skip(len(s))
	return token{kind: tokBad, text: "string without end"}
}

// escape decodes what follows a backslash and returns how many bytes it took.
func (l *lexer) escape(s string, b *strings.Builder) int {
	switch s[0] {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case '0':
		b.WriteByte(0)
	case 'b':
		b.WriteByte('\b')
	case '%', '_': // kept for LIKE
		b.WriteByte('\\')
		b.WriteByte(s[0])
	default:
		b.WriteByte(s[0])
	}
	return 1
}

func (l *lexer) number() token {
	s := l.rest()
	kind := IntLit
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i < len(s) && s[i] == '.' {
		kind = DecimalLit
		i++
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			kind = FloatLit
			for i = j; i < len(s) && isDigit(s[i]); {
				i++
			}
		}
	}
	t := token{kind: tokNumber, num: kind, text: s[:i]}
	if l.dialect == Spark {
		i += suffix(s[i:], &t)
	}
	l.skip(i)
	return l.alone(t)
}

// alone refuses a number that runs into a name.
func (l *lexer) alone(t token) token {
	if r, _ := utf8.DecodeRuneInString(l.rest()); isNamePart(r) {
		return token{kind: tokBad, text: "number " + t.text + " runs into a name"}
	}
	return t
}

// suffix reads a type suffix of Spark and returns its length.
func suffix(s string, t *token) int {
	switch {
	case len(s) > 1 && upper(s[:2]) == "BD":
		t.num, t.suffix = DecimalLit, "BD"
		return 2
	case s == "":
		return 0
	}
	switch s[0] {
	case 'L', 'l', 'S', 's', 'Y', 'y':
		t.suffix = upper(s[:1])
		return 1
	case 'D', 'd', 'F', 'f':
		t.num, t.suffix = FloatLit, upper(s[:1])
		return 1
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isNameStart(r rune) bool {
	return r == '_' || r == '@' || r == '#' || r != utf8.RuneError && unicode.IsLetter(r)
}

func isNamePart(r rune) bool {
	return isNameStart(r) || r == '$' || unicode.IsDigit(r)
}
