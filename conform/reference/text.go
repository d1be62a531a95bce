package reference

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"spate/column"
)

// units is a text as .NET counts it: UTF-16 units.
type units []uint16

func unitsOf(s string) units       { return utf16.Encode([]rune(s)) }
func (u units) text() column.Value { return column.TextOf(string(utf16.Decode(u))) }

// textArg reads an argument as a text; only records and arrays are none.
func textArg(name string, a []column.Value, n int) (string, error) {
	if a[n].Kind == column.Record || a[n].Kind == column.Array {
		return "", wrongType(name, n+1, a[n], column.Text)
	}
	return textOf(a[n]), nil
}

// ofText wraps a function of one text.
func ofText(name string, f func(string) column.Value) function {
	return function{run: func(_ *runner, a []column.Value) (column.Value, error) {
		s, err := textArg(name, a, 0)
		if err != nil {
			return null, err
		}
		return f(s), nil
	}}
}

func isBlank(c rune) bool {
	return unicode.Is(unicode.Zs, c) || c == 0x2028 || c == 0x2029 || c >= 9 && c <= 13 || c == 0x85 || c == 0xa0
}

// invariant maps each character on its own, never one to several.
func invariant(s string, f func(rune) rune) column.Value { return column.TextOf(strings.Map(f, s)) }

