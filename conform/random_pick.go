package conform

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
		return "COUNT(DISTINCT " + pick(g, "x", "y") + ")", field{class: number}
	case 2:
		f := g.picked(sc)
		of := field{class: array}
		if f.class == composite {
			of.class = composite
		}
		return "Collect(" + f.name + ")", of
	case 3, 4:
		arg := g.orderKey(sc)
		call := fmt.Sprintf("%s(%s) OVER (ORDER BY %s%s)", pick(g, "PERCENTILE_CONT", "PERCENTILE_DISC"),
			pick(g, "0", "0.1", "0.25", "0.5", "0.5", "0.95", "1", "0.333", "3e-1"), arg, pick(g, "", " ASC", " DESC"))
		if strings.Contains(call, "System.Timestamp") || g.isMoment(sc, arg) {
			return "PERCENTILE_DISC(0.5) OVER (ORDER BY 7)", field{class: number}
		}
		return call, field{class: wide}
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
	if sc.sides == nil && g.chance(40) {
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
		return pick(g, g.named(sc, mixed, "NULL"), g.named(sc, text, "NULL"))
	}
	return pick(g, names...)
}

func (g *generator) isMoment(sc scope, name string) bool {
	for _, f := range sc.fields {
		if f.name == name {
			return f.class == moment
		}
	}
	return false
}
