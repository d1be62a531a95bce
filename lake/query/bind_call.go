package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// function binds one scalar function whose arguments are values.
type function struct {
	min, max int // arguments; max -1: any number
	bind     func(b *binder, c *syntax.Call, a []*node) (*node, error)
}

// call binds a function call of any kind.
func (b *binder) call(c *syntax.Call, in *env) (*node, error) {
	name := strings.ToUpper(nameText(c.Name))
	if b.isAggregate(name, c) {
		return b.aggregate(name, c, in)
	}
	if ranking[name] {
		return b.ranking(name, c, in)
	}
	if c.Over != nil || c.Distinct || c.Nulls != "" || c.WithinGroup != nil {
		return nil, errorf(10753, c.Loc(), "The function '%s' may not have an OVER, WITHIN GROUP or NULLS clause, or DISTINCT.", name)
	}
	if b.spark() {
		return b.sparkCall(name, c, in)
	}
	if f := form(name); f != nil {
		return f(b, name, c, in)
	}
	f, ok := functions[name]
	if !ok {
		if known[name] {
			return nil, errorf(40511, c.Loc(), "Built-in function '%s' is not supported yet.", name)
		}
		return nil, errorf(195, c.Loc(), "'%s' is not a recognized built-in function name.", nameText(c.Name))
	}
	return b.apply1(f, name, c, in)
}

// apply1 binds a function of the table.
func (b *binder) apply1(f function, name string, c *syntax.Call, in *env) (*node, error) {
	if n := len(c.Args); n < f.min || f.max >= 0 && n > f.max {
		return nil, argCount(c, name, f.min, f.max)
	}
	args := make([]*node, len(c.Args))
	for i, a := range c.Args {
		n, err := b.value(a, in)
		if err != nil {
			return nil, err
		}
		args[i] = n
	}
	return f.bind(b, c, args)
}

func argCount(c *syntax.Call, name string, lo, hi int) error {
	if lo == hi {
		return errorf(174, c.Loc(), "The %s function requires %d argument(s).", strings.ToLower(name), lo)
	}
	if hi < 0 {
		return errorf(189, c.Loc(), "The %s function requires at least %d arguments.", strings.ToLower(name), lo)
	}
	return errorf(189, c.Loc(), "The %s function requires %d to %d arguments.", strings.ToLower(name), lo, hi)
}

// known are functions of the language that are not built: their refusal says
// so, where an unknown name is a mistake.
var known = set("SOUNDEX", "DIFFERENCE", "FORMAT", "STRING_ESCAPE", "UNISTR", "RAND", "CHECKSUM", "BINARY_CHECKSUM", "COMPRESS", "DECOMPRESS",
	"JSON_MODIFY", "JSON_OBJECT", "JSON_ARRAY", "SWITCHOFFSET", "TODATETIMEOFFSET", "TIMEFROMPARTS", "DATETIMEOFFSETFROMPARTS", "SMALLDATETIMEFROMPARTS",
	"SERVERPROPERTY", "DATABASEPROPERTYEX", "OBJECT_ID", "OBJECT_NAME", "DB_ID", "SCHEMA_NAME", "SCHEMA_ID", "TYPE_ID", "TYPE_NAME", "COL_NAME", "COL_LENGTH",
	"COLUMNPROPERTY", "OBJECTPROPERTY", "PARSENAME", "HAS_DBACCESS", "IS_MEMBER", "IS_SRVROLEMEMBER", "HAS_PERMS_BY_NAME", "APP_NAME", "HOST_NAME",
	"BIT_COUNT", "LEFT_SHIFT", "RIGHT_SHIFT", "GET_BIT", "SET_BIT", "BASE64_ENCODE", "BASE64_DECODE", "CHECKSUM_AGG", "PRODUCT", "NEWSEQUENTIALID",
	"JSON_ARRAYAGG", "JSON_OBJECTAGG", "APPROX_PERCENTILE_CONT", "APPROX_PERCENTILE_DISC", "ERROR_MESSAGE", "ERROR_NUMBER", "FORMATMESSAGE", "REGEXP_LIKE", "REGEXP_REPLACE")

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

var aggregates = set("COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX", "STDEV", "STDEVP", "VAR", "VARP", "STRING_AGG", "APPROX_COUNT_DISTINCT", "GROUPING", "GROUPING_ID")

var ranking = set("ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE", "CUME_DIST", "PERCENT_RANK", "PERCENTILE_CONT", "PERCENTILE_DISC")

// insideAggregate says where an aggregate may not stand either.
const insideAggregate = "inside an aggregate"

