package syntax

import "strings"

// Comment is a comment of a source text, with what begins and ends it.
type Comment struct {
	Span Span
	Text string
}

// Comments returns the comments of a text in their order.
func Comments(src string, d Dialect) []Comment {
	var out []Comment
	l := newLexer(src, d)
	l.comments = func(at Span) {
		out = append(out, Comment{at, strings.TrimRight(src[at.From.Offset:at.To.Offset], "\r")})
	}
	l.all()
	return out
}
