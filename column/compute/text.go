package compute

import (
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"spate/column"
)

// units are the UTF-16 code units of a text: lengths and positions count them.
type units []uint16

func unitsOf(s string) units { return utf16.Encode([]rune(s)) }

func (u units) String() string { return string(utf16.Decode(u)) }

var textFunctions = []Function{
	{Name: "LEN", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		s, err := textArg("LEN", a, 0)
		if err != nil {
			return column.Value{}, err
		}
		return column.IntOf(int64(len(unitsOf(strings.TrimRight(s, " "))))), nil
	}},
	{Name: "FOLD", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) { // of plans that compare ignoring case
		if a[0].Kind != column.Text {
			return a[0], nil
		}
		return column.TextOf(strings.ToUpper(a[0].Text())), nil
	}},
	{Name: "JOINKEY", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) { return joinKey(a[0]), nil }},
	mapText("UPPER", strings.ToUpper), mapText("LOWER", strings.ToLower),
	mapText("LTRIM", func(s string) string { return strings.TrimLeftFunc(s, isBlank) }),
	mapText("RTRIM", func(s string) string { return strings.TrimRightFunc(s, isBlank) }),
	mapText("TRIM", func(s string) string { return strings.TrimFunc(s, isBlank) }),
	mapText("REVERSE", func(s string) string { // by character, so that no surrogate pair breaks
		r := []rune(s)
		slices.Reverse(r)
		return string(r)
	}),
	{Name: "CONCAT", Min: 2, Max: -1, Nulls: true, Call: func(a []column.Value) (column.Value, error) {
		var b []byte
		for _, v := range a {
			b = column.AppendText(b, v)
		}
		return column.TextOf(string(b)), nil
	}},
	{Name: "CONCAT_WS", Min: 3, Max: -1, Nulls: true, Call: func(a []column.Value) (column.Value, error) {
		var b []byte
		some := false
		for _, v := range a[1:] {
			if v.IsNull() {
				continue
			}
			if some {
				b = column.AppendText(b, a[0])
			}
			some = true
			b = column.AppendText(b, v)
		}
		return column.TextOf(string(b)), nil
	}},
	{Name: "CHARINDEX", Min: 2, Max: 3, Call: charIndex},
	{Name: "PATINDEX", Min: 2, Max: 2, Call: patIndex},
	{Name: "LEFT", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) { return side("LEFT", a) }},
	{Name: "RIGHT", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) { return side("RIGHT", a) }},
	{Name: "SUBSTRING", Min: 3, Max: 3, Call: substring},
	{Name: "REPLACE", Min: 3, Max: 3, Call: func(a []column.Value) (column.Value, error) {
		var t [3]string
		for i := range t {
			var err error
			if t[i], err = textArg("REPLACE", a, i); err != nil {
				return column.Value{}, err
			}
		}
		if t[1] == "" {
			return column.TextOf(t[0]), nil
		}
		return column.TextOf(strings.ReplaceAll(t[0], t[1], t[2])), nil
	}},
	{Name: "REPLICATE", Min: 2, Max: 2, Call: func(a []column.Value) (column.Value, error) {
		s, err := textArg("REPLICATE", a, 0)
		if err != nil {
			return column.Value{}, err
		}
		return repeat("REPLICATE", s, a, 1)
	}},
	{Name: "SPACE", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) { return repeat("SPACE", " ", a, 0) }},
	{Name: "STUFF", Min: 4, Max: 4, Nulls: true, Call: stuff},
	{Name: "TRANSLATE", Min: 3, Max: 3, Call: translate},
	{Name: "NCHAR", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		i, err := intArg("NCHAR", a, 0)
		if err != nil || i < 0 || i > utf8.MaxRune {
			return column.Value{}, err
		}
		return column.TextOf(string(rune(i))), nil
	}},
	{Name: "UNICODE", Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		s, err := textArg("UNICODE", a, 0)
		if err != nil || s == "" {
			return column.Value{}, err
		}
		r, _ := utf8.DecodeRuneInString(s)
		return column.IntOf(int64(r)), nil
	}},
}

func mapText(name string, f func(string) string) Function {
	return Function{Name: name, Min: 1, Max: 1, Call: func(a []column.Value) (column.Value, error) {
		s, err := textArg(name, a, 0)
		if err != nil {
			return column.Value{}, err
		}
		return column.TextOf(f(s)), nil
	}}
}

