package bind

import (
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// maxVariables is how many variables a pattern may have.
const maxVariables = 64

// matching is a MATCH_RECOGNIZE that is being bound.
type matching struct {
	node *plan.Match
	vars map[string]int // by lower-case name
	aggs map[string]int // of node.Aggs, by canonical text
	ids  []colID        // of node.Aggs

	unnamed map[string]bool // defined, and not named by the pattern; by lower-case name

	define int  // the variable whose definition is bound; -1: MEASURES
	looks  bool // what was bound last reads an aggregate
}

// match binds MATCH_RECOGNIZE over the rows of the source that was put into the scope last;
// rows are nil if they have a mistake. What it makes takes the place of that source. Without
// the clause the rows stay what they are.
// Source: stream-analytics.md 11.
func (b *binder) match(sc *scope, rows plan.Node, m *syntax.MatchRecognize) plan.Node {
	if m == nil || rows == nil {
		return rows
	}
	before := len(b.errs)
	last := len(sc.sources) - 1
	src := sc.sources[last]
	src.prune = true
	x := &matching{node: &plan.Match{In: rows, Where: m.Span}, vars: map[string]int{}, aggs: map[string]int{}, define: -1}
	q := &query{b: b, from: &scope{sources: []*source{src}}, match: x}
	q.clause = "PARTITION BY"
	x.node.Keys = make([]plan.Expr, 0, len(m.PartitionBy))
	for _, k := range m.PartitionBy {
		x.node.Keys = append(x.node.Keys, (&query{b: b, from: q.from, clause: q.clause}).expr(k))
	}
	x.limit(b, m)
	if m.Pattern != nil {
		x.variables(b, m.Pattern)
		x.node.Pattern = x.pattern(b, m.Pattern)
		if len(b.errs) == before && x.node.Pattern.Size() > plan.MaxPattern {
			b.fail(m.Pattern.Span, "", "the pattern names more than %d rows once its repetitions are written out", plan.MaxPattern)
		}
	}
	x.unnamed = map[string]bool{}
	for _, d := range m.Define {
		if _, ok := x.vars[strings.ToLower(d.Alias.Name)]; !ok {
			x.unnamed[strings.ToLower(d.Alias.Name)] = true
		}
	}
	x.definitions(q, m)
	node := x.measures(q, m)
	if len(b.errs) > before {
		return nil
	}
	b.makes(x.node, x.ids...)
	alias := ""
	if m.Alias != nil {
		alias = m.Alias.Name
	}
	sc.sources = sc.sources[:last]
	made := stepSource(alias, m.Span, node, node.Columns())
	b.add(sc, made)
	return leafOf(made)
}

// limit reads LIMIT DURATION. Without it a match may last as long as any duration.
func (x *matching) limit(b *binder, m *syntax.MatchRecognize) {
	if m.Limit == nil {
		x.node.Limit = column.Ticks(b.opts.MaxDuration / 100)
		b.warn(m.Span, notPortable, "MATCH_RECOGNIZE without LIMIT DURATION: a match may last %s, and its rows are kept as long", b.opts.MaxDuration)
		return
	}
	unit, ok := b.unit(&syntax.Path{Span: m.Limit.Unit.Span, Parts: []syntax.Ident{m.Limit.Unit}})
	if ok {
		x.node.Limit, _ = b.span(unit, m.Limit.Count, false)
	}
}

// variables numbers the variables of a pattern as they come.
func (x *matching) variables(b *binder, p *syntax.Pattern) {
	for _, part := range p.Parts {
		x.variables(b, part)
	}
	if p.Kind != syntax.PatternVar {
		return
	}
	key := strings.ToLower(p.Name.Name)
	if _, ok := x.vars[key]; ok {
		return
	}
	if len(x.vars) == maxVariables {
		b.fail(p.Name.Span, "", "a pattern has %d variables at most", maxVariables)
	}
	x.vars[key] = len(x.node.Vars)
	x.node.Vars = append(x.node.Vars, plan.MatchVar{Name: p.Name.Name})
}

func (x *matching) pattern(b *binder, p *syntax.Pattern) *plan.Pattern {
	out := &plan.Pattern{Var: -1, Least: 1, Most: 1}
	switch p.Kind {
	case syntax.PatternVar:
		out.Var = x.vars[strings.ToLower(p.Name.Name)]
	case syntax.PatternSeq, syntax.PatternAlt:
		out.Either = p.Kind == syntax.PatternAlt
		for _, part := range p.Parts {
			out.Parts = append(out.Parts, x.pattern(b, part))
		}
	}
	switch p.Quant {
	case "":
	case "*":
		out.Least, out.Most = 0, -1
	case "+":
		out.Most = -1
	case "?":
		out.Least = 0
	default:
		least, most, ranged := strings.Cut(strings.Trim(p.Quant, "{}"), ",")
		var errs [2]error
		out.Least, errs[0] = strconv.Atoi(least)
		switch {
		case !ranged:
			out.Most = out.Least
		case most == "":
			out.Most = -1
		default:
			out.Most, errs[1] = strconv.Atoi(most)
		}
		if ranged && least == "" {
			out.Least, errs[0] = 0, nil
		}
		if errs[0] != nil || errs[1] != nil || out.Least > plan.MaxPattern || out.Most > plan.MaxPattern || out.Most == 0 || out.Most > 0 && out.Most < out.Least {
			b.fail(p.Span, "write {2}, {2,} or {2,5}, with numbers up to 1000", "%s is no number of repetitions", p.Quant)
		}
	}
	return out
}

// definitions binds DEFINE.
func (x *matching) definitions(q *query, m *syntax.MatchRecognize) {
	defined := map[string]bool{}
	for i := range m.Define {
		d := &m.Define[i]
		key := strings.ToLower(d.Alias.Name)
		if defined[key] {
			q.b.fail(d.Alias.Span, "", "variable %s is defined twice", d.Alias.Name)
			continue
		}
		defined[key] = true
		v, ok := x.vars[key]
		if !ok {
			q.b.warn(d.Alias.Span, notPortable, "variable %s is defined, and the pattern does not name it", d.Alias.Name)
			continue
		}
		x.definition(q, m, v, d, defined)
	}
	for _, v := range x.node.Vars {
		if !defined[strings.ToLower(v.Name)] {
			q.b.warn(m.Span, notPortable, "variable %s of the pattern has no definition: it takes any row", v.Name)
		}
	}
}

// definition binds the condition of a variable: parts that look at the row alone, and behind
// them those that look back.
func (x *matching) definition(q *query, m *syntax.MatchRecognize, v int, d *syntax.Item, defined map[string]bool) {
	x.define = v
	defer func() { x.define = -1 }()
	q.clause = "DEFINE"
	q.defined = defined
	var alone, back []plan.Expr
	var split func(e syntax.Expr)
	split = func(e syntax.Expr) {
		if c, ok := e.(*syntax.Binary); ok && c.Op == "AND" {
			split(c.L)
			split(c.R)
			return
		}
		x.looks = false
		bound := q.cond(e)
		if x.looks {
			back = append(back, bound)
		} else {
			alone = append(alone, bound)
		}
	}
	split(d.Expr)
	q.defined = nil
	x.node.Vars[v].When, x.node.Vars[v].SoFar = conjunction(d.Span, alone), conjunction(d.Span, back)
}

// conjunction is the AND of conditions; nil of none.
func conjunction(at syntax.Span, es []plan.Expr) plan.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return call(at, column.Bool, "AND", es...)
}

