package query

import (
	"slices"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// The dialect of Spark, in ANSI mode: where it means something else than T-SQL
// (sql-endpoint.md 3.2). Types are those of T-SQL but for String.

var (
	stringType    = Type{ID: String, Size: Max}
	timestampType = Type{ID: DateTime2, Scale: 6}
)

// maxAliases bounds aliases of a select list that are made of each other.
const maxAliases = 20

func (b *binder) spark() bool { return b.dialect == syntax.Spark }

// columnType is the type that a column of a table has in the dialect.
func (b *binder) columnType(t Type) Type {
	if b.spark() && t.isText() {
		return stringType
	}
	return t
}

func (b *binder) typeOf(t *syntax.TypeName) (Type, bool, error) {
	if b.spark() {
		typ, err := sparkType(t)
		return typ, false, err
	}
	return typeOf(t)
}

// sparkType reads a type of Spark. BYTE has no type of its own: its values are checked where
// they are cast.
func sparkType(t *syntax.TypeName) (Type, error) {
	arg := func(i, def, lo, hi int) (int, error) {
		if i >= len(t.Args) {
			return def, nil
		}
		n, err := strconv.Atoi(t.Args[i])
		if err != nil || n < lo || n > hi {
			return 0, errorf(1001, t.Loc(), "Length or precision specification %s is invalid.", t.Args[i])
		}
		return n, nil
	}
	switch name := strings.ToUpper(t.Name); name {
	case "BOOLEAN":
		return Type{ID: Bit}, nil
	case "BYTE", "TINYINT", "SHORT", "SMALLINT":
		return Type{ID: SmallInt}, nil
	case "INT", "INTEGER":
		return Type{ID: Int}, nil
	case "LONG", "BIGINT":
		return Type{ID: BigInt}, nil
	case "FLOAT", "REAL":
		return Type{ID: Real}, nil
	case "DOUBLE":
		return Type{ID: Float}, nil
	case "DATE":
		return Type{ID: Date}, nil
	case "TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ":
		return timestampType, nil
	case "STRING", "VARCHAR", "CHAR", "CHARACTER":
		return stringType, nil
	case "BINARY":
		return Type{ID: VarBinary, Size: Max}, nil
	case "DECIMAL", "DEC", "NUMERIC":
		prec, err := arg(0, 10, 1, 38)
		if err != nil {
			return Type{}, err
		}
		scale, err := arg(1, 0, 0, prec)
		return Type{ID: Decimal, Prec: prec, Scale: scale}, err
	case "ARRAY", "MAP", "STRUCT", "INTERVAL", "VARIANT", "VOID":
		return Type{}, unsupported(t.Loc(), "The type "+strings.ToLower(name)+" in an expression")
	}
	return Type{}, errorf(243, t.Loc(), "Type %s is not a type of Spark.", strings.ToLower(t.Name))
}

// common is the type that operands of different types have in common.
func (b *binder) common(x, y Type) Type {
	if b.spark() && x.isText() != y.isText() && x.ID != Unknown && y.ID != Unknown {
		other := x
		if x.isText() {
			other = y
		}
		switch {
		case other.isInteger():
			return Type{ID: BigInt}
		case other.ID == Decimal, other.ID == Real:
			return Type{ID: Float}
		}
		return other
	}
	return common(x, y)
}

// sparkLiteral binds a constant of Spark.
func sparkLiteral(l *syntax.Literal) (*node, error) {
	whole := func(id TypeID, bits int, name string) (*node, error) {
		i, err := strconv.ParseInt(l.Text, 10, bits)
		if err != nil {
			return nil, errorf(8115, l.Loc(), "The number %s%s is out of the range of %s.", l.Text, l.Suffix, name)
		}
		return constant(Type{ID: id}, intValue(i)), nil
	}
	switch {
	case l.Kind == syntax.BoolLit:
		return constant(Type{ID: Bit}, boolValue(l.Text == "TRUE")), nil
	case l.Kind == syntax.StringLit:
		n, err := literal(l)
		if err != nil {
			return nil, err
		}
		return constant(stringType, *n.con), nil
	case l.Kind == syntax.IntLit && (l.Suffix == "S" || l.Suffix == "Y"):
		if l.Suffix == "Y" {
			if _, err := whole(SmallInt, 8, "tinyint"); err != nil {
				return nil, err
			}
		}
		return whole(SmallInt, 16, "smallint")
	case l.Kind == syntax.IntLit && l.Suffix == "L":
		return whole(BigInt, 64, "bigint")
	case l.Kind == syntax.IntLit:
		if n, err := whole(Int, 32, "int"); err == nil {
			return n, nil
		}
		if n, err := whole(BigInt, 64, "bigint"); err == nil {
			return n, nil
		}
	case l.Kind == syntax.FloatLit && l.Suffix == "F":
		f, err := strconv.ParseFloat(l.Text, 32)
		if err != nil {
			return nil, errorf(168, l.Loc(), "The number %sF is out of the range of float.", l.Text)
		}
		return constant(Type{ID: Real}, floatValue(f)), nil
	}
	return literal(l)
}

// sparkNiladic are the names that are functions without parentheses.
func sparkNiladic(name string, now column.Ticks) (*node, bool) {
	switch name {
	case "CURRENT_TIMESTAMP", "NOW", "LOCALTIMESTAMP":
		return constant(timestampType, timeValue(KindTime, now/10*10)), true
	case "CURRENT_DATE", "CURDATE":
		return constant(Type{ID: Date}, timeValue(KindDate, now-now%column.Day)), true
	case "CURRENT_USER", "USER", "SESSION_USER":
		return constant(stringType, textValue(KindText, "dbo")), true
	}
	return nil, false
}

// sparkArith binds an operator on two values.
func (b *binder) sparkArith(op string, l, r *node, at syntax.Span) (*node, error) {
	switch {
	case op == "||":
		ns := []*node{l, r}
		if err := b.texts(ns); err != nil {
			return nil, err
		}
		return &node{sql: "(" + ns[0].sql + " || " + ns[1].sql + ")", typ: stringType}, nil
	case l.typ.isTime() || r.typ.isTime():
		return b.sparkDays(op, l, r, at)
	}
	if l.typ.isText() && r.typ.isText() {
		return nil, errorf(8117, at, "Two strings are no operands of %s; || joins them.", op)
	}
	// A text counts as a number: beside whole numbers as one of them, otherwise as a double.
	for i, pair := range [][2]*node{{l, r}, {r, l}} {
		n, other := pair[0], pair[1]
		if !n.typ.isText() {
			continue
		}
		to := Type{ID: Float}
		if other.typ.isInteger() {
			to = Type{ID: BigInt}
		}
		c, err := b.convert(n, to, castImplicit, at)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			l = c
		} else {
			r = c
		}
	}
	if l.typ.ID == Bit || r.typ.ID == Bit {
		return nil, errorf(8117, at, "A boolean is no operand of %s.", op)
	}
	switch {
	case op == "DIV":
		ns := []*node{l, r}
		for i, n := range ns {
			c, err := b.convert(n, Type{ID: BigInt}, castExplicit, at)
			if err != nil {
				return nil, err
			}
			ns[i] = c.strict(c.typ)
		}
		return &node{sql: guardZero("("+ns[0].sql+" // "+ns[1].sql+")", ns[1], ns[1].sql), typ: Type{ID: BigInt}}, nil
	case op == "/" && !(l.typ.ID == Decimal && (r.typ.ID == Decimal || r.typ.isInteger()) || r.typ.ID == Decimal && l.typ.isInteger()):
		ns := []*node{l, r}
		for i, n := range ns {
			c, err := b.convert(n, floatType, castImplicit, at)
			if err != nil {
				return nil, err
			}
			ns[i] = c.strict(floatType)
		}
		return &node{sql: guardZero("("+ns[0].sql+" / "+ns[1].sql+")", ns[1], ns[1].sql), typ: floatType}, nil
	}
	return b.arith(op, l, r, at)
}