var textFunctions = map[string]function{
	"LOWER": ofText("LOWER", func(s string) column.Value { return invariant(s, unicode.ToLower) }),
	"UPPER": ofText("UPPER", func(s string) column.Value { return invariant(s, unicode.ToUpper) }),
	"LTRIM": ofText("LTRIM", func(s string) column.Value { return column.TextOf(strings.TrimLeftFunc(s, isBlank)) }),
	"RTRIM": ofText("RTRIM", func(s string) column.Value { return column.TextOf(strings.TrimRightFunc(s, isBlank)) }),
	"TRIM":  ofText("TRIM", func(s string) column.Value { return column.TextOf(strings.TrimFunc(s, isBlank)) }),
	"LEN": ofText("LEN", func(s string) column.Value {
		return column.IntOf(int64(len(unitsOf(strings.TrimRight(s, " ")))))
	}),
	"REVERSE": ofText("REVERSE", func(s string) column.Value {
		r := []rune(s)
		for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
			r[i], r[j] = r[j], r[i]
		}
		return column.TextOf(string(r))
	}),
	"UNICODE": ofText("UNICODE", func(s string) column.Value {
		if s == "" {
			return null
		}
		c, _ := utf8.DecodeRuneInString(s)
		return column.IntOf(int64(c))
	}),
	"NCHAR": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		i, err := bigintArg("NCHAR", a, 0)
		if err != nil || i < 0 || i > 0x10FFFF {
			return null, err
		}
		return column.TextOf(string(rune(i))), nil
	}},
	"CONCAT": {nulls: true, run: func(_ *runner, a []column.Value) (column.Value, error) {
		var sb strings.Builder
		for _, v := range a {
			sb.WriteString(textOf(v))
		}
		return column.TextOf(sb.String()), nil
	}},
	"CONCAT_WS": {nulls: true, run: func(_ *runner, a []column.Value) (column.Value, error) {
		var parts []string
		for _, v := range a[1:] {
			if !v.IsNull() {
				parts = append(parts, textOf(v))
			}
		}
		return column.TextOf(strings.Join(parts, textOf(a[0]))), nil
	}},
	"LEFT":  side("LEFT", func(u units, n int) units { return u[:n] }),
	"RIGHT": side("RIGHT", func(u units, n int) units { return u[len(u)-n:] }),
	"SUBSTRING": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		s, err := textArg("SUBSTRING", a, 0)
		if err != nil {
			return null, err
		}
		start, err := bigintArg("SUBSTRING", a, 1)
		if err != nil {
			return null, err
		}
		n, err := bigintArg("SUBSTRING", a, 2)
		if err != nil {
			return null, err
		}
		if n < 0 {
			return null, fmt.Errorf("the length of SUBSTRING is negative: %d", n)
		}
		u := unitsOf(s)
		if start < 1 {
			return u[:min(max(start+n-1, 0), int64(len(u)))].text(), nil
		}
		if start > int64(len(u)) {
			return column.TextOf(""), nil
		}
		u = u[start-1:]
		return u[:min(n, int64(len(u)))].text(), nil
	}},
	"REPLACE": {run: func(r *runner, a []column.Value) (column.Value, error) {
		var s [3]string
		for i := range s {
			var err error
			if s[i], err = textArg("REPLACE", a, i); err != nil {
				return null, err
			}
		}
		if s[1] == "" {
			return column.TextOf(s[0]), nil
		}
		return column.TextOf(strings.ReplaceAll(s[0], s[1], s[2])), nil
	}},
	"REPLICATE": {run: func(_ *runner, a []column.Value) (column.Value, error) {
		s, err := textArg("REPLICATE", a, 0)
		if err != nil {
			return null, err
		}
		return replicate("REPLICATE", s, a, 1)
	}},
	"SPACE": {run: func(_ *runner, a []column.Value) (column.Value, error) { return replicate("SPACE", " ", a, 0) }},
	"CHARINDEX": {run: func(r *runner, a []column.Value) (column.Value, error) {
		find, err := textArg("CHARINDEX", a, 0)
		if err != nil {
			return null, err
		}
		in, err := textArg("CHARINDEX", a, 1)
		if err != nil {
			return null, err
		}
		start := int64(1)
		if len(a) > 2 {
			if start, err = bigintArg("CHARINDEX", a, 2); err != nil {
				return null, err
			}
		}
		f, u := unitsOf(r.folded(find)), unitsOf(r.folded(in))
		if len(f) == 0 {
			return column.IntOf(0), nil
		}
		for i := max(start, 1) - 1; i+int64(len(f)) <= int64(len(u)); i++ {
			if string(utf16.Decode(u[i:i+int64(len(f))])) == string(utf16.Decode(f)) {
				return column.IntOf(i + 1), nil
			}
		}
		return column.IntOf(0), nil
	}},
	"STUFF":     {nulls: true, run: stuff},
	"TRANSLATE": {run: translate},
	"LIKE": {run: func(r *runner, a []column.Value) (column.Value, error) {
		s, err := textArg("LIKE", a, 0)
		if err != nil {
			return null, err
		}
		p, err := textArg("LIKE", a, 1)
		if err != nil {
			return null, err
		}
		escape := rune(-1)
		if len(a) > 2 && a[2].Kind != column.Text {
			return null, wrongType("LIKE", 3, a[2], column.Text)
		}
		if len(a) > 2 && a[2].Text() != "" {
			escape, _ = utf8.DecodeRuneInString(a[2].Text())
		}
		return column.BoolOf(like([]rune(r.folded(s)), likePattern(r.folded(p), escape))), nil
	}},
	"PATINDEX": {run: func(r *runner, a []column.Value) (column.Value, error) {
		p, err := textArg("PATINDEX", a, 0)
		if err != nil {
			return null, err
		}
		s, err := textArg("PATINDEX", a, 1)
		if err != nil {
			return null, err
		}
		text, pattern := []rune(r.folded(s)), likePattern(r.folded(p), -1)
		open := false
		for len(pattern) > 0 && pattern[0].run { // several runs are one
			open, pattern = true, pattern[1:]
		}
		for i := range len(text) + 1 {
			if like(text[i:], pattern) || open && len(pattern) == 0 {
				return column.IntOf(int64(len(unitsOf(string(text[:i])))) + 1), nil
			}
			if !open {
				break
			}
		}
		return column.IntOf(0), nil
	}},
}

func (r *runner) folded(s string) string {
	if r.options.FoldCase {
		return strings.ToUpper(s)
	}
	return s
}

func side(name string, cut func(units, int) units) function {
	return function{run: func(_ *runner, a []column.Value) (column.Value, error) {
		s, err := textArg(name, a, 0)
		if err != nil {
			return null, err
		}
		n, err := bigintArg(name, a, 1)
		if err != nil {
			return null, err
		}
		if n < 0 {
			return null, fmt.Errorf("the length of %s is negative: %d", name, n)
		}
		u := unitsOf(s)
		return cut(u, int(min(n, int64(len(u))))).text(), nil
	}}
}