// measures binds MEASURES and returns the rows that they make.
func (x *matching) measures(q *query, m *syntax.MatchRecognize) plan.Node {
	q.clause = "MEASURES"
	out := &plan.Project{In: x.node}
	if len(m.Measures) == 0 {
		q.b.fail(m.Span, "add MEASURES Last(A.x) AS x", "MATCH_RECOGNIZE without MEASURES")
	}
	taken := map[string]bool{}
	for i := range m.Measures {
		it := &m.Measures[i]
		switch {
		case it.Star:
			q.b.fail(it.Span, "name the columns, such as Last(A.x) AS x", "MEASURES takes no *")
			continue
		case it.Assign != "":
			q.b.fail(it.Span, "", "the language has no variables")
			continue
		}
		e := q.expr(it.Expr)
		name := q.b.spelled(itemName(it, i, taken))
		if taken[strings.ToLower(name)] {
			q.b.fail(it.Span, "give it another name with AS", "two columns are named %s", name)
		}
		taken[strings.ToLower(name)] = true
		out.Items = append(out.Items, plan.Item{Column: plan.Column{Name: name, Type: e.Type()}, Expr: e})
	}
	return out
}

// matchFuncs are the aggregates of MATCH_RECOGNIZE.
var matchFuncs = map[string]plan.MatchFunc{
	"FIRST": plan.MatchFirst, "LAST": plan.MatchLast, "MIN": plan.MatchMin, "MAX": plan.MatchMax, "CLASSIFIER": plan.Classifier,
}

