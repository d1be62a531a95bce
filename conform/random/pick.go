package random

import (
	"fmt"
	"strings"
)

// picking makes one call of an aggregate that looks at the rows of its group one by one.
func (g *generator) picking(sc scope) (string, field) {
	switch g.int(1, 7) {
	case 1:
		if name, _, _ := strings.Cut(sc.from, " "); sc.sides == nil {
			return "COUNT(DISTINCT " + name + ")", field{class: number}
		}
		if sc.looked {
			return "COUNT(DISTINCT " + pick(g, "x", "w") + ")", field{class: number}
		}
		return "COUNT(DISTINCT " + pick(g, "x", "y") + ")", field{class: number}
	case 2:
		f := g.picked(sc)
		of := field{class: array}
		if f.class == composite {
			of.class = composite
		}
		return "Collect(" + f.name + ")", of
	case 3, 4:
		return fmt.Sprintf("%s(%s) OVER (ORDER BY %s%s)", pick(g, "PERCENTILE_CONT", "PERCENTILE_DISC"),
			pick(g, "0", "0.1", "0.25", "0.5", "0.5", "0.95", "1", "0.333", "3e-1"),
			g.named(sc, pick(g, number, number, wide, loose), "7"), pick(g, "", " ASC", " DESC")), field{class: wide}
	}
	var keys []string
	for len(keys) == 0 || g.chance(25) {
		keys = append(keys, g.orderKey(sc)+pick(g, "", " ASC", " DESC", " DESC"))
	}
	over := " OVER (ORDER BY " + strings.Join(keys, ", ") + ")"
	f := g.picked(sc)
	if g.chance(50) {
		return "TopOne(" + f.name + ")" + over, f
	}
	args := fmt.Sprint(pick(g, 1, 2, 3, 10))
	if f.name != "" {
		args += ", " + f.name
	}
	return "CollectTop(" + args + ")" + over, field{class: composite}
}

// picked is what an aggregate takes of a row: a column, or the whole row, which has no
// name.
func (g *generator) picked(sc scope) field {
	if sc.sides == nil && sc.events == nil && g.chance(40) {
		return field{class: composite}
	}
	f := pick(g, sc.fields...)
	if g.failing && g.chance(20) {
		f = field{name: g.fails(sc), class: number}
	}
	f.key = false
	return f
}

// orderKey is a key of ORDER BY.
func (g *generator) orderKey(sc scope) string {
	var names []string
	for _, f := range sc.fields {
		switch f.class {
		case number, wide, loose, moment:
			names = append(names, f.name)
		}
	}
	if len(names) == 0 || g.chance(15) {
		return pick(g, "System.Timestamp()", "DATEADD(second, 1, System.Timestamp())")
	}
	if g.failing && g.chance(15) {
		if sc.open { // its fields have no static type that a key cannot have
			return g.named(sc, mixed, "NULL")
		}
		return g.named(sc, text, "NULL")
	}
	return pick(g, names...)
}

// overRows makes an aggregate with OVER (LIMIT DURATION), of which the keys are given.
func (g *generator) overRows(sc scope, over []string) (string, field) {
	call, f := "", field{class: number}
	arg := pick(g, sc.fields...).name
	switch g.int(1, 6) {
	case 1:
		call = pick(g, "COUNT(*)", "COUNT("+arg+")")
	case 2, 3:
		arg, f.class = g.named(sc, pick(g, number, number, wide, loose), "7"), wide
		if g.failing && g.chance(30) {
			arg, f.class = g.named(sc, text, "'x'"), mixed
		}
		call = pick(g, "SUM", "AVG", "MIN", "MAX") + "(" + arg + ")"
	case 4:
		call, f.class = "Collect("+arg+")", composite
	default:
		over = append(over, "ORDER BY "+g.orderKey(sc)+pick(g, "", " DESC"))
		call, f.class = pick(g, "TopOne(", "CollectTop(2, ", "CollectTop(1, ")+arg+")", composite
	}
	over = append(over, fmt.Sprintf("LIMIT DURATION(%s)", pick(g, "second, 1", "second, 2", "second, 5", "millisecond, 500", "minute, 1")))
	if g.chance(30) {
		over = append(over, "WHEN "+g.condition(sc, 1))
	}
	return call + " OVER (" + strings.Join(over, " ") + ")", f
}
