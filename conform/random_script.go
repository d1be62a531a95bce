package conform

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// class is what a column of a random script may hold, NULL always included.
type class int

const (
	number class = iota // bigints and floats
	text
	bit
	moment // datetimes, or texts that are some
	mixed  // any kind
	wide   // numbers of any size
	loose  // numbers, some of them written as texts
	array
)

type field struct {
	name  string
	class class
	key   bool // few distinct values of one kind
}

// scope is what a random SELECT reads.
type scope struct {
	from   string
	fields []field
	open   bool     // an input: its rows may have more fields
	keys   []string // a grouped step: its rows differ in these at every instant
	ties   bool     // rows of one instant have no order that can be relied on
}

// The fields of the events that RandomStream makes.
var eventFields = []field{
	{"k", text, true}, {"d", number, true}, {"b", bit, true}, {"s", text, false},
	{"v", number, false}, {"n", number, false}, {"m", mixed, false}, {"r.x", number, false}, {"r.y", text, false}, {"t", mixed, false},
	{"u", moment, false}, {"w", wide, false}, {"q", loose, false}, {"a", array, false},
}

// RandomScript makes a script over the inputs i and j whose events are those of
// RandomStream. It stays clear of what two engines may rightly do in different
// ways: order among rows that no rule orders, and last digits of variances. Now
// and then an expression fails on some events.
func RandomScript(t *rapid.T) string {
	g := &generator{t: t}
	g.scopes = []scope{
		{from: "i TIMESTAMP BY t", fields: eventFields, open: true},
		{from: "i", fields: eventFields, open: true},
		{from: "j TIMESTAMP BY t", fields: eventFields, open: true},
	}
	var sb strings.Builder
	if g.chance(25) {
		sb.WriteString("CREATE TABLE j (k nvarchar(max), d bigint, v float, n bigint, b bit, m " + pick(g, "bigint", "float", "nvarchar(max)") + ");\n")
	}
	for n := range g.int(0, 3) {
		sql, sc := g.query()
		if n == 0 {
			sb.WriteString("WITH ")
		} else {
			sb.WriteString(",\n")
		}
		sc.from = fmt.Sprintf("step%d", n+1)
		fmt.Fprintf(&sb, "%s AS (\n%s\n)", sc.from, sql)
		g.scopes = append(g.scopes, sc)
	}
	for n := range g.int(1, 2) {
		sql, _ := g.query()
		head, tail, _ := strings.Cut(sql, "\nFROM ")
		fmt.Fprintf(&sb, "\n%s\nINTO o%d\nFROM %s;", head, n+1, tail)
	}
	return strings.TrimSpace(sb.String()) + "\n"
}

type generator struct {
	t      *rapid.T
	scopes []scope
}

func (g *generator) int(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(g.t, "n") }

// chance is true in percent of 100 cases.
func (g *generator) chance(percent int) bool { return g.int(1, 100) <= percent }

func pick[T any](g *generator, list ...T) T { return rapid.SampledFrom(list).Draw(g.t, "pick") }

func (g *generator) query() (string, scope) {
	sc := pick(g, g.scopes...)
	if n := len(g.scopes); n > 3 && g.chance(60) {
		sc = g.scopes[n-1]
	}
	switch {
	case g.chance(45):
		return g.grouped(sc)
	case g.chance(12):
		return g.union()
	}
	return g.plain(sc)
}

