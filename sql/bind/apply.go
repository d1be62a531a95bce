package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// applies are the functions of APPLY.
var applies = map[string]plan.ApplyKind{"GETARRAYELEMENTS": plan.Elements, "GETRECORDPROPERTIES": plan.Properties}

func applyHint() string {
	return "write CROSS APPLY GetArrayElements(x) AS e, or GetRecordProperties(x)"
}

// apply binds CROSS APPLY and OUTER APPLY. What it makes is a source of the SELECT beside
// those to its left, which its argument may name.
func (b *binder) apply(sc *scope, a *syntax.Apply) plan.Node {
	rows := b.source(sc, a.Left)
	if rows == nil {
		return nil
	}
	f, ok := a.Right.(*syntax.TableFunc)
	if !ok {
		b.fail(a.Right.Loc(), applyHint(), "APPLY takes a function")
		return nil
	}
	n := &plan.Apply{In: rows, Outer: a.Outer, Where: f.Call.Span}
	if !b.applyFunc(n, f) {
		return nil
	}
	before := len(b.errs)
	q := &query{b: b, from: &scope{sources: sc.sources[:len(sc.sources):len(sc.sources)]}, clause: "APPLY", analyticKey: map[string]colID{}}
	arg := f.Call.Args[0]
	n.Arg, n.Text = q.expr(arg), b.text(arg.Loc())
	if k := n.Arg.Type(); k != column.Null && k != n.Kind.Of() {
		b.fail(arg.Loc(), "", "%s takes a value of type '%s', not of type '%s'", n.Kind.Func(), n.Kind.Of(), k)
	}
	if len(b.errs) > before {
		return nil
	}
	for _, src := range sc.sources {
		src.joined = true
	}
	b.add(sc, b.parts(n, f))
	return n
}

// applyFunc reads the function of an APPLY and what stands around its argument.
func (b *binder) applyFunc(n *plan.Apply, f *syntax.TableFunc) bool {
	c := f.Call
	kind, ok := applies[callName(c)]
	n.Kind = kind
	switch name := syntax.FormatName(c.Name); {
	case !ok:
		b.fail(c.Span, applyHint(), "APPLY does not take the function %s", name)
	case c.Over != nil || c.Distinct || c.WithinGroup != nil:
		b.fail(c.Span, applyHint(), "%s takes an expression alone", name)
	case len(c.Args) != 1:
		b.fail(c.Span, "", "%s takes one argument, %d given", name, len(c.Args))
	case f.Alias == nil:
		b.fail(f.Span, "write AS e behind it", "what APPLY makes needs an alias")
	case f.Timestamp != nil:
		b.fail(f.Timestamp.Span, "put it on the input", "TIMESTAMP BY behind APPLY is not allowed")
	case f.Partition != nil:
		b.fail(f.Partition.Span, "put it on the input", "PARTITION BY behind APPLY is not allowed")
	case f.Match != nil:
		b.fail(f.Match.Span, "", "MATCH_RECOGNIZE stands behind an input, a step or a query in parentheses")
	default:
		return true
	}
	return false
}

// tableFunc refuses a function that does not stand behind APPLY.
func (b *binder) tableFunc(f *syntax.TableFunc) {
	if _, ok := applies[callName(f.Call)]; ok {
		b.fail(f.Call.Span, "it stands only behind CROSS APPLY or OUTER APPLY", "%s is no source of its own", syntax.FormatName(f.Call.Name))
		return
	}
	b.fail(f.Call.Span, applyHint(), "there is no function %s that makes rows", syntax.FormatName(f.Call.Name))
}

// wholePart is the column, behind those of a source that an APPLY makes, with both as a
// record.
const wholePart = 2

// parts is the source that an APPLY makes.
func (b *binder) parts(n *plan.Apply, f *syntax.TableFunc) *source {
	names := n.Kind.Names()
	cols := []plan.Column{{Name: names[0], Type: column.Int64}, {Name: names[1]}}
	if n.Kind == plan.Properties {
		cols[0].Type = column.Text
	}
	src := stepSource(f.Alias.Name, f.Span, nil, cols)
	src.apply = n
	if b.applied == nil {
		b.applied = make(map[*plan.Apply]*source)
	}
	b.applied[n] = src
	return src
}

// part is a column that an APPLY makes: of its own columns, or wholePart.
func (s *source) part(i int) plan.Column {
	if i == wholePart {
		return plan.Column{Name: s.alias, Type: column.Record}
	}
	return s.cols[i]
}

// isParts reports whether a name is the alias of what an APPLY makes: the record of the
// two columns.
func (s *source) isParts(name string) bool { return s.apply != nil && strings.EqualFold(s.alias, name) }

// applyAlias is what an APPLY makes under a name; nil: nothing.
func (sc *scope) applyAlias(name string) *source {
	if src := sc.byAlias(name); src != nil && src.apply != nil {
		return src
	}
	return nil
}

// only is the only source, those aside that APPLY makes; nil if there are several.
func (sc *scope) only() *source {
	var found *source
	for _, src := range sc.sources {
		switch {
		case src.apply != nil:
		case found != nil:
			return nil
		default:
			found = src
		}
	}
	if sc.outer != nil {
		return nil
	}
	return found
}

// oneLeaf reports whether rows are those of one source, each with its time, or parts of
// them.
func oneLeaf(rows plan.Node) bool {
	for {
		switch n := rows.(type) {
		case *leaf:
			return true
		case *plan.Apply:
			rows = n.In
		case *plan.Lookup: // what stands beside a row has no time of its own
			rows = n.In
		default:
			return false
		}
	}
}

// apply settles an APPLY over columns that are where below says. It makes what is read
// of it and takes along what steps above read: a row has many parts.
func (s *settler) apply(n *plan.Apply, below layout) layout {
	s.expr(&n.Arg, below)
	at := make(map[int]colID, len(below))
	for id, i := range below {
		at[i] = id
	}
	out := layout{}
	for i := range n.In.Columns() {
		if id := at[i]; id != 0 && s.b.column(id).reads > 0 {
			out[id] = len(n.Keep)
			n.Keep = append(n.Keep, i)
		}
	}
	src := s.b.applied[n]
	for _, i := range src.read {
		out[src.ids[i]] = len(n.Keep) + len(n.Makes)
		m := plan.Made{Column: src.part(i), What: plan.ApplyPart(i)}
		if i != wholePart {
			m.Name = src.alias + "." + m.Name // several sources may have the column
			s.b.column(src.ids[i]).Name = m.Name
		}
		n.Makes = append(n.Makes, m)
	}
	return out
}
