package random

import (
	"fmt"
	"slices"
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
	nested // arrays of arrays and records
	record
	part      // of what is nested: of any kind
	composite // records, and arrays of them
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
	sides  []scope  // of a join: its sources
	looked bool     // joined with reference data
	events *scope   // of one source and APPLYs behind it: the source
	lines  []string // columns that hold the keys of TIMESTAMP BY ... OVER
}

// The fields of the events that Stream makes.
var eventFields = []field{
	{"k", text, true}, {"d", number, true}, {"b", bit, true}, {"s", text, false},
	{"v", number, false}, {"n", number, false}, {"m", mixed, false}, {"r.x", number, false}, {"r.y", text, false}, {"t", mixed, false},
	{"u", moment, false}, {"w", wide, false}, {"q", loose, false}, {"a", array, false}, {"g", nested, false}, {"r", record, false},
}

// Script makes a script over the inputs i and j whose events are those of
// Stream. It stays clear of what two engines may rightly do in different
// ways: last digits of variances. Now and then an expression fails on some events.
func Script(t *rapid.T) string { return (&generator{t: t}).script() }

// FailingScript is a Script in which expressions fail in many places.
func FailingScript(t *rapid.T) string { return (&generator{t: t, failing: true}).script() }

func (g *generator) script() string {
	g.scopes = []scope{
		{from: "i TIMESTAMP BY t", fields: eventFields, open: true},
		{from: "i", fields: eventFields, open: true},
		{from: "j TIMESTAMP BY t", fields: eventFields, open: true},
		{from: pick(g, "i TIMESTAMP BY u", "j", "i TIMESTAMP BY DATEADD(second, -1, t)"), fields: eventFields, open: true},
	}
	if g.chance(20) {
		g.over = true
		lines := pick(g, []string{"k"}, []string{"d"}, []string{"d", "k"})
		for n := range g.scopes {
			sc := &g.scopes[n]
			if !strings.Contains(sc.from, " ") {
				sc.from += " TIMESTAMP BY EventEnqueuedUtcTime"
			}
			sc.from, sc.lines = sc.from+" OVER "+strings.Join(lines, ", "), lines
		}
	}
	var sb strings.Builder
	if g.chance(25) {
		sb.WriteString("CREATE TABLE j (k nvarchar(max), d bigint, v float, n bigint, b bit, m " + pick(g, "bigint", "float", "nvarchar(max)") + ");\n")
	}
	steps := g.referenceSteps()
	if len(steps) > 0 {
		sb.WriteString("WITH " + strings.Join(steps, ",\n"))
	}
	for n := range g.int(0, 4) {
		sql, sc := g.query()
		if n == 0 && len(steps) == 0 {
			sb.WriteString("WITH ")
		} else {
			sb.WriteString(",\n")
		}
		sc.from = fmt.Sprintf("step%d", n+1)
		fmt.Fprintf(&sb, "%s AS (\n%s\n)", sc.from, sql)
		g.scopes = append(g.scopes, sc)
	}
	for range g.int(1, 3) {
		sql, _ := g.query()
		head, tail, _ := strings.Cut(sql, "\nFROM ")
		fmt.Fprintf(&sb, "\n%s\nINTO o%d\nFROM %s;", head, g.int(1, 3), tail)
	}
	return strings.TrimSpace(sb.String()) + "\n"
}

type generator struct {
	t        *rapid.T
	scopes   []scope
	refs     []scope // reference data
	timeless bool    // rows have no time: they are of reference data
	failing  bool    // expressions may fail
	applies  int     // so far
	over     bool    // inputs have TIMESTAMP BY ... OVER, and every query keeps its keys
}

func (g *generator) int(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(g.t, "n") }

// chance is true in percent of 100 cases.
func (g *generator) chance(percent int) bool { return g.int(1, 100) <= percent }

func pick[T any](g *generator, list ...T) T { return rapid.SampledFrom(list).Draw(g.t, "pick") }

