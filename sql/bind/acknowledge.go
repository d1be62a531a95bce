package bind

import (
	"regexp"
	"slices"
	"strings"

	"spate/sql/syntax"
)

// IdleAcknowledgement is the code of an acknowledgement that has nothing to acknowledge.
const IdleAcknowledgement = "W523"

var (
	acknowledgement = regexp.MustCompile(`^(?:--|/\*|#)\s*spate:\s*ignore\b(.*)`)
	warningCode     = regexp.MustCompile(`^[\s,]*(W\d{3})\b`)
)

// Acknowledged returns the warnings that a comment acknowledges: "spate: ignore W507, W518",
// behind which may stand why. ok is false for other comments.
func Acknowledged(comment string) (codes []string, ok bool) {
	m := acknowledgement.FindStringSubmatch(comment)
	if m == nil {
		return nil, false
	}
	rest := m[1]
	for {
		c := warningCode.FindStringSubmatch(rest)
		if c == nil {
			return codes, true
		}
		codes, rest = append(codes, c[1]), rest[len(c[0]):]
	}
}

// acknowledge takes away the warnings that a comment on their line, or right above it,
// acknowledges. What has nothing to acknowledge is a warning itself, if the script was
// bound to its end.
func (b *binder) acknowledge() {
	comments := syntax.Comments(b.src, syntax.ASA)
	for i, c := range comments {
		codes, ok := Acknowledged(c.Text)
		if !ok {
			continue
		}
		line := b.lineOf(comments[i:])
		for _, code := range codes {
			before := len(b.warnings)
			b.warnings = slices.DeleteFunc(b.warnings, func(w Warning) bool { return w.Code == code && w.Span.From.Line == line })
			if len(b.warnings) == before && len(b.errs) == 0 && !slices.Contains(b.opts.Elsewhere, code) {
				b.warnings = append(b.warnings, Warning{c.Span, IdleAcknowledgement, "there is no " + code + " here that this could acknowledge"})
			}
		}
		if len(codes) == 0 {
			b.warnings = append(b.warnings, Warning{c.Span, IdleAcknowledgement, "this names no warning: write spate: ignore W507"})
		}
	}
}

// lineOf is the line that the first of some comments is about: its own, or that of what
// comes next if it stands alone.
func (b *binder) lineOf(comments []syntax.Comment) int {
	own := comments[0].Span.From
	start := strings.LastIndexByte(b.src[:own.Offset], '\n') + 1
	if strings.TrimSpace(strings.TrimPrefix(b.src[start:own.Offset], "\uFEFF")) != "" {
		return own.Line
	}
	at := comments[0].Span.To
	for _, c := range comments[1:] {
		if strings.TrimSpace(b.src[at.Offset:c.Span.From.Offset]) != "" {
			break
		}
		at = c.Span.To
	}
	rest := b.src[at.Offset:]
	blank := rest[:len(rest)-len(strings.TrimLeft(rest, " \t\r\n"))]
	return at.Line + strings.Count(blank, "\n")
}
