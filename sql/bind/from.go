package bind

import (
	"strings"

	"spate/sql/plan"
	"spate/sql/syntax"
)

// from binds the FROM of a SELECT; nil if it has a mistake.
func (b *binder) from(sources []syntax.Source) *scope {
	if len(sources) != 1 {
		return nil // reported by the parser
	}
	sc := &scope{}
	if sc.rows = b.source(sc, sources[0]); sc.rows == nil {
		return nil
	}
	return sc
}

// source binds one source, puts what it names into the scope, and returns its rows; nil
// if it has a mistake.
func (b *binder) source(sc *scope, s syntax.Source) plan.Node {
	switch s := s.(type) {
	case *syntax.TableRef:
		return b.match(sc, b.table(sc, s), s.Match)
	case *syntax.Derived:
		return b.match(sc, b.derived(sc, s), s.Match)
	case *syntax.Join:
		return b.join(sc, s)
	case *syntax.Apply:
		return b.apply(sc, s)
	case *syntax.TableFunc:
		if windowName(callName(s.Call)) != "" {
			b.fail(s.Call.Span, "write FROM input ... GROUP BY TumblingWindow(minute, 5)", "a window stands only in GROUP BY, by itself")
			return nil
		}
		b.tableFunc(s)
	}
	return nil
}

// table binds the name of an input or a step.
func (b *binder) table(sc *scope, t *syntax.TableRef) plan.Node {
	name := t.Name.Last().Name
	if len(t.Name.Parts) > 1 {
		b.fail(t.Name.Span, "write the last part alone, or all in brackets if the name holds a dot", "the name of an input or a step has one part")
		return nil
	}
	alias := name
	if t.Alias != nil {
		alias = t.Alias.Name
	}
	if p := t.Partition; p != nil {
		b.warn(p.Span, notPortable, "PARTITION BY of an input is read as a hint: it does not change the result")
	}
	partitioned := func(rows plan.Node) plan.Node {
		if rows != nil {
			src := sc.sources[len(sc.sources)-1]
			src.partition = t.Partition
			if t.Alias != nil {
				src.behind = name
			}
		}
		return rows
	}
	if st, ok := b.steps[strings.ToLower(name)]; ok {
		if st.node == nil {
			return nil
		}
		return partitioned(b.stepRows(sc, stepSource(alias, t.Span, st.node, st.node.Columns()), t.Timestamp))
	}
	decl := b.input(name)
	switch {
	case decl == nil:
		b.unknownSource(t.Name.Span, name)
		return nil
	case decl.info.Reference:
		return b.reference(sc, t, decl)
	}
	src := inputSource(alias, t.Span, b.timed(decl, name, alias, t))
	b.add(sc, src)
	return partitioned(leafOf(src))
}

// derived binds a sub-query in FROM, which is a step without a name.
func (b *binder) derived(sc *scope, d *syntax.Derived) plan.Node {
	node := b.inner(d.Query)
	if node == nil {
		return nil
	}
	alias := ""
	if d.Alias != nil {
		alias = d.Alias.Name
	}
	return b.stepRows(sc, stepSource(alias, d.Span, node, node.Columns()), d.Timestamp)
}

func (b *binder) stepRows(sc *scope, src *source, ts *syntax.TimestampBy) plan.Node {
	if ts != nil {
		b.stepTimestamp(src, ts)
	}
	b.add(sc, src)
	return leafOf(src)
}

// stepTimestamp accepts TIMESTAMP BY on a step only where it changes nothing.
func (b *binder) stepTimestamp(src *source, ts *syntax.TimestampBy) {
	if p, ok := ts.Expr.(*syntax.Path); ok && ts.Over == nil {
		parts := p.Parts
		if len(parts) == 2 && strings.EqualFold(parts[0].Name, src.alias) {
			parts = parts[1:]
		}
		if i := src.find(parts[0].Name); len(parts) == 1 && i >= 0 && b.isTimestamp(src.node, i) {
			b.warn(ts.Span, notPortable, "TIMESTAMP BY on a step changes nothing: rows keep their System.Timestamp()")
			return
		}
	}
	b.fail(ts.Span, "put it on the input", "TIMESTAMP BY on a step is not allowed")
}

// isTimestamp reports whether column i of a step is an unchanged System.Timestamp():
// its own, or that of a step whose rows it passes on.
func (b *binder) isTimestamp(step plan.Node, i int) bool {
	p, ok := step.(*plan.Project)
	if !ok {
		return false
	}
	switch e := p.Items[i].Expr.(type) {
	case *plan.Timestamp:
		return true
	case *col:
		below := p.In
		if f, ok := below.(*plan.Filter); ok {
			below = f.In
		}
		l, ok := below.(*leaf)
		return ok && l.src.stream == nil && b.isTimestamp(l.src.node, b.column(e.id).at)
	}
	return false
}
