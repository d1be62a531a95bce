package query

import (
	"fmt"
	"slices"
	"strings"

	"spate/sql/syntax"
)

// sparkAggregates are the aggregates of Spark.
var sparkAggregates = set("COUNT", "COUNT_IF", "SUM", "AVG", "MEAN", "MIN", "MAX", "FIRST", "LAST", "ANY_VALUE", "STDDEV", "STD", "STDDEV_SAMP", "STDDEV_POP",
	"VARIANCE", "VAR_SAMP", "VAR_POP", "APPROX_COUNT_DISTINCT", "PERCENTILE", "PERCENTILE_APPROX", "APPROX_PERCENTILE", "MEDIAN",
	"BOOL_AND", "EVERY", "BOOL_OR", "SOME", "ANY", "MAX_BY", "MIN_BY", "GROUPING", "GROUPING_ID")

// isAggregate reports whether a call is of an aggregate.
func (b *binder) isAggregate(name string, c *syntax.Call) bool {
	if !b.spark() {
		return aggregates[name]
	}
	return sparkAggregates[name]
}

// sparkKnown are functions of Spark that are not built.
var sparkKnown = set("COLLECT_LIST", "COLLECT_SET", "ARRAY_AGG", "SKEWNESS", "KURTOSIS", "CORR", "COVAR_POP", "COVAR_SAMP", "MODE", "LISTAGG", "STRING_AGG", "HISTOGRAM_NUMERIC",
	"SPLIT", "FORMAT_STRING", "PRINTF", "FORMAT_NUMBER", "SUBSTRING_INDEX", "LEVENSHTEIN", "SOUNDEX", "SENTENCES", "PARSE_URL", "NEXT_DAY", "WINDOW", "SESSION_WINDOW",
	"FROM_JSON", "TO_JSON", "SCHEMA_OF_JSON", "JSON_TUPLE", "EXPLODE", "POSEXPLODE", "INLINE", "STACK", "ARRAY", "MAP", "STRUCT", "NAMED_STRUCT", "SIZE", "CARDINALITY",
	"ELEMENT_AT", "MAP_KEYS", "MAP_VALUES", "ARRAY_CONTAINS", "SORT_ARRAY", "TRANSFORM", "FILTER", "AGGREGATE", "SEQUENCE", "HASH", "XXHASH64", "CRC32", "CONV", "BIN",
	"FROM_UTC_TIMESTAMP", "TO_UTC_TIMESTAMP", "CONVERT_TIMEZONE", "MAKE_TIMESTAMP", "MAKE_INTERVAL", "EXTRACT", "INPUT_FILE_NAME", "MONOTONICALLY_INCREASING_ID", "RAISE_ERROR", "ASSERT_TRUE")

// sparkFunctions are the scalar functions of Spark whose arguments are values.
var sparkFunctions map[string]function

