package query

import (
	"fmt"
	"maps"
	"strings"

	"spate/sql/syntax"
)

// queryUse says where a query stands.
type queryUse struct {
	top    bool // its rows leave the engine
	scalar bool // a subquery in an expression, or a derived table: ORDER BY needs TOP or OFFSET
}

// query binds a query with its WITH, ORDER BY and row limits.
func (b *binder) query(q *syntax.Query, outer *env, use queryUse) (*relation, error) {
	leave, err := b.enter(q.Loc())
	if err != nil {
		return nil, err
	}
	defer leave()
	if q.With != nil {
		if outer, err = b.with(q.With, outer); err != nil {
			return nil, err
		}
	}
	switch body := q.Body.(type) {
	case *syntax.Select:
		return b.selectQuery(body, q, outer, use)
	case *syntax.Query:
		if len(q.OrderBy) == 0 && q.Offset == nil && q.Limit == nil {
			return b.query(body, outer, use)
		}
	}
	if use.scalar && len(q.OrderBy) > 0 && q.Offset == nil && q.Limit == nil && !b.spark() {
		return nil, orderNotAllowed(q.OrderBy[0].Loc())
	}
	rel, err := b.body(q.Body, outer, use)
	if err != nil {
		return nil, err
	}
	// Behind a set operator only names and positions of its columns may be ordered by.
	var keys []string
	for _, o := range q.OrderBy {
		n, err := b.outputPosition(o, rel.cols)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errorf(104, o.Loc(), "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.")
		}
		keys = append(keys, comparand(&node{sql: fmt.Sprintf("c%d", n), typ: rel.cols[n-1].typ})+b.direction(o))
	}
	sql := "SELECT * FROM (" + rel.sql + ") AS " + b.id("u")
	if len(keys) > 0 {
		sql += " ORDER BY " + strings.Join(keys, ", ")
	}
	limit, _, err := b.limits(q, nil, outer)
	if err != nil {
		return nil, err
	}
	for i := range rel.cols {
		rel.cols[i].src = nil
	}
	return &relation{sql: sql + limit, cols: rel.cols}, nil
}

func orderNotAllowed(at syntax.Span) error {
	return errorf(1033, at, "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.")
}

// direction is how a key sorts: NULL is the lowest value.
func direction(desc bool) string {
	if desc {
		return " DESC NULLS LAST"
	}
	return " ASC NULLS FIRST"
}

// direction is how an item of ORDER BY sorts; in Spark it may say where NULL stands.
func (b *binder) direction(o syntax.OrderItem) string {
	switch {
	case o.Nulls == "" || !b.spark():
		return direction(o.Desc)
	case o.Desc:
		return " DESC NULLS " + o.Nulls
	}
	return " ASC NULLS " + o.Nulls
}

// outputPosition finds the result column that an ORDER BY item names, counting
// from 1; 0 if it names none.
func (b *binder) outputPosition(o syntax.OrderItem, cols []relColumn) (int, error) {
	switch e := o.Expr.(type) {
	case *syntax.Literal:
		if e.Kind != syntax.IntLit {
			return 0, errorf(408, o.Loc(), "A constant expression was encountered in the ORDER BY list.")
		}
		n := 0
		fmt.Sscan(e.Text, &n)
		if n < 1 || n > len(cols) {
			return 0, errorf(108, o.Loc(), "The ORDER BY position number %s is out of range of the number of items in the select list.", e.Text)
		}
		return n, nil
	case *syntax.Path:
		if len(e.Parts) != 1 {
			return 0, nil
		}
		found := 0
		for i, c := range cols {
			if sameName(c.name, e.Parts[0].Name) {
				if found > 0 {
					return 0, errorf(209, o.Loc(), "Ambiguous column name '%s'.", e.Parts[0].Name)
				}
				found = i + 1
			}
		}
		return found, nil
	}
	return 0, nil
}