// aggregate binds an aggregate, over a group or, with OVER, over a window.
func (b *binder) aggregate(name string, c *syntax.Call, in *env) (*node, error) {
	if in.noAgg != "" {
		number := 147
		switch {
		case c.Over != nil:
			number = 4108
		case in.noAgg == insideAggregate:
			number = 130
		}
		return nil, errorf(number, c.Loc(), "An aggregate may not appear %s.", in.noAgg)
	}
	args := *in
	over := ""
	if c.Over == nil {
		if in.phase != groupPhase {
			return nil, errorf(147, c.Loc(), "An aggregate may not appear here.")
		}
		args.phase, args.noAgg = rowPhase, insideAggregate
	} else {
		if c.Distinct {
			return nil, errorf(10759, c.Loc(), "Use of DISTINCT is not allowed with the OVER clause.")
		}
		var err error
		if over, err = b.over(name, c.Over, in, false); err != nil {
			return nil, err
		}
	}
	if name == "GROUPING" || name == "GROUPING_ID" {
		return b.grouping(name, c, in)
	}
	if b.spark() {
		return b.sparkAggregate(name, c, &args, over)
	}
	star := len(c.Args) == 1 && isStar(c.Args[0])
	if star && (name == "COUNT" || name == "COUNT_BIG") && !c.Distinct {
		return countOf(name, "count(*)"+over), nil
	}
	want := 1
	if name == "STRING_AGG" {
		want = 2
	}
	if len(c.Args) != want || star {
		return nil, argCount(c, name, want, want)
	}
	x, err := b.value(c.Args[0], &args)
	if err != nil {
		return nil, err
	}
	if c.WithinGroup != nil && name != "STRING_AGG" {
		return nil, errorf(10753, c.Loc(), "The function '%s' may not have a WITHIN GROUP clause.", name)
	}
	distinct := ""
	if c.Distinct {
		distinct = "DISTINCT "
	}
	invalid := func() error {
		return errorf(8117, c.Loc(), "Operand data type %s is invalid for %s operator.", x.typ, strings.ToLower(name))
	}
	agg := func(fn, arg string) string { return fn + "(" + distinct + arg + ")" + over }
	switch name {
	case "COUNT", "COUNT_BIG":
		arg := x.sql
		if c.Distinct {
			arg = comparand(x)
		}
		return countOf(name, agg("count", arg)), nil
	case "APPROX_COUNT_DISTINCT":
		return countOf("COUNT_BIG", "count(DISTINCT "+comparand(x)+")"+over), nil
	case "MIN", "MAX":
		if x.typ.ID == Bit {
			return nil, invalid()
		}
		return &node{sql: agg(strings.ToLower(name), x.strict(x.typ).sql), typ: x.typ}, nil
	case "STRING_AGG":
		if c.Distinct {
			return nil, errorf(102, c.Loc(), "Incorrect syntax: STRING_AGG takes no DISTINCT.")
		}
		return b.stringAgg(c, x, &args, over)
	}
	if x.null {
		return nil, invalid()
	}
	if !x.typ.isNumber() || x.typ.ID == Bit {
		return nil, invalid()
	}
	switch name {
	case "SUM":
		t := sumType(x.typ)
		return &node{sql: "CAST(" + agg("sum", x.strict(x.typ).sql) + " AS " + t.engine() + ")", typ: t}, nil
	case "AVG":
		return average(x, agg), nil
	}
	fn := map[string]string{"STDEV": "stddev_samp", "STDEVP": "stddev_pop", "VAR": "var_samp", "VARP": "var_pop"}[name]
	return &node{sql: agg(fn, "CAST("+x.sql+" AS DOUBLE)"), typ: Type{ID: Float}}, nil
}

func isStar(e syntax.Expr) bool { _, ok := e.(*syntax.Star); return ok }

func countOf(name, sql string) *node {
	if name == "COUNT_BIG" {
		return &node{sql: sql, typ: Type{ID: BigInt}}
	}
	return &node{sql: "CAST(" + sql + " AS INTEGER)", typ: Type{ID: Int}}
}

func sumType(t Type) Type {
	switch t.ID {
	case TinyInt, SmallInt, Int:
		return Type{ID: Int}
	case BigInt:
		return t
	case Decimal:
		return Type{ID: Decimal, Prec: 38, Scale: t.Scale}
	}
	return Type{ID: Float}
}

// average gives AVG its T-SQL type: of integers it is an integer (SQ-A12).
func average(x *node, agg func(fn, arg string) string) *node {
	t := sumType(x.typ)
	arg := x.strict(x.typ).sql
	sum, count := agg("sum", arg), agg("count", arg)
	switch t.ID {
	case Float:
		return &node{sql: agg("avg", "CAST("+arg+" AS DOUBLE)"), typ: t}
	case Decimal:
		t.Scale = max(t.Scale, 6)
		return &node{sql: fmt.Sprintf("CAST(spate_divide(CAST(%s AS VARCHAR), CAST(nullif(%s, 0) AS VARCHAR), CAST(%d AS BIGINT)) AS %s)", sum, count, t.Scale, t.engine()), typ: t}
	}
	return &node{sql: "CAST(" + sum + " // nullif(" + count + ", 0) AS " + t.engine() + ")", typ: t}
}