func init() { // its functions look into it
	sparkFunctions = map[string]function{
		// conditions and NULL
		"COALESCE": {1, -1, bindCoalesce}, "NVL": {2, 2, bindCoalesce}, "IFNULL": {2, 2, bindCoalesce}, "NULLIF": {2, 2, bindNullIf},
		"ISNULL": {1, 1, isNullTest("IS NULL")}, "ISNOTNULL": {1, 1, isNullTest("IS NOT NULL")},
		"GREATEST": {2, -1, extreme("greatest")}, "LEAST": {2, -1, extreme("least")}, "NVL2": {3, 3, sparkNVL2}, "ZEROIFNULL": {1, 1, zeroIfNull},
		// numbers
		"ABS": {1, 1, keepType("abs")}, "CEIL": {1, 1, sparkWhole("ceil")}, "CEILING": {1, 1, sparkWhole("ceil")}, "FLOOR": {1, 1, sparkWhole("floor")},
		"ROUND": {1, 2, sparkRound(false)}, "BROUND": {1, 2, sparkRound(true)}, "POW": {2, 2, floats("power(%s, %s)", "")}, "POWER": {2, 2, floats("power(%s, %s)", "")},
		"SQRT": {1, 1, guarded("sqrt(%s)", "%s < 0", nan)}, "CBRT": {1, 1, floats("spate_cbrt(%s)", "")}, "EXP": {1, 1, floats("exp(%s)", "")},
		"LN": {1, 1, guarded("ln(%s)", "%s <= 0", "NULL")}, "LOG": {1, 2, sparkLog}, "LOG10": {1, 1, guarded("log10(%s)", "%s <= 0", "NULL")},
		"LOG2": {1, 1, guarded("log2(%s)", "%s <= 0", "NULL")}, "SIGN": {1, 1, floats("CAST(sign(%s) AS DOUBLE)", "")}, "SIGNUM": {1, 1, floats("CAST(sign(%s) AS DOUBLE)", "")},
		"MOD": {2, 2, operation("%")}, "PMOD": {2, 2, positiveMod}, "RAND": {0, 0, constantSQL("random()", floatType)}, "RANDOM": {0, 0, constantSQL("random()", floatType)},
		"SIN": {1, 1, floats("sin(%s)", "")}, "COS": {1, 1, floats("cos(%s)", "")}, "TAN": {1, 1, floats("tan(%s)", "")}, "ATAN": {1, 1, floats("atan(%s)", "")},
		"ASIN": {1, 1, guarded("asin(%s)", "abs(%s) > 1", nan)}, "ACOS": {1, 1, guarded("acos(%s)", "abs(%s) > 1", nan)}, "ATAN2": {2, 2, floats("atan2(%s, %s)", "")},
		"DEGREES": {1, 1, floats("degrees(%s)", "")}, "RADIANS": {1, 1, floats("radians(%s)", "")}, "PI": {0, 0, constantSQL("pi()", floatType)}, "E": {0, 0, constantSQL("exp(1)", floatType)},
		// texts
		"UPPER": {1, 1, textual("upper(%s)")}, "UCASE": {1, 1, textual("upper(%s)")}, "LOWER": {1, 1, textual("lower(%s)")}, "LCASE": {1, 1, textual("lower(%s)")},
		"TRIM": {1, 2, sparkTrim("trim")}, "BTRIM": {1, 2, sparkTrim("trim")}, "LTRIM": {1, 2, sparkTrim("ltrim")}, "RTRIM": {1, 2, sparkTrim("rtrim")},
		"LENGTH": {1, 1, textInt("length(%s)")}, "LEN": {1, 1, textInt("length(%s)")}, "CHAR_LENGTH": {1, 1, textInt("length(%s)")}, "CHARACTER_LENGTH": {1, 1, textInt("length(%s)")},
		"OCTET_LENGTH": {1, 1, textInt("strlen(%s)")}, "ASCII": {1, 1, textInt("ascii(%s)")}, "INSTR": {2, 2, textInt("CASE WHEN %[2]s = '' THEN 1 ELSE instr(%[1]s, %[2]s) END")},
		"LOCATE": {2, 3, locate}, "POSITION": {2, 3, locate}, "CHARINDEX": {2, 3, locate}, "SUBSTRING": {2, 3, sparkSubstring}, "SUBSTR": {2, 3, sparkSubstring},
		"LEFT":   {2, 2, countedText("CASE WHEN %[2]s <= 0 THEN CASE WHEN %[1]s IS NOT NULL THEN '' END ELSE left(%[1]s, %[2]s) END")},
		"RIGHT":  {2, 2, countedText("CASE WHEN %[2]s <= 0 THEN CASE WHEN %[1]s IS NOT NULL THEN '' END ELSE right(%[1]s, %[2]s) END")},
		"REPEAT": {2, 2, countedText("repeat(%[1]s, least(greatest(%[2]s, 0), 1048576))")}, "SPACE": {1, 1, sparkSpace},
		"CONCAT": {0, -1, sparkConcat}, "CONCAT_WS": {1, -1, sparkConcatWS}, "REPLACE": {2, 3, sparkReplace}, "REVERSE": {1, 1, textual("reverse(%s)")},
		"TRANSLATE": {3, 3, textual("translate(%s, %s, %s)")}, "INITCAP": {1, 1, textual("spate_initcap(%s)")}, "LPAD": {2, 3, pad("lpad")}, "RPAD": {2, 3, pad("rpad")},
		"STARTSWITH": {2, 2, textTest2("starts_with")}, "ENDSWITH": {2, 2, textTest2("ends_with")}, "CONTAINS": {2, 2, textTest2("contains")},
		"REGEXP_LIKE": {2, 2, textTest2("regexp_matches")}, "RLIKE": {2, 2, textTest2("regexp_matches")}, "REGEXP": {2, 2, textTest2("regexp_matches")},
		"REGEXP_REPLACE": {3, 3, regexpReplace}, "REGEXP_EXTRACT": {2, 3, regexpExtract}, "SPLIT_PART": {3, 3, splitPart},
		"MD5": {1, 1, sparkHash("MD5")}, "SHA": {1, 1, sparkHash("SHA1")}, "SHA1": {1, 1, sparkHash("SHA1")}, "SHA2": {2, 2, sparkSHA2},
		"HEX": {1, 1, sparkHex}, "BASE64": {1, 1, sparkBase64}, "UUID": {0, 0, constantSQL("CAST(uuid() AS VARCHAR)", stringType)}, "GET_JSON_OBJECT": {2, 2, jsonObject},
		// dates and times
		"NOW": {0, 0, clock}, "CURRENT_TIMESTAMP": {0, 0, clock}, "CURRENT_DATE": {0, 0, clock}, "CURDATE": {0, 0, clock}, "LOCALTIMESTAMP": {0, 0, clock},
		"CURRENT_TIMEZONE": {0, 0, constantSQL("'Etc/UTC'", stringType)}, "CURRENT_USER": {0, 0, clock}, "USER": {0, 0, clock},
		"YEAR": {1, 1, sparkPart("year")}, "QUARTER": {1, 1, sparkPart("quarter")}, "MONTH": {1, 1, sparkPart("month")}, "DAY": {1, 1, sparkPart("day")},
		"DAYOFMONTH": {1, 1, sparkPart("day")}, "HOUR": {1, 1, sparkPart("hour")}, "MINUTE": {1, 1, sparkPart("minute")}, "SECOND": {1, 1, sparkPart("second")},
		"DAYOFWEEK": {1, 1, sparkPart("dayofweek")}, "WEEKDAY": {1, 1, sparkPart("weekday")}, "DAYOFYEAR": {1, 1, sparkPart("dayofyear")}, "WEEKOFYEAR": {1, 1, sparkPart("week")},
		"DATE_PART": {2, 2, sparkDatePart}, "DATEPART": {2, 2, sparkDatePart}, "LAST_DAY": {1, 1, lastDay},
		"DATE_ADD": {2, 2, addToDate("day", "")}, "DATE_SUB": {2, 2, addToDate("day", "-")}, "ADD_MONTHS": {2, 2, addToDate("month", "")},
		"MONTHS_BETWEEN": {2, 3, sparkMonthsBetween}, "DATE_TRUNC": {2, 2, sparkTrunc(false)}, "TRUNC": {2, 2, sparkTrunc(true)},
		"TO_DATE": {1, 2, toTime(Type{ID: Date})}, "TO_TIMESTAMP": {1, 2, toTime(timestampType)}, "DATE_FORMAT": {2, 2, dateFormat},
		"UNIX_TIMESTAMP": {0, 2, unixTimestamp}, "TO_UNIX_TIMESTAMP": {1, 2, unixTimestamp}, "FROM_UNIXTIME": {1, 2, fromUnixTime},
		"UNIX_SECONDS": {1, 1, unixUnits(1_000_000)}, "UNIX_MILLIS": {1, 1, unixUnits(1000)}, "UNIX_MICROS": {1, 1, unixUnits(1)},
		"TIMESTAMP_SECONDS": {1, 1, fromUnits(1_000_000)}, "TIMESTAMP_MILLIS": {1, 1, fromUnits(1000)}, "TIMESTAMP_MICROS": {1, 1, fromUnits(1)},
		"MAKE_DATE": {3, 3, makeDate}, "UNIX_DATE": {1, 1, unixDate}, "DATE_FROM_UNIX_DATE": {1, 1, fromUnixDate},
	}
	for name, typ := range map[string]string{"STRING": "STRING", "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INT", "BIGINT": "BIGINT", "FLOAT": "FLOAT",
		"DOUBLE": "DOUBLE", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP", "DECIMAL": "DECIMAL", "BINARY": "BINARY"} {
		sparkFunctions[name] = function{1, 1, func(b *binder, c *syntax.Call, a []*node) (*node, error) {
			as := &syntax.TypeName{Span: c.Span, Name: typ}
			t, err := sparkType(as)
			if err != nil {
				return nil, err
			}
			return b.sparkCast(a[0], t, as, castExplicit, c.Loc())
		}}
	}
}

