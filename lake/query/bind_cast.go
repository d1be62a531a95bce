package query

import (
	"fmt"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// castMode says how a conversion came to be.
type castMode uint8

const (
	castImplicit castMode = iota
	castCompare           // both sides of a comparison; lengths of texts do not matter
	castExplicit
	castTry // NULL instead of an error for a value that does not fit
)

func (b *binder) castExpr(c *syntax.Cast, in *env) (*node, error) {
	fn := strings.ToUpper(c.Func)
	if strings.HasSuffix(fn, "PARSE") {
		return nil, unsupported(c.Loc(), fn)
	}
	n, err := b.value(c.X, in)
	if err != nil {
		return nil, err
	}
	typ, pad, err := b.typeOf(c.Type)
	if err != nil {
		return nil, err
	}
	mode := castExplicit
	if strings.HasPrefix(fn, "TRY_") {
		mode = castTry
	}
	if c.Style != nil {
		out, done, err := b.convertStyle(n, typ, c.Style, mode, in, c.Loc())
		if err != nil || done {
			return out, err
		}
	}
	if b.spark() {
		return b.sparkCast(n, typ, c.Type, mode, c.Loc())
	}
	out, err := b.convert(n, typ, mode, c.Loc())
	if err == nil && pad && typ.Size != Max {
		out = &node{sql: fmt.Sprintf("rpad(%s, %d, ' ')", out.sql, typ.Size), typ: typ}
	}
	return out, err
}

// convertStyle handles the third argument of CONVERT; done is false where it
// changes nothing.
func (b *binder) convertStyle(n *node, typ Type, style syntax.Expr, mode castMode, in *env, at syntax.Span) (*node, bool, error) {
	s, err := b.value(style, in)
	if err != nil {
		return nil, false, err
	}
	if s, err = b.convert(s, Type{ID: Int}, castImplicit, style.Loc()); err != nil {
		return nil, false, err
	}
	if s.con == nil {
		return nil, false, unsupported(style.Loc(), "A style that is not a constant")
	}
	k := s.con.num
	switch {
	case n.typ.isTime() && typ.isText():
		if !knownStyle(k) {
			return nil, false, errorf(281, style.Loc(), "%d is not a valid style number when converting from %s to a character string.", k, n.typ)
		}
		return b.cut(timeText(n, k), typ), true, nil
	case (n.typ.ID == Float || n.typ.ID == Real) && typ.isText():
		if k < 0 || k > 3 {
			return nil, false, errorf(281, style.Loc(), "%d is not a valid style number when converting from float to a character string.", k)
		}
		text := &node{sql: fmt.Sprintf("spate_float_text(CAST(%s AS DOUBLE), CAST(%d AS BIGINT))", n.sql, k), typ: Type{ID: typ.ID, Size: 30}}
		return b.cut(text, typ), true, nil
	case n.typ.isText() && typ.hasDate():
		switch k {
		case 0, 20, 21, 23, 25, 100, 102, 111, 112, 120, 121, 126, 127:
			return nil, false, nil // forms that are read without a style
		}
		return nil, false, unsupported(style.Loc(), fmt.Sprintf("CONVERT of a text with style %d to %s", k, typ))
	case n.typ.ID == VarBinary || typ.ID == VarBinary:
		if k != 0 {
			return nil, false, unsupported(style.Loc(), "CONVERT of binary with a style")
		}
	}
	return nil, false, nil
}

// clash is the error of a pair of types that does not convert.
func clash(from, to Type, mode castMode, at syntax.Span) error {
	if mode == castExplicit || mode == castTry {
		return errorf(529, at, "Explicit conversion from data type %s to %s is not allowed.", from, to)
	}
	return errorf(206, at, "Operand type clash: %s is incompatible with %s.", from, to)
}

// convert binds a conversion of n to typ (sql-endpoint.md 7.2). A node that
// needs none is returned as it is.
func (b *binder) convert(n *node, typ Type, mode castMode, at syntax.Span) (*node, error) {
	from := n.typ
	if n.null || from.ID == Unknown {
		return &node{sql: "CAST(" + n.sql + " AS " + typ.engine() + ")", typ: typ, null: n.null}, nil
	}
	if typ.ID == Unknown {
		return n, nil
	}
	if from.isText() && typ.isText() {
		if mode == castExplicit || mode == castTry {
			return b.cut(n, typ), nil
		}
		c := *n
		c.typ = typ
		return &c, nil
	}
	if from.ID == typ.ID && (from.ID != Decimal || from == typ) {
		if from.isTime() && typ.Scale < from.Scale && mode >= castExplicit {
			return b.roundTime(n, typ), nil
		}
		if from.ID == VarBinary && typ.Size != Max && (from.Size == Max || from.Size > typ.Size) {
			return &node{sql: fmt.Sprintf("array_slice(%s, 1, %d)", n.sql, typ.Size), typ: typ}, nil
		}
		c := *n
		c.typ = typ
		return &c, nil
	}
	if b.spark() {
		if out, err := b.sparkConvert(n, typ, mode, at); out != nil || err != nil {
			return out, err
		}
	}
	switch {
	case from.isText():
		return b.fromText(n, typ, mode, at)
	case typ.isText() && from.isNumber():
		return b.numberText(n, typ, mode), nil
	case typ.isText():
		return b.cut(b.text(n), typ), nil
	case from.isNumber() && typ.isNumber():
		return number(n, typ, mode), nil
	case from.isTime() && typ.isTime():
		return b.time(n, typ, mode, at)
	}
	return nil, clash(from, typ, mode, at)
}

// toText converts n to a text without limiting its length.
func (b *binder) toText(n *node) (*node, error) {
	if n.typ.isText() {
		return n, nil
	}
	if n.null {
		return b.convert(n, Type{ID: VarChar, Size: 1}, castImplicit, n.at)
	}
	if b.spark() {
		return b.convert(n, stringType, castImplicit, n.at)
	}
	if n.typ.ID == VarBinary {
		return nil, errorf(257, n.at, "Implicit conversion from data type varbinary to nvarchar is not allowed. Use the CONVERT function to run this query.")
	}
	return b.text(n), nil
}

// cut shortens a text to its type.
func (b *binder) cut(n *node, typ Type) *node {
	c := *n
	c.typ = typ
	if typ.Size == Max || n.typ.Size != Max && n.typ.Size <= typ.Size {
		return &c
	}
	if n.con != nil {
		runes := []rune(n.con.str)
		return constant(typ, textValue(KindText, string(runes[:min(len(runes), typ.Size)])))
	}
	return &node{sql: fmt.Sprintf("left(%s, %d)", n.sql, typ.Size), typ: typ}
}

// numberText writes a number, which is never cut: an integer that is too long for a varchar
// is a star, and anything else an error.
func (b *binder) numberText(n *node, typ Type, mode castMode) *node {
	t := b.text(n)
	if typ.Size == Max || typ.Size >= t.typ.Size || mode == castImplicit || mode == castCompare {
		return b.cut(t, typ)
	}
	long := "error('" + raisePrefix + "8115:Arithmetic overflow error converting " + strings.ToLower(n.typ.String()) + " to data type " + typ.String() + ".')"
	switch {
	case n.typ.isInteger() && typ.ID == VarChar:
		long = "'*'"
	case mode == castTry:
		long = "NULL"
	}
	return &node{sql: fmt.Sprintf("(CASE WHEN length(%s) > %d THEN %s ELSE %s END)", t.sql, typ.Size, long, t.sql), typ: typ, at: n.at}
}

// text writes a value in the default style of its type.
func (b *binder) text(n *node) *node {
	out := func(sql string, size int) *node {
		return &node{sql: sql, typ: Type{ID: VarChar, Size: size}, at: n.at}
	}
	switch n.typ.ID {
	case Bit:
		return out("(CASE WHEN "+n.sql+" THEN '1' WHEN NOT "+n.sql+" THEN '0' END)", 1)
	case Float, Real:
		return out("spate_float_text(CAST("+n.sql+" AS DOUBLE), CAST(0 AS BIGINT))", 30)
	case UniqueIdentifier:
		return out("upper(CAST("+n.sql+" AS VARCHAR))", 36)
	case VarBinary:
		return out("decode("+n.sql+")", Max)
	case Date, Time, DateTime2, DateTimeOffset:
		return timeText(n, 121)
	case DateTime:
		return timeText(n, 0)
	}
	return out("CAST("+n.strict(n.typ).sql+" AS VARCHAR)", 41)
}

// timeText writes a point in time in a style of CONVERT.
func timeText(n *node, style int64) *node {
	// The function is told how many digits of a second the type has; -1 is a
	// date without time, -3 the type datetime with its three.
	digits := int64(n.typ.Scale)
	arg := "CAST(" + n.sql + " AS TIMESTAMP)"
	switch n.typ.ID {
	case Date:
		digits = -1
	case DateTime:
		digits = -3
	case Time:
		arg = "(DATE '1900-01-01' + " + n.sql + ")"
		digits += 10
	}
	return &node{sql: fmt.Sprintf("spate_time_text(%s, CAST(%d AS BIGINT), CAST(%d AS BIGINT))", arg, style, digits),
		typ: Type{ID: VarChar, Size: 40}, at: n.at}
}

// rounded is a value as the type holds it: a real has 32 bits.
func rounded(typ Type, f float64) Value {
	if typ.ID == Real {
		f = float64(float32(f))
	}
	return floatValue(f)
}

// number converts between numbers; bit counts as one.
func number(n *node, typ Type, mode castMode) *node {
	if n.con != nil && n.con.Kind == KindInt {
		switch {
		case typ.ID == Float || typ.ID == Real:
			return constant(typ, rounded(typ, float64(n.con.num)))
		case typ.ID == BigInt, typ.ID == Int && int64(int32(n.con.num)) == n.con.num, typ.ID == SmallInt && int64(int16(n.con.num)) == n.con.num, typ.ID == TinyInt && int64(uint8(n.con.num)) == n.con.num:
			c := *n
			c.typ = typ
			return &c
		}
	}
	if n.con != nil && typ.ID == Decimal && (n.con.Kind == KindInt || n.con.Kind == KindDecimal) {
		from := n.typ
		text := n.con.str
		if n.con.Kind == KindInt {
			text = strconv.FormatInt(n.con.num, 10)
			from = Type{ID: Decimal, Prec: len(strings.TrimPrefix(text, "-"))}
		}
		if from.Scale <= typ.Scale && from.Prec-from.Scale <= typ.Prec-typ.Scale {
			return constant(typ, textValue(KindDecimal, text))
		}
	}
	if n.typ.ID == Decimal && typ.ID == Decimal && mode == castCompare {
		c := *n // the engine compares decimals of different scale by value
		c.typ = typ
		return &c
	}
	if n.con != nil && n.con.Kind == KindDecimal && (typ.ID == Float || typ.ID == Real) {
		return constant(typ, rounded(typ, n.con.approx()))
	}
	word := "CAST"
	if mode == castTry {
		word = "TRY_CAST"
	}
	sql := n.sql
	switch {
	case typ.ID == Bit:
		return &node{sql: "(" + sql + " <> 0)", typ: typ}
	case typ.isInteger() && (n.typ.ID == Decimal || n.typ.ID == Float || n.typ.ID == Real):
		sql = "trunc(" + sql + ")"
	case typ.isInteger() && n.typ.isInteger() && n.typ.rank() < typ.rank() && mode == castCompare:
		c := *n // the engine compares integers of different width by value
		c.typ = typ
		return &c
	}
	return &node{sql: word + "(" + sql + " AS " + typ.engine() + ")", typ: typ}
}

// time converts between points in time.
func (b *binder) time(n *node, typ Type, mode castMode, at syntax.Span) (*node, error) {
	if n.typ.ID == Time && typ.ID == Date || n.typ.ID == Date && typ.ID == Time {
		return nil, clash(n.typ, typ, mode, at)
	}
	if n.con != nil && n.con.Kind != KindTimeOfDay && typ.ID != Time {
		v := timeValue(typ.kind(), n.con.Ticks())
		switch typ.ID {
		case Date:
			v.num -= v.num % int64(column.Day)
		case DateTime:
			v.num = int64(roundDateTime(v.Ticks()))
		}
		return constant(typ, v), nil
	}
	switch {
	case typ.ID == Date, typ.ID == Time:
		return &node{sql: "CAST(" + n.sql + " AS " + typ.engine() + ")", typ: typ}, nil
	case n.typ.ID == Time:
		n = &node{sql: "(DATE '1900-01-01' + " + n.sql + ")", typ: Type{ID: DateTime2, Scale: 6}, at: n.at}
	case n.typ.ID == Date:
		if mode == castCompare {
			c := *n // the engine compares dates with instants by value
			c.typ = typ
			return &c, nil
		}
		n = &node{sql: "CAST(" + n.sql + " AS TIMESTAMP)", typ: Type{ID: DateTime2}, at: n.at}
	}
	if mode == castCompare {
		c := *n
		c.typ = typ
		return &c, nil
	}
	if typ.ID == DateTime {
		return &node{sql: dateTimeSQL(n.sql), typ: typ}, nil
	}
	if typ.Scale < 6 && n.typ.Scale > typ.Scale {
		return b.roundTime(n, typ), nil
	}
	c := *n
	c.typ = typ
	return &c, nil
}

// dateTimeSQL rounds to the 1/300 s of the type datetime.
func dateTimeSQL(sql string) string {
	const zero = int64(column.UnixEpoch / 10) // makes all years positive
	return fmt.Sprintf("make_timestamp(((epoch_us(%s) + %d) * 3 + 5000) // 10000 * 10000 // 3 - %d)", sql, zero, zero)
}

func roundDateTime(t column.Ticks) column.Ticks {
	n := (t*3 + 50_000) / 100_000
	return n * 100_000 / 3 / 10 * 10
}

// roundTime rounds to the digits of a second that a type has.
func (b *binder) roundTime(n *node, typ Type) *node {
	if typ.Scale >= 6 {
		c := *n
		c.typ = typ
		return &c
	}
	unit := int64(1)
	for range 6 - typ.Scale {
		unit *= 10
	}
	if typ.ID == Time {
		return &node{sql: fmt.Sprintf("CAST(make_timestamp((epoch_us(DATE '1970-01-01' + %s) + %d) // %d * %d) AS TIME)", n.sql, unit/2, unit, unit), typ: typ}
	}
	const zero = int64(column.UnixEpoch / 10)
	return &node{sql: fmt.Sprintf("make_timestamp((epoch_us(%s) + %d) // %d * %d - %d)", n.sql, zero+unit/2, unit, unit, zero), typ: typ}
}

// fromText converts a text by the functions of scalar_convert.go, at once if it
// is a constant.
func (b *binder) fromText(n *node, typ Type, mode castMode, at syntax.Span) (*node, error) {
	var fn string
	switch {
	case typ.ID == Bit:
		fn = "spate_bit"
	case typ.isInteger():
		fn = "spate_int"
	case typ.ID == Float || typ.ID == Real:
		fn = "spate_float"
	case typ.ID == Decimal:
		fn = "spate_number"
	case typ.isTime():
		fn = "spate_time"
	case typ.ID == UniqueIdentifier:
		fn = "spate_uuid"
	case typ.ID == VarBinary && n.typ.ID == VarChar && mode >= castExplicit:
		return &node{sql: "encode(" + n.sql + ")", typ: typ}, nil
	default:
		return nil, clash(n.typ, typ, mode, at)
	}
	if n.con != nil && mode != castTry {
		v, err := fromTextConst(fn, n.con.str, typ)
		if err != nil {
			return nil, placed(err, at)
		}
		if !v.IsNull() {
			return constant(typ, v), nil
		}
	}
	word := "CAST"
	if mode == castTry {
		word, fn = "TRY_CAST", strings.Replace(fn, "spate_", "spate_try_", 1)
	}
	out := &node{sql: word + "(" + fn + "(" + n.sql + ") AS " + typ.engine() + ")", typ: typ}
	if typ.ID == DateTime {
		out.sql = dateTimeSQL(out.sql)
	} else if typ.isTime() && typ.Scale < 6 && typ.ID != Date {
		out = b.roundTime(out, typ)
	}
	return out, nil
}

// placed gives an error that a conversion raised its number and place.
func placed(err error, at syntax.Span) error {
	e := engineError(err.Error())
	e.Pos = at.From
	return e
}
