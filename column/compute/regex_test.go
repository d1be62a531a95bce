package compute

import (
	"strings"
	"testing"

	"spate/column"
)

func TestRegexMatch(t *testing.T) {
	text := column.TextOf
	r := NewRegex()
	for _, c := range []struct {
		s, p column.Value
		want string
	}{
		{text("ab123"), text("[0-9][0-9][0-9]"), "3"}, {text("x"), text("("), "0"}, {column.Value{}, text("x"), "null"}, {text("x"), column.Value{}, "null"},
		{text("Device-A"), text("^device"), "1"}, {text("ab"), text("c"), "0"}, {text("aab"), text(`(a)\1b`), "1"}, {text("price 12"), text(`(?=1)\d`), "7"},
		{text("😀b"), text("b"), "3"}, {text("a\nb"), text("^b"), "0"}, {text(""), text(""), "1"},
	} {
		for range 2 { // the second from memory
			v, err := r.Match([]column.Value{c.s, c.p})
			if got := string(column.AppendJSON(nil, v)); err != nil || got != c.want {
				t.Errorf("REGEXMATCH(%v, %v) = %s, %v, want %s", c.s.Text(), c.p.Text(), got, err, c.want)
			}
		}
	}
	if _, err := r.Match([]column.Value{column.ArrayOf(nil), text("x")}); err == nil || !strings.Contains(err.Error(), "invalid type 'array'") {
		t.Errorf("an array: %v", err)
	}
	if v, err := r.Match([]column.Value{text(strings.Repeat("a", 47) + "!"), text("(a+)+$")}); err != nil || v.Int() != 0 {
		t.Errorf("nested repetitions: %v, %v, want 0", v.Int(), err)
	}
	if _, err := r.Match([]column.Value{text(strings.Repeat("a", 47) + "!"), text(`^((a+)+)\1$`)}); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Errorf("a match without end: %v", err)
	}
	if _, err := r.Match([]column.Value{text("x"), text("(a{1000}){1000}")}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a pattern without end: %v", err)
	}
}
