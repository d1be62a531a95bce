package config

import "strings"

// unclosed reports a bracket, a brace or a quote that is opened and not closed, or closed
// by another, at the place where it is opened. It is asked when the file is no YAML: a
// parser names the place where it gave up.
func (r *reader) unclosed() bool {
	type open struct {
		c  byte
		at place
	}
	var stack []open
	block := -1 // indent of the key whose block text is being passed over
	for i, line := range strings.Split(r.src, "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if block >= 0 && (indent > block || strings.TrimSpace(line) == "") {
			continue
		}
		block = -1
		for k := 0; k < len(line); k++ {
			at := place{i + 1, len([]rune(line[:k])) + 1}
			switch c := line[k]; c {
			case '#':
				if k == 0 || line[k-1] == ' ' || line[k-1] == '\t' {
					k = len(line)
				}
			case '"', '\'':
				if before := strings.TrimRight(line[:k], " \t"); before != "" && !strings.ContainsAny(before[len(before)-1:], "{[,:-") {
					continue // inside a plain text
				}
				end := closing(line, k)
				if end < 0 {
					if len(stack) == 0 && strings.ContainsRune(r.src[offsetOf(r.src, i)+k+1:], rune(c)) {
						return false // a text of several lines
					}
					r.fail(at, "E101", "", "close it", "the quote %c is opened here and not closed on its line", c)
					return true
				}
				k = end
			case '{', '[':
				stack = append(stack, open{c, at})
			case '}', ']':
				if len(stack) == 0 {
					r.fail(at, "E101", "", "leave it out, or open it", "%c closes nothing", c)
					return true
				}
				last := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				if last.c+2 != c { // in ASCII each is two behind what it closes
					r.fail(last.at, "E101", "", "", "%c is opened here and closed by %c in line %d", last.c, c, at.line)
					return true
				}
			}
		}
		if t := strings.TrimSpace(line); len(stack) == 0 && (strings.HasSuffix(t, "|") || strings.HasSuffix(t, ">") || strings.HasSuffix(t, "|-") || strings.HasSuffix(t, ">-")) {
			block = indent
		}
	}
	if len(stack) == 0 {
		return false
	}
	last := stack[len(stack)-1]
	r.fail(last.at, "E101", "", "close it", "%c is opened here and not closed", last.c)
	return true
}

// closing is where the quote at k of a line is closed; -1: it is not.
func closing(line string, k int) int {
	for i := k + 1; i < len(line); i++ {
		switch {
		case line[k] == '"' && line[i] == '\\':
			i++
		case line[i] != line[k]:
		case line[k] == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
		default:
			return i
		}
	}
	return -1
}

// offsetOf is where a line of a text begins, lines from 0.
func offsetOf(s string, line int) int {
	at := 0
	for range line {
		at += strings.IndexByte(s[at:], '\n') + 1
	}
	return at
}
