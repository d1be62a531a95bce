package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// asDate is an argument as a date.
func (b *binder) asDate(n *node) (*node, error) {
	if n.typ.ID == Date {
		return n, nil
	}
	if !n.typ.hasDate() && !n.typ.isText() && !n.null {
		return nil, errorf(8116, n.at, "Argument data type %s is invalid: a date is expected.", n.typ)
	}
	return b.convert(n, Type{ID: Date}, castExplicit, n.at)
}

func sparkPart(part string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		d, err := b.asInstant(a[0], a[0].at)
		if err != nil {
			return nil, err
		}
		return &node{sql: sparkPartNumber(part, stamp(d)), typ: intType}, nil
	}
}

func sparkPartNumber(part, x string) string {
	get := part
	switch part {
	case "dayofweek":
		return "CAST(date_part('dow', " + x + ") + 1 AS INTEGER)"
	case "weekday":
		return "CAST(date_part('isodow', " + x + ") - 1 AS INTEGER)"
	case "dayofyear":
		get = "doy"
	}
	return "CAST(date_part('" + get + "', " + x + ") AS INTEGER)"
}

// sparkDatePart is DATE_PART('unit', time).
func sparkDatePart(b *binder, c *syntax.Call, a []*node) (*node, error) {
	parts := map[string]string{"YEAR": "year", "YEARS": "year", "Y": "year", "YR": "year", "QUARTER": "quarter", "QTR": "quarter", "MONTH": "month", "MON": "month", "MONTHS": "month",
		"WEEK": "week", "WEEKS": "week", "W": "week", "DAY": "day", "DAYS": "day", "D": "day", "DAYOFWEEK": "dayofweek", "DOW": "dayofweek", "DAYOFWEEK_ISO": "isodow", "DOW_ISO": "isodow",
		"DOY": "dayofyear", "HOUR": "hour", "HOURS": "hour", "H": "hour", "MINUTE": "minute", "MIN": "minute", "M": "minute"}
	if a[0].con == nil {
		return nil, unsupported(a[0].at, "A unit of DATE_PART that is not a constant")
	}
	part, ok := parts[strings.ToUpper(a[0].con.str)]
	if !ok {
		return nil, unsupported(a[0].at, "The unit '"+a[0].con.str+"' of DATE_PART")
	}
	return sparkPart(part)(b, c, a[1:])
}

func lastDay(b *binder, c *syntax.Call, a []*node) (*node, error) {
	d, err := b.asDate(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "last_day(" + d.sql + ")", typ: Type{ID: Date}}, nil
}

// addToDate is DATE_ADD, DATE_SUB and ADD_MONTHS.
func addToDate(part, sign string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		d, err := b.asDate(a[0])
		if err != nil {
			return nil, err
		}
		n, err := b.asInt(a[1])
		if err != nil {
			return nil, err
		}
		if d.con != nil && n.con != nil {
			k := n.con.num
			if sign == "-" {
				k = -k
			}
			if t, ok := addPart(d.con.Ticks(), part, k); ok {
				return constant(Type{ID: Date}, timeValue(KindDate, t)), nil
			}
		}
		return &node{sql: "CAST((" + d.sql + " + " + interval(part, "("+sign+n.sql+")") + ") AS DATE)", typ: Type{ID: Date}}, nil
	}
}