// sparkCall binds a scalar function of Spark.
func (b *binder) sparkCall(name string, c *syntax.Call, in *env) (*node, error) {
	switch name {
	case "IF", "IFF":
		return b.iif(name, c, in)
	case "DATEDIFF", "DATE_DIFF":
		if len(c.Args) == 2 {
			return b.daysBetween(c, in)
		}
		return b.timestampDiff(name, c, in)
	case "TIMESTAMPDIFF":
		return b.timestampDiff(name, c, in)
	case "DATEADD", "TIMESTAMPADD":
		if len(c.Args) == 3 {
			return b.timestampAdd(name, c, in)
		}
		name = "DATE_ADD"
	}
	if f, ok := sparkFunctions[name]; ok {
		return b.apply1(f, name, c, in)
	}
	if sparkKnown[name] || known[name] || aggregates[name] {
		return nil, errorf(40511, c.Loc(), "Built-in function '%s' is not supported yet in the dialect of Spark.", name)
	}
	if _, ok := functions[name]; ok || form(name) != nil {
		return nil, errorf(195, c.Loc(), "'%s' is a function of T-SQL, and not of Spark.", nameText(c.Name))
	}
	return nil, errorf(195, c.Loc(), "'%s' is not a recognized function name.", nameText(c.Name))
}

