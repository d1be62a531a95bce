package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// aggregates are the aggregate functions of the language.
var aggregates = map[string]bool{
	"COUNT": true, "SUM": true, "AVG": true, "MIN": true, "MAX": true, "STDEV": true, "STDEVP": true, "VAR": true, "VARP": true,
	"PERCENTILE_CONT": true, "PERCENTILE_DISC": true, "COLLECT": true, "COLLECTTOP": true, "TOPONE": true,
}

// aggregateFeatures are those that may be missing.
var aggregateFeatures = map[string]syntax.Feature{
	"PERCENTILE_CONT": syntax.PercentileConts, "PERCENTILE_DISC": syntax.PercentileDiscs,
	"COLLECT": syntax.Collects, "COLLECTTOP": syntax.CollectTops, "TOPONE": syntax.TopOnes,
}

var runAggregates = map[string]plan.AggFunc{
	"COUNT": plan.Count, "SUM": plan.Sum, "AVG": plan.Avg, "MIN": plan.Min, "MAX": plan.Max,
	"STDEV": plan.Stdev, "STDEVP": plan.StdevP, "VAR": plan.Var, "VARP": plan.VarP,
}

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
	f := runAggregates[name]
	if !q.aggregateForm(c, name) {
		return null
	}
	switch {
	case c.Over != nil && c.Over.Limit != nil:
		q.b.unsupported(at, syntax.OverAggregates, name+" with OVER (LIMIT DURATION)")
		return null
	case syntax.Missing(aggregateFeatures[name]):
		q.b.unsupported(at, aggregateFeatures[name])
		return null
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
	agg := plan.Agg{Func: f, Distinct: c.Distinct, Where: at, Column: plan.Column{Name: q.b.text(at)}}
	if !q.aggArg(c, &agg) {
		return null
	}
	agg.Type = aggType(&agg)
	id := q.b.newColumn(agg.Column, 0, at)
	g.aggs[key] = id
	g.cols = append(g.cols, id)
	g.node.Aggs = append(g.node.Aggs, agg)
	return q.b.read(id, at)
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
	const span = "LIMIT DURATION(minute, 5)"
	ordered := map[string]bool{"PERCENTILE_CONT": true, "PERCENTILE_DISC": true, "TOPONE": true, "COLLECTTOP": true}[name]
	spread := strings.HasPrefix(name, "STDEV") || strings.HasPrefix(name, "VAR")
	switch {
	case c.WithinGroup != nil:
		q.b.fail(c.Span, syntax.Hint("write "+name+"(p) OVER (ORDER BY x)", aggregateFeatures[name]), "WITHIN GROUP is not part of the Stream Analytics language")
	case c.Over == nil:
		return true
	case c.Over.Limit == nil && ordered:
		return true
	case syntax.Missing(syntax.OverAggregates) && c.Over.Limit == nil:
		q.b.refuse(c.Over.Span, "use it with GROUP BY and a window, such as SlidingWindow(minute, 5)", syntax.OverAggregates, name+" with OVER")
	case spread || strings.HasPrefix(name, "PERCENTILE"):
		q.b.fail(c.Over.Span, "use it with GROUP BY and a window, such as SlidingWindow(minute, 5)", "%s has no form with OVER (LIMIT DURATION)", name)
	case c.Over.Limit == nil:
		q.b.fail(c.Over.Span, syntax.Hint("write OVER (PARTITION BY k "+span+")", syntax.OverAggregates), "%s with OVER needs LIMIT DURATION", name)
	default:
		return true
	}
	return false
}

// aggArg binds the argument of an aggregate.
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
			if src.stream == nil {
				q.b.unsupported(c.Span, syntax.CountOfStep)
				return false
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
	post := q.post
	q.post, q.inAgg = false, true
	agg.Arg = q.expr(c.Args[0])
	q.post, q.inAgg = post, false
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
	case plan.Min, plan.Max:
		return a.ArgType
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
