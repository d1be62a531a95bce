package bind

import (
	"strconv"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// analyticFuncs are the analytic functions.
var analyticFuncs = map[string]bool{"LAG": true, "LAST": true, "ISFIRST": true, spikeAndDip: true, changePoint: true}

// analyticCall binds LAG, LAST, ISFIRST or an aggregate with OVER: a column that a step below the WHERE
// computes on all rows of the source.
func (q *query) analyticCall(c *syntax.Call) plan.Expr {
	name := callName(c)
	null := constant(c.Span, column.Value{})
	switch {
	case q.analyticKey == nil || q.inTime:
		q.b.fail(c.Span, "", "%s is not allowed in %s", name, q.clause)
		return null
	case q.inOver:
		q.b.fail(c.Span, "compute the inner one in a step", "an analytic function inside an analytic function")
		return null
	case q.post:
		q.b.fail(c.Span, "add it to GROUP BY, or compute it in a step", "%s is neither in GROUP BY nor in an aggregate", name)
		return null
	}
	key := canon(c, q.from)
	if id, ok := q.analyticKey[key]; ok {
		return q.b.read(id, c.Span)
	}
	q.inOver = true
	f, ok := q.analyticFunc(c, name)
	q.inOver = false
	if !ok {
		return null
	}
	src := q.analyticSource(c, &f)
	if src == nil {
		return null
	}
	if src.isReference() {
		q.b.noTime(c.Span, name)
		return null
	}
	if src.analytic == nil {
		src.analytic = &plan.Analytic{}
	}
	id := q.b.newColumn(f.Column, 0, c.Span)
	q.b.column(id).source = src
	q.b.makes(src.analytic, id)
	q.analyticKey[key] = id
	src.analytic.Funcs = append(src.analytic.Funcs, f)
	return q.b.read(id, c.Span)
}

// analyticSource is the source whose rows a function looks at. They are rows before JOIN
// and APPLY, so all that it reads is of one source, and nothing of what APPLY makes.
// Source: stream-analytics.md 4.
func (q *query) analyticSource(c *syntax.Call, f *plan.AnalyticFunc) *source {
	if src := q.from.single(); src != nil {
		return src
	}
	only := &plan.Analytic{Funcs: []plan.AnalyticFunc{*f}}
	var found *source
	several, parts := false, false
	for _, e := range only.Exprs() {
		plan.WalkExpr(e, func(e *plan.Expr) {
			if x, ok := (*e).(*col); ok {
				src := q.b.column(x.id).source
				several, parts = several || found != nil && src != found, parts || src.apply != nil
				found = src
			}
		})
	}
	if found == nil {
		found = q.from.only()
	}
	switch {
	case parts:
		q.b.fail(c.Span, "put the APPLY into a step, and compute it over the rows of that", "%s looks at the rows of one source, before APPLY takes them apart, and names what APPLY makes", callName(c))
		return nil
	case several:
		q.b.fail(c.Span, "join in a step, and compute it over the rows of that", "%s looks at the rows of one source, before they are joined, and names columns of several", callName(c))
		return nil
	case found == nil:
		q.b.fail(c.Span, "name a column of the source whose rows are meant", "%s looks at the rows of one source, before they are joined, and names none", callName(c))
	}
	return found
}

func (q *query) analyticFunc(c *syntax.Call, name string) (plan.AnalyticFunc, bool) {
	f := plan.AnalyticFunc{Column: plan.Column{Name: q.b.text(c.Span)}, Where: c.Span}
	if !q.analyticOver(c, name, &f) {
		return f, false
	}
	if isAggregate(c) {
		return f, q.overRows(c, &f)
	}
	switch name {
	case spikeAndDip, changePoint:
		return f, q.anomaly(c, name, &f)
	case "ISFIRST":
		f.Kind = plan.IsFirst
		f.Type = column.Int64
		if len(c.Args) != 2 {
			q.b.fail(c.Span, "write ISFIRST(minute, 10)", "ISFIRST takes a unit and a number")
			return f, false
		}
		unit, ok := q.b.unit(c.Args[0])
		if !ok {
			return f, false
		}
		f.Limit, ok = q.b.span(unit, c.Args[1], false)
		return f, ok
	case "LAST":
		f.Kind = plan.Last
		if len(c.Args) < 1 || len(c.Args) > 2 {
			q.b.fail(c.Span, "", "LAST takes an expression and a default, %d arguments given", len(c.Args))
			return f, false
		}
		if len(c.Args) == 2 {
			f.Default = q.expr(c.Args[1])
		}
	case "LAG":
		f.Kind = plan.Lag
		f.Offset = 1
		if len(c.Args) < 1 || len(c.Args) > 3 {
			q.b.fail(c.Span, "", "LAG takes an expression, an offset and a default, %d arguments given", len(c.Args))
			return f, false
		}
		if len(c.Args) > 1 {
			lit, ok := c.Args[1].(*syntax.Literal)
			n, err := 0, error(nil)
			if ok && lit.Kind == syntax.IntLit {
				n, err = strconv.Atoi(lit.Text)
			}
			if n < 1 || n > 1_000_000 || err != nil {
				q.b.fail(c.Args[1].Loc(), "", "the offset of LAG is a number from 1 on")
				return f, false
			}
			f.Offset = n
		}
		if len(c.Args) == 3 {
			f.Default = q.expr(c.Args[2])
		}
	}
	if _, star := c.Args[0].(*syntax.Star); star {
		if f.Arg = q.event(c, q.from.only(), name+"(*)"); f.Arg == nil {
			return f, false
		}
	} else {
		f.Arg = q.expr(c.Args[0])
	}
	f.Type = f.Arg.Type()
	if f.Default != nil && !isNull(f.Default) {
		if d := f.Default.Type(); d != column.Null && f.Type != column.Null && d != f.Type {
			q.b.fail(f.Default.Span(), "", "the default of %s is a %s, the expression a %s", name, d, f.Type)
		}
		if f.Default.Type() != f.Type {
			f.Type = column.Null
		}
	}
	return f, true
}

// event is the whole row of a source as a record; no source says that there are several. The
// call is named as the script has it.
func (q *query) event(c *syntax.Call, src *source, called string) plan.Expr {
	if src == nil {
		q.b.fail(c.Span, "name a column", "%s is not allowed over several sources", called)
		return nil
	}
	return src.whole(q.b, c.Span)
}

// analyticOver binds the OVER clause.
func (q *query) analyticOver(c *syntax.Call, name string, f *plan.AnalyticFunc) bool {
	o := c.Over
	if o == nil {
		if name == "ISFIRST" {
			return true
		}
		q.b.fail(c.Span, "write "+name+"("+usual(name)+") OVER (PARTITION BY k LIMIT DURATION(minute, 5))", "%s needs OVER (LIMIT DURATION(...))", name)
		return false
	}
	switch {
	case o.OrderBy != nil && !ordered(plan.AggFunc(name)):
		q.b.fail(o.OrderBy[0].Span, "leave ORDER BY out: rows come in the order of their timestamps", "%s takes no ORDER BY", name)
		return false
	case o.Frame != nil:
		q.b.fail(o.Frame.Span, "use LIMIT DURATION(unit, n)", "%s takes no ROWS or RANGE", name)
		return false
	case name == "ISFIRST" && o.Limit != nil:
		q.b.fail(o.Limit.Span, "the interval is the argument: ISFIRST(minute, 10)", "ISFIRST takes no LIMIT DURATION")
		return false
	case name != "ISFIRST" && o.Limit == nil:
		q.b.fail(o.Span, "add LIMIT DURATION(minute, 5) behind PARTITION BY", "%s needs LIMIT DURATION", name)
		return false
	}
	for _, k := range o.PartitionBy {
		key := q.expr(k)
		q.keyOfEvent(k.Loc(), key, name)
		f.Keys = append(f.Keys, key)
	}
	if o.When != nil {
		f.When = q.cond(o.When)
	}
	if o.Limit == nil {
		return true
	}
	unit, ok := q.b.unit(&syntax.Path{Span: o.Limit.Unit.Span, Parts: []syntax.Ident{o.Limit.Unit}})
	if !ok {
		return false
	}
	f.Limit, ok = q.b.span(unit, o.Limit.Count, false)
	return ok
}

func isNull(e plan.Expr) bool {
	c, ok := e.(*plan.Const)
	return ok && c.Value.IsNull()
}