// sparkAggregate binds an aggregate; over is its window, or empty.
func (b *binder) sparkAggregate(name string, c *syntax.Call, in *env, over string) (*node, error) {
	distinct := ""
	if c.Distinct {
		distinct = "DISTINCT "
	}
	if c.WithinGroup != nil {
		return nil, errorf(10753, c.Loc(), "The function '%s' may not have a WITHIN GROUP clause.", name)
	}
	if c.Nulls != "" && name != "FIRST" && name != "LAST" && name != "ANY_VALUE" {
		return nil, errorf(10753, c.Loc(), "The function '%s' may not have %s NULLS.", name, c.Nulls)
	}
	if len(c.Args) == 1 && isStar(c.Args[0]) {
		if name != "COUNT" || c.Distinct {
			return nil, argCount(c, name, 1, 1)
		}
		return countOf("COUNT_BIG", "count(*)"+over), nil
	}
	var a []*node
	for _, e := range c.Args {
		n, err := b.value(e, in)
		if err != nil {
			return nil, err
		}
		a = append(a, n)
	}
	want := 1
	switch name {
	case "PERCENTILE", "MAX_BY", "MIN_BY":
		want = 2
	case "PERCENTILE_APPROX", "APPROX_PERCENTILE":
		if want = 2; len(a) == 3 {
			want = 3
		}
	case "FIRST", "LAST", "ANY_VALUE":
		if len(a) == 2 {
			want = 2
		}
	case "COUNT":
		want = max(1, len(a))
	}
	if len(a) != want {
		return nil, argCount(c, name, want, want)
	}
	x := a[0]
	agg := func(fn, arg string) string { return fn + "(" + distinct + arg + ")" + over }
	number := func() (*node, error) {
		if x.typ.isText() || x.null {
			return b.convert(x, floatType, castImplicit, x.at)
		}
		if !x.typ.isNumber() || x.typ.ID == Bit {
			return nil, errorf(8117, c.Loc(), "Operand data type %s is invalid for %s.", x.typ, strings.ToLower(name))
		}
		return x.strict(x.typ), nil
	}
	switch name {
	case "COUNT":
		if len(a) == 1 {
			return countOf("COUNT_BIG", agg("count", x.sql)), nil
		}
		var there []string
		for _, n := range a {
			there = append(there, n.sql+" IS NOT NULL")
		}
		return countOf("COUNT_BIG", agg("count", "CASE WHEN "+strings.Join(there, " AND ")+" THEN row("+sqlList(a)+") END")), nil
	case "APPROX_COUNT_DISTINCT":
		return countOf("COUNT_BIG", "count(DISTINCT "+x.sql+")"+over), nil
	case "COUNT_IF":
		return countOf("COUNT_BIG", "count(CASE WHEN "+x.sql+" THEN 1 END)"+over), nil
	case "MIN", "MAX":
		return &node{sql: agg(strings.ToLower(name), x.strict(x.typ).sql), typ: x.typ}, nil
	case "FIRST", "LAST", "ANY_VALUE":
		fn := map[string]string{"FIRST": "first", "LAST": "last", "ANY_VALUE": "first"}[name]
		if over != "" {
			fn += "_value"
		}
		skip := c.Nulls == "IGNORE"
		if len(a) == 2 {
			if a[1].con == nil || a[1].con.Kind != KindBool {
				return nil, unsupported(a[1].at, "A flag of "+strings.ToLower(name)+" that is not TRUE or FALSE")
			}
			skip = a[1].con.Bool()
		}
		arg, filter := x.strict(x.typ).sql, ""
		if skip && over != "" {
			arg += " IGNORE NULLS"
		} else if skip {
			filter = " FILTER (WHERE " + x.sql + " IS NOT NULL)"
		}
		return &node{sql: fn + "(" + arg + ")" + filter + over, typ: x.typ}, nil
	case "BOOL_AND", "EVERY", "BOOL_OR", "SOME", "ANY":
		fn := "bool_and"
		if name != "BOOL_AND" && name != "EVERY" {
			fn = "bool_or"
		}
		if x.typ.ID != Bit {
			return nil, errorf(8117, c.Loc(), "Operand data type %s is invalid for %s.", x.typ, strings.ToLower(name))
		}
		return &node{sql: agg(fn, x.sql), typ: x.typ}, nil
	case "MAX_BY", "MIN_BY":
		fn := map[string]string{"MAX_BY": "arg_max_null", "MIN_BY": "arg_min_null"}[name]
		return &node{sql: fn + "(" + x.strict(x.typ).sql + ", " + a[1].strict(a[1].typ).sql + ")" + over, typ: x.typ}, nil
	}
	x, err := number()
	if err != nil {
		return nil, err
	}
	double := "CAST(" + x.sql + " AS DOUBLE)"
	switch name {
	case "SUM":
		switch {
		case x.typ.isInteger():
			return &node{sql: "CAST(" + agg("sum", x.sql) + " AS BIGINT)", typ: Type{ID: BigInt}}, nil
		case x.typ.ID == Decimal:
			t := decimalOf(min(x.typ.Prec+10, 38), x.typ.Scale)
			return &node{sql: "CAST(" + agg("sum", x.sql) + " AS " + t.engine() + ")", typ: t}, nil
		}
		return &node{sql: agg("sum", double), typ: floatType}, nil
	case "AVG", "MEAN":
		if x.typ.ID == Decimal {
			t := reduced(x.typ.Prec+4, x.typ.Scale+4)
			return &node{sql: fmt.Sprintf("CAST(spate_divide_round(CAST(%s AS VARCHAR), CAST(nullif(%s, 0) AS VARCHAR), CAST(%d AS BIGINT)) AS %s)",
				agg("sum", x.sql), agg("count", x.sql), t.Scale, t.engine()), typ: t}, nil
		}
		return &node{sql: agg("avg", double), typ: floatType}, nil
	case "PERCENTILE", "PERCENTILE_APPROX", "APPROX_PERCENTILE":
		if a[1].con == nil || !a[1].con.isNumber() || a[1].con.approx() < 0 || a[1].con.approx() > 1 {
			return nil, errorf(10751, c.Loc(), "The percentage of %s is a constant between 0.0 and 1.0.", strings.ToLower(name))
		}
		if name == "PERCENTILE" {
			return &node{sql: agg("quantile_cont", fmt.Sprintf("%s, %v", double, a[1].con.approx())), typ: floatType}, nil
		}
		return &node{sql: agg("quantile_disc", fmt.Sprintf("%s, %v", x.sql, a[1].con.approx())), typ: x.typ}, nil
	case "MEDIAN":
		return &node{sql: agg("median", double), typ: floatType}, nil
	}
	fn := map[string]string{"STDDEV": "stddev_samp", "STD": "stddev_samp", "STDDEV_SAMP": "stddev_samp", "STDDEV_POP": "stddev_pop",
		"VARIANCE": "var_samp", "VAR_SAMP": "var_samp", "VAR_POP": "var_pop"}[name]
	return &node{sql: agg(fn, double), typ: floatType}, nil
}

