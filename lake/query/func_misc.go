package query

import (
	"fmt"
	"strings"

	"spate/sql/syntax"
)

// functions are the scalar functions whose arguments are values.
var functions = map[string]function{
	// date and time
	"GETDATE": {0, 0, clock}, "GETUTCDATE": {0, 0, clock}, "CURRENT_TIMESTAMP": {0, 0, clock}, "SYSDATETIME": {0, 0, clock},
	"SYSUTCDATETIME": {0, 0, clock}, "SYSDATETIMEOFFSET": {0, 0, clock}, "CURRENT_DATE": {0, 0, clock},
	"YEAR": {1, 1, simplePart("year")}, "MONTH": {1, 1, simplePart("month")}, "DAY": {1, 1, simplePart("day")},
	"EOMONTH": {1, 2, endOfMonth}, "DATEFROMPARTS": {3, 3, dateFromParts}, "DATETIMEFROMPARTS": {7, 7, dateTimeFromParts},
	"DATETIME2FROMPARTS": {8, 8, dateTimeFromParts}, "ISDATE": {1, 1, textTest("spate_isdate")},
	"CURRENT_TIMEZONE": {0, 0, fixedText("UTC")}, "CURRENT_TIMEZONE_ID": {0, 0, fixedText("UTC")},
	// texts
	"ASCII": {1, 1, charCode(255)}, "UNICODE": {1, 1, charCode(0)}, "CHAR": {1, 1, character(VarChar, 255)}, "NCHAR": {1, 1, character(NVarChar, 0x10ffff)},
	"CHARINDEX": {2, 3, bindCharIndex}, "PATINDEX": {2, 2, bindPatIndex}, "CONCAT": {2, 254, concatFunc("concat")}, "CONCAT_WS": {3, 254, concatFunc("concat_ws")},
	"LEFT": {2, 2, sideFunc("left")}, "RIGHT": {2, 2, sideFunc("right")}, "LEN": {1, 1, bindLen}, "LOWER": {1, 1, textual("lower(%s)")},
	"UPPER": {1, 1, textual("replace(upper(replace(%s, 'ß', chr(57344))), chr(57344), 'ß')")}, "LTRIM": {1, 2, trimFunc("ltrim")}, "RTRIM": {1, 2, trimFunc("rtrim")}, "TRIM": {1, 2, trimFunc("trim")},
	"QUOTENAME": {1, 2, bindQuoteName}, "REPLACE": {3, 3, textual("replace(%s, %s, %s)")}, "REPLICATE": {2, 2, bindReplicate},
	"REVERSE": {1, 1, textual("reverse(%s)")}, "SPACE": {1, 1, bindSpace}, "STR": {1, 3, bindStr}, "STUFF": {4, 4, bindStuff},
	"SUBSTRING": {2, 3, bindSubstring}, "TRANSLATE": {3, 3, bindTranslate}, "DATALENGTH": {1, 1, bindDataLength},
	// numbers
	"ABS": {1, 1, keepType("abs")}, "SIGN": {1, 1, bindSign}, "CEILING": {1, 1, whole("ceil")}, "FLOOR": {1, 1, whole("floor")}, "ROUND": {2, 3, bindRound},
	"POWER": {2, 2, typed("power(%s, %s)")}, "SQUARE": {1, 1, floats("power(%s, 2)", "")}, "SQRT": {1, 1, floats("sqrt(%s)", "%s < 0")}, "EXP": {1, 1, bindExp},
	"LOG": {1, 2, bindLog}, "LOG10": {1, 1, floats("log10(%s)", "%s <= 0")}, "SIN": {1, 1, floats("sin(%s)", "")}, "COS": {1, 1, floats("cos(%s)", "")},
	"TAN": {1, 1, floats("tan(%s)", "")}, "COT": {1, 1, floats("cot(%s)", "%s = 0")}, "ASIN": {1, 1, floats("asin(%s)", "abs(%s) > 1")},
	"ACOS": {1, 1, floats("acos(%s)", "abs(%s) > 1")}, "ATAN": {1, 1, floats("atan(%s)", "")}, "ATN2": {2, 2, floats("atan2(%s, %s)", "")},
	"DEGREES": {1, 1, typed("degrees(%s)")}, "RADIANS": {1, 1, typed("radians(%s)")}, "PI": {0, 0, floats("pi()", "")},
	// logic, NULL, conversion
	"ISNULL": {2, 2, bindIsNull}, "COALESCE": {2, -1, bindCoalesce}, "NULLIF": {2, 2, bindNullIf}, "CHOOSE": {2, -1, bindChoose},
	"GREATEST": {1, 254, extreme("greatest")}, "LEAST": {1, 254, extreme("least")}, "ISNUMERIC": {1, 1, textTest("spate_isnumeric")},
	// JSON, hashing, identifiers, system
	"ISJSON": {1, 1, textTest("spate_isjson")}, "JSON_VALUE": {2, 2, jsonFunc("spate_json_value", 4000)}, "JSON_QUERY": {1, 2, jsonFunc("spate_json_query", Max)},
	"JSON_PATH_EXISTS": {2, 2, jsonExists}, "HASHBYTES": {2, 2, hashBytes}, "NEWID": {0, 0, newID}, "DB_NAME": {0, 0, dbName}, "ORIGINAL_DB_NAME": {0, 0, dbName},
	"SUSER_NAME": {0, 0, fixedText("dbo")}, "SUSER_SNAME": {0, 0, fixedText("dbo")}, "USER_NAME": {0, 0, fixedText("dbo")}, "ORIGINAL_LOGIN": {0, 0, fixedText("dbo")},
}

