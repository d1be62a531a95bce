package bind

import (
	"cmp"
	"fmt"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// scope is what the names of a SELECT may mean.
type scope struct {
	sources []*source // in the order of FROM
	outer   *scope    // what is seen besides, by names that mean nothing here; nil: nothing
	rows    plan.Node // the rows of FROM: the sources, joined
}

// source is one reference in FROM. Two references to one input or step are two sources
// with columns of their own.
type source struct {
	alias  string         // the alias, or the name of the input or step; empty: none
	where  syntax.Span    // the reference
	node   plan.Node      // the input or step, which other sources may share; nil: what stands in FROM makes the rows
	stream *stream        // set if node is an input, whose fields are open
	cols   []plan.Column  // of a step
	byName map[string]int // the first of cols with an exact name
	star   int            // of cols, the one that holds the records of an open step; -1: none
	ids    map[int]colID  // by index in the columns of node, of those that are read
	read   []int          // the keys of ids, in the order of first reading
	prune  bool           // rows are kept: take along only what is read

	joined    bool                // its rows are joined with others, and kept for it
	optional  bool                // rows of FROM may have no row of it
	time      colID               // the time of the rows; 0: it is not read
	spread    column.Ticks        // how far the time of the rows of FROM is behind that of this one, at most
	partition *syntax.PartitionBy // nil: none
	behind    string              // the name of the input or step, if an alias stands for it
	analytic  *plan.Analytic      // over its rows, before they are joined; nil: none
	apply     *plan.Apply         // that makes it; nil: none does
}

// inputSource is a reference to an input.
func inputSource(alias string, where syntax.Span, st *stream) *source {
	return &source{alias: alias, where: where, node: st.node, stream: st, star: -1, ids: map[int]colID{}}
}

// stepSource is a reference to rows with known columns; node is nil if the rows have no
// node yet.
func stepSource(alias string, where syntax.Span, node plan.Node, cols []plan.Column) *source {
	s := &source{alias: alias, where: where, node: node, cols: cols, byName: map[string]int{}, star: -1, ids: map[int]colID{}}
	for i, c := range cols {
		switch _, twice := s.byName[c.Name]; {
		case c.Star && s.star < 0:
			s.star = i
		case !c.Star && !twice:
			s.byName[c.Name] = i
		}
	}
	return s
}

// add puts a source into the scope.
func (b *binder) add(sc *scope, src *source) {
	if other := sc.byAlias(src.alias); other != nil {
		b.fail(src.where, "give one of them another alias", "two sources are named %s, the other at %s", src.alias, place(other.where))
	}
	sc.sources = append(sc.sources, src)
}

// place is where a span begins, as "line:column".
func place(at syntax.Span) string { return fmt.Sprintf("%d:%d", at.From.Line, at.From.Col) }

// column reads column i of the source.
func (s *source) column(b *binder, i int, at syntax.Span) *col {
	id, ok := s.ids[i]
	if !ok {
		var c plan.Column
		switch {
		case s.stream != nil:
			c = s.stream.node.Cols[i].Column
		case s.apply != nil:
			c = s.part(i)
		default:
			c = s.cols[i]
		}
		id = b.newColumn(c, i, at)
		b.column(id).source = s
		s.ids[i] = id
		s.read = append(s.read, i)
	}
	return b.read(id, at)
}

// whole reads the rows as records; NULL where a row of FROM has none of this source.
func (s *source) whole(b *binder, at syntax.Span) plan.Expr {
	if s.stream != nil {
		return s.column(b, s.stream.whole(), at)
	}
	w := &plan.Row{Base: plan.Base{Static: column.Record, Where: at}, Cols: s.cols}
	for i := range s.cols {
		w.Of = append(w.Of, s.column(b, i, at))
	}
	if !s.optional {
		return w
	}
	none := call(at, column.Bool, "IS NULL", s.when(b, at))
	return &plan.Case{Base: w.Base, Whens: []plan.When{{Cond: none, Then: constant(at, column.Value{})}}, Else: w}
}

// open reports whether the rows may have fields that are not known here.
func (s *source) open() bool { return s.stream != nil || s.star >= 0 }

// find looks a column of a step up: the exact spelling first, then ignoring case.
func (s *source) find(name string) int {
	if i, ok := s.byName[name]; ok {
		return i
	}
	for i, c := range s.cols {
		if !c.Star && strings.EqualFold(c.Name, name) {
			return i
		}
	}
	return -1
}

// has reports whether the source certainly has a column.
func (s *source) has(name string) bool {
	if s.stream != nil {
		_, ok := s.stream.decl.declared[strings.ToLower(name)]
		return ok
	}
	return s.find(name) >= 0 || s.isParts(name)
}

// byAlias finds a source of this scope or of one outside; nil if there is none.
func (sc *scope) byAlias(name string) *source {
	for ; sc != nil && name != ""; sc = sc.outer {
		for _, src := range sc.sources {
			if strings.EqualFold(src.alias, name) {
				return src
			}
		}
	}
	return nil
}

// behind finds the source whose alias stands for the name of an input or step; nil if
// there is none, or the name is an alias too.
func (sc *scope) behind(name string) *source {
	if sc.byAlias(name) != nil {
		return nil
	}
	for ; sc != nil; sc = sc.outer {
		for _, src := range sc.sources {
			if src.behind != "" && strings.EqualFold(src.behind, name) {
				return src
			}
		}
	}
	return nil
}

// single is the only source that names can mean; nil if there are several.
func (sc *scope) single() *source {
	if len(sc.sources) == 1 && sc.outer == nil {
		return sc.sources[0]
	}
	return nil
}

// known reports whether a source certainly has a column.
func (sc *scope) known(name string) bool {
	for ; sc != nil; sc = sc.outer {
		for _, src := range sc.sources {
			if src.has(name) {
				return true
			}
		}
	}
	return false
}

// resolve says which source a path means and what of the path is behind its alias. An
// alias goes before a column. A source that certainly has the column goes before one
// whose fields are open. With rival set the path means either of two sources; with no
// source it means nothing. Nothing is behind the alias of what an APPLY makes where that
// stands alone.
// Source: stream-analytics.md 1.5.
func (sc *scope) resolve(parts []string) (src *source, rest []string, rival *source) {
	if len(parts) > 1 {
		if src := sc.byAlias(parts[0]); src != nil {
			return src, parts[1:], nil
		}
	} else if src := sc.applyAlias(parts[0]); src != nil {
		return src, nil, nil
	}
	for ; sc != nil; sc = sc.outer {
		for _, may := range []func(*source) bool{
			func(s *source) bool { return s.has(parts[0]) },
			(*source).open,
		} {
			for _, s := range sc.sources {
				switch {
				case !may(s):
				case src == nil:
					src = s
				default:
					return src, parts, s
				}
			}
			if src != nil {
				return src, parts, nil
			}
		}
	}
	return nil, parts, nil
}

// resolve finds the source of a path and reports it where there is none, or two; nil
// then.
func (q *query) resolve(at syntax.Span, parts []string) (*source, []string) {
	src, rest, rival := q.from.resolve(parts)
	if named := q.from.behind(parts[0]); named != nil {
		switch read := parts[len(parts)-1]; {
		case src == nil || rival != nil:
			q.b.fail(at, "write "+named.alias+" instead of "+parts[0], "%s has the alias %s here", parts[0], named.alias)
			return nil, nil
		case len(parts) > 1 && len(rest) == len(parts) && !src.has(parts[0]):
			q.b.warn(at, notPortable, "%s has the alias %s here, and %s is read as a field inside a column; write %s.%s", parts[0], named.alias, strings.Join(parts, "."), named.alias, read)
		}
	}
	switch {
	case src == nil:
		q.unknown(at, parts[0], q.from)
		return nil, nil
	case rival != nil:
		verb := "may be a field"
		if src.has(parts[0]) {
			verb = "is a column"
		}
		hint := "give both an alias and write it before the column"
		if src.alias != "" && rival.alias != "" {
			hint = "write " + src.alias + "." + parts[0] + " or " + rival.alias + "." + parts[0]
			if len(parts) > 1 {
				name := strings.Join(parts[1:], ".")
				hint = "no source is named " + parts[0] + ": write " + src.alias + "." + name + " or " + rival.alias + "." + name
			}
		}
		q.b.fail(at, hint, "%s %s both of %s and of %s", parts[0], verb, src, rival)
		return nil, nil
	}
	return src, rest
}

// unknown reports a name that no source of a scope has.
func (q *query) unknown(at syntax.Span, name string, sc *scope) {
	q.b.fail(at, cmp.Or(q.aliasHint(name), nearest(name, sc.names())), "there is no column %s%s", name, sc.in())
}

// String is the alias and where it stands.
func (s *source) String() string {
	return cmp.Or(s.alias, "the sub-query") + " (" + place(s.where) + ")"
}

// unqualified is a path without the alias of the only source.
func (sc *scope) unqualified(parts []string) []string {
	if src := sc.single(); src != nil && len(parts) > 1 && src.alias != "" && strings.EqualFold(parts[0], src.alias) {
		return parts[1:]
	}
	return parts
}

// names are all columns that are known to be there, for hints.
func (sc *scope) names() []string {
	var names []string
	for ; sc != nil; sc = sc.outer {
		for _, src := range sc.sources {
			for _, c := range src.cols {
				names = append(names, c.Name)
			}
			if src.apply != nil {
				names = append(names, src.alias)
			}
		}
	}
	return names
}

// in says which sources a name was looked for in, if they have names.
func (sc *scope) in() string {
	var names []string
	for _, src := range sc.sources {
		if src.alias != "" {
			names = append(names, src.alias)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " in " + strings.Join(names, " or ")
}

// starItems are the items of `*` or `alias.*` over one source.
func (q *query) starItems(src *source, at syntax.Span) []plan.Item {
	if src.stream != nil {
		return []plan.Item{starItem(src.whole(q.b, at))}
	}
	items := make([]plan.Item, len(src.cols))
	for i, c := range src.cols {
		read := src.column(q.b, i, at)
		if c.Star {
			items[i] = starItem(read)
		} else {
			items[i] = plan.Item{Column: c, Expr: read}
		}
	}
	return items
}

func starItem(e plan.Expr) plan.Item {
	return plan.Item{Column: plan.Column{Name: "*", Star: true, Type: column.Record}, Expr: e}
}