const nan = "CAST('NaN' AS DOUBLE)"

// guarded is a function of a double that gives something else where a condition holds.
func guarded(format, bad, instead string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		f, err := b.asFloat(a[0])
		if err != nil {
			return nil, err
		}
		return &node{sql: "(CASE WHEN " + fmt.Sprintf(bad, f) + " THEN " + instead + " ELSE " + fmt.Sprintf(format, f) + " END)", typ: floatType}, nil
	}
}

func constantSQL(sql string, typ Type) bindFunc {
	return func(*binder, *syntax.Call, []*node) (*node, error) { return &node{sql: sql, typ: typ}, nil }
}

func isNullTest(test string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		return pred("(" + a[0].sql + " " + test + ")"), nil
	}
}

func sparkNVL2(b *binder, c *syntax.Call, a []*node) (*node, error) {
	ns := a[1:]
	t, err := b.unify(ns)
	if err != nil {
		return nil, err
	}
	return &node{sql: "(CASE WHEN " + a[0].sql + " IS NOT NULL THEN " + ns[0].sql + " ELSE " + ns[1].sql + " END)", typ: t}, nil
}

func zeroIfNull(b *binder, c *syntax.Call, a []*node) (*node, error) {
	return bindCoalesce(b, c, []*node{a[0], constant(intType, intValue(0))})
}

func operation(op string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		return b.sparkArith(op, a[0], a[1], c.Loc())
	}
}

func positiveMod(b *binder, c *syntax.Call, a []*node) (*node, error) {
	m, err := b.sparkArith("%", a[0], a[1], c.Loc())
	if err != nil {
		return nil, err
	}
	return &node{sql: "CAST((" + m.sql + " + " + a[1].sql + ") % " + a[1].sql + " AS " + m.typ.engine() + ")", typ: m.typ}, nil
}

