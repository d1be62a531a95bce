package compute

import "spate/column"

// Pattern is a compiled LIKE pattern.
type Pattern struct{ items []patternItem }

type patternItem struct {
	kind byte // 'c' a character, '_' any one, '%' any run, '[' a set
	char rune
	set  []rune // pairs: from, to
	not  bool
}

// NewPattern compiles a LIKE pattern; escape is 0 for none.
func NewPattern(p string, escape rune) Pattern {
	var out Pattern
	rs := []rune(p)
	for i := 0; i < len(rs); i++ {
		switch c := rs[i]; {
		case escape != 0 && c == escape && i+1 < len(rs):
			i++
			out.items = append(out.items, patternItem{kind: 'c', char: rs[i]})
		case c == '%' || c == '_':
			out.items = append(out.items, patternItem{kind: byte(c)})
		case c == '[':
			item, next, ok := parseSet(rs, i+1)
			if !ok {
				out.items = append(out.items, patternItem{kind: 'c', char: c})
				continue
			}
			out.items = append(out.items, item)
			i = next
		default:
			out.items = append(out.items, patternItem{kind: 'c', char: c})
		}
	}
	return out
}

func parseSet(rs []rune, i int) (patternItem, int, bool) {
	item := patternItem{kind: '['}
	if i < len(rs) && rs[i] == '^' {
		item.not = true
		i++
	}
	for first := true; i < len(rs); first = false {
		if rs[i] == ']' && !first {
			return item, i, true
		}
		if i+2 < len(rs) && rs[i+1] == '-' && rs[i+2] != ']' {
			item.set = append(item.set, rs[i], rs[i+2])
			i += 3
			continue
		}
		item.set = append(item.set, rs[i], rs[i])
		i++
	}
	return item, 0, false
}

func (it *patternItem) matches(r rune) bool {
	switch it.kind {
	case 'c':
		return r == it.char
	case '_':
		return true
	}
	for k := 0; k+1 < len(it.set); k += 2 {
		if r >= it.set[k] && r <= it.set[k+1] {
			return !it.not
		}
	}
	return it.not
}

// Match reports whether the whole of s matches.
func (p Pattern) Match(s string) bool { return matchItems(p.items, []rune(s)) }

// matchItems is greedy matching with one point of return: the last run seen.
func matchItems(items []patternItem, rs []rune) bool {
	i, k := 0, 0
	star, mark := -1, 0
	for i < len(rs) {
		switch {
		case k < len(items) && items[k].kind == '%':
			star, mark = k, i
			k++
		case k < len(items) && items[k].matches(rs[i]):
			i++
			k++
		case star >= 0:
			mark++
			i, k = mark, star+1
		default:
			return false
		}
	}
	for k < len(items) && items[k].kind == '%' {
		k++
	}
	return k == len(items)
}

// Like evaluates s LIKE p [ESCAPE e] for values.
func Like(args []column.Value) (Truth, error) {
	for _, a := range args {
		if a.IsNull() {
			return Unknown, nil
		}
	}
	s, err := textArg("LIKE", args, 0)
	if err != nil {
		return Unknown, err
	}
	p, err := textArg("LIKE", args, 1)
	if err != nil {
		return Unknown, err
	}
	var escape rune
	if len(args) == 3 {
		if args[2].Kind != column.Text {
			return Unknown, wrongType("LIKE", 3, args[2], column.Text)
		}
		if rs := []rune(args[2].Text()); len(rs) == 1 {
			escape = rs[0]
		}
	}
	return truth(NewPattern(p, escape).Match(s)), nil
}

func patIndex(a []column.Value) (column.Value, error) {
	p, err := textArg("PATINDEX", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	s, err := textArg("PATINDEX", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	rs := []rune(s)
	items := NewPattern(p, 0).items
	at := 0
	if len(items) == 0 || items[0].kind != '%' {
		if !matchItems(items, rs) {
			at = -1
		}
	} else {
		for len(items) > 0 && items[0].kind == '%' {
			items = items[1:]
		}
		at = firstMatch(items, rs)
	}
	if at < 0 {
		return column.IntOf(0), nil
	}
	pos := int64(1)
	for _, r := range rs[:at] {
		pos++
		if r > 0xffff {
			pos++
		}
	}
	return column.IntOf(pos), nil
}

// firstMatch is the first place from which items, which do not begin with a run,
// match all that is left of rs; -1 if there is none.
func firstMatch(items []patternItem, rs []rune) int {
	fixed := 0 // items before the first run
	for fixed < len(items) && items[fixed].kind != '%' {
		fixed++
	}
	from := 0
	if fixed == len(items) && fixed > 0 {
		from = max(len(rs)-fixed, 0) // without a run it must end where the text does
	}
	for at := from; at+fixed <= len(rs); at++ {
		k := 0
		for k < fixed && items[k].matches(rs[at+k]) {
			k++
		}
		if k < fixed {
			continue
		}
		// A later place leaves the run behind it less text, so this one decides.
		if fixed == 0 || matchItems(items[fixed:], rs[at+fixed:]) {
			return at
		}
		return -1
	}
	return -1
}