func clock(b *binder, c *syntax.Call, _ []*node) (*node, error) {
	n, _ := b.niladic(nameText(c.Name))
	return n, nil
}

func fixedText(s string) bindFunc {
	return func(*binder, *syntax.Call, []*node) (*node, error) {
		return constant(Type{ID: NVarChar, Size: 128}, textValue(KindText, s)), nil
	}
}

func dbName(b *binder, _ *syntax.Call, _ []*node) (*node, error) {
	return constant(Type{ID: NVarChar, Size: 128}, textValue(KindText, b.database)), nil
}

func simplePart(part string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		d, err := b.asInstant(a[0], a[0].at)
		if err != nil {
			return nil, err
		}
		if d.typ.ID == Time {
			return nil, badPart(c.Loc(), part, part, d.typ)
		}
		return &node{sql: partNumber(part, stamp(d)), typ: intType}, nil
	}
}

func endOfMonth(b *binder, c *syntax.Call, a []*node) (*node, error) {
	d, err := b.asInstant(a[0], a[0].at)
	if err != nil {
		return nil, err
	}
	sql := stamp(d)
	if len(a) == 2 {
		n, err := b.asInt(a[1])
		if err != nil {
			return nil, err
		}
		sql = "(" + sql + " + " + interval("month", n.sql) + ")"
	}
	return &node{sql: "last_day(" + sql + ")", typ: Type{ID: Date}}, nil
}

// fromParts guards a constructor: NULL gives NULL, parts out of range error 289.
func fromParts(parts []string, sql, typ string) string {
	null := strings.Join(parts, " IS NULL OR ") + " IS NULL"
	return "(CASE WHEN " + null + " THEN NULL ELSE coalesce(try(" + sql + "), error('" + raisePrefix + "289:Cannot construct data type " + typ + ", some of the arguments have values which are not valid.')) END)"
}

func dateFromParts(b *binder, c *syntax.Call, a []*node) (*node, error) {
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

// dateTimeFromParts is DATETIMEFROMPARTS with milliseconds and
// DATETIME2FROMPARTS with a fraction of so many digits.
func dateTimeFromParts(b *binder, c *syntax.Call, a []*node) (*node, error) {
	ps := make([]string, len(a))
	for i, n := range a {
		x, err := b.asInt(n)
		if err != nil {
			return nil, err
		}
		a[i], ps[i] = x, "CAST("+x.sql+" AS BIGINT)"
	}
	typ, name, digits := Type{ID: DateTime}, "datetime", int64(3)
	if len(a) == 8 {
		if a[7].con == nil || a[7].con.num < 0 || a[7].con.num > 7 {
			return nil, errorf(10760, c.Loc(), "Scale argument is not valid. Valid expressions for data type datetime2 scale argument are integer constants and integer constant expressions.")
		}
		digits, ps = a[7].con.num, ps[:7]
		typ, name = Type{ID: DateTime2, Scale: int(digits)}, "datetime2"
	}
	unit := "1"
	for range digits {
		unit += "0"
	}
	// Seconds are checked apart: their fraction is added as microseconds.
	sql := fmt.Sprintf("CASE WHEN %s < %s AND %s >= 0 THEN make_timestamp(%s, CAST(%s AS DOUBLE)) + to_microseconds(%s * 1000000 // %s) END",
		ps[6], unit, ps[6], strings.Join(ps[:5], ", "), ps[5], ps[6], unit)
	sql = fromParts(ps, sql, name)
	if typ.ID == DateTime {
		sql = dateTimeSQL(sql)
	}
	return &node{sql: sql, typ: typ}, nil
}

// textTest is a Go function of a text that gives 0 or 1; NULL gives 0.
func textTest(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if fn != "spate_isjson" && a[0].typ.isNumber() && !a[0].null {
			known := "1"
			if fn == "spate_isdate" {
				known = "0"
			}
			return &node{sql: "(CASE WHEN " + a[0].sql + " IS NULL THEN 0 ELSE " + known + " END)", typ: intType}, nil
		}
		t, err := b.toText(a[0])
		if err != nil {
			return nil, err
		}
		sql := "CAST(" + fn + "(" + t.sql + ") AS INTEGER)"
		if fn != "spate_isjson" {
			sql = "coalesce(" + sql + ", 0)"
		}
		return &node{sql: sql, typ: intType}, nil
	}
}

func bindIsNull(b *binder, c *syntax.Call, a []*node) (*node, error) {
	t := a[0].typ
	if t.ID == Unknown {
		t = a[1].typ
	}
	r, err := b.convert(a[1], t, castExplicit, a[1].at)
	if err != nil {
		return nil, err
	}
	if a[0].null {
		return r, nil
	}
	return &node{sql: "coalesce(" + a[0].strict(t).sql + ", " + r.strict(t).sql + ")", typ: t}, nil
}