func (g *generator) query() (string, scope) {
	sc := pick(g, g.scopes...)
	if n := len(g.scopes); n > 4 && g.chance(60) {
		sc = g.scopes[n-1]
	}
	if g.chance(8) {
		sc = g.joined()
	}
	if g.chance(10) {
		sc = g.looked(sc)
	}
	if sc.sides == nil && g.chance(7) {
		return g.matched(sc)
	}
	if g.chance(25) {
		sc = g.applied(sc)
	}
	switch {
	case g.chance(45):
		return g.grouped(sc)
	case sc.sides == nil && sc.events == nil && g.chance(16):
		return g.union()
	}
	return g.plain(sc)
}

// plain is a projection with WHERE and analytic functions.
func (g *generator) plain(sc scope) (string, scope) {
	var out scope
	var items []string
	add := func(expr string, f field) {
		f.name = fmt.Sprintf("c%d", len(items)+1)
		items = append(items, expr+" AS "+f.name)
		out.fields = append(out.fields, f)
	}
	for _, line := range sc.lines {
		add(line, field{class: mixed, key: true})
		out.lines = append(out.lines, fmt.Sprintf("c%d", len(items)))
	}
	for range g.int(1, 4) {
		f := pick(g, sc.fields...)
		add(f.name, f)
	}
	if g.chance(40) {
		add(g.numberExpr(sc, 2), field{class: number})
	}
	if g.chance(25) {
		add(g.textExpr(sc, 2), field{class: text})
	}
	if g.chance(12) {
		add(g.calling(sc))
	}
	if g.chance(2) {
		add(fmt.Sprintf("CAST(%s AS bigint)", g.named(sc, mixed, "'7'")), field{class: number})
	}
	if g.failing && g.chance(20) {
		add(g.fails(sc), field{class: number})
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
	for g.chance(40) {
		of := sc // functions look at the rows of one source
		if sc.events != nil {
			of = *sc.events
		}
		if sc.sides != nil {
			of = pick(g, sc.sides...)
		}
		call, f := g.analytic(of)
		for sc.sides != nil && !strings.Contains(call, of.fields[0].name[:2]) {
			call, f = g.analytic(of) // one that names the source
		}
		add(call, f)
	}
	if sc.sides != nil && !sc.looked && g.chance(30) {
		add("DATEDIFF(second, x, y)", field{class: number})
	}
	if sc.sides == nil && g.chance(10) {
		keys := ""
		if g.over {
			keys = "PARTITION BY " + strings.Join(sc.lines, ", ") + " "
		}
		add(pick(g, "LAG(*)", "LAG(*, 2)", "LAST(*)")+" OVER ("+keys+"LIMIT DURATION(second, 5))", field{class: composite})
	}
	for g.chance(15) {
		if call, f := g.metadata(sc); call != "" {
			add(call, f)
		}
	}
	where := ""
	if g.chance(50) {
		where = "\nWHERE " + g.condition(sc, 2)
	}
	sql := "SELECT " + strings.Join(items, ", ")
	if sc.open && g.chance(15) {
		sql += ", *" // what it brings is not named further on
	}
	return sql + "\nFROM " + sc.from + where, out
}

// metadata is a property of the events of an input that the scope reads; empty if it reads
// none.
func (g *generator) metadata(sc scope) (call string, f field) {
	if sc.sides != nil {
		sc = pick(g, sc.sides...)
	}
	words := strings.Fields(strings.Trim(sc.from, "("))
	alias := words[0]
	if alias != "i" && alias != "j" {
		return "", f
	}
	if len(words) > 1 && len(words[1]) == 1 { // of a join
		alias = words[1]
	}
	of := func(path string, c class) (string, field) {
		return fmt.Sprintf("GetMetadataPropertyValue(%s, '%s')", alias, path), field{class: c}
	}
	switch g.int(1, 7) {
	case 1:
		return of("EventId", text)
	case 2:
		return of("[EventHub].[SequenceNumber]", number)
	case 3:
		return of("EventHub.PartitionKey", text)
	case 4:
		return of(pick(g, "User", "EventHub", "IoTHub"), record)
	case 5:
		return of("[EventHub].[Offset]", text)
	case 6:
		return of(pick(g, "BlobName", "[EventHub].[Publisher]"), text)
	}
	return of("[User].["+pick(g, "p", "q")+"]", mixed)
}

// analytic makes one analytic call.
func (g *generator) analytic(sc scope) (string, field) {
	f, called := pick(g, sc.fields...), false
	if g.failing && g.chance(20) {
		f, called = field{g.fails(sc), number, false}, true
	}
	keys := g.partition(sc)
	var over []string
	if len(keys) > 0 {
		over = append(over, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if g.chance(30) {
		return g.overRows(sc, over)
	}
	if g.chance(15) {
		return g.anomaly(sc, over)
	}
	kind := pick(g, "LAG", "LAG", "LAST", "ISFIRST")
	if kind != "ISFIRST" {
		over = append(over, fmt.Sprintf("LIMIT DURATION(%s)", pick(g, "second, 1", "second, 2", "second, 5", "millisecond, 500", "minute, 1", "hour, 1")))
	}
	if g.chance(30) {
		over = append(over, "WHEN "+g.condition(sc, 1))
	}
	switch kind {
	case "LAG":
		offset := pick(g, 1, 1, 2, 3, 17)
		if g.chance(25) {
			other := pick(g, f.name, "NULL")
			if sc.open && !strings.HasPrefix(sc.from, "j") && !called {
				other = pick(g, f.name, "NULL", "'none'", "0") // the type of a field is not known, but of j it may be declared
			}
			return fmt.Sprintf("LAG(%s, %d, %s) OVER (%s)", f.name, offset, other, strings.Join(over, " ")), field{class: mixed}
		}
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

// anomaly looks for anomalies, and says of each value whether it is one and the score small.
// Last digits of scores may differ.
func (g *generator) anomaly(sc scope, over []string) (string, field) {
	x := g.named(sc, pick(g, number, number, wide, loose), "7")
	args := fmt.Sprintf("%s, %s, %d", x, pick(g, "80", "95", "99.5", "100"), pick(g, 1, 2, 3, 5, 20))
	call := "AnomalyDetection_ChangePoint(" + args + ")"
	if g.chance(60) {
		call = "AnomalyDetection_SpikeAndDip(" + args + ", " + pick(g, "'spikes'", "'dips'", "'spikesanddips'") + ")"
	}
	over = append(over, fmt.Sprintf("LIMIT DURATION(%s)", pick(g, "second, 1", "second, 5", "minute, 1")))
	if g.chance(30) {
		over = append(over, "WHEN "+g.condition(sc, 1))
	}
	call += " OVER (" + strings.Join(over, " ") + ")"
	return "GetRecordPropertyValue(" + call + ", 'IsAnomaly')", field{class: number}
}

// partition makes the keys of a PARTITION BY.
func (g *generator) partition(sc scope) []string {
	out := slices.Clone(sc.lines)
	for _, k := range g.keys(sc) {
		if len(out) < 3 && g.chance(40) {
			if g.chance(15) {
				k = "UPPER(CAST(" + k + " AS nvarchar(max)))"
			}
			out = append(out, k)
		}
	}
	if len(out) == 0 && g.chance(15) {
		out = append(out, g.named(sc, mixed, "1"))
	}
	if g.failing && g.chance(15) {
		out = append(out, g.fails(sc))
	}
	return out
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
	for _, line := range sc.lines {
		group = append(group, line)
		add(line, field{class: mixed, key: true})
		out.lines = append(out.lines, fmt.Sprintf("c%d", len(items)))
	}
	keys := g.keys(sc)
	for range min(g.int(0, 3), len(keys)) {
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
	}
	if g.failing && g.chance(15) {
		k := g.fails(sc)
		group = append(group, k)
		add(k, field{class: number, key: true})
	}
	if call, f := g.metadata(sc); call != "" && g.chance(10) {
		if f.class == text {
			group = append(group, call)
			add(call, field{class: text, key: true})
		}
		add("COUNT(DISTINCT "+call+")", field{class: number})
	}
	window := g.window(sc)
	add("COUNT(*)", field{class: number})
	if g.failing && g.chance(30) {
		add(g.failingAggregate(sc), field{class: number})
	}
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
	for g.chance(25) {
		add(g.picking(sc))
	}
	if g.chance(12) {
		add(g.folding(sc))
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
	if g.failing && g.chance(10) {
		having = "\nHAVING 7 / (COUNT(*) - 2) < 7"
	}
	group = append(group, window)
	return "SELECT " + strings.Join(items, ", ") + "\nFROM " + sc.from + where + "\nGROUP BY " + strings.Join(group, ", ") + having, out
}

// window makes what follows the keys of a GROUP BY.
func (g *generator) window(sc scope) string {
	if !g.chance(20) {
		return g.oneWindow(sc)
	}
	var list []string
	named := g.chance(50)
	for n := range g.int(2, 4) {
		w := g.oneWindow(sc)
		if w == "System.Timestamp()" {
			w = "TumblingWindow(second, 4)"
		}
		if named {
			w = fmt.Sprintf("Window('w%d', %s)", n, w)
		}
		list = append(list, w)
	}
	return "Windows(" + strings.Join(list, ", ") + ")"
}

func (g *generator) oneWindow(sc scope) string {
	size := pick(g, 1, 2, 3, 5, 10)
	switch g.int(1, 9) {
	case 1, 2:
		return fmt.Sprintf("TumblingWindow(second, %d)", size)
	case 3:
		return fmt.Sprintf("HoppingWindow(second, %d, %d)", pick(g, 1, 3, 5, 10), pick(g, 1, 2, 5, 7))
	case 4:
		return fmt.Sprintf("TumblingWindow(Duration(second, %d), Offset(millisecond, %d))", size, pick(g, -1, 500, 1))
	case 5, 6:
		return fmt.Sprintf("SlidingWindow(second, %d)", size)
	case 7:
		timeout := pick(g, 1, 2, 5)
		session := fmt.Sprintf("SessionWindow(second, %d, %d)", timeout, pick(g, timeout, 5, 10, 60))
		if over := g.partition(sc); len(over) > 0 && g.chance(60) {
			session += " OVER (PARTITION BY " + strings.Join(over, ", ") + ")"
		}
		return session
	case 8:
		return fmt.Sprintf("HoppingWindow(Duration(second, %d), Hop(millisecond, %d), Offset(millisecond, %d))", size, pick(g, 700, 1000, 3000), pick(g, -1, 0, 500))
	}
	return "System.Timestamp()"
}

// union joins inputs and steps by position.
func (g *generator) union() (string, scope) {
	var out scope
	if !g.over && g.chance(20) {
		out.fields = []field{{"k", text, true}, {"v", number, false}}
		return "SELECT *\nFROM i TIMESTAMP BY t\nUNION ALL\nSELECT " + pick(g, "k, v", "v, s, k", "v, *") + " FROM j TIMESTAMP BY t", out
	}
	var classes []field
	first := pick(g, g.scopes...)
	for range g.int(1, 3) {
		classes = append(classes, pick(g, first.fields...))
	}
	member := func(sc scope, own bool) string {
		var items []string
		for n, line := range sc.lines {
			items = append(items, fmt.Sprintf("%s AS l%d", line, n+1))
		}
		for n, f := range classes {
			name := f.name
			if !own {
				name = g.named(sc, f.class, "NULL")
				if f.key && g.chance(70) {
					if keys := g.keys(sc); len(keys) > 0 {
						name = pick(g, keys...)
					}
				}
			}
			items = append(items, fmt.Sprintf("%s AS c%d", name, n+1))
		}
		sql := "SELECT " + strings.Join(items, ", ") + "\nFROM " + sc.from
		if g.chance(25) {
			sql += " WHERE " + g.condition(sc, 1)
		}
		return sql
	}
	members := []string{member(first, true)}
	for range g.int(1, 2) {
		members = append(members, member(pick(g, g.scopes...), false))
	}
	for n := range first.lines {
		out.lines = append(out.lines, fmt.Sprintf("l%d", n+1))
	}
	for n, f := range classes {
		c := f.class
		if f.key {
			c = mixed // any key may stand in its place
		}
		out.fields = append(out.fields, field{fmt.Sprintf("c%d", n+1), c, f.key})
	}
	return strings.Join(members, "\nUNION ALL\n"), out
}