// sparkWhole is CEIL and FLOOR: a double becomes a bigint.
func sparkWhole(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		t := Type{ID: BigInt}
		if n.typ.ID == Decimal {
			t = Type{ID: Decimal, Prec: min(38, max(1, n.typ.Prec-n.typ.Scale+1))}
		}
		return &node{sql: "CAST(" + fn + "(" + n.sql + ") AS " + t.engine() + ")", typ: t}, nil
	}
}

func sparkRound(even bool) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		n, err := b.asNumber(a[0])
		if err != nil {
			return nil, err
		}
		digits := int64(0)
		if len(a) == 2 {
			d, err := b.asInt(a[1])
			if err != nil {
				return nil, err
			}
			if d.con == nil {
				return nil, errorf(8116, c.Loc(), "The digits of %s are a constant.", strings.ToLower(nameText(c.Name)))
			}
			digits = max(-400, min(400, d.con.num))
		}
		double := func(sql string) string {
			return fmt.Sprintf("spate_round(CAST(%s AS DOUBLE), CAST(%d AS BIGINT), %v)", sql, digits, even)
		}
		switch {
		case n.typ.ID == Float, n.typ.ID == Real:
			return &node{sql: "CAST(" + double(n.sql) + " AS " + n.typ.engine() + ")", typ: n.typ}, nil
		case n.typ.isInteger() && digits >= 0:
			return n, nil
		case even:
			return nil, unsupported(c.Loc(), "BROUND of "+n.typ.String())
		case n.typ.isInteger():
			return &node{sql: fmt.Sprintf("CAST(round(CAST(%s AS DECIMAL(38,0)), %d) AS %s)", n.sql, max(digits, -37), n.typ.engine()), typ: n.typ}, nil
		}
		if digits < 0 {
			t := Type{ID: Decimal, Prec: min(38, max(n.typ.Prec-n.typ.Scale, int(-digits))+1)}
			return &node{sql: fmt.Sprintf("CAST(round(CAST(%s AS DECIMAL(38,%d)), %d) AS %s)", n.sql, n.typ.Scale, max(digits, -37), t.engine()), typ: t}, nil
		}
		t := n.typ
		t.Scale = min(t.Scale, int(digits))
		t.Prec = min(38, n.typ.Prec-n.typ.Scale+t.Scale+1)
		if t.Scale == n.typ.Scale {
			t.Prec = min(38, n.typ.Prec+1)
		}
		return &node{sql: fmt.Sprintf("CAST(round(%s, %d) AS %s)", n.sql, t.Scale, t.engine()), typ: t}, nil
	}
}

func sparkLog(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if len(a) == 1 {
		return guarded("ln(%s)", "%s <= 0", "NULL")(b, c, a)
	}
	base, err := b.asFloat(a[0])
	if err != nil {
		return nil, err
	}
	x, err := b.asFloat(a[1])
	if err != nil {
		return nil, err
	}
	return &node{sql: fmt.Sprintf("(CASE WHEN %s > 0 AND %s > 0 THEN ln(%s) / ln(%s) END)", base, x, x, base), typ: floatType}, nil
}

// textInt is a function of texts that gives an int.
func textInt(format string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		args := make([]any, len(a))
		for i, n := range a {
			args[i] = n.sql
		}
		return &node{sql: "CAST(" + fmt.Sprintf(format, args...) + " AS INTEGER)", typ: intType}, nil
	}
}

// textTest2 is a condition on two texts.
func textTest2(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		return pred(fn + "(" + a[0].sql + ", " + a[1].sql + ")"), nil
	}
}

// countedText is a function of a text and a number.
func countedText(format string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		t, err := b.toText(a[0])
		if err != nil {
			return nil, err
		}
		n, err := b.asInt(a[1])
		if err != nil {
			return nil, err
		}
		return &node{sql: "(" + fmt.Sprintf(format, t.sql, n.sql) + ")", typ: stringType}, nil
	}
}

func sparkTrim(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		if len(a) == 1 {
			return &node{sql: fn + "(" + a[0].sql + ", ' ')", typ: stringType}, nil
		}
		// The characters come first, but for BTRIM.
		x, chars := a[1], a[0]
		if strings.EqualFold(nameText(c.Name), "BTRIM") {
			x, chars = a[0], a[1]
		}
		return &node{sql: fn + "(" + x.sql + ", " + chars.sql + ")", typ: stringType}, nil
	}
}

func sparkSpace(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asInt(a[0])
	if err != nil {
		return nil, err
	}
	return &node{sql: "repeat(' ', least(greatest(" + n.sql + ", 0), 1048576))", typ: stringType}, nil
}

