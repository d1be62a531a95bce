package query

import (
	"strings"

	"spate/sql/syntax"
)

// value binds an expression that must be a value.
func (b *binder) value(e syntax.Expr, in *env) (*node, error) {
	n, err := b.expr(e, in)
	if err != nil {
		return nil, err
	}
	if n.pred && b.spark() {
		v := *n
		v.pred = false
		return &v, nil
	}
	if n.pred {
		return nil, errorf(102, e.Loc(), "Incorrect syntax: a condition stands where a value is expected; use CASE WHEN ... THEN 1 ELSE 0 END.")
	}
	return n, nil
}

// condition binds an expression that must be a predicate.
func (b *binder) condition(e syntax.Expr, in *env) (*node, error) {
	n, err := b.expr(e, in)
	if err != nil {
		return nil, err
	}
	if !n.pred && b.spark() && (n.typ.ID == Bit || n.null) {
		if n.null {
			n = &node{sql: "CAST(NULL AS BOOLEAN)"}
		}
		return pred(n.sql), nil
	}
	if !n.pred {
		return nil, errorf(4145, e.Loc(), "An expression of non-boolean type specified in a context where a condition is expected.")
	}
	return n, nil
}

// expr binds an expression.
func (b *binder) expr(e syntax.Expr, in *env) (*node, error) {
	leave, err := b.enter(e.Loc())
	if err != nil {
		return nil, err
	}
	defer leave()
	if b.work++; b.work > maxWork {
		return nil, tooComplex(e.Loc())
	}
	if in.phase == groupPhase {
		if n := b.groupKey(e, in); n != nil {
			return n, nil
		}
	}
	n, err := b.plainExpr(e, in)
	if err != nil {
		return nil, err
	}
	if len(n.sql) > maxText {
		return nil, tooComplex(e.Loc())
	}
	n.at = e.Loc()
	return n, nil
}

// groupKey returns e as a key of GROUP BY, or nil if it is none.
func (b *binder) groupKey(e syntax.Expr, in *env) *node {
	switch e.(type) {
	case *syntax.Literal, *syntax.Variable, *syntax.Param, *syntax.Path, *syntax.Exists, *syntax.Subquery:
		return nil // constants are no keys, and plain columns are looked up when they are resolved
	}
	if len(in.groups) == 0 {
		return nil
	}
	row := *in
	row.phase, row.noAgg = rowPhase, "inside a key"
	n, err := b.expr(e, &row)
	if err != nil {
		return nil
	}
	for i, g := range in.groups {
		if g.sql == n.sql {
			return &node{sql: in.values[i], key: in.keys[i], typ: g.typ, at: e.Loc(), pred: n.pred}
		}
	}
	return nil
}

func (b *binder) plainExpr(e syntax.Expr, in *env) (*node, error) {
	switch e := e.(type) {
	case *syntax.Literal:
		if b.spark() {
			return sparkLiteral(e)
		}
		return literal(e)
	case *syntax.Interval:
		return nil, unsupported(e.Loc(), "An INTERVAL other than one that is added to a time or subtracted")
	case *syntax.Path:
		return b.path(e, in)
	case *syntax.Variable:
		return b.variable(e)
	case *syntax.Unary:
		return b.unary(e, in)
	case *syntax.Binary:
		return b.binary(e, in)
	case *syntax.IsNull:
		x, err := b.value(e.X, in)
		if err != nil {
			return nil, err
		}
		n := pred("(" + x.sql + " IS NULL)")
		if x.src != nil {
			n.holds, n.fails = leafOf(bound{col: *x.src, op: isNull}), leafOf(bound{col: *x.src, op: notNull})
		}
		if e.Not {
			n.sql, n.holds, n.fails = "("+x.sql+" IS NOT NULL)", n.fails, n.holds
		}
		return n, nil
	case *syntax.IsDistinct:
		op := "IS DISTINCT FROM"
		if e.Not {
			op = "IS NOT DISTINCT FROM"
		}
		return b.compareExprs(op, e.L, e.R, in, e.Loc())
	case *syntax.Between:
		return b.between(e, in)
	case *syntax.In:
		return b.in(e, in)
	case *syntax.Like:
		return b.like(e, in)
	case *syntax.Exists:
		rel, err := b.query(e.Query, in.inner(), queryUse{scalar: true})
		if err != nil {
			return nil, err
		}
		return pred("EXISTS (" + rel.sql + ")"), nil
	case *syntax.Quantified:
		return b.quantified(e, in)
	case *syntax.Subquery:
		rel, err := b.query(e.Query, in.inner(), queryUse{scalar: true})
		if err != nil {
			return nil, err
		}
		if len(rel.cols) != 1 {
			return nil, errorf(116, e.Loc(), "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.")
		}
		return &node{sql: "(" + rel.sql + ")", typ: rel.cols[0].typ}, nil
	case *syntax.Case:
		return b.caseExpr(e, in)
	case *syntax.Cast:
		return b.castExpr(e, in)
	case *syntax.Call:
		return b.call(e, in)
	case *syntax.Collate:
		return b.collate(e, in)
	case *syntax.AtTimeZone:
		return nil, unsupported(e.Loc(), "AT TIME ZONE")
	case *syntax.Param:
		return nil, unsupported(e.Loc(), "A parameter written as ?")
	case *syntax.Star:
		return nil, errorf(102, e.Loc(), "Incorrect syntax near '*'.")
	case *syntax.Field, *syntax.Index:
		return nil, unsupported(e.Loc(), "Access into a record or array")
	case *syntax.Grouping:
		return nil, errorf(102, e.Loc(), "Incorrect syntax near '%s'.", e.Kind)
	}
	return nil, unsupported(e.Loc(), "This expression")
}

