package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// stream is one time stage of an input: the references with the same
// TIMESTAMP BY share it.
type stream struct {
	decl  *inputDecl
	node  *plan.Input
	byKey map[string]int // columns read so far
}

// scope is what a SELECT reads from.
type scope struct {
	alias  string // the alias, or the name of the input or step
	node   plan.Node
	stream *stream // set if node is an input, whose fields are open
}

// star is the column that holds the records of an open step; -1: none.
func (s *scope) star() int {
	if s.stream == nil {
		for i, c := range s.node.Columns() {
			if c.Star {
				return i
			}
		}
	}
	return -1
}

// from binds the source of a SELECT; nil if it has a mistake.
func (b *binder) from(sources []syntax.Source) *scope {
	if len(sources) != 1 {
		return nil // reported by the parser
	}
	switch s := sources[0].(type) {
	case *syntax.TableRef:
		return b.table(s)
	case *syntax.Derived:
		b.noMatch(&s.Ref)
		node := b.inner(s.Query)
		if node == nil {
			return nil
		}
		sc := &scope{node: node}
		if s.Alias != nil {
			sc.alias = s.Alias.Name
		}
		if s.Timestamp != nil {
			b.stepTimestamp(sc, s.Timestamp)
		}
		return sc
	case *syntax.TableFunc:
		b.unsupported(s.Call.Span, "a function in FROM")
	case *syntax.Apply:
		b.unsupported(s.Right.Loc(), "APPLY")
	case *syntax.Join:
		b.join(s)
	}
	return nil
}

// join refuses a join, with the error of the language where it has one.
func (b *binder) join(j *syntax.Join) {
	if left, ok := j.Left.(*syntax.Join); ok {
		b.join(left)
		return
	}
	if !b.isReference(j.Right) && !containsCall(j.On, "DATEDIFF") {
		b.fail(j.Right.Loc(), "", "The join predicate is not time bounded. JOIN operation between data streams requires specifying "+
			"max time distances between matching events. Please add DATEDIFF to the JOIN condition.")
		return
	}
	b.unsupported(j.Right.Loc(), "JOIN")
}

func (b *binder) isReference(s syntax.Source) bool {
	t, ok := s.(*syntax.TableRef)
	if !ok {
		return false
	}
	in, ok := b.inputs[strings.ToLower(t.Name.Last().Name)]
	return ok && in.info.Reference
}

func (b *binder) noMatch(r *syntax.Ref) {
	if r.Match != nil {
		b.unsupported(r.Match.Span, "MATCH_RECOGNIZE")
	}
}

// table binds the name of an input or a step.
func (b *binder) table(t *syntax.TableRef) *scope {
	b.noMatch(&t.Ref)
	name := t.Name.Last().Name
	if len(t.Name.Parts) > 1 {
		b.fail(t.Name.Span, "write the name in brackets if it holds a dot", "the name of an input or a step has one part")
		return nil
	}
	alias := name
	if t.Alias != nil {
		alias = t.Alias.Name
	}
	if p := t.Partition; p != nil {
		b.warn(p.Span, notPortable, "PARTITION BY of an input is read as a hint: it does not change the result")
	}
	if st, ok := b.steps[strings.ToLower(name)]; ok {
		if st.node == nil {
			return nil
		}
		sc := &scope{alias: alias, node: st.node}
		if t.Timestamp != nil {
			b.stepTimestamp(sc, t.Timestamp)
		}
		return sc
	}
	decl := b.input(name)
	switch {
	case decl == nil:
		b.unknownSource(t.Name.Span, name)
		return nil
	case decl.info.Reference:
		b.unsupported(t.Name.Span, "reference data")
		return nil
	}
	st := b.timed(decl, name, alias, t)
	return &scope{alias: alias, node: st.node, stream: st}
}

// timed returns the stream of an input with the TIMESTAMP BY of a reference.
func (b *binder) timed(decl *inputDecl, name, alias string, t *syntax.TableRef) *stream {
	key := strings.ToLower(name)
	ts := t.Timestamp
	arrival := ts == nil || b.arrivalColumn(ts.Expr, alias)
	if !arrival {
		key += " by " + canon(ts.Expr, alias)
	}
	if ts != nil {
		for _, k := range ts.Over {
			key += " over " + canon(k, alias)
		}
	}
	if st, ok := b.streams[key]; ok {
		return st
	}
	st := &stream{decl: decl, node: &plan.Input{Name: name, Where: t.Name.Span}, byKey: map[string]int{}}
	if decl.info.Name != "" {
		st.node.Name = decl.info.Name
	}
	b.streams[key] = st
	if decl.streams++; decl.streams == 2 {
		b.warn(t.Span, notPortable, "input %s is read with different TIMESTAMP BY clauses", name)
	}
	for _, col := range decl.order {
		st.read(b, syntax.Span{}, []string{col})
	}
	if ts == nil {
		return st
	}
	q := &query{b: b, from: &scope{alias: alias, node: st.node, stream: st}, clause: "TIMESTAMP BY", inTime: true}
	if !arrival {
		st.node.Time = q.expr(ts.Expr)
		if k := st.node.Time.Type(); k != column.Null && k != column.Time && k != column.Text {
			b.fail(ts.Expr.Loc(), "use DATEADD(millisecond, x, '1970-01-01T00:00:00Z') for Unix time", "TIMESTAMP BY wants a datetime, not a %s", k)
		}
	}
	for _, k := range ts.Over {
		st.node.Over = append(st.node.Over, q.expr(k))
	}
	return st
}