// sparkSubstring counts a start below zero from the end; zero is one.
func sparkSubstring(b *binder, c *syntax.Call, a []*node) (*node, error) {
	t, err := b.toText(a[0])
	if err != nil {
		return nil, err
	}
	start, err := b.asInt(a[1])
	if err != nil {
		return nil, err
	}
	length := "2147483647"
	if len(a) == 3 {
		l, err := b.asInt(a[2])
		if err != nil {
			return nil, err
		}
		length = l.sql
	}
	if start.con != nil && start.con.num >= 1 && len(a) == 2 {
		return &node{sql: "substr(" + t.sql + ", " + start.sql + ")", typ: stringType}, nil
	}
	from := fmt.Sprintf("(CASE WHEN %[1]s > 0 THEN %[1]s - 1 WHEN %[1]s < 0 THEN length(%[2]s) + %[1]s ELSE 0 END)", start.sql, t.sql)
	return &node{sql: fmt.Sprintf("(CASE WHEN %[3]s IS NOT NULL AND %[4]s IS NOT NULL THEN substr(%[1]s, greatest(%[2]s, 0) + 1, greatest(%[2]s + least(%[3]s, 2147483647) - greatest(%[2]s, 0), 0)) END)",
		t.sql, from, length, start.sql), typ: stringType}, nil
}

func locate(b *binder, c *syntax.Call, a []*node) (*node, error) {
	ns := a[:2]
	if err := b.texts(ns); err != nil {
		return nil, err
	}
	find, in := ns[0].sql, ns[1].sql
	if len(a) == 2 {
		return textInt("CASE WHEN %[1]s = '' THEN 1 ELSE instr(%[2]s, %[1]s) END")(b, c, ns)
	}
	n, err := b.asInt(a[2])
	if err != nil {
		return nil, err
	}
	at := n.sql
	return &node{sql: fmt.Sprintf("CAST(CASE WHEN %[3]s < 1 THEN 0 WHEN %[1]s = '' THEN %[3]s WHEN instr(substr(%[2]s, %[3]s), %[1]s) > 0 THEN instr(substr(%[2]s, %[3]s), %[1]s) + %[3]s - 1 WHEN %[1]s IS NOT NULL AND %[2]s IS NOT NULL THEN 0 END AS INTEGER)",
		find, in, at), typ: intType}, nil
}

// sparkConcat is NULL where an argument is.
func sparkConcat(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if len(a) == 0 {
		return constant(stringType, textValue(KindText, "")), nil
	}
	if err := b.texts(a); err != nil {
		return nil, err
	}
	parts := make([]string, len(a))
	for i, n := range a {
		parts[i] = n.sql
	}
	return &node{sql: "(" + strings.Join(parts, " || ") + ")", typ: stringType}, nil
}

func sparkConcatWS(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	if len(a) == 1 {
		return &node{sql: "(CASE WHEN " + a[0].sql + " IS NOT NULL THEN '' END)", typ: stringType}, nil
	}
	return &node{sql: "concat_ws(" + sqlList(a) + ")", typ: stringType}, nil
}

func sparkReplace(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if len(a) == 2 {
		a = append(a, constant(stringType, textValue(KindText, "")))
	}
	if err := b.texts(a); err != nil {
		return nil, err
	}
	return &node{sql: "replace(" + sqlList(a) + ")", typ: stringType}, nil
}

func pad(fn string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		with := constant(stringType, textValue(KindText, " "))
		if len(a) == 3 {
			with = a[2]
		}
		ns := []*node{a[0], with}
		if err := b.texts(ns); err != nil {
			return nil, err
		}
		n, err := b.asInt(a[1])
		if err != nil {
			return nil, err
		}
		count := "CAST(least(greatest(" + n.sql + ", 0), 1048576) AS INTEGER)"
		return &node{sql: fmt.Sprintf("(CASE WHEN %[3]s = '' THEN left(%[2]s, %[4]s) ELSE %[1]s(%[2]s, %[4]s, %[3]s) END)", fn, ns[0].sql, ns[1].sql, count), typ: stringType}, nil
	}
}

// regexpReplace replaces every match. Groups are $1 in the replacement.
func regexpReplace(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	if a[2].con == nil {
		return nil, unsupported(a[2].at, "A replacement of REGEXP_REPLACE that is not a constant")
	}
	var out strings.Builder
	text := a[2].con.str
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '$' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			out.WriteByte('\\')
		case text[i] == '\\' && i+1 < len(text):
			i++
			if text[i] == '\\' {
				out.WriteByte('\\')
			}
			out.WriteByte(text[i])
		default:
			out.WriteByte(text[i])
		}
	}
	return &node{sql: "regexp_replace(" + a[0].sql + ", " + a[1].sql + ", " + Quote(out.String()) + ", 'g')", typ: stringType}, nil
}