// daysBetween is DATEDIFF(end, start).
func (b *binder) daysBetween(c *syntax.Call, in *env) (*node, error) {
	var ds []*node
	for _, e := range c.Args {
		n, err := b.value(e, in)
		if err != nil {
			return nil, err
		}
		d, err := b.asDate(n)
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	return &node{sql: "CAST(date_diff('day', " + ds[1].sql + ", " + ds[0].sql + ") AS INTEGER)", typ: intType}, nil
}

// sparkUnit is the unit that the first argument of a call names.
func sparkUnit(name string, c *syntax.Call) (string, error) {
	if len(c.Args) != 3 {
		return "", argCount(c, strings.ToLower(name), 3, 3)
	}
	p, ok := c.Args[0].(*syntax.Path)
	if ok && len(p.Parts) == 1 {
		unit := strings.TrimSuffix(strings.ToUpper(p.Parts[0].Name), "S")
		if unit == "DAYOFYEAR" {
			unit = "DAY"
		}
		if syntax.IsIntervalUnit(unit) {
			return strings.ToLower(unit), nil
		}
	}
	return "", errorf(1023, c.Args[0].Loc(), "The first argument of %s is a unit: MICROSECOND to YEAR.", strings.ToLower(name))
}

// timestampDiff counts whole units between two times.
func (b *binder) timestampDiff(name string, c *syntax.Call, in *env) (*node, error) {
	unit, err := sparkUnit(name, c)
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
	if months := map[string]string{"month": "1", "quarter": "3", "year": "12"}[unit]; months != "" {
		return &node{sql: "(spate_whole_months(" + stamp(from) + ", " + stamp(to) + ") // " + months + ")", typ: Type{ID: BigInt}}, nil
	}
	return &node{sql: "datesub('" + unit + "', " + stamp(from) + ", " + stamp(to) + ")", typ: Type{ID: BigInt}}, nil
}

func (b *binder) timestampAdd(name string, c *syntax.Call, in *env) (*node, error) {
	unit, err := sparkUnit(name, c)
	if err != nil {
		return nil, err
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
	if num.con != nil && d.con != nil {
		t, ok := addPart(d.con.Ticks(), unit, num.con.num)
		if !ok {
			return nil, errorf(517, c.Loc(), "Adding a value to a '%s' caused an overflow.", d.typ)
		}
		return constant(timestampType, timeValue(KindTime, t)), nil
	}
	return &node{sql: "(" + stamp(d) + " + " + interval(unit, num.sql) + ")", typ: timestampType}, nil
}

func sparkMonthsBetween(b *binder, c *syntax.Call, a []*node) (*node, error) {
	round := "true"
	if len(a) == 3 {
		if a[2].typ.ID != Bit {
			return nil, errorf(8116, a[2].at, "The third argument of months_between is TRUE or FALSE.")
		}
		round = a[2].sql
	}
	var ts []string
	for _, n := range a[:2] {
		d, err := b.asInstant(n, n.at)
		if err != nil {
			return nil, err
		}
		ts = append(ts, stamp(d))
	}
	return &node{sql: "spate_months_between(" + ts[0] + ", " + ts[1] + ", " + round + ")", typ: floatType}, nil
}

// truncUnits are the units of DATE_TRUNC; those of TRUNC are week and longer.
var truncUnits = map[string]string{"YEAR": "year", "YYYY": "year", "YY": "year", "QUARTER": "quarter", "MONTH": "month", "MM": "month", "MON": "month", "WEEK": "week",
	"DAY": "day", "DD": "day", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second", "MILLISECOND": "millisecond", "MICROSECOND": "microsecond"}

// sparkTrunc is DATE_TRUNC(unit, time) and TRUNC(date, unit).
func sparkTrunc(date bool) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		unit, x := a[0], a[1]
		if date {
			unit, x = a[1], a[0]
		}
		if unit.con == nil || !unit.typ.isText() {
			return nil, unsupported(unit.at, "A unit that is not a constant text")
		}
		typ := timestampType
		part, ok := truncUnits[strings.ToUpper(unit.con.str)]
		if date {
			typ = Type{ID: Date}
			ok = ok && (part == "year" || part == "quarter" || part == "month" || part == "week")
		}
		if !ok {
			return &node{sql: "CAST(NULL AS " + typ.engine() + ")", typ: typ}, nil
		}
		var err error
		if date {
			x, err = b.asDate(x)
		} else {
			x, err = b.asInstant(x, x.at)
		}
		if err != nil {
			return nil, err
		}
		return &node{sql: "CAST(date_trunc('" + part + "', " + stamp(x) + ") AS " + typ.engine() + ")", typ: typ}, nil
	}
}

// javaPattern turns a pattern of Java into one of the engine.
func javaPattern(pattern string, at syntax.Span) (string, error) {
	codes := map[string]string{"yyyy": "%Y", "uuuu": "%Y", "y": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B", "LL": "%m", "dd": "%d", "d": "%-d",
		"HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g", "SSSSSS": "%f", "a": "%p",
		"E": "%a", "EE": "%a", "EEE": "%a", "EEEE": "%A", "D": "%-j", "DDD": "%j"}
	var out strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return "", errorf(8116, at, "The pattern '%s' has a quote without end.", pattern)
			}
			text := pattern[i+1 : i+1+end]
			if text == "" {
				text = "'"
			}
			out.WriteString(strings.ReplaceAll(text, "%", "%%"))
			i += end + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			code, ok := codes[pattern[i:i+n]]
			if !ok {
				return "", unsupported(at, "'"+pattern[i:i+n]+"' in the pattern of a date")
			}
			out.WriteString(code)
			i += n
		case c == '%':
			out.WriteString("%%")
			i++
		case c == '[' || c == ']':
			return "", unsupported(at, "An optional part in the pattern of a date")
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}

