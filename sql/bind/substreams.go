package bind

import (
	"slices"
	"strings"

	"spate/sql/plan"
	"spate/sql/syntax"
)

// substreams checks what the service demands of a script with TIMESTAMP BY ... OVER: it
// stands on all inputs or on none, and its keys are in every GROUP BY and every condition
// of a JOIN. Functions over earlier rows must name them too, and sessions have them as keys
// of their own: nothing looks at the rows of two time lines together.
// Source: stream-analytics.md 9.4.
func (b *binder) substreams(job *plan.Job) {
	var with *plan.Input
	for _, in := range job.Inputs {
		if len(in.Over) > 0 {
			with = in
		}
	}
	if with == nil {
		return
	}
	for _, in := range job.Inputs {
		if len(in.Over) == 0 {
			b.fail(in.Where, "give it OVER and a key too", "%s is read without OVER, and %s (%s) with it: TIMESTAMP BY ... OVER stands on all inputs or on none", in.Name, with.Name, place(with.Where))
		}
	}
	s := &substreams{b: b, of: make(map[plan.Node]*keysOf)}
	plan.Walk(job, func(n plan.Node) { s.of[n] = s.node(n) })
}

// substreams knows which columns of each node are keys of OVER.
type substreams struct {
	b  *binder
	of map[plan.Node]*keysOf
}

// keysOf are the keys of the rows of a node: a column may hold several that are equal.
type keysOf struct {
	names  []string      // of the keys
	cols   []keySet      // by column
	events []*plan.Input // by column: the input whose whole events it holds; nil: of none
}

// keySet is a set of keys, by number.
type keySet map[int]bool

func (s keySet) add(other keySet) {
	for k := range other {
		s[k] = true
	}
}

func (s *substreams) node(n plan.Node) *keysOf {
	ins := n.Inputs()
	out := &keysOf{}
	if len(ins) > 0 {
		out.names = s.of[ins[0]].names
	}
	pass := func(in plan.Node, i int) {
		out.cols, out.events = append(out.cols, s.of[in].cols[i]), append(out.events, s.of[in].events[i])
	}
	switch n := n.(type) {
	case *plan.Input:
		s.input(n, out)
	case *plan.Project:
		for _, it := range n.Items {
			out.cols, out.events = append(out.cols, s.expr(it.Expr, n.In)), append(out.events, s.whole(it.Expr, n.In))
		}
	case *plan.Apply:
		for _, i := range n.Keep {
			pass(n.In, i)
		}
	case *plan.Aggregate:
		have := keySet{}
		for _, k := range n.Keys {
			keys := s.expr(k.Expr, n.In)
			have.add(keys)
			out.cols, out.events = append(out.cols, keys), append(out.events, nil)
		}
		s.demand(out.names, have, groupPlace(n), "GROUP BY", "add it to GROUP BY")
		s.sessions(n)
	case *plan.Analytic:
		for i := range n.In.Columns() {
			pass(n.In, i)
		}
		for i := range n.Funcs {
			have := keySet{}
			for _, k := range n.Funcs[i].Keys {
				have.add(s.expr(k, n.In))
			}
			s.demand(out.names, have, n.Funcs[i].Where, "OVER", "add it to PARTITION BY")
		}
	case *plan.Match:
		have := keySet{}
		for _, k := range n.Keys {
			have.add(s.expr(k, n.In))
		}
		s.demand(out.names, have, n.Where, "MATCH_RECOGNIZE", "add it to PARTITION BY")
		for i := range n.In.Columns() { // of the first row
			pass(n.In, i)
		}
		for i := range n.Aggs {
			var keys keySet
			if a := &n.Aggs[i]; a.Var < 0 && (a.Func == plan.MatchFirst || a.Func == plan.MatchLast) {
				keys = s.expr(a.Arg, n.In)
			}
			out.cols, out.events = append(out.cols, keys), append(out.events, nil)
		}
	case *plan.Join:
		s.join(n, out)
	case *plan.Union:
		for _, in := range n.Ins[1:] {
			if names := s.of[in].names; len(names) > len(out.names) {
				out.names = names
			}
		}
		for i := range n.Cols {
			out.cols, out.events = append(out.cols, s.member(n.Ins, i)), append(out.events, nil)
		}
	default: // Filter and Lookup: rows of the first input, and columns behind them
		for i := range ins[0].Columns() {
			pass(ins[0], i)
		}
	}
	for len(out.cols) < len(n.Columns()) {
		out.cols, out.events = append(out.cols, nil), append(out.events, nil)
	}
	return out
}

func (s *substreams) input(n *plan.Input, out *keysOf) {
	for k, e := range n.Over {
		name := s.b.text(e.Span())
		if c, ok := e.(*plan.Col); ok {
			name = n.Cols[c.Index].Name
		}
		out.names = append(out.names, name)
		for len(out.cols) < len(n.Cols) {
			out.cols, out.events = append(out.cols, keySet{}), append(out.events, nil)
		}
		if c, ok := e.(*plan.Col); ok {
			out.cols[c.Index][k] = true
		}
	}
	for i, c := range n.Cols {
		if c.Kind == plan.Whole && len(out.events) > 0 {
			out.events[i] = n
		}
	}
}

// sessions gives each session the keys of its substreams: there are no sessions over
// several time lines.
func (s *substreams) sessions(n *plan.Aggregate) {
	for i := range n.Windows {
		w := &n.Windows[i]
		if w.Kind != plan.Session {
			continue
		}
		have := keySet{}
		for _, k := range w.OverKey {
			have.add(s.expr(k, n.In))
		}
		for _, k := range n.Keys {
			keys := s.expr(k.Expr, n.In)
			for key := range keys {
				if !have[key] {
					w.OverKey = append(slices.Clone(w.OverKey), k.Expr)
					have.add(keys)
					break
				}
			}
		}
	}
}

