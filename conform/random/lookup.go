package random

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/conform"
	"spate/conform/reference"
)

// snapshots are snapshots of reference data around some times, which are in order.
func (g *generator) snapshots(times []column.Ticks, keys []string) []reference.Snapshot {
	var out []reference.Snapshot
	for _, name := range conform.ReferenceInputs {
		from := column.Ticks(0)
		if g.chance(20) && len(times) > 0 { // some events come before the first
			from = times[0] + column.Ticks(g.int(-1, 1))
		}
		for n := range g.int(1, 3) {
			if n > 0 {
				if len(times) == 0 {
					break
				}
				next := times[g.int(0, len(times)-1)]/column.Second*column.Second + column.Ticks(g.int(-1, 1))
				if next <= from {
					break
				}
				from = next
			}
			s := reference.Snapshot{Input: name, From: from}
			for range g.int(0, 6) {
				s.Rows = append(s.Rows, g.event(conform.DefaultArrival, keys))
			}
			out = append(out, s)
		}
	}
	return out
}

// referenceSteps makes steps over reference data alone.
func (g *generator) referenceSteps() (steps []string) {
	g.refs, g.timeless = nil, true
	defer func() { g.timeless = false }()
	for _, name := range conform.ReferenceInputs {
		g.refs = append(g.refs, scope{from: name, fields: eventFields})
	}
	for g.chance(15) {
		sc := pick(g, g.refs...)
		if g.chance(25) {
			sc = g.looked(sc)
		}
		var items []string
		out := scope{from: fmt.Sprintf("seen%d", len(steps)+1)}
		for _, f := range append([]field{pick(g, sc.fields...), pick(g, sc.fields...)}, sc.fields[:2]...) {
			name := fmt.Sprintf("c%d", len(items)+1)
			items = append(items, f.name+" AS "+name)
			f.name = name
			out.fields = append(out.fields, f)
		}
		sql := "SELECT " + strings.Join(items, ", ") + "\nFROM " + sc.from
		if g.chance(40) {
			sql += "\nWHERE " + g.condition(sc, 1)
		}
		if g.chance(20) {
			sql += "\nUNION ALL\n" + sql
		}
		steps = append(steps, out.from+" AS (\n"+sql+"\n)")
		g.refs = append(g.refs, out)
	}
	return steps
}

// looked joins a scope with reference data. The sources whose rows a function may look at
// are those of the stream.
func (g *generator) looked(sc scope) scope {
	left := sc
	if sc.sides == nil { // one source, without an alias yet
		table, rest, _ := strings.Cut(sc.from, " ")
		left = scope{from: strings.TrimSpace(table + " x " + rest), fields: qualified("x", sc.fields)}
		for _, line := range sc.lines {
			left.lines = append(left.lines, "x."+line)
		}
		left.sides = []scope{left}
	}
	of := pick(g, g.refs...)
	right := scope{fields: qualified("w", of.fields)}
	out := scope{sides: left.sides, lines: left.lines, looked: true, fields: append(append([]field(nil), left.fields...), right.fields...)}
	var on []string
	if g.chance(85) {
		on = append(on, g.equal(left, right))
		if g.chance(20) {
			on = append(on, g.equal(right, left))
		}
	}
	if len(on) == 0 || g.chance(25) {
		on = append(on, g.condition(pick(g, left, right, scope{fields: out.fields}), 1))
	}
	for i := range on {
		if strings.Contains(on[i], " OR ") {
			on[i] = "(" + on[i] + ")"
		}
	}
	out.from = left.from + " " + pick(g, "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN") + " " + of.from + " w ON " + strings.Join(on, " AND ")
	return out
}

func qualified(alias string, fields []field) []field {
	out := make([]field, len(fields))
	for i, f := range fields {
		f.name = alias + "." + f.name
		out[i] = f
	}
	return out
}