// with binds the entries of a WITH clause and returns what is in sight behind it.
func (b *binder) with(w *syntax.With, outer *env) (*env, error) {
	in := *outer
	in.ctes = maps.Clone(outer.ctes)
	if in.ctes == nil {
		in.ctes = map[string]*cte{}
	}
	own := map[string]bool{}
	for _, step := range w.Steps {
		key := lower(step.Name.Name)
		if own[key] {
			return nil, errorf(239, step.Name.Loc(), "Duplicate common table expression name '%s' was specified.", step.Name.Name)
		}
		own[key] = true
		// A step sees the earlier ones; its own name means a table, so that a
		// recursive step says that there is none.
		rel, err := b.query(step.Query, &env{ctes: in.ctes}, queryUse{scalar: true})
		if err != nil {
			if e, ok := err.(*Error); ok && e.Number == 208 && strings.EqualFold(e.Message, fmt.Sprintf("Invalid object name '%s'.", step.Name.Name)) {
				return nil, unsupported(step.Name.Loc(), "A recursive common table expression")
			}
			return nil, err
		}
		cols, err := renamed(rel.cols, step.Columns, step.Name.Name, step.Loc())
		if err != nil {
			return nil, err
		}
		for i := range cols {
			cols[i].src = nil // shared by all uses: none may prune it
		}
		in.ctes[key] = &cte{relation: relation{sql: rel.sql, cols: cols}, id: b.id("w")}
	}
	return &in, nil
}

// renamed applies a column list and checks that every column has a name of its own.
func renamed(cols []relColumn, names []syntax.Ident, of string, at syntax.Span) ([]relColumn, error) {
	out := append([]relColumn(nil), cols...)
	if names != nil {
		if len(names) != len(cols) {
			return nil, errorf(8158, at, "'%s' has more columns than were specified in the column list, or fewer.", of)
		}
		for i, n := range names {
			out[i].name = n.Name
		}
	}
	seen := map[string]bool{}
	for i, c := range out {
		if c.name == "" {
			return nil, errorf(8155, at, "No column name was specified for column %d of '%s'.", i+1, of)
		}
		if seen[lower(c.name)] {
			return nil, errorf(8156, at, "The column '%s' was specified multiple times for '%s'.", c.name, of)
		}
		seen[lower(c.name)] = true
	}
	return out, nil
}

// body binds what stands between WITH and ORDER BY.
func (b *binder) body(body syntax.QueryBody, outer *env, use queryUse) (*relation, error) {
	leave, err := b.enter(body.Loc())
	if err != nil {
		return nil, err
	}
	defer leave()
	switch body := body.(type) {
	case *syntax.Select:
		return b.selectQuery(body, nil, outer, use)
	case *syntax.Query:
		return b.query(body, outer, use)
	case *syntax.SetOp:
		return b.setOp(body, outer, use)
	}
	return nil, unsupported(body.Loc(), "VALUES as a query of its own")
}

func (b *binder) setOp(op *syntax.SetOp, outer *env, use queryUse) (*relation, error) {
	left, err := b.body(op.Left, outer, queryUse{scalar: true})
	if err != nil {
		return nil, err
	}
	right, err := b.body(op.Right, outer, queryUse{scalar: true})
	if err != nil {
		return nil, err
	}
	if len(left.cols) != len(right.cols) {
		return nil, errorf(205, op.Loc(), "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.")
	}
	cols := make([]relColumn, len(left.cols))
	types := make([]Type, len(cols))
	for i := range cols {
		types[i] = b.common(left.cols[i].typ, right.cols[i].typ)
		cols[i] = relColumn{name: left.cols[i].name, typ: types[i]}
	}
	side := func(rel *relation) (string, error) {
		id := b.id("u")
		items := make([]string, len(cols))
		for i, c := range rel.cols {
			n, err := b.convert(&node{sql: fmt.Sprintf("%s.c%d", id, i+1), typ: c.typ, null: c.typ.ID == Unknown, at: op.Loc()}, types[i], castImplicit, op.Loc())
			if err != nil {
				return "", err
			}
			if use.top && types[i].ID == UniqueIdentifier {
				n.sql = "upper(CAST(" + n.sql + " AS VARCHAR))"
			}
			items[i] = fmt.Sprintf("%s AS c%d", n.sql, i+1)
		}
		return "SELECT " + strings.Join(items, ", ") + " FROM (" + rel.sql + ") AS " + id, nil
	}
	l, err := side(left)
	if err != nil {
		return nil, err
	}
	r, err := side(right)
	if err != nil {
		return nil, err
	}
	if op.Kind != syntax.UnionAll && hasText(cols) {
		return &relation{sql: b.textSetOp(op.Kind, l, r, cols), cols: cols}, nil
	}
	word := map[syntax.SetKind]string{syntax.Union: "UNION", syntax.UnionAll: "UNION ALL", syntax.Except: "EXCEPT", syntax.Intersect: "INTERSECT"}[op.Kind]
	return &relation{sql: "(" + l + ") " + word + " (" + r + ")", cols: cols}, nil
}