// sparkDays is a date plus or minus days.
func (b *binder) sparkDays(op string, l, r *node, at syntax.Span) (*node, error) {
	if op == "+" && l.typ.isInteger() {
		l, r = r, l
	}
	switch {
	case l.typ.ID == Date && r.typ.isInteger() && (op == "+" || op == "-"):
		if op == "-" {
			r = &node{sql: "(-" + r.sql + ")", typ: r.typ}
		}
		return &node{sql: "CAST((" + l.sql + " + " + interval("day", r.sql) + ") AS DATE)", typ: l.typ}, nil
	case op == "-" && r.typ.isTime():
		return nil, unsupported(at, "The interval between two times, which DATEDIFF and TIMESTAMPDIFF count,")
	}
	return nil, errorf(8117, at, "%s and %s are no operands of %s.", l.typ, r.typ, op)
}

// addInterval binds a time plus or minus an INTERVAL.
func (b *binder) addInterval(x *syntax.Binary, time syntax.Expr, i *syntax.Interval, in *env) (*node, error) {
	if x.Op != "+" && x.Op != "-" {
		return nil, errorf(8117, x.Loc(), "An interval is no operand of %s.", x.Op)
	}
	n, err := b.instant(time, in)
	if err != nil {
		return nil, err
	}
	parts := i.Parts
	if n.typ.ID == Time {
		return nil, errorf(8117, x.Loc(), "A time of day is no operand of %s.", x.Op)
	}
	if last := parts[len(parts)-1]; last.Unit == "" {
		if parts, err = intervalText(last.Count, i.Loc()); err != nil {
			return nil, err
		}
		parts = append(slices.Clone(i.Parts[:len(i.Parts)-1]), parts...)
	}
	typ := n.typ
	for _, p := range parts {
		unit := strings.ToLower(strings.TrimSuffix(p.Unit, "S"))
		count, err := b.value(p.Count, in)
		if err != nil {
			return nil, err
		}
		amount, err := b.convert(count, Type{ID: Decimal, Prec: 18, Scale: 6}, castImplicit, p.Count.Loc())
		if err != nil {
			return nil, err
		}
		sql := amount.sql
		if unit == "second" { // has a fraction
			unit, sql = "microsecond", "("+sql+" * 1000000)"
		} else if count.con == nil || strings.ContainsAny(count.con.str, ".eE") {
			return nil, errorf(8117, p.Count.Loc(), "The %ss of an INTERVAL are a whole number.", unit)
		}
		if typ.ID == Date && (isClock(unit)) {
			typ, n = timestampType, &node{sql: stamp(n), typ: timestampType}
		}
		if x.Op == "-" {
			sql = "(-" + sql + ")"
		}
		if n.con != nil && amount.con != nil { // stays a constant, so that files can be left out
			if k, ok := wholeOf(*amount.con, unit); ok {
				if x.Op == "-" {
					k = -k
				}
				t, ok := addPart(n.con.Ticks(), unit, k)
				if !ok {
					return nil, errorf(517, x.Loc(), "Adding an interval to a '%s' caused an overflow.", typ)
				}
				n = constant(typ, timeValue(typ.kind(), t))
				continue
			}
		}
		n = &node{sql: "(" + n.sql + " + " + interval(unit, sql) + ")", typ: typ}
		if typ.ID == Date {
			n.sql = "CAST(" + n.sql + " AS DATE)"
		}
	}
	return n, nil
}

