package bind

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// query is one SELECT being bound.
type query struct {
	b    *binder
	from *scope
	sel  *syntax.Select

	// What an expression may hold depends on where it stands.
	clause   string // for messages
	inTime   bool   // TIMESTAMP BY
	inAgg    bool   // argument of an aggregate
	inOver   bool   // argument of an analytic function
	post     bool   // behind GROUP BY: keys and aggregates instead of columns
	inHaving bool   // a name may be an alias of the SELECT list
	aliasing int    // guards against an alias that refers to itself

	analyticKey map[string]colID
	group       *group // nil: no GROUP BY
}

// body binds a query body; nil if it has a mistake.
func (b *binder) body(body syntax.QueryBody) plan.Node {
	switch body := body.(type) {
	case *syntax.Select:
		return b.selectNode(body)
	case *syntax.SetOp:
		return b.union(body)
	case *syntax.Query:
		return b.body(body.Body)
	}
	return nil
}

// union binds the members and matches their columns by position.
func (b *binder) union(u *syntax.SetOp) plan.Node {
	var members []plan.Node
	var places []syntax.Span
	ok := true
	var collect func(body syntax.QueryBody)
	collect = func(body syntax.QueryBody) {
		if inner, isUnion := body.(*syntax.SetOp); isUnion {
			collect(inner.Left)
			collect(inner.Right)
			return
		}
		n := b.body(body)
		if n == nil {
			ok = false
			return
		}
		members = append(members, n)
		places = append(places, body.Loc())
	}
	collect(u)
	if !ok {
		return nil
	}
	out := &plan.Union{Ins: members}
	for _, m := range members {
		for _, c := range m.Columns() {
			if c.Star {
				out.Cols = []plan.Column{{Name: "*", Star: true, Type: column.Record}}
				return out
			}
		}
	}
	out.Cols = append([]plan.Column(nil), members[0].Columns()...)
	for k, m := range members[1:] {
		cols := m.Columns()
		if len(cols) != len(out.Cols) {
			b.fail(places[k+1], "write NULL AS name where a member has no such column", "the members of a UNION have the same number of columns: member 1 has %d, member %d has %d", len(out.Cols), k+2, len(cols))
			return nil
		}
		for i, c := range cols {
			if !strings.EqualFold(c.Name, out.Cols[i].Name) {
				b.warn(u.Span, notPortable, "column %d of the UNION is named %s and %s; the result is named %s", i+1, out.Cols[i].Name, c.Name, out.Cols[i].Name)
			}
			out.Cols[i].Type = common(out.Cols[i].Type, c.Type)
		}
	}
	return out
}

// common is the static type of values that have type a or b.
func common(a, b column.Kind) column.Kind {
	switch {
	case a == b:
		return a
	case a == column.Int64 && b == column.Float64, a == column.Float64 && b == column.Int64:
		return column.Float64
	}
	return column.Null
}

// selectNode binds one SELECT: analytic functions on all rows, WHERE, GROUP BY,
// HAVING, projection.
func (b *binder) selectNode(s *syntax.Select) plan.Node {
	before := len(b.errs)
	outer := b.selects
	b.selects = s
	sc := b.from(s.From)
	b.selects = outer
	if sc == nil {
		return nil
	}
	node := b.selectFrom(sc, s)
	if len(b.errs) > before {
		return nil
	}
	return node
}

// selectFrom binds a SELECT over the rows of its scope; what it returns has no meaning
// if it reports a mistake.
func (b *binder) selectFrom(sc *scope, s *syntax.Select) plan.Node {
	q := &query{b: b, from: sc, sel: s, analyticKey: map[string]colID{}}
	var where plan.Expr
	if s.Where != nil {
		q.clause = "WHERE"
		where = q.cond(s.Where)
	}
	if s.GroupBy != nil {
		q.groupBy(s)
	} else if agg := q.firstAggregate(); agg != nil {
		if !q.aggregateForm(agg, callName(agg)) {
			return nil
		}
		b.fail(agg.Span, "add GROUP BY with a window such as TumblingWindow(minute, 5)", "a window must be specified")
		return nil
	}
	q.post = q.group != nil
	q.clause = "SELECT"
	items := q.items(s)
	var having plan.Expr
	if s.Having != nil {
		q.clause = "HAVING"
		q.inHaving = q.post
		having = q.cond(s.Having)
		q.inHaving = false
	}
	node := sc.rows
	if where != nil {
		node = &plan.Filter{In: node, Cond: where}
	}
	if q.group != nil {
		q.group.node.In = node
		node = q.group.node
		b.makes(node, q.group.cols...)
		if q.group.node.WindowID {
			b.makes(node, q.group.id)
		}
	}
	if q.ordered() {
		for _, src := range sc.sources {
			src.prune = src.prune || src.stream != nil
		}
	}
	if having != nil {
		node = &plan.Filter{In: node, Cond: having}
	}
	return &plan.Project{In: node, Items: items}
}

