package query

import (
	"fmt"

	"spate/sql/syntax"
)

const divideByZero = "error('" + raisePrefix + "8134:Divide by zero error encountered.')"

// arith binds an operator on two values (sql-endpoint.md 7.3).
func (b *binder) arith(op string, l, r *node, at syntax.Span) (*node, error) {
	names := map[string]string{"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo", "&": "&", "|": "|", "^": "^"}
	name, ok := names[op]
	if !ok {
		return nil, unsupported(at, "The operator "+op)
	}
	if op == "+" && (l.typ.isText() || l.null) && (r.typ.isText() || r.null) && !(l.null && r.null) {
		return concat(l, r), nil
	}
	switch {
	case (op == "+" || op == "-") && l.typ.ID == DateTime && r.typ.isNumber():
		return b.addDays(op, l, r, at)
	case op == "+" && l.typ.isNumber() && r.typ.ID == DateTime:
		return b.addDays(op, r, l, at)
	}
	typ := b.common(l.typ, r.typ)
	if typ.ID == Unknown {
		typ.ID = Int
	}
	for _, n := range []*node{l, r} {
		if n.typ.isTime() {
			return nil, errorf(8117, at, "Operand data type %s is invalid for %s operator. Use DATEADD or DATEDIFF.", n.typ, name)
		}
	}
	if !typ.isNumber() {
		return nil, errorf(8117, at, "Operand data type %s is invalid for %s operator.", typ, name)
	}
	if typ.ID == Bit {
		if op == "&" || op == "|" || op == "^" {
			return b.bitwise(op, l, r, typ, at)
		}
		return nil, errorf(8117, at, "Operand data type bit is invalid for %s operator.", name)
	}
	if op == "&" || op == "|" || op == "^" {
		return b.bitwise(op, l, r, typ, at)
	}
	if typ.ID == Decimal {
		return b.decimalArith(op, l, r, at)
	}
	var err error
	if l, err = b.convert(l, typ, castImplicit, at); err != nil {
		return nil, err
	}
	if r, err = b.convert(r, typ, castImplicit, at); err != nil {
		return nil, err
	}
	ls, rs := l.strict(typ).sql, r.strict(typ).sql
	sql := fmt.Sprintf("(%s %s %s)", ls, op, rs)
	if op == "/" || op == "%" {
		if op == "/" && typ.isInteger() {
			sql = fmt.Sprintf("(%s // %s)", ls, rs)
		}
		sql = guardZero(sql, r, rs)
	}
	return &node{sql: sql, typ: typ}, nil
}

// addDays adds a number of days, with fractions, to a datetime, which is a number to this
// language. A datetime2 is none.
func (b *binder) addDays(op string, t, days *node, at syntax.Span) (*node, error) {
	whole := days.typ.isInteger() || days.typ.ID == Bit
	to := Type{ID: Float}
	if whole {
		to = Type{ID: BigInt}
	}
	n, err := b.convert(days, to, castImplicit, at)
	if err != nil {
		return nil, err
	}
	if whole && n.con != nil && t.con != nil {
		num := n.con.num
		if op == "-" {
			num = -num
		}
		sum, ok := addPart(t.con.Ticks(), "day", num)
		if !ok {
			return nil, errorf(8115, at, "Arithmetic overflow error converting expression to data type datetime.")
		}
		return constant(t.typ, timeValue(KindTime, sum)), nil
	}
	sql := interval("day", n.sql)
	if !whole {
		sql = interval("microsecond", "round("+n.sql+" * 86400000000)")
	}
	sql = "(" + t.sql + " " + op + " " + sql + ")"
	if !whole {
		sql = dateTimeSQL(sql)
	}
	return &node{sql: sql, typ: t.typ}, nil
}

// guardZero raises error 8134 when the divisor is zero.
func guardZero(sql string, r *node, rs string) string {
	if r.con != nil && compareValues(*r.con, intValue(0)) != 0 {
		return sql
	}
	return "(CASE WHEN " + rs + " = 0 THEN " + divideByZero + " ELSE " + sql + " END)"
}

func concat(l, r *node) *node {
	t := l.typ
	if l.null || r.typ.ID == NVarChar {
		t = r.typ
	}
	size := Max
	if l.typ.Size != Max && r.typ.Size != Max {
		limit := 8000
		if t.ID == NVarChar {
			limit = 4000
		}
		size = min(l.typ.Size+r.typ.Size, limit)
	}
	t.Size = size
	return &node{sql: "(" + l.sql + " || " + r.sql + ")", typ: t}
}