func javaPatternOf(n *node) (string, error) {
	if n.con == nil || !n.typ.isText() {
		return "", unsupported(n.at, "A pattern of a date that is not a constant")
	}
	return javaPattern(n.con.str, n.at)
}

func dateFormat(b *binder, c *syntax.Call, a []*node) (*node, error) {
	p, err := javaPatternOf(a[1])
	if err != nil {
		return nil, err
	}
	d, err := b.asInstant(a[0], a[0].at)
	if err != nil {
		return nil, err
	}
	return &node{sql: "strftime(" + stamp(d) + ", " + Quote(p) + ")", typ: stringType}, nil
}

// toTime is TO_DATE and TO_TIMESTAMP.
func toTime(typ Type) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if len(a) == 1 || !a[0].typ.isText() {
			if a[0].typ.isNumber() && a[0].typ.ID != Bit && typ.ID == Date {
				return nil, errorf(8116, a[0].at, "Argument data type %s is invalid: a date is expected.", a[0].typ)
			}
			return b.convert(a[0], typ, castExplicit, a[0].at)
		}
		p, err := javaPatternOf(a[1])
		if err != nil {
			return nil, err
		}
		return &node{sql: "CAST(strptime(" + a[0].sql + ", " + Quote(strings.ReplaceAll(p, "%-", "%")) + ") AS " + typ.engine() + ")", typ: typ}, nil
	}
}

func unixTimestamp(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if len(a) == 0 {
		n, _ := b.niladic("NOW")
		a = []*node{n}
	}
	t, err := toTime(timestampType)(b, c, a)
	if err != nil {
		return nil, err
	}
	return unixUnits(1_000_000)(b, c, []*node{t})
}

// unixUnits counts units of so many microseconds since 1970.
func unixUnits(micros int64) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		d, err := b.asInstant(a[0], a[0].at)
		if err != nil {
			return nil, err
		}
		us := "epoch_us(" + stamp(d) + ")"
		if micros > 1 { // rounds down, before 1970 too
			us = fmt.Sprintf("((%[1]s - (((%[1]s %% %[2]d) + %[2]d) %% %[2]d)) // %[2]d)", us, micros)
		}
		return &node{sql: "CAST(" + us + " AS BIGINT)", typ: Type{ID: BigInt}}, nil
	}
}

func fromUnits(micros int64) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		typ := Type{ID: BigInt}
		if !n.typ.isInteger() {
			typ = floatType
		}
		return &node{sql: fmt.Sprintf("make_timestamp(CAST(%s * %d AS BIGINT))", n.strict(typ).sql, micros), typ: timestampType}, nil
	}
}

func fromUnixTime(b *binder, c *syntax.Call, a []*node) (*node, error) {
	p := "%Y-%m-%d %H:%M:%S"
	if len(a) == 2 {
		var err error
		if p, err = javaPatternOf(a[1]); err != nil {
			return nil, err
		}
	}
	n, err := b.asInt(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "strftime(make_timestamp(CAST(" + n.sql + " AS BIGINT) * 1000000), " + Quote(p) + ")", typ: stringType}, nil
}

func makeDate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	ps := make([]string, len(a))
	for i, n := range a {
		x, err := b.asInt(n)
		if err != nil {
			return nil, err
		}
		ps[i] = "CAST(" + x.sql + " AS BIGINT)"
	}
	return &node{sql: fromParts(ps, "make_date("+strings.Join(ps, ", ")+")", "date"), typ: Type{ID: Date}}, nil
}

func unixDate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	d, err := b.asDate(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "CAST(date_diff('day', DATE '1970-01-01', " + d.sql + ") AS INTEGER)", typ: intType}, nil
}

func fromUnixDate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asInt(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "CAST((DATE '1970-01-01' + " + interval("day", n.sql) + ") AS DATE)", typ: Type{ID: Date}}, nil
}