// wholeOf is a decimal constant in units; seconds count in microseconds.
func wholeOf(v Value, unit string) (int64, bool) {
	text := v.str
	if v.Kind == KindInt {
		text = strconv.FormatInt(v.num, 10)
	}
	whole, frac, _ := strings.Cut(text, ".")
	if unit == "microsecond" {
		whole, frac = whole+(frac + "000000")[:6], ""
	}
	if strings.Trim(frac, "0") != "" {
		return 0, false
	}
	i, err := strconv.ParseInt(whole, 10, 64)
	return i, err == nil
}

// intervalText reads the text of INTERVAL '1 day 2 hours'.
func intervalText(e syntax.Expr, at syntax.Span) ([]syntax.IntervalPart, error) {
	l, ok := e.(*syntax.Literal)
	if !ok || l.Kind != syntax.StringLit {
		return nil, errorf(102, at, "Incorrect syntax: an INTERVAL has counts and units, as INTERVAL 1 DAY.")
	}
	words := strings.Fields(strings.TrimPrefix(strings.ToUpper(l.Text), "INTERVAL "))
	var out []syntax.IntervalPart
	for i := 0; i+1 < len(words); i += 2 {
		if _, err := strconv.ParseFloat(words[i], 64); err != nil || !syntax.IsIntervalUnit(words[i+1]) {
			words = nil
			break
		}
		out = append(out, syntax.IntervalPart{Count: &syntax.Literal{Span: at, Kind: syntax.StringLit, Text: words[i]}, Unit: words[i+1]})
	}
	if len(words) == 0 || len(words)%2 == 1 {
		return nil, errorf(102, at, "Incorrect syntax: '%s' is no interval such as '1 day 2 hours'.", l.Text)
	}
	return out, nil
}