// textSetOp emits an operator over rows with texts: those that differ in trailing blanks
// only are one row, and what is shown of them is one of them, of the left side where only
// that counts.
func (b *binder) textSetOp(kind syntax.SetKind, l, r string, cols []relColumn) string {
	if kind == syntax.Union {
		return b.distinct("("+l+") UNION ALL ("+r+")", cols, nil)
	}
	id := b.id("u")
	rows, keys := distinctRows(id, cols, " FILTER (WHERE "+id+".left_side)")
	having := "bool_and(" + id + ".left_side)"
	if kind == syntax.Intersect {
		having = "bool_or(" + id + ".left_side) AND NOT " + having
	}
	return "SELECT " + rows + " FROM ((SELECT *, true AS left_side FROM (" + l + ")) UNION ALL (SELECT *, false FROM (" + r + "))) AS " + id +
		" GROUP BY " + strings.Join(keys, ", ") + " HAVING " + having
}

// limits emits OFFSET and FETCH or TOP and returns the number of rows that
// matter: all up to the last one that is wanted; -1 if that is not known.
func (b *binder) limits(q *syntax.Query, top *syntax.Top, outer *env) (string, int64, error) {
	count := func(e syntax.Expr, what string) (int64, error) {
		n, err := b.expr(e, &env{outer: outer, noAgg: "in " + what})
		if err != nil {
			return 0, err
		}
		if n, err = b.convert(n, Type{ID: BigInt}, castImplicit, e.Loc()); err != nil {
			return 0, err
		}
		if n.con == nil || n.con.Kind != KindInt {
			return 0, unsupported(e.Loc(), "An expression other than a constant in "+what)
		}
		if n.con.num < 0 {
			return 0, errorf(1060, e.Loc(), "The number of rows provided for a %s clause must not be negative.", what)
		}
		return n.con.num, nil
	}
	sql, rows := "", int64(-1)
	if top != nil {
		if q != nil && (q.Offset != nil || q.Limit != nil) {
			return "", 0, errorf(10741, top.Loc(), "A TOP can not be used in the same query or sub-query as a OFFSET.")
		}
		n, err := count(top.Count, "TOP")
		if err != nil {
			return "", 0, err
		}
		if top.Percent {
			if n > 100 {
				return "", 0, errorf(1031, top.Loc(), "Percent values must be between 0 and 100.")
			}
			return fmt.Sprintf(" LIMIT %d", n), -1, nil
		}
		return fmt.Sprintf(" LIMIT %d", n), n, nil
	}
	if q == nil {
		return "", -1, nil
	}
	if q.Limit != nil {
		n, err := count(q.Limit, "FETCH")
		if err != nil {
			return "", 0, err
		}
		sql, rows = fmt.Sprintf(" LIMIT %d", n), n
	}
	if q.Offset != nil {
		n, err := count(q.Offset, "OFFSET")
		if err != nil {
			return "", 0, err
		}
		sql += fmt.Sprintf(" OFFSET %d", n)
		if rows >= 0 {
			rows += n
		}
	}
	return sql, rows, nil
}
