package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"spate/internal/near"
)

// Problem is one thing that is wrong with a pipeline, at a place a person can open.
type Problem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`     // from 1
	Column   int    `json:"column"`   // from 1, in characters
	Code     string `json:"code"`     // never changes meaning
	Severity string `json:"severity"` // error or warning
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`

	excerpt string
}

// String is the line form, an excerpt with a caret, and the hint.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s %s\n", p.File, p.Line, p.Column, p.Code, p.Message)
	b.WriteString(p.excerpt)
	if p.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", p.Hint)
	}
	return b.String()
}

// Problems is the error of Load: everything that is wrong, in the order of the file.
type Problems []Problem

// Error is all problems in their line form.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// hideSecrets takes away the excerpts that show a line with a secret.
func (ps Problems) hideSecrets() {
	secret := map[string]bool{}
	line := func(p Problem, n int) string { return fmt.Sprintf("%s:%d", p.File, n) }
	for _, p := range ps {
		if strings.HasPrefix(p.Code, "S") {
			secret[line(p, p.Line)] = true
		}
	}
	for i, p := range ps {
		if secret[line(p, p.Line)] || secret[line(p, p.Line-1)] {
			ps[i].excerpt = ""
		}
	}
}

// maxProblems is how many problems of one stage are reported.
const maxProblems = 50

// excerpt shows the line before, the line, and a caret under the column.
func excerpt(src string, line, col int) string {
	lines := strings.Split(src, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	var b strings.Builder
	show := func(n int, mark string) {
		fmt.Fprintf(&b, "%s%5d | %s\n", mark, n, strings.TrimRight(strings.ReplaceAll(lines[n-1], "\t", " "), "\r"))
	}
	if line > 1 {
		show(line-1, "  ")
	}
	show(line, "> ")
	width := min(col-1, utf8.RuneCountInString(lines[line-1]))
	fmt.Fprintf(&b, "%s^\n", strings.Repeat(" ", len("> ")+5+len(" | ")+max(width, 0)))
	return b.String()
}

// didYouMean is the hint for a word that is not one of words.
func didYouMean(word string, words []string) string {
	if meant := near.Word(word, words); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	return ""
}