func regexpExtract(b *binder, c *syntax.Call, a []*node) (*node, error) {
	ns := a[:2]
	if err := b.texts(ns); err != nil {
		return nil, err
	}
	group := int64(1)
	if len(a) == 3 {
		n, err := b.asInt(a[2])
		if err != nil {
			return nil, err
		}
		if n.con == nil || n.con.num < 0 || n.con.num > 9 {
			return nil, unsupported(a[2].at, "A group of REGEXP_EXTRACT other than a constant from 0 to 9")
		}
		group = n.con.num
	}
	return &node{sql: fmt.Sprintf("regexp_extract(%s, %s, %d)", ns[0].sql, ns[1].sql, group), typ: stringType}, nil
}

func splitPart(b *binder, c *syntax.Call, a []*node) (*node, error) {
	n, err := b.asInt(a[2])
	if err != nil {
		return nil, err
	}
	if n.con == nil || n.con.num == 0 {
		return nil, errorf(8116, a[2].at, "The part of SPLIT_PART is a constant other than 0.")
	}
	ns := a[:2]
	if err := b.texts(ns); err != nil {
		return nil, err
	}
	return &node{sql: fmt.Sprintf("split_part(%s, %s, %s)", ns[0].sql, ns[1].sql, n.sql), typ: stringType}, nil
}

func sparkHash(alg string) bindFunc {
	return func(b *binder, c *syntax.Call, a []*node) (*node, error) {
		x := a[0].sql
		if a[0].typ.ID != VarBinary {
			if err := b.texts(a[:1]); err != nil {
				return nil, err
			}
			x = "encode(" + a[0].sql + ")"
		}
		return &node{sql: "lower(hex(spate_hash(" + Quote(alg) + ", " + x + ")))", typ: stringType}, nil
	}
}

func sparkSHA2(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if a[1].con != nil && a[1].con.Kind == KindInt {
		switch a[1].con.num {
		case 0, 256:
			return sparkHash("SHA2_256")(b, c, a[:1])
		case 512:
			return sparkHash("SHA2_512")(b, c, a[:1])
		}
	}
	return nil, unsupported(a[1].at, "SHA2 with a length other than 0, 256 and 512")
}

func sparkHex(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if a[0].typ.isInteger() {
		return &node{sql: "hex(" + a[0].strict(Type{ID: BigInt}).sql + ")", typ: stringType}, nil
	}
	x := a[0]
	if x.typ.ID != VarBinary && !x.typ.isText() {
		return nil, errorf(8116, c.Loc(), "Argument data type %s is invalid for hex.", x.typ)
	}
	return &node{sql: "hex(" + x.sql + ")", typ: stringType}, nil
}

func sparkBase64(b *binder, c *syntax.Call, a []*node) (*node, error) {
	x := a[0].sql
	if a[0].typ.ID != VarBinary {
		if err := b.texts(a); err != nil {
			return nil, err
		}
		x = "encode(" + a[0].sql + ")"
	}
	return &node{sql: "base64(" + x + ")", typ: stringType}, nil
}

// jsonObject is GET_JSON_OBJECT: a text as it is, an object or array as JSON, NULL where there
// is nothing or no JSON.
func jsonObject(b *binder, c *syntax.Call, a []*node) (*node, error) {
	if err := b.texts(a); err != nil {
		return nil, err
	}
	if a[1].con == nil {
		return nil, unsupported(a[1].at, "A path of GET_JSON_OBJECT that is not a constant")
	}
	if _, _, err := jsonPath(a[1].con.str); err != nil {
		return nil, placed(err, a[1].at)
	}
	args := "(" + a[0].sql + ", " + a[1].sql + ")"
	return &node{sql: "(CASE WHEN spate_isjson(" + a[0].sql + ") = 1 THEN coalesce(spate_json_value" + args + ", spate_json_query" + args + ") END)", typ: stringType}, nil
}

// FunctionsOfSpark are the names of the functions that the dialect has.
func FunctionsOfSpark() []string {
	var out []string
	for name := range sparkFunctions {
		out = append(out, lower(name))
	}
	for name := range sparkAggregates {
		out = append(out, lower(name))
	}
	out = append(out, "if", "datediff", "date_diff", "timestampdiff", "dateadd", "timestampadd")
	for name := range ranking {
		if !strings.HasPrefix(name, "PERCENTILE_") {
			out = append(out, lower(name))
		}
	}
	slices.Sort(out)
	return out
}
