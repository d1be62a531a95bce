package config

import (
	"regexp"
	"strings"
)

// unclosed reports what is opened and not closed, or closed by another, at the place where
// it is opened: a bracket, a brace, a quote. It is asked when the file is no YAML: a parser
// names the place where it gave up, which may be far below.
func (r *reader) unclosed() bool {
	s := &brackets{r: r, src: []rune(r.src)}
	for s.pos < len(s.src) && !s.found {
		s.line()
	}
	if !s.found && len(s.open) > 0 {
		s.unclosed()
	}
	return s.found
}

// brackets goes through a file that may be broken anywhere, so it looks at no more than it
// needs: indents, where a value begins, and what stands in quotes.
type brackets struct {
	r     *reader
	src   []rune
	pos   int // of the next rune
	begin int // where its line begins
	row   int // of its line, from 0
	open  []bracket
	base  int // indent of the line on which the first of open, or a quoted text, stands
	found bool
}

// bracket is an open one.
type bracket struct {
	c  rune
	at place
}

func (s *brackets) at(pos int) place { return place{s.row + 1, pos - s.begin + 1} }

func (s *brackets) fail(at place, hint, format string, args ...any) {
	s.r.fail(at, "E101", "", hint, format, args...)
	s.found = true
}

// unclosed reports the bracket that was opened last.
func (s *brackets) unclosed() {
	last := s.open[len(s.open)-1]
	s.fail(last.at, "close it", "%c is opened here and not closed", last.c)
}

// peek is the n-th rune from here on; behind the end it is the end of a line.
func (s *brackets) peek(n int) rune {
	if s.pos+n < len(s.src) {
		return s.src[s.pos+n]
	}
	return '\n'
}

// rest is the rest of the line that begins at pos.
func (s *brackets) rest(pos int) string {
	end := pos
	for end < len(s.src) && s.src[end] != '\n' {
		end++
	}
	return strings.TrimSuffix(string(s.src[pos:end]), "\r")
}

// nextLine goes to the next line.
func (s *brackets) nextLine() {
	for s.pos < len(s.src) && s.src[s.pos] != '\n' {
		s.pos++
	}
	s.pos++
	s.begin, s.row = s.pos, s.row+1
}

// indentOf is the number of blanks before a text.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// blockEntry is the beginning of a line that is a key or an entry of a list.
var blockEntry = regexp.MustCompile(`^ *(- |-$|("[^"]*"|'[^']*'|[^\s\[\]{},'"#][^,\[\]{}]*?) *:( |$))`)

// ends reports whether a line belongs to what stands around the open brackets or quote.
func (s *brackets) ends(line string) bool {
	return indentOf(line) <= s.base && blockEntry.MatchString(line)
}

// line reads a line that begins outside of quotes and block texts.
func (s *brackets) line() {
	line := s.rest(s.pos)
	trimmed := strings.TrimSpace(line)
	switch {
	case trimmed == "" || trimmed[0] == '#':
		s.nextLine()
		return
	case len(s.open) > 0:
		if s.ends(line) {
			s.unclosed()
			return
		}
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		s.fail(s.at(s.pos+indentOf(line)), "indent with blanks", "a tab indents this line")
		return
	default:
		s.base = indentOf(line)
	}
	value := true // a value may begin here
	for !s.found {
		switch c := s.peek(0); {
		case c == '\n':
			s.nextLine()
			return
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case c == '#' && (s.pos == s.begin || strings.ContainsRune(" \t", s.src[s.pos-1])):
			s.nextLine()
			return
		case len(s.open) > 0 && strings.ContainsRune("[]{},", c), value && (c == '[' || c == '{' || c == ']' || c == '}'):
			s.bracket(c)
			value = c != ']' && c != '}'
		case value && (c == '"' || c == '\''):
			s.quoted(c)
			value = false
		case value && len(s.open) == 0 && (c == '|' || c == '>'):
			s.blockText()
			return
		case value && (c == '-' || c == '?') && blank(s.peek(1)):
			s.pos++
		case c == ':' && (blank(s.peek(1)) || len(s.open) > 0 && !value):
			s.pos++
			value = true
		default:
			s.pos++
			value = value && (c == '&' || c == '!') // a value follows an anchor and a tag
			for value && !blank(s.peek(0)) {
				s.pos++
			}
		}
	}
}

func blank(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// bracket reads a bracket, a brace or the comma between entries.
func (s *brackets) bracket(c rune) {
	at := s.at(s.pos)
	s.pos++
	switch c {
	case '[', '{':
		s.open = append(s.open, bracket{c, at})
	case ']', '}':
		if len(s.open) == 0 {
			s.fail(at, "leave it out, or open it", "%c closes nothing", c)
			return
		}
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		if last.c+2 != c { // in ASCII each is two behind what it closes
			s.fail(last.at, "", "%c is opened here and closed by %c in line %d", last.c, c, at.line)
		} else if len(s.open) == 0 {
			s.behind(last)
		}
	}
}

// behind looks at what stands behind the bracket that closes the last of open.
func (s *brackets) behind(opened bracket) {
	for s.peek(0) == ' ' || s.peek(0) == '\t' {
		s.pos++
	}
	switch next := strings.TrimSpace(s.rest(s.pos)); {
	case next == "" || next[0] == ':' || next[0] == '#':
	case next[0] == ']' || next[0] == '}':
		s.bracket(s.peek(0))
	default:
		s.fail(opened.at, "", "%c is opened here and closed in line %d, and %q stands behind it", opened.c, s.row+1, next)
	}
}

// quoted reads a text in quotes, which may have several lines.
func (s *brackets) quoted(quote rune) {
	at := s.at(s.pos)
	for s.pos++; s.pos < len(s.src); {
		switch c := s.src[s.pos]; {
		case c == '\n':
			s.nextLine()
			if line := s.rest(s.pos); s.ends(line) {
				s.fail(at, "close it", "the quote %c is opened here and not closed", quote)
				return
			}
		case c == '\\' && quote == '"':
			s.pos++
			if s.peek(0) != '\n' {
				s.pos++
			}
		case c != quote:
			s.pos++
		case quote == '\'' && s.peek(1) == '\'':
			s.pos += 2
		default:
			closed := s.at(s.pos)
			s.pos++
			after := strings.TrimSpace(s.rest(s.pos))
			if after != "" && !strings.ContainsRune(",:]}#", rune(after[0])) {
				hint := `write \" for a quote inside it`
				if quote == '\'' {
					hint = "write it twice inside the text"
				}
				s.fail(at, hint, "the quote %c is opened here and closed at %d:%d, and %q stands behind it", quote, closed.line, closed.col, after)
			}
			return
		}
	}
	s.fail(at, "close it", "the quote %c is opened here and not closed", quote)
}

// blockHead is what stands behind | or > if a block text begins there.
var blockHead = regexp.MustCompile(`^[|>][-+0-9]*[ \t]*(#.*)?$`)

// blockText passes over a text of | or >: all lines that are indented more than the one with
// its key.
func (s *brackets) blockText() {
	is := blockHead.MatchString(s.rest(s.pos))
	for s.nextLine(); is && s.pos < len(s.src); s.nextLine() {
		if line := s.rest(s.pos); strings.TrimSpace(line) != "" && indentOf(line) <= s.base {
			return
		}
	}
}