// arrivalColumn reports whether TIMESTAMP BY names the arrival time, so that
// the reference is in arrival-time mode.
func (b *binder) arrivalColumn(e syntax.Expr, alias string) bool {
	p, ok := e.(*syntax.Path)
	if !ok {
		return false
	}
	parts := p.Parts
	if len(parts) > 1 && strings.EqualFold(parts[0].Name, alias) {
		parts = parts[1:]
	}
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = strings.ToLower(part.Name)
	}
	switch strings.Join(names, ".") {
	case "eventprocessedutctime":
		b.warn(p.Span, notPortable, "TIMESTAMP BY EventProcessedUtcTime means processing time, which no replay can repeat; it is read as EventEnqueuedUtcTime")
		return true
	case "eventenqueuedutctime", "iothub.enqueuedtime", "bloblastmodifiedutctime":
		return true
	}
	return false
}

// stepTimestamp accepts TIMESTAMP BY on a step only where it changes nothing.
func (b *binder) stepTimestamp(sc *scope, ts *syntax.TimestampBy) {
	if p, ok := ts.Expr.(*syntax.Path); ok && ts.Over == nil {
		parts := p.Parts
		if len(parts) == 2 && strings.EqualFold(parts[0].Name, sc.alias) {
			parts = parts[1:]
		}
		if i := find(sc.node.Columns(), parts[0].Name); len(parts) == 1 && i >= 0 && isTimestamp(sc.node, i) {
			b.warn(ts.Span, notPortable, "TIMESTAMP BY on a step changes nothing: rows keep their System.Timestamp()")
			return
		}
	}
	b.fail(ts.Span, "put it on the input", "TIMESTAMP BY on a step is not allowed")
}

// isTimestamp reports whether column i of n is an unchanged System.Timestamp().
func isTimestamp(n plan.Node, i int) bool {
	switch n := n.(type) {
	case *plan.Filter:
		return isTimestamp(n.In, i)
	case *plan.Project:
		switch e := n.Items[i].Expr.(type) {
		case *plan.Timestamp:
			return true
		case *plan.Col:
			return isStep(n.In) && isTimestamp(n.In, e.Index)
		}
	}
	return false
}

// isStep reports whether rows of n keep their stamp from a projection below.
func isStep(n plan.Node) bool {
	switch n.(type) {
	case *plan.Project, *plan.Filter:
		return true
	}
	return false
}

// find looks a column up: the exact spelling first, then ignoring case.
func find(cols []plan.Column, name string) int {
	found := -1
	for i, c := range cols {
		if c.Star {
			continue
		}
		if c.Name == name {
			return i
		}
		if found < 0 && strings.EqualFold(c.Name, name) {
			found = i
		}
	}
	return found
}

// systemColumns are what a hub adds to its events.
var systemColumns = map[string]plan.Source{
	"eventenqueuedutctime":  {Kind: plan.EventEnqueued, Column: plan.Column{Type: column.Time}},
	"eventprocessedutctime": {Kind: plan.EventProcessed, Column: plan.Column{Type: column.Time}},
	"partitionid":           {Kind: plan.Partition, Column: plan.Column{Type: column.Int64}},
}

// read returns the column with the field at path, which the input from now on
// reads of each event.
func (s *stream) read(b *binder, at syntax.Span, path []string) int {
	src := plan.Source{Kind: plan.Payload, Path: path, Column: plan.Column{Name: strings.Join(path, ".")}}
	key := strings.Join(path, "\x00")
	if sys, ok := systemColumns[strings.ToLower(path[0])]; ok && len(path) == 1 && s.decl.info.Kind == EventHub {
		sys.Name = path[0]
		src, key = sys, strings.ToLower(path[0])
	} else if kind, ok := s.decl.declared[strings.ToLower(path[0])]; ok {
		if len(path) == 1 {
			src.Declared, src.Type = kind, kind
			for _, name := range s.decl.order { // one column, whatever the spelling
				if strings.EqualFold(name, path[0]) {
					key = name
				}
			}
		}
	} else if s.decl.declared != nil && b.muted == 0 {
		if _, again := s.byKey[key]; !again {
			b.warn(at, notPortable, "column %s is not declared in CREATE TABLE %s", path[0], s.decl.info.Name)
		}
	}
	if i, ok := s.byKey[key]; ok {
		return i
	}
	s.byKey[key] = len(s.node.Cols)
	s.node.Cols = append(s.node.Cols, src)
	return len(s.node.Cols) - 1
}

// whole returns the column with the whole event.
func (s *stream) whole() int {
	const key = "\x00*"
	if i, ok := s.byKey[key]; ok {
		return i
	}
	s.byKey[key] = len(s.node.Cols)
	s.node.Cols = append(s.node.Cols, plan.Source{Kind: plan.Whole, Column: plan.Column{Name: "*", Star: true, Type: column.Record}})
	return len(s.node.Cols) - 1
}
