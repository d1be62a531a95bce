package query

import (
	"fmt"
	"math"
	"strings"
	"time"

	"spate/column"
	"spate/sql/syntax"
)

// form is a function whose arguments are not all values: date parts,
// conditions. Nil if name is none.
func form(name string) func(b *binder, name string, c *syntax.Call, in *env) (*node, error) {
	switch name {
	case "DATEADD":
		return (*binder).dateAdd
	case "DATEDIFF", "DATEDIFF_BIG":
		return (*binder).dateDiff
	case "DATEPART", "DATENAME", "DATETRUNC":
		return (*binder).datePart
	case "DATE_BUCKET":
		return (*binder).dateBucket
	case "IIF":
		return (*binder).iif
	}
	return nil
}

// moreParts are the parts of a date that only T-SQL has.
var moreParts = map[string]string{
	"nanosecond": "nanosecond", "ns": "nanosecond",
	"tzoffset": "tzoffset", "tz": "tzoffset",
	"iso_week": "iso_week", "isowk": "iso_week", "isoww": "iso_week",
}

func partOf(c *syntax.Call, args int) (string, error) {
	name := strings.ToLower(nameText(c.Name))
	if len(c.Args) != args {
		return "", argCount(c, name, args, args)
	}
	p, ok := c.Args[0].(*syntax.Path)
	if !ok || len(p.Parts) != 1 {
		return "", errorf(1023, c.Args[0].Loc(), "Invalid parameter 1 specified for %s: it must be a date part.", name)
	}
	part, ok := syntax.DatePart(p.Parts[0].Name)
	if !ok {
		part, ok = moreParts[lower(p.Parts[0].Name)]
	}
	if !ok {
		return "", errorf(155, p.Loc(), "'%s' is not a recognized %s option.", p.Parts[0].Name, name)
	}
	return part, nil
}

// isClock reports whether a part is finer than a day.
func isClock(part string) bool {
	switch part {
	case "hour", "minute", "second", "millisecond", "microsecond", "nanosecond":
		return true
	}
	return false
}

func badPart(at syntax.Span, part, fn string, t Type) error {
	return errorf(9810, at, "The datepart %s is not supported by date function %s for data type %s.", part, strings.ToLower(fn), t)
}

// instant binds an argument that is a point in time; a text becomes a datetime2.
func (b *binder) instant(e syntax.Expr, in *env) (*node, error) {
	n, err := b.value(e, in)
	if err != nil {
		return nil, err
	}
	return b.asInstant(n, e.Loc())
}

func (b *binder) asInstant(n *node, at syntax.Span) (*node, error) {
	if n.typ.isText() || n.null {
		return b.convert(n, Type{ID: DateTime2, Scale: 6}, castImplicit, at)
	}
	if n.typ.isInteger() && !b.spark() {
		// Days since 1900, as in DATEADD(minute, DATEDIFF(minute, 0, t), 0).
		typ := Type{ID: DateTime}
		if n.con != nil {
			t, ok := addPart(column.DateTicks(1900, 1, 1), "day", n.con.num)
			if !ok {
				return nil, errorf(8115, at, "Arithmetic overflow error converting expression to data type datetime.")
			}
			return constant(typ, timeValue(KindTime, t)), nil
		}
		return &node{sql: "(TIMESTAMP '1900-01-01' + " + interval("day", n.sql) + ")", typ: typ}, nil
	}
	if !n.typ.isTime() {
		return nil, errorf(8116, at, "Argument data type %s is invalid: a date or time is expected.", n.typ)
	}
	return n, nil
}

// stamp is n as a TIMESTAMP of the engine.
func stamp(n *node) string {
	switch n.typ.ID {
	case Date:
		return "CAST(" + n.sql + " AS TIMESTAMP)"
	case Time:
		return "(DATE '1900-01-01' + " + n.sql + ")"
	}
	return n.sql
}