// maxText bounds what REPLICATE and SPACE make.
const maxText = 1 << 24

func replicate(name, s string, a []column.Value, at int) (column.Value, error) {
	n, err := bigintArg(name, a, at)
	if err != nil || n < 0 {
		return null, err
	}
	if s != "" && n > int64(maxText/len(s)) {
		return null, fmt.Errorf("the result of %s is too long", name)
	}
	return column.TextOf(strings.Repeat(s, int(n))), nil
}

func stuff(_ *runner, a []column.Value) (column.Value, error) {
	if a[0].IsNull() || a[1].IsNull() || a[2].IsNull() {
		return null, nil
	}
	s, err := textArg("STUFF", a, 0)
	if err != nil {
		return null, err
	}
	start, err := bigintArg("STUFF", a, 1)
	if err != nil {
		return null, err
	}
	n, err := bigintArg("STUFF", a, 2)
	if err != nil {
		return null, err
	}
	insert := ""
	if !a[3].IsNull() {
		if insert, err = textArg("STUFF", a, 3); err != nil {
			return null, err
		}
	}
	if n < 0 {
		return null, fmt.Errorf("the length of STUFF is negative: %d", n)
	}
	u := unitsOf(s)
	start = max(start, 1)
	if start > int64(len(u)) {
		return column.TextOf(""), nil
	}
	head := u[:start-1]
	tail := u[min(start-1+min(n, int64(len(u))), int64(len(u))):]
	return append(append(append(units{}, head...), unitsOf(insert)...), tail...).text(), nil
}

func translate(_ *runner, a []column.Value) (column.Value, error) {
	var s [3]string
	for i := range s {
		var err error
		if s[i], err = textArg("TRANSLATE", a, i); err != nil {
			return null, err
		}
	}
	from, to := []rune(s[1]), []rune(s[2])
	if len(from) != len(to) {
		return null, fmt.Errorf("the second and third argument of TRANSLATE differ in length")
	}
	return column.TextOf(strings.Map(func(c rune) rune {
		for i, f := range from {
			if f == c {
				return to[i]
			}
		}
		return c
	}, s[0])), nil
}

// glob is one element of a LIKE pattern: a run, or one character out of a set.
type glob struct {
	run    bool
	any    bool
	not    bool
	ranges [][2]rune
}

func likePattern(p string, escape rune) []glob {
	var out []glob
	c := []rune(p)
	for i := 0; i < len(c); i++ {
		switch {
		case c[i] == escape && i+1 < len(c):
			i++
			out = append(out, glob{ranges: [][2]rune{{c[i], c[i]}}})
		case c[i] == '%':
			out = append(out, glob{run: true})
		case c[i] == '_':
			out = append(out, glob{any: true})
		case c[i] == '[':
			g, next := set(c, i+1)
			if next < 0 {
				out = append(out, glob{ranges: [][2]rune{{'[', '['}}})
				continue
			}
			out = append(out, g)
			i = next
		default:
			out = append(out, glob{ranges: [][2]rune{{c[i], c[i]}}})
		}
	}
	return out
}

// set reads what stands between [ and ] and returns the index of the ].
func set(c []rune, i int) (glob, int) {
	var g glob
	if i < len(c) && c[i] == '^' {
		g.not = true
		i++
	}
	for ; i < len(c); i++ {
		if c[i] == ']' {
			return g, i
		}
		if i+2 < len(c) && c[i+1] == '-' && c[i+2] != ']' {
			g.ranges = append(g.ranges, [2]rune{c[i], c[i+2]})
			i += 2
			continue
		}
		g.ranges = append(g.ranges, [2]rune{c[i], c[i]})
	}
	return g, -1
}

func (g *glob) takes(c rune) bool {
	if g.any {
		return true
	}
	for _, r := range g.ranges {
		if c >= r[0] && c <= r[1] {
			return !g.not
		}
	}
	return g.not
}

func like(s []rune, p []glob) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	if p[0].run {
		for i := range len(s) + 1 {
			if like(s[i:], p[1:]) {
				return true
			}
		}
		return false
	}
	return len(s) > 0 && p[0].takes(s[0]) && like(s[1:], p[1:])
}
