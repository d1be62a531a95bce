package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// reference binds an input of reference data. All references to it share what is read of
// its rows.
func (b *binder) reference(sc *scope, t *syntax.TableRef, decl *inputDecl) plan.Node {
	if ts := t.Timestamp; ts != nil {
		b.fail(ts.Span, "leave it out: which snapshot joins a row is decided by the time of that row", "TIMESTAMP BY on reference data is not allowed")
		return nil
	}
	name := decl.info.Name
	alias := t.Name.Last().Name
	if t.Alias != nil {
		alias = t.Alias.Name
	}
	key := strings.ToLower(name)
	st := b.streams[key]
	if st == nil {
		st = &stream{decl: decl, node: &plan.Input{Name: name, Where: t.Name.Span, Reference: true}, byKey: map[string]int{}}
		b.streams[key] = st
		for _, col := range decl.order {
			st.read(b, syntax.Span{}, []string{col})
		}
	}
	src := inputSource(alias, t.Span, st)
	b.add(sc, src)
	return leafOf(src)
}

// isReference reports whether all rows of a node come from reference data.
func isReference(n plan.Node) bool {
	if l, ok := n.(*leaf); ok {
		return l.src.node != nil && isReference(l.src.node)
	}
	if in, ok := n.(*plan.Input); ok {
		return in.Reference
	}
	ins := n.Inputs()
	for _, in := range ins {
		if !isReference(in) {
			return false
		}
	}
	return len(ins) > 0
}

// timeless refuses MATCH_RECOGNIZE over reference data.
func (b *binder) timeless(rows plan.Node, m *syntax.MatchRecognize) plan.Node {
	if rows == nil || m == nil || !isReference(rows) {
		return rows
	}
	b.noTime(m.Span, "MATCH_RECOGNIZE")
	return nil
}

// noTime refuses what needs the time of rows.
func (b *binder) noTime(at syntax.Span, what string) {
	b.fail(at, "join it with a stream first", "%s over reference data is not allowed: its rows have no time", what)
}

// noStream reports whether all sources of a scope are reference data.
func (sc *scope) noStream() bool {
	for _, src := range sc.sources {
		if !src.isReference() {
			return false
		}
	}
	return len(sc.sources) > 0
}

func (s *source) isReference() bool {
	if s.apply != nil {
		return isReference(s.apply)
	}
	return s.node != nil && isReference(s.node)
}

// overReference refuses in a SELECT over reference data alone what makes rows of several.
func (q *query) overReference(s *syntax.Select) bool {
	if len(s.GroupBy) > 0 {
		q.b.noTime(s.GroupBy[0].Loc(), "GROUP BY")
		return false
	}
	if agg := q.firstAggregate(); agg != nil {
		q.b.noTime(agg.Span, callName(agg))
		return false
	}
	return true
}

// lookup makes a join of the node whose sides and conditions are bound, with reference
// data on its right.
func (o *joinOn) lookup() plan.Node {
	n := o.node
	for _, k := range n.Keys {
		c := k.(*plan.Call)
		if l, r := c.Args[0].Type(), c.Args[1].Type(); differ(l, r) {
			o.b.warn(c.Where, notPortable, "the keys are of different kind, %s and %s: they compare as by =, which the service may not do; CAST both to one type", l, r)
		}
	}
	return &plan.Lookup{In: n.Left, Ref: n.Right, Outer: n.Outer, OnLeft: n.OnLeft, OnRight: n.OnRight, Keys: n.Keys, On: n.On}
}

// lookup settles a join with reference data: what of that only the conditions read does not
// go on.
func (s *settler) lookup(n *plan.Lookup, below layout) layout {
	for _, e := range n.Exprs() {
		s.expr(e, below)
	}
	out, width := layout{}, len(n.In.Columns())
	at := make(map[int]colID)
	for id, i := range below {
		if i < width {
			out[id] = i
		} else {
			at[i-width] = id
		}
	}
	for i := range n.Ref.Columns() {
		if id := at[i]; id != 0 && s.b.column(id).reads > 0 {
			out[id] = width + len(n.Keep)
			n.Keep = append(n.Keep, i)
		}
	}
	return out
}

// differ reports whether values of two static types are of different kind; a bigint and a
// float are both numbers.
func differ(l, r column.Kind) bool {
	number := func(k column.Kind) bool { return k == column.Int64 || k == column.Float64 }
	return l != column.Null && r != column.Null && l != r && !(number(l) && number(r))
}

// ignored reports whether a condition is a DATEDIFF between sources of which one is
// reference data, which has no time. It means nothing and is left out.
func (o *joinOn) ignored(e syntax.Expr) bool {
	found := false
	walk(e, func(e syntax.Expr) bool {
		if c, ok := e.(*syntax.Call); ok {
			if d := o.distance(c); d != nil && (d.from.isReference() || d.to.isReference()) {
				found = true
			}
		}
		return !found
	})
	if found {
		o.b.warn(e.Loc(), notPortable, "this condition is ignored: reference data has no time, and the snapshot that is in effect at the time of the row joins it")
	}
	return found
}