func (b *binder) dateAdd(name string, c *syntax.Call, in *env) (*node, error) {
	part, err := partOf(c, 3)
	if err != nil {
		return nil, err
	}
	if part == "tzoffset" || part == "iso_week" {
		return nil, badPart(c.Loc(), part, name, Type{ID: DateTime})
	}
	num, err := b.value(c.Args[1], in)
	if err != nil {
		return nil, err
	}
	if num, err = b.convert(num, Type{ID: BigInt}, castImplicit, c.Args[1].Loc()); err != nil {
		return nil, err
	}
	d, err := b.instant(c.Args[2], in)
	if err != nil {
		return nil, err
	}
	if d.typ.ID == Date && isClock(part) || d.typ.ID == Time && !isClock(part) {
		return nil, badPart(c.Loc(), part, name, d.typ)
	}
	if num.con != nil && d.con != nil && d.con.Kind != KindTimeOfDay {
		t, ok := addPart(d.con.Ticks(), part, num.con.num)
		if !ok {
			return nil, errorf(517, c.Loc(), "Adding a value to a '%s' column caused an overflow.", d.typ)
		}
		if d.typ.ID == DateTime {
			t = roundDateTime(t)
		}
		return constant(d.typ, timeValue(d.con.Kind, t)), nil
	}
	sql := "(" + d.sql + " + " + interval(part, num.sql) + ")"
	switch d.typ.ID {
	case Date:
		sql = "CAST(" + sql + " AS DATE)"
	case DateTime:
		if part == "millisecond" || part == "microsecond" || part == "nanosecond" {
			sql = dateTimeSQL(sql)
		}
	}
	return &node{sql: sql, typ: d.typ}, nil
}

// interval is n units of a part.
func interval(part, n string) string {
	n = "CAST(" + n + " AS BIGINT)"
	small := func(fn, times string) string { return fn + "(CAST(" + n + times + " AS INTEGER))" }
	switch part {
	case "year":
		return small("to_months", " * 12")
	case "quarter":
		return small("to_months", " * 3")
	case "month":
		return small("to_months", "")
	case "week":
		return small("to_days", " * 7")
	case "day", "dayofyear", "weekday":
		return small("to_days", "")
	case "hour":
		return "to_hours(" + n + ")"
	case "minute":
		return "to_minutes(" + n + ")"
	case "second":
		return "to_seconds(" + n + ")"
	case "millisecond":
		return "to_microseconds(" + n + " * 1000)"
	case "nanosecond":
		return "to_microseconds(" + n + " // 1000)"
	}
	return "to_microseconds(" + n + ")"
}

