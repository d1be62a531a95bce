package random

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// matched is a query with MATCH_RECOGNIZE over one source. A group is not repeated without
// end: what goes all ways would not end either.
func (g *generator) matched(sc scope) (string, scope) {
	pattern, vars := g.patternOf([]string{"A", "B", "C"}[:g.int(1, 3)], false)
	limit := pick(g, "millisecond, 500", "second, 1", "second, 1", "second, 2")
	clauses := []string{"LIMIT DURATION(" + limit + ")"}
	if keys := g.partition(sc); len(keys) > 0 {
		clauses = append(clauses, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if g.chance(50) && len(clauses) == 2 {
		clauses[0], clauses[1] = clauses[1], clauses[0]
	}
	var out scope
	var measures []string
	add := func(expr string, f field) {
		f.name = fmt.Sprintf("c%d", len(measures)+1)
		measures = append(measures, expr+" AS "+f.name)
		f.key = false
		out.fields = append(out.fields, f)
	}
	for _, line := range sc.lines {
		add("Last("+line+")", field{class: mixed})
		out.lines = append(out.lines, fmt.Sprintf("c%d", len(measures)))
	}
	of := func() (string, field) {
		f := pick(g, sc.fields...)
		return pick(g, append(vars, "", "")...), f
	}
	dot := func(v, name string) string {
		if v == "" {
			return name
		}
		return v + "." + name
	}
	for range g.int(1, 3) {
		v, f := of()
		add(pick(g, "First(", "Last(", "(")+dot(v, f.name)+")", f)
	}
	if nums := g.numbers(sc); len(nums) > 0 && g.chance(40) {
		add(pick(g, "Min(", "Max(")+dot(pick(g, append(vars, "")...), pick(g, nums...))+")", field{class: number})
	}
	if g.chance(30) {
		add("Classifier()", field{class: array})
	}
	if g.chance(30) {
		add("System.Timestamp()", field{class: moment})
	}
	clauses = append(clauses, "MEASURES "+strings.Join(measures, ", "))
	if g.chance(50) {
		clauses = append(clauses, "AFTER MATCH SKIP TO NEXT ROW")
	}
	clauses = append(clauses, "PATTERN ("+pattern+")")
	var defs []string
	for i, v := range vars {
		if g.chance(20) {
			continue
		}
		cond := g.condition(sc, 1)
		if g.chance(40) {
			cond += " AND " + g.looksBack(sc, v, vars[:i+1], defs)
		}
		defs = append(defs, v+" AS "+cond)
	}
	if len(defs) > 0 {
		clauses = append(clauses, "DEFINE "+strings.Join(defs, ", "))
	}
	names := "*"
	if g.chance(50) {
		names = "m.c1"
		for _, f := range out.fields[1:] {
			names += ", " + f.name
		}
	}
	return "SELECT " + names + "\nFROM " + sc.from + " MATCH_RECOGNIZE (" + strings.Join(clauses, " ") + ") AS m", out
}

// looksBack is a condition of the definition of v over the rows before, of variables that
// are defined.
func (g *generator) looksBack(sc scope, v string, vars, defs []string) string {
	from := []string{v, ""}
	for _, d := range defs {
		from = append(from, d[:1])
	}
	f := g.named(sc, pick(g, number, number, mixed), "")
	if f == "" {
		return "0 = 0"
	}
	if x := pick(g, from...); x != "" {
		f = x + "." + f
	}
	call := pick(g, "First", "Last", "Min", "Max") + "(" + f + ")"
	if g.chance(40) {
		return call + " IS " + pick(g, "NOT ", "") + "NULL"
	}
	return fmt.Sprintf("(%s IS NULL OR %s %s %s)", call, g.numberExpr(sc, 0), pick(g, "<", ">", "<>", "="), call)
}

// patternOf is a pattern, and those of some variables that it names: one at least.
func (g *generator) patternOf(vars []string, open bool) (string, []string) {
	pattern, _ := g.pattern(vars, 2, open)
	var named []string
	for _, v := range vars {
		if strings.Contains(pattern, v) {
			named = append(named, v)
		}
	}
	if named == nil {
		return "(" + pattern + ") " + vars[0], vars[:1]
	}
	return pattern, named
}

// pattern is a pattern over variables, and whether it takes no row too. With open set groups
// are repeated without end too. What may be nothing is not repeated: which of its ways an
// empty turn is preferred to is nowhere said.
func (g *generator) pattern(vars []string, depth int, open bool) (text string, nothing bool) {
	atom := func() (string, bool) {
		if depth > 0 && g.chance(35) {
			group, nothing := g.pattern(vars, depth-1, open)
			times := ""
			switch {
			case nothing:
			case open:
				times = pick(g, "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "{0,2}")
			default:
				times = pick(g, "", "", "?", "{2}", "{1,2}")
			}
			return "(" + group + ")" + times, nothing || mayBeNothing(times)
		}
		times := pick(g, "", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "{,2}")
		return pick(g, append(vars, vars[0], ".")...) + times, mayBeNothing(times)
	}
	var alts []string
	for range g.int(1, 2) {
		var seq []string
		empty := true
		for range g.int(1, 3) {
			part, none := atom()
			seq, empty = append(seq, part), empty && none
		}
		alts, nothing = append(alts, strings.Join(seq, " ")), nothing || empty
	}
	return strings.Join(alts, " | "), nothing
}

func mayBeNothing(times string) bool {
	return times == "*" || times == "?" || strings.HasPrefix(times, "{0,") || strings.HasPrefix(times, "{,")
}

// Pattern is a script with a pattern of any form over the input i.
func Pattern(t *rapid.T) string {
	g := &generator{t: t}
	pattern, vars := g.patternOf([]string{"A", "B", "C"}[:g.int(1, 3)], true)
	var defs []string
	for i, v := range vars {
		cond := pick(g, "s = 'a'", "s <> 'b'", "n > 1", "n <= 1", "s = 'b'")
		if g.chance(35) {
			of := pick(g, vars[:i+1]...)
			back := pick(g, "Last", "First", "Max", "Min") + "(" + of + ".n)"
			cond = pick(g, cond+" AND ", "", "") + pick(g, "("+back+" IS NULL OR n >= "+back+")", back+" IS NULL", "n <> "+back, "CAST("+back+" AS bigint) / (n - 2) >= 0")
		}
		if g.chance(85) {
			defs = append(defs, v+" AS "+cond)
		} else {
			defs = append(defs, v+" AS n IS NULL OR 0 = 0")
		}
	}
	return fmt.Sprintf(`SELECT * INTO o FROM i MATCH_RECOGNIZE (LIMIT DURATION(second, %d) %s
  MEASURES First(n) AS f, Last(%s.n) AS a, Max(n) AS m, Classifier() AS c, System.Timestamp() AS t
  PATTERN (%s) DEFINE %s) AS m`, g.int(1, 8), pick(g, "", "PARTITION BY k"), vars[0], pattern, strings.Join(defs, ", "))
}