// ordered reports whether rows must be brought into total order for this query.
func (q *query) ordered() bool {
	if q.group != nil {
		for _, w := range q.group.node.Windows {
			if w.Kind == plan.Sliding || w.Kind == plan.Session {
				return true
			}
		}
	}
	for _, src := range q.from.sources {
		if src.analytic != nil {
			return true
		}
	}
	return false
}

// firstAggregate finds an aggregate in SELECT or HAVING.
func (q *query) firstAggregate() *syntax.Call {
	var found *syntax.Call
	look := func(e syntax.Expr) {
		walk(e, func(e syntax.Expr) bool {
			c, ok := e.(*syntax.Call)
			if ok && found == nil && isAggregate(c) && (c.Over == nil || c.Over.Limit == nil) {
				found = c
			}
			return found == nil
		})
	}
	for i := range q.sel.Items {
		if q.sel.Items[i].Expr != nil {
			look(q.sel.Items[i].Expr)
		}
	}
	if q.sel.Having != nil {
		look(q.sel.Having)
	}
	return found
}

// items binds the SELECT list. Of equal names the leftmost wins over a `*`.
func (q *query) items(s *syntax.Select) []plan.Item {
	var items []plan.Item
	taken := map[string]bool{}
	explicit := map[string]bool{}
	starred := false
	for i := range s.Items {
		it := &s.Items[i]
		if it.Star {
			for _, item := range q.star(it) {
				starred = starred || item.Star
				if !item.Star && taken[strings.ToLower(item.Name)] {
					continue
				}
				taken[strings.ToLower(item.Name)] = true
				items = append(items, item)
			}
			continue
		}
		if it.Assign != "" {
			q.b.fail(it.Span, "", "the language has no variables")
			continue
		}
		q.indexed(it)
		e := q.expr(it.Expr)
		name := itemName(it, i, taken)
		key := strings.ToLower(name)
		switch {
		case explicit[key]:
			q.b.fail(it.Span, "give it another name with AS", "two columns are named %s", name)
		case taken[key]:
			q.b.warn(it.Span, notPortable, "column %s is already given by the * to its left and is ignored", name)
			continue
		case starred:
			q.b.warn(it.Span, notPortable, "where an event has a field %s, the * to the left wins over this column", name)
		}
		explicit[key], taken[key] = true, true
		items = append(items, plan.Item{Column: plan.Column{Name: name, Type: e.Type()}, Expr: e})
	}
	return items
}

// indexed warns of an alias that looks like an index, or like a variable.
func (q *query) indexed(it *syntax.Item) {
	a := it.Alias
	switch {
	case a == nil:
	case a.Quote == '[' && strings.Trim(a.Name, "0123456789") == "" && a.Span.From.Offset == it.Expr.Loc().To.Offset:
		q.b.warn(a.Span, notPortable, "[%s] is read as an alias, for arrays have no index in brackets; use GetArrayElement(array, 0)", a.Name)
	case a.Quote == 0 && strings.HasPrefix(a.Name, "@"):
		q.b.warn(a.Span, notPortable, "%s is read as the name of a column, for the language has no variables", a.Name)
	}
}

// itemName is the alias of the i-th item or the name that the language gives. A name
// that comes from a function gives way to one of taken, which are in lower case.
func itemName(it *syntax.Item, i int, taken map[string]bool) string {
	if it.Alias != nil {
		return it.Alias.Name
	}
	derived := ""
	switch e := it.Expr.(type) {
	case *syntax.Path:
		if isSystemTimestamp(e) {
			derived = "timestamp"
		} else if part := e.Parts[len(e.Parts)-1]; part.Quote != '"' || len(e.Parts) > 1 {
			return part.Name
		} else if parts := bracketPath(part.Name); parts != nil {
			return parts[len(parts)-1]
		}
	case *syntax.Field:
		return e.Name.Name
	case *syntax.Call: // System.Timestamp() and udf.f() go without their prefix
		derived = strings.ToLower(e.Name.Last().Name)
	}
	if derived == "" || taken[derived] {
		return fmt.Sprintf("column%d", i+1)
	}
	return derived
}

// star expands `*`, `alias.*` and `record.*`.
func (q *query) star(it *syntax.Item) []plan.Item {
	if q.post {
		q.b.fail(it.Span, "name the columns", "SELECT * is not allowed with GROUP BY")
		return nil
	}
	if it.Of == nil {
		if src := q.from.only(); src != nil { // beside it what APPLY makes, as records
			items := q.starItems(src, it.Span)
			for _, src := range q.from.sources {
				if src.apply != nil {
					items = append(items, plan.Item{Column: src.part(wholePart), Expr: src.column(q.b, wholePart, it.Span)})
				}
			}
			return items
		}
		if len(q.from.sources) > 1 {
			q.b.fail(it.Span, "write "+q.from.sources[0].alias+".*, or name the columns", "SELECT * is not allowed over several sources")
			return nil
		}
		return q.starItems(q.from.sources[0], it.Span)
	}
	if len(it.Of.Parts) == 1 {
		if src := q.from.byAlias(it.Of.Parts[0].Name); src != nil {
			return q.starItems(src, it.Span)
		}
	}
	return []plan.Item{starItem(q.path(it.Of))}
}