// plain is a projection with WHERE and analytic functions.
func (g *generator) plain(sc scope) (string, scope) {
	out := scope{keys: nil, ties: sc.ties}
	var items []string
	add := func(expr string, f field) {
		f.name = fmt.Sprintf("c%d", len(items)+1)
		items = append(items, expr+" AS "+f.name)
		out.fields = append(out.fields, f)
	}
	carried := map[string]string{}
	for range g.int(1, 4) {
		f := pick(g, sc.fields...)
		add(f.name, f)
		carried[f.name] = out.fields[len(out.fields)-1].name
	}
	if g.chance(40) {
		add(g.numberExpr(sc, 2), field{class: number})
	}
	if g.chance(25) {
		add(g.textExpr(sc, 2), field{class: text})
	}
	if g.chance(2) {
		add(fmt.Sprintf("CAST(%s AS bigint)", g.named(sc, mixed, "'7'")), field{class: number})
	}
	if g.chance(25) {
		add("System.Timestamp()", field{class: moment})
	}
	if g.chance(20) {
		add(g.momentExpr(sc, 2), field{class: moment})
	}
	if g.chance(20) {
		add(g.caseExpr(sc), field{class: mixed})
	}
	if g.chance(40) && !sc.ties {
		add(g.analytic(sc))
	}
	where := ""
	if g.chance(50) {
		where = "\nWHERE " + g.condition(sc, 2)
	}
	for _, k := range sc.keys {
		if carried[k] == "" {
			out.ties = true // rows can no longer be told apart
			out.keys = nil
			break
		}
		out.keys = append(out.keys, carried[k])
	}
	sql := "SELECT " + strings.Join(items, ", ")
	if sc.open && g.chance(15) {
		sql += ", *" // what it brings is not named further on
	}
	return sql + "\nFROM " + sc.from + where, out
}

// analytic makes one analytic call. Over a grouped step it keeps to one row per
// key and instant.
func (g *generator) analytic(sc scope) (string, field) {
	f := pick(g, sc.fields...)
	var keys []string
	if sc.keys != nil {
		keys = sc.keys
	} else if k := g.keys(sc); g.chance(70) && len(k) > 0 {
		keys = k[:1]
	}
	var over []string
	if len(keys) > 0 {
		over = append(over, "PARTITION BY "+strings.Join(keys, ", "))
	}
	kind := pick(g, "LAG", "LAG", "LAST", "ISFIRST")
	if kind != "ISFIRST" {
		over = append(over, fmt.Sprintf("LIMIT DURATION(second, %d)", pick(g, 1, 2, 5, 60)))
	}
	if g.chance(30) {
		over = append(over, "WHEN "+g.condition(sc, 1))
	}
	switch kind {
	case "LAG":
		offset := pick(g, 1, 1, 2, 3)
		return fmt.Sprintf("LAG(%s, %d) OVER (%s)", f.name, offset, strings.Join(over, " ")), field{class: f.class}
	case "LAST":
		return fmt.Sprintf("LAST(%s) OVER (%s)", f.name, strings.Join(over, " ")), field{class: f.class}
	}
	call := fmt.Sprintf("ISFIRST(second, %d)", pick(g, 1, 5, 10))
	if len(over) > 0 {
		call += " OVER (" + strings.Join(over, " ") + ")"
	}
	return call, field{class: number, key: true}
}

// keys returns the names of columns fit as keys.
func (g *generator) keys(sc scope) []string {
	var out []string
	for _, f := range sc.fields {
		if f.key {
			out = append(out, f.name)
		}
	}
	return out
}

func (g *generator) numbers(sc scope) []string {
	var out []string
	for _, f := range sc.fields {
		if f.class == number {
			out = append(out, f.name)
		}
	}
	return out
}

