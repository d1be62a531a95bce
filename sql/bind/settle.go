package bind

import (
	"fmt"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// colID names a column while a script is bound, from 1 on. Each source, and each step
// that computes something, has ids of its own. Where a column is in the rows of a node
// is known only when all of the script is bound; settle finds it.
type colID int

// boundColumn is a column that an id names.
type boundColumn struct {
	plan.Column
	source *source     // that it is of, or is computed of; nil: of none
	at     int         // its index in the columns of its source; of others 0
	where  syntax.Span // where it was read first
	reads  int         // by steps that are not settled yet, or left out
}

// col reads a column by its id. It stands in expressions until settle puts a plan.Col in
// its place.
type col struct {
	plan.Base
	id colID
}

// Parts implements plan.Expr.
func (*col) Parts() []*plan.Expr { return nil }

// leaf is the place of a source in the tree. It stands there until settle puts the node
// in its place, or a projection of what is read of the node.
type leaf struct {
	plan.Node // of the source
	src       *source
}

func leafOf(src *source) plan.Node { return &leaf{src.node, src} }

func (b *binder) newColumn(c plan.Column, at int, where syntax.Span) colID {
	b.columns = append(b.columns, boundColumn{Column: c, at: at, where: where})
	return colID(len(b.columns))
}

func (b *binder) column(id colID) *boundColumn { return &b.columns[id-1] }

func (b *binder) read(id colID, at syntax.Span) *col {
	b.column(id).reads++
	return &col{plan.Base{Static: b.column(id).Type, Where: at}, id}
}

// makes notes ids of columns that a node makes, in their order: a node that passes its
// inputs' columns has them behind those.
func (b *binder) makes(n plan.Node, ids ...colID) {
	if b.made == nil {
		b.made = make(map[plan.Node][]colID)
	}
	b.made[n] = append(b.made[n], ids...)
}

// layout is where ids are in the columns of a node.
type layout map[colID]int

// settler goes once over a plan that is complete and puts nodes and indexes where
// sources and ids stood.
type settler struct {
	b     *binder
	nodes map[plan.Node]bool
	exprs map[plan.Expr]bool // a CASE has its operand in several places
	cols  map[*col]bool      // so has it a column
}

func (b *binder) settler() *settler {
	return &settler{b: b, nodes: make(map[plan.Node]bool), exprs: make(map[plan.Expr]bool), cols: make(map[*col]bool)}
}

func (b *binder) settle(job *plan.Job) {
	s := b.settler()
	for _, out := range job.Outputs {
		s.node(&out.In)
	}
}

// node settles what is in a place of the tree and returns its layout. Inputs and steps
// have none: they are read through sources, each with its own.
func (s *settler) node(at *plan.Node) layout {
	if l, ok := (*at).(*leaf); ok {
		return s.analytic(at, l.src, s.leaf(at, l.src))
	}
	n := *at
	if s.nodes[n] {
		return nil
	}
	s.nodes[n] = true
	below, width := layout{}, 0
	for _, in := range n.Edges() {
		for id, i := range s.node(in) {
			below[id] = width + i
		}
		width += len((*in).Columns())
	}
	if a, ok := n.(*plan.Apply); ok {
		return s.apply(a, below)
	}
	if k, ok := n.(*plan.Lookup); ok {
		return s.lookup(k, below)
	}
	if m, ok := n.(*plan.Match); ok {
		return s.match(m, below)
	}
	for _, e := range n.Exprs() {
		s.expr(e, below)
	}
	if !n.Passes() {
		below, width = layout{}, 0
	}
	for i, id := range s.b.made[n] {
		below[id] = width + i
	}
	return below
}

// leaf puts the node of a source in its place. Where rows are kept, every column costs:
// of an input, which reads for other sources too, only those of this one go on.
func (s *settler) leaf(at *plan.Node, src *source) layout {
	s.node(&src.node)
	*at = src.node
	cols := src.node.Columns()
	if !src.joined && (!src.prune || len(src.read) == len(cols)) {
		return src.layout()
	}
	l := layout{}
	p := &plan.Project{In: src.node, Items: make([]plan.Item, len(src.read))}
	for k, i := range src.read {
		c := cols[i]
		where := s.b.column(src.ids[i]).where
		p.Items[k] = plan.Item{Column: c, Expr: &plan.Col{Base: plan.Base{Static: c.Type, Where: where}, Index: i, Name: c.Name}}
		if src.joined && src.alias != "" && !c.Star {
			p.Items[k].Name = src.alias + "." + c.Name // several sources may have the column
			s.b.column(src.ids[i]).Name = p.Items[k].Name
		}
		l[src.ids[i]] = k
	}
	if src.time != 0 {
		c := s.b.column(src.time)
		p.Items = append(p.Items, plan.Item{Column: c.Column, Expr: &plan.Timestamp{Base: plan.Base{Static: column.Time, Where: c.where}}})
		l[src.time] = len(src.read)
	}
	*at = p
	return l
}

// analytic puts the step that computes the analytic functions of a source on top of its
// rows.
func (s *settler) analytic(at *plan.Node, src *source, l layout) layout {
	a := src.analytic
	if a == nil {
		return l
	}
	for _, e := range a.Exprs() {
		s.expr(e, l)
	}
	width := len((*at).Columns())
	a.In, *at = *at, a
	for i, id := range s.b.made[a] {
		l[id] = width + i
	}
	return l
}

// layout is where the columns are in the node of the source.
func (s *source) layout() layout {
	l := make(layout, len(s.ids))
	for i, id := range s.ids {
		l[id] = i
	}
	return l
}

// expr settles the expression in a place.
func (s *settler) expr(e *plan.Expr, l layout) {
	if c, ok := (*e).(*col); ok {
		i, ok := l[c.id]
		if !ok {
			panic(fmt.Sprintf("bind: column %s is not below the step that reads it", s.b.column(c.id).Name))
		}
		if !s.cols[c] {
			s.cols[c] = true
			s.b.column(c.id).reads--
		}
		*e = &plan.Col{Base: c.Base, Index: i, Name: s.b.column(c.id).Name}
		return
	}
	if s.exprs[*e] {
		return
	}
	s.exprs[*e] = true
	for _, part := range (*e).Parts() {
		s.expr(part, l)
	}
}
