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

// timed returns the stream of an input with the TIMESTAMP BY of a reference.
func (b *binder) timed(decl *inputDecl, name, alias string, t *syntax.TableRef) *stream {
	key := strings.ToLower(name)
	only := &scope{sources: []*source{{alias: alias}}}
	ts := t.Timestamp
	arrival := ts == nil || b.arrivalColumn(ts.Expr, alias)
	if !arrival {
		key += " by " + canon(ts.Expr, only)
	}
	if ts != nil {
		for _, k := range ts.Over {
			key += " over " + canon(k, only)
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
	src := inputSource(alias, t.Span, st)
	q := &query{b: b, from: &scope{sources: []*source{src}}, clause: "TIMESTAMP BY", inTime: true}
	if !arrival {
		st.node.Time = q.expr(ts.Expr)
		if k := st.node.Time.Type(); k != column.Null && k != column.Time && k != column.Text {
			b.fail(ts.Expr.Loc(), "use DATEADD(millisecond, x, '1970-01-01T00:00:00Z') for Unix time", "TIMESTAMP BY wants a datetime, not a %s", k)
		}
	}
	for _, k := range ts.Over {
		st.node.Over = append(st.node.Over, q.expr(k))
	}
	settle := b.settler() // at once: the columns of an input stay where they are
	for _, e := range st.node.Exprs() {
		settle.expr(e, src.layout())
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
	if sys, ok := systemColumns[strings.ToLower(path[0])]; ok && len(path) == 1 && s.decl.info.Kind == EventHub && !s.decl.info.Reference {
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
	} else if s.decl.declared != nil {
		if _, again := s.byKey[key]; !again {
			b.warn(at, notPortable, "column %s is not declared in CREATE TABLE %s", path[0], s.decl.info.Name)
		}
	}
	return s.take(key, src)
}

// take returns the column with a key, which is src if there is none yet.
func (s *stream) take(key string, src plan.Source) int {
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