func isBlank(r rune) bool {
	switch {
	case r >= 0x09 && r <= 0x0d, r == 0x20, r == 0x85, r == 0xa0, r == 0x1680,
		r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

const maxText = 64 << 20

func repeat(name, s string, a []column.Value, n int) (column.Value, error) {
	i, err := intArg(name, a, n)
	if err != nil || i < 0 {
		return column.Value{}, err
	}
	if i > 0 && int64(len(s)) > maxText/i {
		return column.Value{}, errors.New(name + ": the result is longer than 64 MiB")
	}
	return column.TextOf(strings.Repeat(s, int(i))), nil
}

func charIndex(a []column.Value) (column.Value, error) {
	find, err := textArg("CHARINDEX", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	in, err := textArg("CHARINDEX", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	start := int64(1)
	if len(a) == 3 {
		if start, err = intArg("CHARINDEX", a, 2); err != nil {
			return column.Value{}, err
		}
	}
	u, f := unitsOf(in), unitsOf(find)
	if len(f) == 0 {
		return column.IntOf(0), nil
	}
	for i := int(max(start, 1)) - 1; i >= 0 && i+len(f) <= len(u); i++ {
		if equalUnits(u[i:i+len(f)], f) {
			return column.IntOf(int64(i + 1)), nil
		}
	}
	return column.IntOf(0), nil
}

func equalUnits(a, b units) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func side(name string, a []column.Value) (column.Value, error) {
	s, err := textArg(name, a, 0)
	if err != nil {
		return column.Value{}, err
	}
	n, err := intArg(name, a, 1)
	if err != nil {
		return column.Value{}, err
	}
	if n < 0 {
		return column.Value{}, errors.New("Invalid length parameter passed to the " + strings.ToLower(name) + " function.")
	}
	u := unitsOf(s)
	if n >= int64(len(u)) {
		return column.TextOf(s), nil
	}
	if name == "LEFT" {
		return column.TextOf(u[:n].String()), nil
	}
	return column.TextOf(u[len(u)-int(n):].String()), nil
}

func substring(a []column.Value) (column.Value, error) {
	s, err := textArg("SUBSTRING", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	start, err := intArg("SUBSTRING", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	n, err := intArg("SUBSTRING", a, 2)
	if err != nil {
		return column.Value{}, err
	}
	if n < 0 {
		return column.Value{}, errors.New("Invalid length parameter passed to the substring function.")
	}
	u := unitsOf(s)
	end := int64(len(u)) + 1
	if n < math.MaxInt64-max(start, 0) {
		end = min(end, start+n)
	}
	start = max(start, 1)
	if start >= end {
		return column.TextOf(""), nil
	}
	return column.TextOf(u[start-1 : end-1].String()), nil
}

func stuff(a []column.Value) (column.Value, error) {
	if a[0].IsNull() || a[1].IsNull() || a[2].IsNull() {
		return column.Value{}, nil
	}
	s, err := textArg("STUFF", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	start, err := intArg("STUFF", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	n, err := intArg("STUFF", a, 2)
	if err != nil {
		return column.Value{}, err
	}
	ins := ""
	if !a[3].IsNull() {
		if ins, err = textArg("STUFF", a, 3); err != nil {
			return column.Value{}, err
		}
	}
	if n < 0 {
		return column.Value{}, errors.New("Invalid length parameter passed to the stuff function.")
	}
	u := unitsOf(s)
	start = max(start, 1)
	if start > int64(len(u)) {
		return column.TextOf(""), nil
	}
	end := int64(len(u))
	if n < end-(start-1) {
		end = start - 1 + n
	}
	return column.TextOf(u[:start-1].String() + ins + u[end:].String()), nil
}

func translate(a []column.Value) (column.Value, error) {
	var t [3]string
	for i := range t {
		var err error
		if t[i], err = textArg("TRANSLATE", a, i); err != nil {
			return column.Value{}, err
		}
	}
	from, to := []rune(t[1]), []rune(t[2])
	if len(from) != len(to) {
		return column.Value{}, errors.New("The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.")
	}
	return column.TextOf(strings.Map(func(r rune) rune {
		for i, f := range from {
			if f == r {
				return to[i]
			}
		}
		return r
	}, t[0])), nil
}
