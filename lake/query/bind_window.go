package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// ranking binds the functions that exist only over a window.
func (b *binder) ranking(name string, c *syntax.Call, in *env) (*node, error) {
	if in.noAgg != "" {
		return nil, errorf(4108, c.Loc(), "Windowed functions can only appear in the SELECT or ORDER BY clauses.")
	}
	if b.spark() && strings.HasPrefix(name, "PERCENTILE_") {
		return nil, errorf(40511, c.Loc(), "Built-in function '%s' is not supported yet.", name)
	}
	if c.Over == nil {
		return nil, errorf(10753, c.Loc(), "The function '%s' must have an OVER clause.", name)
	}
	if strings.HasPrefix(name, "PERCENTILE_") {
		return b.percentile(name, c, in)
	}
	over, err := b.over(name, c.Over, in, true)
	if err != nil {
		return nil, err
	}
	lo, hi := 0, 0
	switch name {
	case "NTILE", "FIRST_VALUE", "LAST_VALUE":
		lo, hi = 1, 1
	case "LAG", "LEAD":
		lo, hi = 1, 3
	}
	if len(c.Args) < lo || len(c.Args) > hi {
		return nil, argCount(c, name, lo, hi)
	}
	args := make([]*node, len(c.Args))
	for i, a := range c.Args {
		if args[i], err = b.value(a, in); err != nil {
			return nil, err
		}
	}
	nulls := ""
	if c.Nulls == "IGNORE" {
		nulls = " IGNORE NULLS"
	}
	fn := strings.ToLower(name)
	switch name {
	case "CUME_DIST", "PERCENT_RANK":
		return &node{sql: fn + "()" + over, typ: Type{ID: Float}}, nil
	case "NTILE":
		n, err := b.convert(args[0], Type{ID: BigInt}, castImplicit, args[0].at)
		if err != nil {
			return nil, err
		}
		return &node{sql: "ntile(" + n.sql + ")" + over, typ: Type{ID: BigInt}}, nil
	case "FIRST_VALUE", "LAST_VALUE":
		return &node{sql: fn + "(" + args[0].strict(args[0].typ).sql + nulls + ")" + over, typ: args[0].typ}, nil
	case "LAG", "LEAD":
		x := args[0]
		parts := []string{x.strict(x.typ).sql}
		if len(args) > 1 {
			n, err := b.convert(args[1], Type{ID: BigInt}, castImplicit, args[1].at)
			if err != nil {
				return nil, err
			}
			if n.con != nil && n.con.num < 0 {
				return nil, errorf(8730, c.Loc(), "Offset parameter for Lag and Lead functions cannot be a negative value.")
			}
			parts = append(parts, n.sql)
		}
		if len(args) > 2 {
			d, err := b.convert(args[2], x.typ, castImplicit, args[2].at)
			if err != nil {
				return nil, err
			}
			parts = append(parts, d.strict(x.typ).sql)
		}
		return &node{sql: fn + "(" + strings.Join(parts, ", ") + nulls + ")" + over, typ: x.typ}, nil
	}
	if b.spark() {
		return &node{sql: "CAST(" + fn + "()" + over + " AS INTEGER)", typ: intType}, nil
	}
	return &node{sql: fn + "()" + over, typ: Type{ID: BigInt}}, nil
}

func (b *binder) percentile(name string, c *syntax.Call, in *env) (*node, error) {
	if len(c.WithinGroup) != 1 || len(c.Args) != 1 {
		return nil, errorf(10754, c.Loc(), "The function '%s' must have a WITHIN GROUP clause with one ORDER BY expression.", name)
	}
	if len(c.Over.OrderBy) > 0 {
		return nil, errorf(10752, c.Loc(), "The function '%s' may not have ORDER BY in OVER clause.", name)
	}
	over, err := b.over(name, c.Over, in, false)
	if err != nil {
		return nil, err
	}
	p, err := b.value(c.Args[0], in)
	if err != nil {
		return nil, err
	}
	x, err := b.value(c.WithinGroup[0].Expr, in)
	if err != nil {
		return nil, err
	}
	if p.con == nil || !p.con.isNumber() || p.con.approx() < 0 || p.con.approx() > 1 {
		return nil, errorf(10751, c.Loc(), "The percentile must be a constant between 0.0 and 1.0.")
	}
	if !x.typ.isNumber() || x.typ.ID == Bit {
		return nil, errorf(8117, c.Loc(), "Operand data type %s is invalid for %s.", x.typ, name)
	}
	q := p.con.approx()
	if c.WithinGroup[0].Desc {
		q = 1 - q
	}
	if name == "PERCENTILE_CONT" {
		return &node{sql: fmt.Sprintf("quantile_cont(CAST(%s AS DOUBLE), %v)%s", x.sql, q, over), typ: Type{ID: Float}}, nil
	}
	return &node{sql: fmt.Sprintf("quantile_disc(%s, %v)%s", x.strict(x.typ).sql, q, over), typ: x.typ}, nil
}

// hasAggregate reports whether a SELECT without GROUP BY is over one group.
func (b *binder) hasAggregate(s *syntax.Select, q *syntax.Query) bool {
	found := false
	visit := func(e syntax.Expr) bool {
		if c, ok := e.(*syntax.Call); ok && c.Over == nil && b.isAggregate(strings.ToUpper(nameText(c.Name)), c) {
			found = true
		}
		return !found
	}
	for _, it := range s.Items {
		walk(it.Expr, visit)
	}
	if q != nil {
		for _, o := range q.OrderBy {
			walk(o.Expr, visit)
		}
	}
	return found
}

// walk visits e and the expressions in it, sub-queries excepted, until visit
// returns false.
func walk(e syntax.Expr, visit func(syntax.Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	all := func(es ...syntax.Expr) {
		for _, x := range es {
			walk(x, visit)
		}
	}
	switch e := e.(type) {
	case *syntax.Unary:
		all(e.X)
	case *syntax.Binary:
		all(e.L, e.R)
	case *syntax.IsNull:
		all(e.X)
	case *syntax.IsDistinct:
		all(e.L, e.R)
	case *syntax.Between:
		all(e.X, e.Lo, e.Hi)
	case *syntax.In:
		all(e.X)
		all(e.List...)
	case *syntax.Like:
		all(e.X, e.Pattern, e.Escape)
	case *syntax.Quantified:
		all(e.L)
	case *syntax.Case:
		all(e.Operand, e.Else)
		for _, w := range e.Whens {
			all(w.Cond, w.Then)
		}
	case *syntax.Cast:
		all(e.X)
	case *syntax.Collate:
		all(e.X)
	case *syntax.AtTimeZone:
		all(e.X)
	case *syntax.Call:
		all(e.Args...)
		for _, o := range e.WithinGroup {
			all(o.Expr)
		}
		if e.Over != nil {
			all(e.Over.PartitionBy...)
			for _, o := range e.Over.OrderBy {
				all(o.Expr)
			}
		}
	}
}