// grouped is a query with GROUP BY and a window.
func (g *generator) grouped(sc scope) (string, scope) {
	var out scope
	var items, group []string
	add := func(expr string, f field) {
		f.name = fmt.Sprintf("c%d", len(items)+1)
		items = append(items, expr+" AS "+f.name)
		out.fields = append(out.fields, f)
	}
	keys := g.keys(sc)
	out.keys = []string{}
	for range min(g.int(0, 2), len(keys)) {
		k := pick(g, keys...)
		if strings.Contains(strings.Join(group, ","), k) {
			continue
		}
		group = append(group, k)
		for _, f := range sc.fields {
			if f.name == k {
				add(k, f)
			}
		}
		out.keys = append(out.keys, out.fields[len(out.fields)-1].name)
	}
	window, several := g.window(keys)
	out.ties = several
	if len(out.keys) == 0 {
		out.keys = nil // one row an instant
	}
	add("COUNT(*)", field{class: number})
	nums := g.numbers(sc)
	for range g.int(0, 3) {
		if len(nums) == 0 {
			break
		}
		arg := pick(g, nums...)
		if g.chance(20) {
			arg = g.numberExpr(sc, 1)
		}
		call := pick(g, "SUM(%s)", "AVG(%s)", "MIN(%s)", "MAX(%s)", "COUNT(%s)", "COUNT(DISTINCT %s)", "SUM(CAST(%s AS bigint))", "MAX(CAST(%s AS bigint))")
		add(fmt.Sprintf(call, arg), field{class: number})
	}
	for _, f := range sc.fields {
		switch {
		case (f.class == wide || f.class == loose) && g.chance(15):
			add(fmt.Sprintf(pick(g, "SUM(%s)", "AVG(%s)", "MIN(%s)", "MAX(%s)", "COUNT(DISTINCT %s)"), f.name), field{class: wide})
		case f.class == moment && g.chance(15):
			add(fmt.Sprintf(pick(g, "MIN(%s)", "MAX(%s)"), f.name), field{class: moment})
		case f.class == text && g.chance(10):
			add(fmt.Sprintf(pick(g, "MIN(CAST(%s AS nvarchar(max)))", "COUNT(%s)", "COUNT(DISTINCT %s)"), f.name), field{class: mixed})
		}
	}
	if g.chance(50) {
		add("System.Timestamp()", field{class: moment})
	}
	where, having := "", ""
	if g.chance(30) {
		where = "\nWHERE " + g.condition(sc, 1)
	}
	if g.chance(25) {
		having = fmt.Sprintf("\nHAVING COUNT(*) %s %d", pick(g, ">", ">=", "<", "<>"), g.int(1, 3))
	}
	group = append(group, window)
	return "SELECT " + strings.Join(items, ", ") + "\nFROM " + sc.from + where + "\nGROUP BY " + strings.Join(group, ", ") + having, out
}

// window makes a window; several reports whether one key can have several rows
// of one instant.
func (g *generator) window(keys []string) (sql string, several bool) {
	size := pick(g, 1, 2, 3, 5, 10)
	tumbling := fmt.Sprintf("TumblingWindow(second, %d)", size)
	hopping := fmt.Sprintf("HoppingWindow(second, %d, %d)", pick(g, 1, 3, 5, 10), pick(g, 1, 2, 5, 7))
	switch g.int(1, 9) {
	case 1, 2:
		return tumbling, false
	case 3:
		return hopping, false
	case 4:
		return fmt.Sprintf("TumblingWindow(Duration(second, %d), Offset(millisecond, %d))", size, pick(g, -1, 500, 1)), false
	case 5:
		return fmt.Sprintf("SlidingWindow(second, %d)", size), false
	case 6:
		return fmt.Sprintf("SessionWindow(second, %d, %d)", pick(g, 1, 2, 5), pick(g, 5, 10, 60)), true
	case 7:
		if len(keys) > 0 {
			return fmt.Sprintf("SessionWindow(second, %d, %d) OVER (PARTITION BY %s)", pick(g, 1, 2, 5), pick(g, 5, 10), pick(g, keys...)), true
		}
		return tumbling, false
	case 8:
		return "System.Timestamp()", false
	}
	return fmt.Sprintf("Windows(%s, %s)", tumbling, hopping), true
}

// union joins two inputs by position.
func (g *generator) union() (string, scope) {
	var names []string
	out := scope{ties: true}
	if g.chance(30) {
		out.fields = []field{{"k", text, true}, {"v", number, false}}
		return "SELECT *\nFROM i TIMESTAMP BY t\nUNION ALL\nSELECT " + pick(g, "k, v", "v, s, k", "v, *") + " FROM j TIMESTAMP BY t", out
	}
	for range g.int(1, 3) {
		f := pick(g, eventFields...)
		f2 := f
		f2.name = fmt.Sprintf("c%d", len(names)+1)
		names = append(names, f.name+" AS "+f2.name)
		out.fields = append(out.fields, f2)
	}
	list := strings.Join(names, ", ")
	member := func(from string) string { return "SELECT " + list + " FROM " + from }
	a, b := member("i TIMESTAMP BY t"), member(pick(g, "j TIMESTAMP BY t", "i TIMESTAMP BY t"))
	if g.chance(40) {
		b += " WHERE " + g.condition(g.scopes[0], 1)
	}
	head, rest, _ := strings.Cut(a, " FROM ")
	return head + "\nFROM " + rest + "\nUNION ALL\n" + b, out
}