// matchCall binds a call in MATCH_RECOGNIZE that is one of its aggregates; ok is false for
// other functions.
func (q *query) matchCall(c *syntax.Call) (e plan.Expr, ok bool) {
	x, name := q.match, callName(c)
	f, ok := matchFuncs[name]
	null := constant(c.Span, column.Value{})
	switch {
	case name == "PREV" || name == "NEXT" || name == "MATCH_NUMBER":
		q.b.fail(c.Span, "", "%s is not part of MATCH_RECOGNIZE, which has FIRST, LAST, MIN, MAX and CLASSIFIER", name)
		return null, true
	case !ok && (isAggregate(c) || isAnalytic(name)):
		q.b.fail(c.Span, "compute it in a step over the rows of the match", "%s is not part of MATCH_RECOGNIZE, which has FIRST, LAST, MIN, MAX and CLASSIFIER", name)
		return null, true
	case !ok:
		return nil, false
	case c.Over != nil || c.Distinct:
		q.b.fail(c.Span, "", "%s in MATCH_RECOGNIZE takes an expression alone", name)
		return null, true
	case f == plan.Classifier:
		if len(c.Args) != 0 {
			q.b.fail(c.Span, "", "CLASSIFIER takes no arguments, %d given", len(c.Args))
			return null, true
		}
		if x.define >= 0 {
			q.b.fail(c.Span, "", "CLASSIFIER stands in MEASURES alone")
			return null, true
		}
		return x.agg(q, plan.MatchAgg{Column: plan.Column{Name: q.b.text(c.Span), Type: column.Array}, Func: f, Var: -1, Where: c.Span}, "classifier"), true
	}
	var p *syntax.Path
	if len(c.Args) == 1 {
		p, _ = c.Args[0].(*syntax.Path)
	}
	if p == nil || isSystemTimestamp(p) {
		q.b.fail(c.Span, "compute the rest around it, as in "+name+"(A.x) + 1", "%s in MATCH_RECOGNIZE takes one field, such as A.x", name)
		return null, true
	}
	return q.matched(c.Span, f, p), true
}

func isAnalytic(name string) bool {
	_, ok := analyticFuncs[name]
	return ok
}

// matchPath binds a path in MATCH_RECOGNIZE: a field of the row that is looked at, or, of
// another variable and in MEASURES, of the last row that was taken. ok is false for a field
// of the row that is looked at, whose path is returned.
func (q *query) matchPath(p *syntax.Path) (e plan.Expr, rest *syntax.Path) {
	x := q.match
	if isSystemTimestamp(p) {
		return nil, p
	}
	v, field := x.variable(p)
	if q.unnamed(p) {
		return constant(p.Span, column.Value{}), nil
	}
	if x.define >= 0 && (v < 0 || v == x.define) {
		return nil, field
	}
	return q.matched(p.Span, plan.MatchLast, p), nil
}

// unnamed reports a path that begins with a variable which is defined and not in the pattern.
func (q *query) unnamed(p *syntax.Path) bool {
	if len(p.Parts) < 2 || !q.match.unnamed[strings.ToLower(p.Parts[0].Name)] {
		return false
	}
	q.b.fail(p.Span, "name it in PATTERN", "variable %s is defined, and the pattern does not name it", p.Parts[0].Name)
	return true
}

// variable is the variable that a path begins with, and what is behind it; -1: none.
func (x *matching) variable(p *syntax.Path) (int, *syntax.Path) {
	if len(p.Parts) > 1 {
		if v, ok := x.vars[strings.ToLower(p.Parts[0].Name)]; ok {
			return v, &syntax.Path{Span: p.Span, Parts: p.Parts[1:]}
		}
	}
	return -1, p
}

// matched is an aggregate over the rows that a variable took.
func (q *query) matched(at syntax.Span, f plan.MatchFunc, p *syntax.Path) plan.Expr {
	x := q.match
	if q.unnamed(p) {
		return constant(at, column.Value{})
	}
	v, field := x.variable(p)
	if x.define >= 0 && v >= 0 && v != x.define && !q.defined[strings.ToLower(x.node.Vars[v].Name)] {
		q.b.fail(at, "define "+x.node.Vars[v].Name+" first", "a definition names variables that are defined before it, and itself")
		return constant(at, column.Value{})
	}
	arg := (&query{b: q.b, from: q.from, clause: q.clause}).path(field)
	a := plan.MatchAgg{Column: plan.Column{Name: q.b.text(at), Type: arg.Type()}, Func: f, Var: v, Arg: arg, Where: at}
	switch k := arg.Type(); {
	case f != plan.MatchMin && f != plan.MatchMax:
	case k == column.Record || k == column.Array:
		q.b.fail(at, "", "%s does not take a %s", f, k)
	default:
		a.Type = aggType(a.Agg())
	}
	x.looks = true
	return x.agg(q, a, f.String()+" "+strconv.Itoa(v)+" "+canon(field, q.from))
}

// agg reads an aggregate, which the match makes from now on.
func (x *matching) agg(q *query, a plan.MatchAgg, key string) plan.Expr {
	i, ok := x.aggs[key]
	if !ok {
		i = len(x.node.Aggs)
		x.aggs[key] = i
		x.node.Aggs = append(x.node.Aggs, a)
		x.ids = append(x.ids, q.b.newColumn(a.Column, 0, a.Where))
	}
	return q.b.read(x.ids[i], a.Where)
}

// match settles a MATCH_RECOGNIZE over columns that are where below says. Definitions read
// its aggregates too, behind those.
func (s *settler) match(n *plan.Match, below layout) layout {
	for _, e := range n.OfRows() {
		s.expr(e, below)
	}
	width := len(n.In.Columns())
	for i, id := range s.b.made[n] {
		below[id] = width + i
	}
	for i := range n.Vars {
		if n.Vars[i].SoFar != nil {
			s.expr(&n.Vars[i].SoFar, below)
		}
	}
	return below
}