func (b *binder) stringAgg(c *syntax.Call, x *node, args *env, over string) (*node, error) {
	if over != "" {
		return nil, unsupported(c.Loc(), "STRING_AGG with OVER")
	}
	sep, err := b.value(c.Args[1], args)
	if err != nil {
		return nil, err
	}
	if sep, err = b.toText(sep); err != nil {
		return nil, err
	}
	if x, err = b.toText(x); err != nil {
		return nil, err
	}
	keys := ""
	if c.WithinGroup != nil {
		if keys, err = b.orderKeys(c.WithinGroup, args); err != nil {
			return nil, err
		}
		keys = " ORDER BY " + keys
	}
	typ := x.typ
	if typ.Size != Max {
		typ.Size = 8000
		if typ.ID == NVarChar {
			typ.Size = 4000
		}
	}
	return &node{sql: "string_agg(" + x.sql + ", " + sep.sql + keys + ")", typ: typ}, nil
}

func (b *binder) orderKeys(items []syntax.OrderItem, in *env) (string, error) {
	parts := make([]string, len(items))
	for i, o := range items {
		n, err := b.value(o.Expr, in)
		if err != nil {
			return "", err
		}
		if n.con != nil && !b.spark() {
			return "", errorf(5308, o.Loc(), "Windowed functions, aggregates and NEXT VALUE FOR functions do not support integer indices as ORDER BY clause expressions.")
		}
		parts[i] = comparand(n) + b.direction(o)
	}
	return strings.Join(parts, ", "), nil
}

func (b *binder) grouping(name string, c *syntax.Call, in *env) (*node, error) {
	if c.Over != nil || len(c.Args) == 0 || name == "GROUPING" && len(c.Args) != 1 {
		return nil, argCount(c, name, 1, 1)
	}
	keys := make([]string, len(c.Args))
	for i, a := range c.Args {
		n, err := b.value(a, in)
		if err != nil {
			return nil, err
		}
		found := false
		for _, k := range in.keys {
			found = found || k == n.key
		}
		if !found {
			return nil, errorf(8161, a.Loc(), "Argument %d of the %s function does not match any of the expressions in the GROUP BY clause.", i+1, name)
		}
		keys[i] = n.key
	}
	t := Type{ID: Int}
	if name == "GROUPING" {
		t.ID = TinyInt
	}
	return &node{sql: "CAST(grouping(" + strings.Join(keys, ", ") + ") AS " + t.engine() + ")", typ: t}, nil
}

// over emits an OVER clause with the blank before it.
func (b *binder) over(name string, o *syntax.Over, in *env, needOrder bool) (string, error) {
	in.sawWindow = true
	if o.Name != nil {
		for _, w := range in.windows {
			if sameName(w.Name.Name, o.Name.Name) && w.Over.Name == nil {
				return b.over(name, w.Over, in, needOrder)
			}
		}
		return "", errorf(5362, o.Loc(), "Window '%s' is undefined.", o.Name.Name)
	}
	if o.Limit != nil || o.When != nil {
		return "", errorf(102, o.Loc(), "Incorrect syntax: LIMIT DURATION and WHEN belong to streaming queries.")
	}
	var parts []string
	if len(o.PartitionBy) > 0 {
		keys := make([]string, len(o.PartitionBy))
		for i, e := range o.PartitionBy {
			n, err := b.value(e, in)
			if err != nil {
				return "", err
			}
			keys[i] = comparand(n)
		}
		parts = append(parts, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if len(o.OrderBy) > 0 {
		keys, err := b.orderKeys(o.OrderBy, in)
		if err != nil {
			return "", err
		}
		parts = append(parts, "ORDER BY "+keys)
	} else if needOrder {
		return "", errorf(4112, o.Loc(), "The function '%s' must have an OVER clause with ORDER BY.", name)
	}
	if o.Frame != nil {
		f, err := b.frame(o, in)
		if err != nil {
			return "", err
		}
		parts = append(parts, f)
	}
	return " OVER (" + strings.Join(parts, " ") + ")", nil
}

func (b *binder) frame(o *syntax.Over, in *env) (string, error) {
	if len(o.OrderBy) == 0 {
		return "", errorf(10756, o.Loc(), "Window frame with ROWS or RANGE must have an ORDER BY clause.")
	}
	f := o.Frame
	bound := func(x syntax.Bound) (string, error) {
		switch x.Kind {
		case syntax.UnboundedPreceding:
			return "UNBOUNDED PRECEDING", nil
		case syntax.UnboundedFollowing:
			return "UNBOUNDED FOLLOWING", nil
		case syntax.CurrentRow:
			return "CURRENT ROW", nil
		}
		if f.Unit != "ROWS" {
			return "", errorf(4194, f.Loc(), "RANGE is only supported with UNBOUNDED and CURRENT ROW window frame delimiters.")
		}
		n, err := b.value(x.N, in)
		if err != nil {
			return "", err
		}
		if n.con == nil || n.con.Kind != KindInt || n.con.num < 0 {
			return "", errorf(4192, f.Loc(), "The number of rows of a window frame must be a constant that is not negative.")
		}
		word := " PRECEDING"
		if x.Kind == syntax.Following {
			word = " FOLLOWING"
		}
		return fmt.Sprint(n.con.num) + word, nil
	}
	from, err := bound(f.From)
	if err != nil {
		return "", err
	}
	to, err := bound(f.To)
	if err != nil {
		return "", err
	}
	return f.Unit + " BETWEEN " + from + " AND " + to, nil
}