func bindCoalesce(b *binder, c *syntax.Call, a []*node) (*node, error) {
	t, err := b.unify(a)
	if err != nil {
		return nil, err
	}
	if t.ID == Unknown {
		return nil, errorf(4127, c.Loc(), "At least one of the arguments to COALESCE must be an expression that is not the NULL constant.")
	}
	return &node{sql: "coalesce(" + sqlList(a) + ")", typ: t}, nil
}

func sqlList(a []*node) string {
	parts := make([]string, len(a))
	for i, n := range a {
		parts[i] = n.sql
	}
	return strings.Join(parts, ", ")
}

func bindNullIf(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if a[0].null {
		return nil, errorf(4151, c.Loc(), "The type of the first argument to NULLIF cannot be the NULL constant because the type of the first argument has to be known.")
	}
	eq, err := b.compare("=", a[0], a[1], c.Loc())
	if err != nil {
		return nil, err
	}
	return &node{sql: "(CASE WHEN " + eq.sql + " THEN NULL ELSE " + a[0].strict(a[0].typ).sql + " END)", typ: a[0].typ}, nil
}

func bindChoose(b *binder, c *syntax.Call, a []*node) (*node, error) {
	i, err := b.asInt(a[0])
	if err != nil {
		return nil, err
	}
	t, err := b.unify(a[1:])
	if err != nil {
		return nil, err
	}
	var sql strings.Builder
	sql.WriteString("(CASE " + i.sql)
	for k, n := range a[1:] {
		fmt.Fprintf(&sql, " WHEN %d THEN %s", k+1, n.sql)
	}
	sql.WriteString(" END)")
	return &node{sql: sql.String(), typ: t}, nil
}

func extreme(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		t, err := b.unify(a)
		if err != nil {
			return nil, err
		}
		return &node{sql: fn + "(" + sqlList(a) + ")", typ: t}, nil
	}
}

func newID(*binder, *syntax.Call, []*node) (*node, error) {
	return &node{sql: "uuid()", typ: Type{ID: UniqueIdentifier}}, nil
}

// jsonFunc is JSON_VALUE and JSON_QUERY; the path is read when the query is bound.
func jsonFunc(fn string, size int) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if len(a) == 1 {
			a = append(a, constant(Type{ID: VarChar, Size: 1}, textValue(KindText, "$")))
		}
		if err := b.texts(a); err != nil {
			return nil, err
		}
		if a[1].con == nil {
			return nil, unsupported(c.Loc(), "A JSON path that is not a constant")
		}
		if _, _, err := jsonPath(a[1].con.str); err != nil {
			return nil, placed(err, a[1].at)
		}
		return &node{sql: fn + "(" + a[0].sql + ", " + a[1].sql + ")", typ: Type{ID: NVarChar, Size: size}}, nil
	}
}

func jsonExists(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := jsonFunc("spate_json_exists", Max)(b, c, a)
	if err != nil {
		return nil, err
	}
	return &node{sql: "CAST(" + n.sql + " AS INTEGER)", typ: intType}, nil
}

func hashBytes(b *binder, c *syntax.Call, a []*node) (*node, error) {
	alg := a[0].con
	sizes := map[string]int{"MD5": 16, "SHA": 20, "SHA1": 20, "SHA2_256": 32, "SHA2_512": 64}
	if alg == nil || sizes[strings.ToUpper(alg.str)] == 0 {
		return nil, unsupported(c.Loc(), "HASHBYTES with an algorithm other than the constants MD5, SHA1, SHA2_256 and SHA2_512")
	}
	name := strings.ToUpper(alg.str)
	out := Type{ID: VarBinary, Size: sizes[name]}
	switch a[1].typ.ID {
	case VarBinary:
		return &node{sql: "spate_hash(" + Quote(name) + ", " + a[1].sql + ")", typ: out}, nil
	case VarChar:
		return &node{sql: "spate_hash(" + Quote(name) + ", encode(" + a[1].sql + "))", typ: out}, nil
	case NVarChar:
		return &node{sql: "spate_hash(" + Quote(name) + ", spate_utf16(" + a[1].sql + "))", typ: out}, nil
	}
	return nil, errorf(8116, c.Loc(), "Argument data type %s is invalid for argument 2 of hashbytes function.", a[1].typ)
}

func bindStr(b *binder, c *syntax.Call, a []*node) (*node, error) {
	f, err := b.asFloat(a[0])
	if err != nil {
		return nil, err
	}
	args := []string{f, "CAST(10 AS BIGINT)", "CAST(0 AS BIGINT)"}
	for i, n := range a[1:] {
		x, err := b.asInt(n)
		if err != nil {
			return nil, err
		}
		args[i+1] = "CAST(" + x.sql + " AS BIGINT)"
	}
	return &node{sql: "spate_str(" + strings.Join(args, ", ") + ")", typ: Type{ID: VarChar, Size: 8000}}, nil
}
