package query

import (
	"fmt"

	"spate/sql/syntax"
)

var floatType = Type{ID: Float}

// asNumber lets texts count as float and bits as int.
func (b *binder) asNumber(n *node) (*node, error) {
	switch {
	case n.null, n.typ.ID == Bit:
		return b.convert(n, intType, castImplicit, n.at)
	case n.typ.isText():
		return b.convert(n, floatType, castImplicit, n.at)
	case !n.typ.isNumber():
		return nil, errorf(8116, n.at, "Argument data type %s is invalid: a number is expected.", n.typ)
	}
	return n.strict(n.typ), nil
}

func (b *binder) asFloat(n *node) (string, error) {
	f, err := b.convert(n, floatType, castImplicit, n.at)
	if err != nil {
		return "", err
	}
	return "CAST(" + f.sql + " AS DOUBLE)", nil
}

const badFloat = "error('" + raisePrefix + "3623:An invalid floating point operation occurred.')"

// floats is a function of floats. Where bad, a condition on the argument, or an
// infinite result comes, it is error 3623.
func floats(format, bad string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		args := make([]any, len(a))
		for i, n := range a {
			f, err := b.asFloat(n)
			if err != nil {
				return nil, err
			}
			args[i] = f
		}
		sql := fmt.Sprintf(format, args...)
		if bad != "" {
			sql = "(CASE WHEN " + fmt.Sprintf(bad, args[0]) + " THEN " + badFloat + " ELSE " + sql + " END)"
		}
		return &node{sql: sql, typ: floatType}, nil
	}
}

// finite raises 8115 where a float became infinite.
func finite(sql string) string {
	return "(CASE WHEN isinf(" + sql + ") THEN error('" + raisePrefix + "8115:Arithmetic overflow error for type float.') ELSE " + sql + " END)"
}

// keepType is a function whose result has the type of its argument.
func keepType(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		return &node{sql: "CAST(" + fn + "(" + n.sql + ") AS " + n.typ.engine() + ")", typ: n.typ}, nil
	}
}

// whole is CEILING and FLOOR: a decimal loses its scale.
func whole(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		t := n.typ
		if t.ID == Decimal {
			t.Scale = 0
		}
		return &node{sql: "CAST(" + fn + "(" + n.sql + ") AS " + t.engine() + ")", typ: t}, nil
	}
}

func bindRound(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asNumber(a[0])
	if err != nil {
		return nil, err
	}
	d, err := b.asInt(a[1])
	if err != nil {
		return nil, err
	}
	digits := "CAST(" + d.sql + " AS INTEGER)"
	if d.con == nil && n.typ.ID == Decimal {
		return nil, unsupported(c.Loc(), "ROUND of a decimal to digits that are not a constant")
	}
	fn := "round"
	if len(a) == 3 {
		f, err := b.asInt(a[2])
		if err != nil {
			return nil, err
		}
		if f.con == nil {
			return nil, unsupported(c.Loc(), "ROUND with a function that is not a constant")
		}
		if f.con.num != 0 {
			fn = "trunc"
		}
	}
	arg := n.sql
	if n.typ.ID == Decimal && d.con != nil && d.con.num < 0 {
		// The engine gives zero where all digits before the point go: it needs one more.
		arg = "CAST(" + n.sql + " AS " + Type{ID: Decimal, Prec: min(n.typ.Prec+1, 38), Scale: n.typ.Scale}.engine() + ")"
	}
	sql := fn + "(" + arg + ", " + digits + ")"
	if fn == "trunc" && (n.typ.isInteger() || n.typ.ID == Decimal) {
		// The engine cuts decimals through text-free arithmetic of its own type.
		k := int64(0)
		if d.con != nil {
			k = d.con.num
		}
		t := n.typ.asDecimal()
		wide := Type{ID: Decimal, Prec: 38, Scale: t.Scale}
		sql = fmt.Sprintf("spate_truncate(CAST(%s AS VARCHAR), CAST(%d AS BIGINT))", "CAST("+n.sql+" AS "+wide.engine()+")", k)
	}
	return &node{sql: "CAST(" + sql + " AS " + n.typ.engine() + ")", typ: n.typ}, nil
}

// typed is POWER, DEGREES and RADIANS: computed as float, given in the type of
// the first argument.
func typed(format string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		args := make([]any, len(a))
		for i, x := range a {
			if args[i], err = b.asFloat(x); err != nil {
				return nil, err
			}
		}
		sql := finite(fmt.Sprintf(format, args...))
		if n.typ.isInteger() {
			sql = "trunc(" + sql + ")"
		}
		t := n.typ
		if t.ID == Decimal {
			t.Prec = 38
		}
		return &node{sql: "CAST(" + sql + " AS " + t.engine() + ")", typ: t}, nil
	}
}

func bindLog(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if len(a) == 1 {
		return floats("ln(%s)", "%s <= 0")(b, c, a)
	}
	return floats("(ln(%s) / ln(%s))", "%s <= 0")(b, c, a)
}

func bindExp(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := floats("exp(%s)", "")(b, c, a)
	if err != nil {
		return nil, err
	}
	n.sql = finite(n.sql)
	return n, nil
}

func bindSign(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asNumber(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "CAST(sign(" + n.sql + ") AS " + n.typ.engine() + ")", typ: n.typ}, nil
}
