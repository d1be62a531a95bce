package query

import (
	"strings"

	"spate/internal/near"
	"spate/sql/syntax"
)

// path resolves a column.
func (b *binder) path(p *syntax.Path, in *env) (*node, error) {
	parts := p.Parts
	want := parts[len(parts)-1].Name
	prefix := parts[:len(parts)-1]
	known := false
	for e := in; e != nil; e = e.outer {
		var src *source
		index := 0
		for _, s := range e.sources {
			if len(prefix) > 0 && !s.matches(prefix) {
				continue
			}
			known = known || len(prefix) > 0
			for i, c := range s.cols {
				if !sameName(c.name, want) {
					continue
				}
				if src != nil {
					return nil, errorf(209, p.Loc(), "Ambiguous column name '%s'.", want)
				}
				src, index = s, i
			}
		}
		if src != nil {
			n, err := b.columnOf(e, src, index, p.Loc())
			if err == nil && e != in && e.phase == groupPhase && n.sql != src.cols[index].sql {
				// The engine does not find a key that is an expression from inside a sub-query.
				return nil, unsupported(p.Loc(), "A sub-query that refers to the text column '"+want+"' of a grouped query")
			}
			return n, err
		}
	}
	if len(prefix) > 0 && !known {
		return nil, errorf(4104, p.Loc(), "The multi-part identifier \"%s\" could not be bound.", pathText(p))
	}
	if len(parts) == 1 && parts[0].Quote == 0 {
		if n, ok := b.niladic(want); ok {
			return n, nil
		}
	}
	if len(parts) == 1 {
		if e, ok := in.aliases[lower(want)]; ok && b.aliasing < maxAliases {
			b.aliasing++
			defer func() { b.aliasing-- }()
			return b.expr(e, in)
		}
	}
	err := errorf(207, p.Loc(), "Invalid column name '%s'.", want)
	if near := in.nearest(want); near != "" {
		err.Hint = "Did you mean '" + near + "'?"
	}
	return nil, err
}

// nearest is the column in sight that differs by the least from name.
func (in *env) nearest(name string) string {
	best, dist := "", 3
	for e := in; e != nil; e = e.outer {
		for _, s := range e.sources {
			for _, c := range s.cols {
				if d := near.Distance(lower(name), lower(c.name)); d < dist && d < len(name) {
					best, dist = c.name, d
				}
			}
		}
	}
	return best
}

func pathText(p *syntax.Path) string {
	parts := make([]string, len(p.Parts))
	for i, x := range p.Parts {
		parts[i] = x.Name
	}
	return strings.Join(parts, ".")
}

// matches reports whether a qualifier names s.
func (s *source) matches(prefix []syntax.Ident) bool {
	if len(prefix) == 1 {
		return sameName(s.alias, prefix[0].Name)
	}
	if len(prefix) > len(s.path) {
		return false
	}
	tail := s.path[len(s.path)-len(prefix):]
	for i, p := range prefix {
		if !sameName(tail[i], p.Name) {
			return false
		}
	}
	return true
}

// columnOf is column i of a source of e.
func (b *binder) columnOf(e *env, s *source, i int, at syntax.Span) (*node, error) {
	c := s.cols[i]
	if c.src != nil {
		c.src.scan.used[c.src.index] = true
	}
	if e.phase == groupPhase {
		for k, g := range e.groups {
			if g.sql == c.sql {
				return &node{sql: e.values[k], key: e.keys[k], typ: c.typ, at: at}, nil
			}
		}
		name := c.name
		if s.alias != "" {
			name = s.alias + "." + name
		}
		return nil, errorf(8120, at, "Column '%s' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.", name)
	}
	return &node{sql: c.sql, typ: c.typ, src: c.src, null: c.typ.ID == Unknown, at: at}, nil
}