// addPart adds n units; a month's end stays in its month.
func addPart(t column.Ticks, part string, n int64) (column.Ticks, bool) {
	unit := column.Ticks(0)
	switch part {
	case "year", "quarter", "month":
		n *= map[string]int64{"year": 12, "quarter": 3, "month": 1}[part]
		day := t.Time()
		m := int64(day.Year())*12 + int64(day.Month()) - 1 + n
		if n > 12*10_000 || n < -12*10_000 || m < 12 || m >= 12*10_000 {
			return 0, false
		}
		first := time.Date(int(m/12), time.Month(m%12+1), 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		return column.DateTicks(first.Year(), int(first.Month()), min(day.Day(), last)) + t%column.Day, true
	case "week":
		unit = 7 * column.Day
	case "day", "dayofyear", "weekday":
		unit = column.Day
	case "hour":
		unit = column.Hour
	case "minute":
		unit = column.Minute
	case "second":
		unit = column.Second
	case "millisecond":
		unit = column.Millisecond
	case "microsecond":
		unit = 10
	default:
		return t + column.Ticks(n/100), (t + column.Ticks(n/100)).Valid()
	}
	if n > math.MaxInt64/int64(unit) || n < -math.MaxInt64/int64(unit) {
		return 0, false
	}
	out := t + column.Ticks(n)*unit
	return out, out.Valid()
}

func (b *binder) dateDiff(name string, c *syntax.Call, in *env) (*node, error) {
	part, err := partOf(c, 3)
	if err != nil {
		return nil, err
	}
	from, err := b.instant(c.Args[1], in)
	if err != nil {
		return nil, err
	}
	to, err := b.instant(c.Args[2], in)
	if err != nil {
		return nil, err
	}
	typ := Type{ID: Int}
	if name == "DATEDIFF_BIG" {
		typ.ID = BigInt
	}
	x, y := stamp(from), stamp(to)
	var sql string
	switch part {
	case "tzoffset", "iso_week", "weekday":
		return nil, badPart(c.Loc(), part, name, from.typ)
	case "week":
		sql = "(" + weekIndex(y) + " - " + weekIndex(x) + ")"
	case "dayofyear":
		sql = "date_diff('day', " + x + ", " + y + ")"
	case "nanosecond":
		sql = "(date_diff('microsecond', " + x + ", " + y + ") * 1000)"
	default:
		sql = "date_diff('" + part + "', " + x + ", " + y + ")"
	}
	if typ.ID == Int && part != "year" && part != "quarter" && part != "month" && part != "week" && part != "day" && part != "dayofyear" {
		sql = "(CASE WHEN abs(" + sql + ") > 2147483647 THEN " + dateDiffOverflow + " ELSE " + sql + " END)"
	}
	return &node{sql: "CAST(" + sql + " AS " + typ.engine() + ")", typ: typ}, nil
}

const dateDiffOverflow = "error('" + raisePrefix + "535:The datediff function resulted in an overflow. Use datediff with a less precise datepart.')"

// weekIndex counts weeks that begin on Sunday.
func weekIndex(sql string) string { return "(date_diff('day', DATE '0001-01-07', " + sql + ") // 7)" }

func (b *binder) datePart(name string, c *syntax.Call, in *env) (*node, error) {
	part, err := partOf(c, 2)
	if err != nil {
		return nil, err
	}
	d, err := b.instant(c.Args[1], in)
	if err != nil {
		return nil, err
	}
	if d.typ.ID == Date && isClock(part) && name != "DATEPART" && name != "DATENAME" || d.typ.ID == Time && !isClock(part) || d.typ.ID == Date && isClock(part) {
		return nil, badPart(c.Loc(), part, name, d.typ)
	}
	if name == "DATETRUNC" {
		return truncate(c, part, d)
	}
	x := stamp(d)
	n := &node{sql: partNumber(part, x), typ: Type{ID: Int}}
	if name == "DATEPART" {
		return n, nil
	}
	switch part {
	case "month":
		return &node{sql: "monthname(" + x + ")", typ: Type{ID: NVarChar, Size: 30}}, nil
	case "weekday":
		return &node{sql: "dayname(" + x + ")", typ: Type{ID: NVarChar, Size: 30}}, nil
	case "tzoffset":
		return constant(Type{ID: NVarChar, Size: 30}, textValue(KindText, "+00:00")), nil
	}
	return &node{sql: "CAST(" + n.sql + " AS VARCHAR)", typ: Type{ID: NVarChar, Size: 30}}, nil
}

func partNumber(part, x string) string {
	get := func(p string) string { return "date_part('" + p + "', " + x + ")" }
	var sql string
	switch part {
	case "weekday":
		sql = get("dow") + " + 1"
	case "week":
		sql = "(" + get("doy") + " + date_part('dow', date_trunc('year', " + x + ")) - 1) // 7 + 1"
	case "iso_week":
		sql = get("week")
	case "dayofyear":
		sql = get("doy")
	case "millisecond":
		sql = get("microsecond") + " % 1000000 // 1000"
	case "microsecond":
		sql = get("microsecond") + " % 1000000"
	case "nanosecond":
		sql = get("microsecond") + " % 1000000 * 1000"
	case "tzoffset":
		sql = "0"
	default:
		sql = get(part)
	}
	return "CAST(" + sql + " AS INTEGER)"
}

func truncate(c *syntax.Call, part string, d *node) (*node, error) {
	x := stamp(d)
	var sql string
	switch part {
	case "weekday", "tzoffset", "nanosecond":
		return nil, badPart(c.Loc(), part, "datetrunc", d.typ)
	case "week":
		sql = "(date_trunc('week', " + x + " + to_days(1)) - to_days(1))"
	case "iso_week":
		sql = "date_trunc('week', " + x + ")"
	case "dayofyear":
		sql = "date_trunc('day', " + x + ")"
	default:
		sql = "date_trunc('" + part + "', " + x + ")"
	}
	return &node{sql: "CAST(" + sql + " AS " + d.typ.engine() + ")", typ: d.typ}, nil
}

func (b *binder) dateBucket(name string, c *syntax.Call, in *env) (*node, error) {
	if len(c.Args) == 4 {
		return nil, unsupported(c.Loc(), "DATE_BUCKET with an origin")
	}
	part, err := partOf(c, 3)
	if err != nil {
		return nil, err
	}
	n, err := b.value(c.Args[1], in)
	if err != nil {
		return nil, err
	}
	if n, err = b.convert(n, Type{ID: BigInt}, castImplicit, c.Args[1].Loc()); err != nil {
		return nil, err
	}
	if n.con == nil || n.con.num <= 0 {
		return nil, errorf(9834, c.Args[1].Loc(), "Invalid bucket width value passed to date_bucket function. Only positive constants are allowed.")
	}
	d, err := b.instant(c.Args[2], in)
	if err != nil {
		return nil, err
	}
	switch part {
	case "dayofyear", "weekday", "iso_week", "tzoffset", "microsecond", "nanosecond":
		return nil, badPart(c.Loc(), part, name, d.typ)
	}
	if d.typ.ID == Date && isClock(part) || d.typ.ID == Time {
		return nil, badPart(c.Loc(), part, name, d.typ)
	}
	sql := fmt.Sprintf("time_bucket(%s, %s, TIMESTAMP '1900-01-01')", interval(part, n.sql), stamp(d))
	return &node{sql: "CAST(" + sql + " AS " + d.typ.engine() + ")", typ: d.typ}, nil
}

func (b *binder) iif(name string, c *syntax.Call, in *env) (*node, error) {
	if len(c.Args) != 3 {
		return nil, argCount(c, name, 3, 3)
	}
	return b.caseExpr(&syntax.Case{Span: c.Loc(), Whens: []syntax.When{{Cond: c.Args[0], Then: c.Args[1]}}, Else: c.Args[2]}, in)
}

// niladic binds names that are functions without parentheses, and the clock
// functions: one value for the whole statement.
func (b *binder) niladic(name string) (*node, bool) {
	now := column.TicksOf(b.now)
	if b.spark() {
		return sparkNiladic(strings.ToUpper(name), now)
	}
	switch strings.ToUpper(name) {
	case "CURRENT_TIMESTAMP", "GETDATE", "GETUTCDATE":
		return constant(Type{ID: DateTime}, timeValue(KindTime, roundDateTime(now))), true
	case "SYSDATETIME", "SYSUTCDATETIME":
		return constant(Type{ID: DateTime2, Scale: 7}, timeValue(KindTime, now)), true
	case "SYSDATETIMEOFFSET":
		return constant(Type{ID: DateTimeOffset, Scale: 7}, timeValue(KindTime, now)), true
	case "CURRENT_DATE":
		return constant(Type{ID: Date}, timeValue(KindDate, now-now%column.Day)), true
	case "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER":
		return constant(Type{ID: NVarChar, Size: 128}, textValue(KindText, "dbo")), true
	}
	return nil, false
}