func (b *binder) bitwise(op string, l, r *node, typ Type, at syntax.Span) (*node, error) {
	if !typ.isInteger() && typ.ID != Bit {
		return nil, errorf(8117, at, "Operand data type %s is invalid for %s operator.", typ, op)
	}
	l, err := b.convert(l, typ, castImplicit, at)
	if err != nil {
		return nil, err
	}
	if r, err = b.convert(r, typ, castImplicit, at); err != nil {
		return nil, err
	}
	ls, rs := l.strict(typ).sql, r.strict(typ).sql
	if typ.ID == Bit {
		word := map[string]string{"&": "AND", "|": "OR", "^": "<>"}[op]
		return &node{sql: "(" + ls + " " + word + " " + rs + ")", typ: typ}, nil
	}
	if op == "^" {
		return &node{sql: "xor(" + ls + ", " + rs + ")", typ: typ}, nil
	}
	return &node{sql: "(" + ls + " " + op + " " + rs + ")", typ: typ}, nil
}

// decimalType is the result type of decimal arithmetic (SQ-A03 to SQ-A07).
func decimalType(op string, l, r Type) Type {
	p1, s1, p2, s2 := l.Prec, l.Scale, r.Prec, r.Scale
	switch op {
	case "+", "-":
		scale := max(s1, s2)
		whole := max(p1-s1, p2-s2)
		prec := whole + scale + 1
		if prec > 38 {
			return Type{ID: Decimal, Prec: 38, Scale: max(0, min(scale, 38-whole))}
		}
		return Type{ID: Decimal, Prec: prec, Scale: scale}
	case "*":
		return reduced(p1+p2+1, s1+s2)
	case "/":
		scale := max(6, s1+p2+1)
		return reduced(p1-s1+s2+scale, scale)
	}
	scale := max(s1, s2)
	return Type{ID: Decimal, Prec: min(p1-s1, p2-s2) + scale, Scale: scale}
}

// reduced keeps 38 digits: up to 32 whole ones, and at least 6 of the scale.
func reduced(prec, scale int) Type {
	if prec <= 38 {
		return Type{ID: Decimal, Prec: prec, Scale: scale}
	}
	whole := prec - scale
	if whole <= 32 {
		return Type{ID: Decimal, Prec: 38, Scale: min(scale, 38-whole)}
	}
	return Type{ID: Decimal, Prec: 38, Scale: min(scale, 6)}
}

func (b *binder) decimalArith(op string, l, r *node, at syntax.Span) (*node, error) {
	side := func(n *node) (*node, error) {
		t := n.typ.asDecimal()
		if b.spark() && n.typ.ID == BigInt {
			t.Prec = 20
		}
		if n.null {
			t = Type{ID: Decimal, Prec: 1}
		}
		if n.con != nil && n.con.Kind == KindInt {
			// A literal has its own digits (SQ-A08).
			t.Prec = len(fmt.Sprint(max(n.con.num, -n.con.num)))
		}
		if n.typ.isText() {
			other := l
			if n == l {
				other = r
			}
			t = other.typ.asDecimal()
		}
		c, err := b.convert(n, t, castImplicit, at)
		if err != nil {
			return nil, err
		}
		return c.strict(t), nil
	}
	lc, err := side(l)
	if err != nil {
		return nil, err
	}
	rc, err := side(r)
	if err != nil {
		return nil, err
	}
	typ := decimalType(op, lc.typ, rc.typ)
	if b.spark() && (op == "+" || op == "-") {
		whole, scale := max(lc.typ.Prec-lc.typ.Scale, rc.typ.Prec-rc.typ.Scale), max(lc.typ.Scale, rc.typ.Scale)
		typ = reduced(whole+scale+1, scale)
	}
	var sql string
	switch op {
	case "/":
		fn := "spate_divide"
		if b.spark() {
			fn = "spate_divide_round"
		}
		sql = fmt.Sprintf("CAST("+fn+"(CAST(%s AS VARCHAR), CAST(%s AS VARCHAR), CAST(%d AS BIGINT)) AS %s)", lc.sql, rc.sql, typ.Scale, typ.engine())
	case "%":
		sql = fmt.Sprintf("CAST(CAST(%s AS DECIMAL(38,%d)) %% CAST(%s AS DECIMAL(38,%d)) AS %s)", lc.sql, typ.Scale, rc.sql, typ.Scale, typ.engine())
		sql = guardZero(sql, rc, rc.sql)
	case "*":
		ls, rs := lc.sql, rc.sql
		if lc.typ.Scale+rc.typ.Scale > 38 {
			return nil, errorf(8115, at, "Arithmetic overflow error: the product would have more than 38 digits behind the point.")
		}
		sql = fmt.Sprintf("CAST(%s * %s AS %s)", ls, rs, typ.engine())
	default:
		sql = fmt.Sprintf("CAST(CAST(%s AS %s) %s CAST(%s AS %s) AS %s)", lc.sql, typ.engine(), op, rc.sql, typ.engine(), typ.engine())
	}
	return &node{sql: sql, typ: typ}, nil
}