// inner is the environment of a sub-query of an expression.
func (in *env) inner() *env {
	e := *in
	return &e
}

func pred(sql string) *node { return &node{sql: sql, typ: Type{ID: Bit}, pred: true} }

func (b *binder) variable(v *syntax.Variable) (*node, error) {
	if strings.HasPrefix(v.Name, "@@") {
		return systemVariable(v)
	}
	p, ok := b.params[lower(strings.TrimPrefix(v.Name, "@"))]
	if !ok {
		return nil, errorf(137, v.Loc(), "Must declare the scalar variable \"%s\".", v.Name)
	}
	if p.Value.IsNull() {
		return &node{sql: "CAST(NULL AS " + p.Type.engine() + ")", typ: p.Type}, nil
	}
	return constant(p.Type, p.Value), nil
}

func systemVariable(v *syntax.Variable) (*node, error) {
	switch strings.ToUpper(v.Name) {
	case "@@VERSION":
		return constant(Type{ID: NVarChar, Size: 300}, textValue(KindText, "Microsoft SQL Azure (RTM) - 12.0.2000.8 (Spate)")), nil
	case "@@DATEFIRST":
		return constant(Type{ID: TinyInt}, intValue(7)), nil
	case "@@LANGUAGE":
		return constant(Type{ID: NVarChar, Size: 128}, textValue(KindText, "us_english")), nil
	case "@@MAX_PRECISION":
		return constant(Type{ID: TinyInt}, intValue(38)), nil
	case "@@TRANCOUNT", "@@ERROR":
		return constant(Type{ID: Int}, intValue(0)), nil
	}
	return nil, unsupported(v.Loc(), "The system variable "+v.Name)
}

func (b *binder) caseExpr(c *syntax.Case, in *env) (*node, error) {
	conds := make([]*node, len(c.Whens))
	thens := make([]*node, 0, len(c.Whens)+1)
	for i, w := range c.Whens {
		var err error
		if c.Operand != nil {
			conds[i], err = b.compareExprs("=", c.Operand, w.Cond, in, w.Cond.Loc())
		} else {
			conds[i], err = b.condition(w.Cond, in)
		}
		if err != nil {
			return nil, err
		}
		then, err := b.value(w.Then, in)
		if err != nil {
			return nil, err
		}
		thens = append(thens, then)
	}
	if c.Else != nil {
		n, err := b.value(c.Else, in)
		if err != nil {
			return nil, err
		}
		thens = append(thens, n)
	}
	typ, err := b.unify(thens)
	if err != nil {
		return nil, err
	}
	if typ.ID == Unknown && !b.spark() {
		return nil, errorf(8133, c.Loc(), "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.")
	}
	var sql strings.Builder
	sql.WriteString("CASE")
	for i, n := range conds {
		sql.WriteString(" WHEN " + n.sql + " THEN " + thens[i].sql)
	}
	if c.Else != nil {
		sql.WriteString(" ELSE " + thens[len(thens)-1].sql)
	}
	sql.WriteString(" END")
	return &node{sql: "(" + sql.String() + ")", typ: typ}, nil
}

// unify converts nodes to the type that they have in common, in place.
func (b *binder) unify(ns []*node) (Type, error) {
	var typ Type
	for _, n := range ns {
		typ = b.common(typ, n.typ)
	}
	for i, n := range ns {
		c, err := b.convert(n, typ, castImplicit, n.at)
		if err != nil {
			return typ, err
		}
		ns[i] = c.strict(typ)
	}
	return typ, nil
}

// strict makes the engine see exactly type t, where a literal or an integer of
// another width would let it choose.
func (n *node) strict(t Type) *node {
	if t.isNumber() && t.ID != Bit && (n.con != nil || n.typ != t) {
		c := *n
		c.sql = "CAST(" + n.sql + " AS " + t.engine() + ")"
		c.typ, c.src = t, nil
		return &c
	}
	return n
}

func (b *binder) collate(c *syntax.Collate, in *env) (*node, error) {
	n, err := b.value(c.X, in)
	if err != nil {
		return nil, err
	}
	name := strings.ToUpper(c.Name.Name)
	switch {
	case !n.typ.isText():
		return nil, errorf(447, c.Loc(), "Expression type %s is invalid for COLLATE clause.", n.typ)
	case strings.Contains(name, "_BIN"):
		return n, nil
	case strings.HasPrefix(name, "LATIN1_GENERAL") || strings.HasPrefix(name, "SQL_LATIN1_GENERAL") || name == "DATABASE_DEFAULT":
		if name == "DATABASE_DEFAULT" {
			return n, nil
		}
		return nil, unsupported(c.Loc(), "The collation "+c.Name.Name)
	}
	return nil, errorf(448, c.Loc(), "Invalid collation '%s'.", c.Name.Name)
}
