package bind

import (
	"math/big"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// aggregates are the aggregate functions of the language.
var aggregates = map[plan.AggFunc]bool{
	plan.Count: true, plan.Sum: true, plan.Avg: true, plan.Min: true, plan.Max: true,
	plan.Stdev: true, plan.StdevP: true, plan.Var: true, plan.VarP: true,
	plan.Collect: true, plan.CollectTop: true, plan.TopOne: true, plan.PercentileCont: true, plan.PercentileDisc: true,
}

// isAggregate reports whether a call is one of an aggregate.
func isAggregate(c *syntax.Call) bool { return aggregates[plan.AggFunc(callName(c))] }

// group is the GROUP BY of a query.
type group struct {
	node *plan.Aggregate
	keys map[string]colID // by canonical text
	aggs map[string]colID // by canonical text
	cols []colID          // of node.Keys, then of node.Aggs
	ids  bool             // the windows have ids
	id   colID            // System.Window().Id; 0: not read

	broken bool // a key has a mistake, so that none is looked for in the SELECT list
}

// groupBy binds keys and windows.
func (q *query) groupBy(s *syntax.Select) {
	q.clause = "GROUP BY"
	g := &group{node: &plan.Aggregate{}, keys: map[string]colID{}, aggs: map[string]colID{}}
	var snapshots, keys []syntax.Expr
	var windows []*syntax.Call
	for _, e := range s.GroupBy {
		c, isCall := e.(*syntax.Call)
		switch {
		case isSystemTimestamp(e):
			snapshots = append(snapshots, e)
		case isCall && windowName(callName(c)) != "":
			windows = append(windows, c)
		default:
			keys = append(keys, e)
		}
	}
	switch {
	case len(windows) > 1:
		q.b.fail(windows[1].Span, "use Windows(...) for several", "GROUP BY has two windows")
	case len(windows) == 1:
		q.windows(g, windows[0])
		keys = append(keys, snapshots...)
	case len(snapshots) > 0:
		g.node.Windows = []plan.Window{{Kind: plan.Snapshot}}
	default:
		at, hint := noWindow(keys)
		q.b.fail(at, hint, "a window must be specified")
		if at != keys[0].Loc() || strings.HasPrefix(hint, "did you mean") { // the key is no function
			g.broken = true
			q.group = g
			return
		}
	}
	before := len(q.b.errs)
	for _, e := range keys {
		q.key(g, e)
	}
	g.broken = len(q.b.errs) > before
	q.group = g
}

func (q *query) key(g *group, e syntax.Expr) {
	text := canon(e, q.from)
	if _, ok := g.keys[text]; ok {
		return
	}
	if l, ok := e.(*syntax.Literal); ok && l.Kind == syntax.IntLit {
		q.b.warn(l.Span, notPortable, "GROUP BY %s groups by a number, not by a column of the SELECT list; write the column", l.Text)
	}
	bound := q.expr(e)
	name := q.b.text(e.Loc())
	switch x := e.(type) {
	case *syntax.Path:
		name = x.Parts[len(x.Parts)-1].Name
	case *syntax.Field:
		name = x.Name.Name
	}
	for _, k := range g.node.Keys {
		if strings.EqualFold(k.Name, name) { // who reads a dead letter is to tell them apart
			name = q.b.text(e.Loc())
		}
	}
	c := plan.Column{Name: name, Type: bound.Type()}
	id := q.b.newColumn(c, 0, e.Loc())
	g.keys[text] = id
	g.cols = append(g.cols, id)
	g.node.Keys = append(g.node.Keys, plan.Item{Column: c, Expr: bound})
}

// grouped returns the group key that e is, nil if it is none. A key that holds
// System.Timestamp() is never meant: behind GROUP BY that is the row's stamp.
func (q *query) grouped(e syntax.Expr) plan.Expr {
	stamp := false
	walk(e, func(e syntax.Expr) bool {
		stamp = stamp || isSystemTimestamp(e)
		return !stamp
	})
	if stamp {
		return nil
	}
	if id, ok := q.group.keys[canon(e, q.from)]; ok {
		return q.b.read(id, e.Loc())
	}
	return nil
}

// ungrouped handles a name behind GROUP BY that is no group key.
func (q *query) ungrouped(p *syntax.Path, parts []string) plan.Expr {
	if q.inHaving && len(p.Parts) == 1 && q.aliasing < 20 {
		taken := map[string]bool{}
		for i := range q.sel.Items {
			it := &q.sel.Items[i]
			if it.Star || it.Expr == nil {
				continue
			}
			name := strings.ToLower(itemName(it, i, taken))
			taken[name] = true
			if !strings.EqualFold(name, parts[0]) {
				continue
			}
			q.aliasing++
			e := q.expr(it.Expr)
			q.aliasing--
			return e
		}
	}
	if q.group.broken {
		return constant(p.Span, column.Value{})
	}
	name := strings.Join(parts, ".")
	q.b.fail(p.Span, "add it to GROUP BY or put it into an aggregate such as MAX("+name+")",
		"column %s is neither in GROUP BY nor in an aggregate", name)
	return constant(p.Span, column.Value{})
}

// noWindow proposes a window; the one that is meant, at its place, if a key looks like one.
func noWindow(keys []syntax.Expr) (at syntax.Span, hint string) {
	for _, e := range keys {
		c, ok := e.(*syntax.Call)
		if !ok {
			continue
		}
		if _, known := functions[callName(c)]; known {
			continue
		}
		if hint = nearest(callName(c), windowNames); hint != "" {
			return c.Span, hint
		}
	}
	hint = "add one to GROUP BY, such as TumblingWindow(minute, 5)"
	return keys[0].Loc(), hint
}

// aggregate binds an aggregate call.
func (q *query) aggregate(c *syntax.Call) plan.Expr {
	name := callName(c)
	at := c.Span
	null := constant(at, column.Value{})
	if !q.aggregateForm(c, name) {
		return null
	}
	switch {
	case c.Over != nil && c.Over.Limit != nil:
		return q.analyticCall(c)
	case q.inAgg:
		q.b.fail(at, "compute the inner one in a step", "an aggregate inside an aggregate")
		return null
	case q.inOver:
		q.b.fail(at, "compute the aggregate in a step and apply the analytic function to that step", "an aggregate inside an analytic function")
		return null
	case !q.post:
		q.b.fail(at, q.aggregateHint(), "an aggregate is not allowed in %s", q.clause)
		return null
	}
	g := q.group
	key := canon(c, q.from)
	if id, ok := g.aggs[key]; ok {
		return q.b.read(id, at)
	}
	agg := plan.Agg{Func: plan.AggFunc(name), Distinct: c.Distinct, Where: at, Column: plan.Column{Name: q.b.text(at)}}
	if !q.aggParts(c, &agg) {
		return null
	}
	agg.Type = aggType(&agg)
	id := q.b.newColumn(agg.Column, 0, at)
	g.aggs[key] = id
	g.cols = append(g.cols, id)
	g.node.Aggs = append(g.node.Aggs, agg)
	return q.b.read(id, at)
}

// ordered reports whether an aggregate has an ORDER BY.
func ordered(f plan.AggFunc) bool {
	switch f {
	case plan.TopOne, plan.CollectTop, plan.PercentileCont, plan.PercentileDisc:
		return true
	}
	return false
}

func (q *query) aggregateHint() string {
	switch q.clause {
	case "WHERE":
		return "use HAVING, or a step"
	case "GROUP BY":
		return "compute it in a step"
	}
	return ""
}

// aggregateForm reports the forms of other dialects: WITHIN GROUP, and OVER
// where the function has none.
func (q *query) aggregateForm(c *syntax.Call, name string) bool {
	spread := strings.HasPrefix(name, "STDEV") || strings.HasPrefix(name, "VAR")
	ordered := ordered(plan.AggFunc(name))
	switch {
	case c.WithinGroup != nil && !ordered:
		q.b.fail(c.Span, "", "WITHIN GROUP is not part of the Stream Analytics language")
	case c.WithinGroup != nil:
		q.b.fail(c.Span, "write "+name+"(...) OVER (ORDER BY x)", "WITHIN GROUP is not part of the Stream Analytics language")
	case ordered && (c.Over == nil || c.Over.OrderBy == nil):
		q.b.fail(c.Span, "write "+name+"(...) OVER (ORDER BY x)", "%s needs OVER (ORDER BY ...)", name)
	case c.Over == nil:
		return true
	case ordered && (c.Over.Limit == nil || !strings.HasPrefix(name, "PERCENTILE")):
		return q.orderedForm(c.Over, name)
	case name == string(plan.Collect) && c.Over.OrderBy != nil:
		q.b.fail(c.Over.Span, "use CollectTop(n) OVER (ORDER BY ...)", "%s takes no ORDER BY", name)
	case spread || strings.HasPrefix(name, "PERCENTILE"):
		q.b.fail(c.Over.Span, "use it with GROUP BY and a window, such as SlidingWindow(minute, 5)", "%s has no form with OVER (LIMIT DURATION)", name)
	case c.Over.Limit == nil:
		q.b.fail(c.Over.Span, "write OVER (PARTITION BY k LIMIT DURATION(minute, 5))", "%s with OVER needs LIMIT DURATION", name)
	default:
		return true
	}
	return false
}

// orderedForm reports what OVER (ORDER BY) cannot hold without LIMIT DURATION.
func (q *query) orderedForm(o *syntax.Over, name string) bool {
	percentile := strings.HasPrefix(name, "PERCENTILE")
	switch {
	case percentile && (o.PartitionBy != nil || o.When != nil):
		q.b.fail(o.Span, "", "%s takes no PARTITION BY and no WHEN", name)
	case o.Limit == nil && (o.PartitionBy != nil || o.When != nil):
		q.b.fail(o.Span, "add LIMIT DURATION(minute, 5)", "%s with PARTITION BY or WHEN needs LIMIT DURATION", name)
	case o.Frame != nil:
		q.b.fail(o.Frame.Span, "", "%s takes no ROWS or RANGE", name)
	case percentile && len(o.OrderBy) > 1:
		q.b.fail(o.OrderBy[1].Span, "", "the ORDER BY of %s has one key", name)
	default:
		for _, k := range o.OrderBy {
			if k.Nulls != "" {
				q.b.fail(k.Span, "", "NULLS %s is not part of the Stream Analytics language: NULL is the smallest value", k.Nulls)
				return false
			}
		}
		return true
	}
	return false
}

// aggParts binds what stands in an aggregate.
func (q *query) aggParts(c *syntax.Call, agg *plan.Agg) bool {
	switch agg.Func {
	case plan.PercentileCont, plan.PercentileDisc:
		return q.percentile(c, agg)
	case plan.Collect, plan.CollectTop, plan.TopOne:
		return q.picked(c, agg)
	}
	return q.aggArg(c, agg)
}

// overRows binds an aggregate with OVER (LIMIT DURATION): a function over earlier rows.
func (q *query) overRows(c *syntax.Call, f *plan.AnalyticFunc) bool {
	agg := &plan.Agg{Func: plan.AggFunc(callName(c)), Distinct: c.Distinct, Where: c.Span}
	if agg.Distinct {
		q.b.fail(c.Span, "", "%s with OVER takes no DISTINCT", agg.Func)
		return false
	}
	if !q.aggParts(c, agg) {
		return false
	}
	agg.Type = aggType(agg)
	f.Kind, f.Agg, f.Type = plan.OverRows, agg, agg.Type
	return true
}

// rowsOf is the source whose whole rows an aggregate takes: an aggregate with OVER looks at
// them before an APPLY takes them apart.
func (q *query) rowsOf(c *syntax.Call) *source {
	if c.Over != nil && c.Over.Limit != nil {
		return q.from.only()
	}
	return q.from.single()
}

// inAggregate binds an expression over the rows of a group.
func (q *query) inAggregate(e syntax.Expr) plan.Expr {
	post := q.post
	q.post, q.inAgg = false, true
	bound := q.expr(e)
	q.post, q.inAgg = post, false
	return bound
}

// percentile binds PERCENTILE_CONT and PERCENTILE_DISC: the key of ORDER BY is what they
// look at.
func (q *query) percentile(c *syntax.Call, agg *plan.Agg) bool {
	if len(c.Args) != 1 {
		q.b.fail(c.Span, "", "%s takes one argument, %d given", agg.Func, len(c.Args))
		return false
	}
	lit, ok := c.Args[0].(*syntax.Literal)
	if ok && lit.Kind >= syntax.IntLit && lit.Kind <= syntax.FloatLit {
		agg.Share, ok = number(lit.Text)
	} else {
		ok = false
	}
	if !ok || agg.Share.Cmp(big.NewRat(1, 1)) > 0 {
		q.b.fail(c.Args[0].Loc(), "", "the argument of %s is a number from 0 to 1", agg.Func)
		return false
	}
	key := c.Over.OrderBy[0]
	agg.Arg, agg.Desc = q.inAggregate(key.Expr), key.Desc
	agg.ArgType = agg.Arg.Type()
	switch agg.ArgType {
	case column.Record, column.Array, column.Time:
		q.b.fail(key.Expr.Loc(), "", "%s does not take a %s", agg.Func, agg.ArgType)
		return false
	}
	return true
}

// maxTop is how many rows CollectTop may ask for.
const maxTop = 1_000_000

// picked binds Collect, CollectTop and TopOne: what they take of a row, the whole of it
// without an argument.
func (q *query) picked(c *syntax.Call, agg *plan.Agg) bool {
	args := c.Args
	if agg.Func == plan.CollectTop {
		if len(args) == 0 {
			q.b.fail(c.Span, "", "%s takes a number of rows", agg.Func)
			return false
		}
		lit, ok := args[0].(*syntax.Literal)
		if ok && lit.Kind == syntax.IntLit {
			agg.Top, _ = strconv.Atoi(lit.Text)
		}
		if agg.Top < 1 || agg.Top > maxTop {
			q.b.fail(args[0].Loc(), "", "the first argument of %s is a number from 1 to %d", agg.Func, maxTop)
			return false
		}
		args = args[1:]
	}
	if len(args) > 1 {
		q.b.fail(c.Span, "", "%s takes one expression, %d given", agg.Func, len(args))
		return false
	}
	for _, a := range args {
		if _, star := a.(*syntax.Star); star {
			q.b.fail(a.Loc(), "leave it out", "%s takes no *: without an expression it takes whole rows", agg.Func)
			return false
		}
		agg.Arg = q.inAggregate(a)
	}
	if len(args) == 0 {
		if agg.Arg = q.event(c, q.rowsOf(c), string(agg.Func)+" of whole rows"); agg.Arg == nil {
			return false
		}
	}
	agg.ArgType = agg.Arg.Type()
	if c.Over == nil {
		return true
	}
	for _, k := range c.Over.OrderBy {
		key := plan.OrderKey{Expr: q.inAggregate(k.Expr), Desc: k.Desc}
		switch t := key.Expr.Type(); t {
		case column.Bool, column.Record, column.Array:
			q.b.fail(k.Expr.Loc(), "", "the ORDER BY of %s takes a bigint, a float or a datetime, not a %s", agg.Func, t)
			return false
		}
		agg.Order = append(agg.Order, key)
	}
	return true
}

// aggArg binds the argument of an aggregate that computes with values.
func (q *query) aggArg(c *syntax.Call, agg *plan.Agg) bool {
	if agg.Func == plan.Count {
		if len(c.Args) == 0 {
			return true
		}
		if _, star := c.Args[0].(*syntax.Star); star && len(c.Args) == 1 {
			if agg.Distinct {
				q.b.fail(c.Span, "name a column, or the input", "COUNT(DISTINCT) takes no *")
			}
			return true
		}
		if src := q.wholeSource(c.Args); src != nil {
			if !agg.Distinct {
				if src.optional { // rows without a partner do not count
					agg.Arg, agg.ArgType = src.when(q.b, c.Span), column.Time
				}
				return true
			}
			agg.Arg, agg.ArgType = src.whole(q.b, c.Span), column.Record
			return true
		}
	}
	if len(c.Args) != 1 {
		q.b.fail(c.Span, "", "%s takes one argument, %d given", agg.Func, len(c.Args))
		return false
	}
	if _, star := c.Args[0].(*syntax.Star); star {
		q.b.fail(c.Span, "name a column", "%s takes no *", agg.Func)
		return false
	}
	agg.Arg = q.inAggregate(c.Args[0])
	agg.ArgType = agg.Arg.Type()
	if k := agg.ArgType; agg.Func != plan.Count && (k == column.Record || k == column.Array || k == column.Time && agg.Func != plan.Min && agg.Func != plan.Max) {
		q.b.fail(c.Args[0].Loc(), "", "%s does not take a %s", agg.Func, k)
	}
	return true
}

// wholeSource is the source that the only argument names: its alias, which is no column.
func (q *query) wholeSource(args []syntax.Expr) *source {
	if len(args) != 1 {
		return nil
	}
	p, ok := args[0].(*syntax.Path)
	if !ok || len(p.Parts) != 1 || q.from.known(p.Parts[0].Name) {
		return nil
	}
	return q.from.byAlias(p.Parts[0].Name)
}

// aggType is the static type of an aggregate: values without a static type are
// read as floats.
func aggType(a *plan.Agg) column.Kind {
	switch a.Func {
	case plan.Count:
		return column.Int64
	case plan.Sum:
		if a.ArgType == column.Int64 || a.ArgType == column.Bool {
			return column.Int64
		}
	case plan.Min, plan.Max, plan.TopOne:
		return a.ArgType
	case plan.Collect, plan.CollectTop:
		return column.Array
	case plan.PercentileDisc:
		if a.ArgType == column.Int64 {
			return column.Int64
		}
	}
	return column.Float64
}

// windowID is System.Window().Id.
func (q *query) windowID(at syntax.Span) plan.Expr {
	if !q.post {
		q.b.fail(at, "", "System.Window() stands only in the SELECT of a query with GROUP BY")
		return constant(at, column.Value{})
	}
	if !q.group.ids {
		return constant(at, column.Value{})
	}
	g := q.group
	if !g.node.WindowID {
		g.node.WindowID = true
		g.id = q.b.newColumn(plan.Column{Name: "Id", Type: column.Text}, 0, at)
	}
	return q.b.read(g.id, at)
}
