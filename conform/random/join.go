package random

import (
	"fmt"
	"strings"
)

// joined makes a scope of two or three sources that are joined.
func (g *generator) joined() scope {
	names := []string{"x", "y"}
	if g.chance(20) {
		names = append(names, "z")
	}
	out := scope{}
	sides := make([]scope, len(names))
	for n, name := range names {
		of := pick(g, g.scopes...)
		table, rest, _ := strings.Cut(of.from, " ")
		sides[n].from = strings.TrimSpace(table + " " + name + " " + rest)
		for _, line := range of.lines {
			sides[n].lines = append(sides[n].lines, name+"."+line)
		}
		for _, f := range of.fields {
			f.name = name + "." + f.name
			sides[n].fields = append(sides[n].fields, f)
			out.fields = append(out.fields, f)
		}
	}
	parts := append([]scope(nil), sides...)
	for n := range parts {
		if g.chance(15) {
			sc := g.applied(parts[n])
			sc.from = "(" + sc.from + ")"
			parts[n] = sc
			out.fields = append(out.fields, sc.fields[len(sides[n].fields):]...)
		}
	}
	left, leftNames := parts[0], names[:1]
	nested := len(names) == 3 && g.chance(40) // x JOIN (y JOIN z ON ..) ON ..
	if nested {
		right := g.join(parts[1], names[1:2], parts[2], names[2:])
		right.from = "(" + right.from + ")"
		left = g.join(left, leftNames, right, names[1:])
	} else {
		for n := 1; n < len(names); n++ {
			left = g.join(left, names[:n], parts[n], names[n:n+1])
		}
	}
	out.from, out.sides, out.lines = left.from, sides, left.lines
	return out
}

// join makes a join of two scopes, whose sources have those names.
func (g *generator) join(left scope, leftNames []string, right scope, rightNames []string) scope {
	both := scope{fields: append(append([]field(nil), left.fields...), right.fields...)}
	both.lines = left.lines
	on := []string{g.bound(pick(g, leftNames...), pick(g, rightNames...))}
	for n, line := range left.lines {
		on = append(on, line+" = "+right.lines[n])
	}
	if g.chance(15) { // a bound more, on one end alone
		on = append(on, fmt.Sprintf("DATEDIFF(%s, %s, %s) %s %d", pick(g, "second", "minute"), pick(g, leftNames...), pick(g, rightNames...), pick(g, "<", ">=", "<="), g.int(-2, 3)))
	}
	if g.chance(85) {
		on = append(on, g.equal(left, right))
		if g.chance(15) {
			on = append(on, g.equal(right, left))
		}
	}
	if g.chance(25) {
		on = append(on, g.condition(pick(g, left, right), 1))
	}
	if g.chance(25) {
		on = append(on, g.condition(both, 1))
	}
	if g.failing && g.chance(20) {
		on = append(on, g.fails(pick(g, left, right, both))+" < 7")
	}
	for i := range on {
		k := g.int(0, i)
		on[i], on[k] = on[k], on[i]
	}
	for i := range on {
		if strings.Contains(on[i], " OR ") {
			on[i] = "(" + on[i] + ")"
		}
	}
	both.from = left.from + " " + pick(g, "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN") + " " + right.from + " ON " + strings.Join(on, " AND ")
	return both
}

// bound bounds the time between two sources.
func (g *generator) bound(from, to string) string {
	if g.chance(25) {
		from, to = to, from
	}
	unit, low, high := "second", g.int(-4, 3), 0
	switch g.int(1, 5) {
	case 1:
		unit, low = "minute", g.int(-1, 0)
	case 2:
		unit, low = "millisecond", 250*g.int(-8, 8)
	}
	if high = low + pick(g, 0, 1, 1, 3, 6); unit == "millisecond" {
		high = low + pick(g, 0, 1, 499, 500, 2000)
	}
	d := fmt.Sprintf("DATEDIFF(%s, %s, %s)", unit, from, to)
	switch g.int(1, 5) {
	case 1:
		return fmt.Sprintf("%s = %d", d, low)
	case 2:
		return fmt.Sprintf("%s >= %d AND %d >= %s", d, low, high, d)
	case 3:
		return fmt.Sprintf("%s > %d AND %s < %d", d, low-1, d, high+1)
	}
	return fmt.Sprintf("%s BETWEEN %d AND %d", d, low, high)
}

// equal equates a field of each side, or what is computed of one.
func (g *generator) equal(left, right scope) string {
	l, r := g.keys(left), g.keys(right)
	if g.chance(25) || len(l) == 0 || len(r) == 0 {
		class := pick(g, mixed, number, moment, loose)
		return g.named(left, class, "1") + " = " + g.named(right, pick(g, class, class, text, mixed), "1")
	}
	x, y := pick(g, l...), pick(g, r...)
	if g.chance(60) { // of one name
		for _, name := range r {
			if name[2:] == x[2:] {
				y = name
			}
		}
	}
	switch {
	case g.chance(10):
		x = "CAST(" + x + " AS nvarchar(max))"
	case g.chance(5):
		y = y + " + 0"
		x = g.named(left, number, "1")
	}
	return x + " = " + y
}