// sparkLike binds LIKE, whose escape character is the backslash, and RLIKE, which looks for a
// match anywhere.
func (b *binder) sparkLike(e *syntax.Like, in *env) (*node, error) {
	var ns []*node
	for _, x := range []syntax.Expr{e.X, e.Pattern} {
		n, err := b.value(x, in)
		if err != nil {
			return nil, err
		}
		if n, err = b.toText(n); err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	escape := `\`
	if e.Escape != nil {
		x, err := b.value(e.Escape, in)
		if err != nil {
			return nil, err
		}
		if x.con == nil || len([]rune(x.con.str)) != 1 {
			return nil, errorf(506, e.Loc(), "The escape of LIKE is one character.")
		}
		escape = x.con.str
	}
	if e.Regex {
		n := pred("regexp_matches(" + ns[0].sql + ", " + ns[1].sql + ")")
		if e.Not {
			n.sql = "(NOT " + n.sql + ")"
		}
		return n, nil
	}
	sql := "(" + ns[0].sql + " LIKE " + ns[1].sql + " ESCAPE " + Quote(escape) + ")"
	n := pred(sql)
	if e.Not {
		n.sql = "(NOT " + sql + ")"
		return n, nil
	}
	if p := ns[1].con; p != nil && !strings.Contains(p.str, escape) && ns[0].src != nil {
		if head := p.str[:indexAny(p.str, "%_")]; head != "" {
			n.implied = []bound{{*ns[0].src, ">=", textValue(KindText, head)}}
			if next, ok := behind(head); ok {
				n.implied = append(n.implied, bound{*ns[0].src, "<", textValue(KindText, next)})
			}
			n.holds = leavesOf(n.implied)
		}
	}
	return n, nil
}

// aliasesOf are the names that a select list gives to expressions.
func aliasesOf(s *syntax.Select) map[string]syntax.Expr {
	out := map[string]syntax.Expr{}
	for _, it := range s.Items {
		if it.Alias != nil && it.Expr != nil {
			if _, twice := out[lower(it.Alias.Name)]; !twice {
				out[lower(it.Alias.Name)] = it.Expr
			}
		}
	}
	return out
}

// ordinal is the entry of the select list that a number in GROUP BY means; other expressions
// stay.
func ordinal(e syntax.Expr, s *syntax.Select) (syntax.Expr, error) {
	l, ok := e.(*syntax.Literal)
	if !ok || l.Kind != syntax.IntLit {
		return e, nil
	}
	n, err := strconv.Atoi(l.Text)
	if err != nil || n < 1 || n > len(s.Items) || s.Items[n-1].Star {
		return nil, errorf(164, e.Loc(), "GROUP BY position %s is not in the select list.", l.Text)
	}
	return s.Items[n-1].Expr, nil
}

// sparkName is the name of a column without alias.
func sparkName(e syntax.Expr) string {
	switch x := e.(type) {
	case *syntax.Binary:
		return "(" + sparkName(x.L) + " " + x.Op + " " + sparkName(x.R) + ")"
	case *syntax.Call:
		if x.Over == nil && !x.Distinct && x.Nulls == "" && (len(x.Args) != 1 || !isStar(x.Args[0])) {
			var args []string
			for _, a := range x.Args {
				args = append(args, sparkName(a))
			}
			return lower(nameText(x.Name)) + "(" + strings.Join(args, ", ") + ")"
		}
		d := *x
		d.Name = &syntax.Name{Span: x.Name.Span, Parts: slices.Clone(x.Name.Parts)}
		for i := range d.Name.Parts {
			d.Name.Parts[i].Name = lower(d.Name.Parts[i].Name)
		}
		if len(d.Args) == 1 && isStar(d.Args[0]) {
			d.Args = []syntax.Expr{&syntax.Literal{Kind: syntax.IntLit, Text: "1"}}
		}
		e = &d
	}
	return syntax.FormatExpr(e, syntax.Spark)
}