// member is what column i is in all members of a UNION.
func (s *substreams) member(ins []plan.Node, i int) keySet {
	out := keySet{}
	if i < len(s.of[ins[0]].cols) {
		out.add(s.of[ins[0]].cols[i])
	}
	for _, in := range ins[1:] {
		for k := range out {
			if i >= len(s.of[in].cols) || !s.of[in].cols[i][k] {
				delete(out, k)
			}
		}
	}
	return out
}

// join demands the keys of both sides. Keys that are equal are one behind it.
func (s *substreams) join(n *plan.Join, out *keysOf) {
	have := [2]keySet{{}, {}}
	same := make(map[int]int) // by key of Right: the one of Left that it is equal to
	for _, e := range n.Keys {
		args := e.(*plan.Call).Args
		left, right := s.expr(n.Side(0, args[0]), n.Left), s.expr(n.Side(1, args[1]), n.Right)
		if len(left) == 0 || len(right) == 0 {
			continue
		}
		have[0].add(left)
		have[1].add(right)
		for l := range left {
			for r := range right {
				if at, ok := same[r]; !ok || l < at {
					same[r] = l
				}
			}
		}
	}
	at := joinPlace(n)
	s.demand(s.of[n.Left].names, have[0], at, "the condition of JOIN", "make it equal to the key of the other side")
	s.demand(s.of[n.Right].names, have[1], at, "the condition of JOIN", "make it equal to the key of the other side")
	for _, in := range n.Inputs() {
		for i, keys := range s.of[in].cols {
			if in == n.Right {
				moved := keySet{}
				for r := range keys {
					if l, ok := same[r]; ok {
						moved[l] = true
					}
				}
				keys = moved
			}
			out.cols, out.events = append(out.cols, keys), append(out.events, s.of[in].events[i])
		}
	}
}

// demand reports the first key that is not there.
func (s *substreams) demand(names []string, have keySet, at syntax.Span, where, hint string) {
	for k, name := range names {
		if !have[k] {
			s.b.fail(at, hint, "%s has not the key %s: with TIMESTAMP BY ... OVER its keys are in every GROUP BY, in every PARTITION BY of a function and in the condition of every JOIN", where, name)
			return
		}
	}
}

// expr is which keys an expression over the columns of a node is.
func (s *substreams) expr(e plan.Expr, in plan.Node) keySet {
	out := keySet{}
	switch e := e.(type) {
	case *plan.Col:
		if cols := s.of[in].cols; e.Index < len(cols) {
			out.add(cols[e.Index])
		}
		return out
	case *plan.Field:
		if src, path := s.field(e, in); src != nil {
			for k, over := range src.Over {
				if c, ok := over.(*plan.Col); ok && samePath(keyPath(src.Cols[c.Index]), path) {
					out[k] = true
				}
			}
		}
		return out
	case *plan.Coalesce: // a column beside the record of a star
		for i, a := range e.Args {
			keys := s.expr(a, in)
			if i == 0 {
				out.add(keys)
			}
			for k := range out {
				if !keys[k] {
					delete(out, k)
				}
			}
		}
		return out
	}
	for {
		f, ok := in.(*plan.Filter)
		if !ok {
			break
		}
		in = f.In
	}
	if src, ok := in.(*plan.Input); ok {
		for k, over := range src.Over {
			if plan.SameExprs([]plan.Expr{over}, []plan.Expr{e}) {
				out[k] = true
			}
		}
	}
	return out
}

// whole is the input whose whole events an expression gives; nil if it does not.
func (s *substreams) whole(e plan.Expr, in plan.Node) *plan.Input {
	if c, ok := e.(*plan.Col); ok && c.Index < len(s.of[in].events) {
		return s.of[in].events[c.Index]
	}
	return nil
}

// field is the path of a field in the events of an input.
func (s *substreams) field(e plan.Expr, in plan.Node) (*plan.Input, []string) {
	var path []string
	for {
		f, ok := e.(*plan.Field)
		if !ok {
			break
		}
		path = append(path, f.Name)
		e = f.Of
	}
	slices.Reverse(path)
	return s.whole(e, in), path
}

// keyPath is where a column of an input is in its whole events.
func keyPath(c plan.Source) []string {
	if c.Kind == plan.Payload {
		return c.Path
	}
	return []string{c.Name}
}

func samePath(a, b []string) bool { return slices.EqualFunc(a, b, strings.EqualFold) }

// groupPlace is where a GROUP BY is, about.
func groupPlace(n *plan.Aggregate) syntax.Span {
	switch {
	case len(n.Keys) > 0:
		return n.Keys[0].Expr.Span()
	case len(n.Aggs) > 0:
		return n.Aggs[0].Where
	}
	return syntax.Span{From: syntax.Pos{Line: 1, Col: 1}, To: syntax.Pos{Line: 1, Col: 1}}
}

// joinPlace is where the condition of a JOIN is, about.
func joinPlace(n *plan.Join) syntax.Span {
	for _, e := range n.Exprs() {
		if at := (*e).Span(); at.From.Line > 0 {
			return at
		}
	}
	return syntax.Span{From: syntax.Pos{Line: 1, Col: 1}, To: syntax.Pos{Line: 1, Col: 1}}
}
