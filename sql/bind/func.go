package bind

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// signature is what a scalar function takes: one letter an argument, optional
// ones behind '?', the last repeated if it ends in '*'. u is a date part, d a
// datetime or its text, n a number, i a whole number, t a text or what has one, s a
// text and nothing else, r a record, A an array, g a geometry, a anything. Result is column.Any where the result has the type of
// the first argument.
type signature struct {
	args   string
	result column.Kind
}

var functions = map[string]signature{
	"GETTYPE": {"a", column.Text},

	"DATEADD": {"und", column.Time}, "DATEDIFF": {"udd", column.Int64}, "DATENAME": {"ud", column.Text},
	"DATEPART": {"ud", column.Int64}, "DAY": {"d", column.Int64}, "MONTH": {"d", column.Int64}, "YEAR": {"d", column.Int64},
	"DATETIMEFROMPARTS": {"iiiiiii", column.Time},

	"ABS": {"n", column.Any}, "CEILING": {"n", column.Any}, "FLOOR": {"n", column.Any}, "SIGN": {"n", column.Any},
	"ROUND": {"ni", column.Any}, "POWER": {"nn", column.Any},
	"EXP": {"n", column.Float64}, "SQRT": {"n", column.Float64}, "SQUARE": {"n", column.Float64},

	"CHARINDEX": {"tt?i", column.Int64}, "PATINDEX": {"tt", column.Int64}, "REGEXMATCH": {"tt", column.Int64},
	"LEN": {"t", column.Int64}, "UNICODE": {"t", column.Int64}, "NCHAR": {"i", column.Text},
	"CONCAT": {"aaa*", column.Text}, "CONCAT_WS": {"taaa*", column.Text},
	"LEFT": {"ti", column.Text}, "RIGHT": {"ti", column.Text}, "SUBSTRING": {"tii", column.Text},
	"LOWER": {"t", column.Text}, "UPPER": {"t", column.Text}, "REVERSE": {"t", column.Text},
	"LTRIM": {"t", column.Text}, "RTRIM": {"t", column.Text}, "TRIM": {"t", column.Text},
	"REPLACE": {"ttt", column.Text}, "REPLICATE": {"ti", column.Text}, "SPACE": {"i", column.Text},
	"STUFF": {"tiit", column.Text}, "TRANSLATE": {"ttt", column.Text},
	"JSON_PARSE": {"a", column.Record},

	"GETARRAYELEMENT": {"Ai", column.Null}, "GETARRAYLENGTH": {"A", column.Int64},
	"GETRECORDPROPERTYVALUE": {"rs", column.Null}, "NULLIF": {"aa", column.Any},

	"CREATEPOINT": {"nn", column.Record}, "CREATELINESTRING": {"ggg*", column.Record}, "CREATEPOLYGON": {"gggg*", column.Record},
	"ST_DISTANCE": {"gg", column.Float64}, "ST_WITHIN": {"gg", column.Int64}, "ST_OVERLAPS": {"gg", column.Int64}, "ST_INTERSECTS": {"gg", column.Int64},
}

// geospatial are the functions that look at geometries.
var geospatial = map[string]bool{
	"ST_DISTANCE": true, "ST_WITHIN": true, "ST_OVERLAPS": true, "ST_INTERSECTS": true,
}

const (
	textForm = "use CAST(x AS nvarchar(max)), DATENAME(month, t) or DATEPART(year, t)"
	timeForm = "use CAST(x AS datetime)"
)

// usages show how a function is called whose arguments are often wrong in number.
var usages = map[string]string{
	"DATEDIFF": "write DATEDIFF(minute, a, b)", "DATEADD": "write DATEADD(minute, 5, t)",
	"DATEPART": "write DATEPART(hour, t)", "DATENAME": "write DATENAME(month, t)",
	"SUBSTRING": "write SUBSTRING(text, 1, 5): the first character is 1", "ROUND": "write ROUND(x, 2)",
	"REPLACE": "write REPLACE(text, 'old', 'new')", "CHARINDEX": "write CHARINDEX('part', text)",
}

// replacements are functions of other dialects, and what to write instead.
var replacements = map[string]string{
	"ISNULL": "use COALESCE(a, b)", "IFNULL": "use COALESCE(a, b)", "NVL": "use COALESCE(a, b)",
	"IIF": "use CASE WHEN ... THEN ... ELSE ... END", "CHOOSE": "use CASE", "IF": "use CASE WHEN ... THEN ... ELSE ... END", "DECODE": "use CASE", "GREATEST": "use CASE", "LEAST": "use CASE",
	"GETDATE": "use System.Timestamp()", "GETUTCDATE": "use System.Timestamp()", "SYSDATETIME": "use System.Timestamp()",
	"SYSUTCDATETIME": "use System.Timestamp()", "CURRENT_TIMESTAMP": "use System.Timestamp()", "NOW": "use System.Timestamp()",
	"CONVERT": "use CAST(x AS type)", "TRY_CONVERT": "use TRY_CAST(x AS type)", "LENGTH": "use LEN(x)",
	"TIMESTAMP": "use System.Timestamp()", "TODAY": "use System.Timestamp()",
	"FORMAT": textForm, "TO_CHAR": textForm, "TOSTRING": textForm, "STR": textForm,
	"TO_DATE": timeForm, "TO_TIMESTAMP": timeForm, "DATE": timeForm, "STR_TO_DATE": timeForm,
	"DATE_TRUNC": "use DATEADD and DATEDIFF", "DATETRUNC": "use DATEADD and DATEDIFF", "EXTRACT": "use DATEPART(hour, x)",
	"AVERAGE": "use AVG(x)", "MEAN": "use AVG(x)", "INSTR": "use CHARINDEX(text, x)", "STRPOS": "use CHARINDEX(text, x)",
	"REGEXP_LIKE": "use REGEXMATCH(x, 'pattern') = 1", "JSON_VALUE": "use GetRecordPropertyValue(JSON_PARSE(x), 'name')",
	"ISNUMERIC": "use TRY_CAST(x AS type)", "ISDATE": "use TRY_CAST(x AS type)",
	"LEAD": "there is no look-ahead in a stream; use LAG", "FIRST_VALUE": "use TopOne() OVER (ORDER BY ...)",
	"ROW_NUMBER": "use TopOne() or CollectTop(n) OVER (ORDER BY ...)", "RANK": "use CollectTop(n) OVER (ORDER BY ...)",
	"MOD": "use a % b", "POW": "use POWER(x, y)", "CEIL": "use CEILING(x)", "TRUNC": "use CAST(x AS bigint), FLOOR or CEILING",
	"LOG": "the language has no logarithm", "LOG10": "the language has no logarithm", "LN": "the language has no logarithm",
	"VARIANCE": "use VAR(x)", "STDDEV": "use STDEV(x)", "MEDIAN": "use PERCENTILE_CONT(0.5) OVER (ORDER BY x)", "FIRST": "use TopOne() OVER (ORDER BY ...)",
	"STRING_AGG": "use Collect()", "LISTAGG": "use Collect()", "GETARRAYELEMENTS": "it stands only behind CROSS APPLY or OUTER APPLY",
	"GETRECORDPROPERTIES": "it stands only behind CROSS APPLY or OUTER APPLY",
	"ANOMALYDETECTION":    "the service has it no more; use AnomalyDetection_SpikeAndDip or AnomalyDetection_ChangePoint",
}

// call binds a function call.
func (q *query) call(c *syntax.Call) plan.Expr {
	null := constant(c.Span, column.Value{})
	if isSystemTimestamp(c) {
		return q.timestamp(c.Span)
	}
	name := callName(c)
	if q.match != nil {
		if e, ok := q.matchCall(c); ok {
			return e
		}
	}
	_, analytic := analyticFuncs[name]
	switch {
	case isAggregate(c):
		return q.aggregate(c)
	case name == "":
		return q.prefixed(c)
	case analytic:
		return q.analyticCall(c)
	case windowName(name) != "" || name == "WINDOW":
		q.b.fail(c.Span, "write it in GROUP BY; the end of the window is System.Timestamp()", "a window stands only in GROUP BY, by itself")
		return null
	}
	sig, ok := functions[name]
	ok = ok || name == "COALESCE" || name == "GETMETADATAPROPERTYVALUE"
	switch {
	case ok && c.Over != nil:
		q.b.fail(c.Over.Span, "", "%s takes no OVER", name)
		return null
	case ok && c.Distinct:
		q.b.fail(c.Span, "", "%s takes no DISTINCT", name)
		return null
	case name == "COALESCE":
		return q.coalesce(c)
	case name == "GETMETADATAPROPERTYVALUE":
		return q.metadata(c)
	case !ok:
		hint, foreign := replacements[name]
		if !foreign {
			hint = nearest(name, functionNames())
		}
		q.b.fail(c.Name.Span, hint, "there is no function %s", syntax.FormatName(c.Name))
		return null
	}
	args, ok := q.arguments(c, name, sig)
	if !ok {
		return null
	}
	if geospatial[name] && q.b.opts.Level.Geodesic() {
		name = plan.Geodesic + name
	}
	return scalar(c.Span, name, sig, args)
}

func scalar(at syntax.Span, name string, sig signature, args []plan.Expr) plan.Expr {
	kind := sig.result
	if kind == column.Any {
		kind = args[0].Type()
		if kind == column.Bool && name != "NULLIF" {
			kind = column.Null
		}
	}
	switch name {
	case "GETARRAYELEMENT":
		if i, ok := args[1].(*plan.Const); ok && i.Value.Kind == column.Int64 && i.Value.Int() >= 0 && i.Value.Int() < 1<<31 && args[0].Type() != column.Null {
			return &plan.Element{Base: plan.Base{Where: at}, Of: args[0], Index: int(i.Value.Int())}
		}
	case "GETRECORDPROPERTYVALUE":
		if n, ok := args[1].(*plan.Const); ok && n.Value.Kind == column.Text && args[0].Type() == column.Record && !strings.HasPrefix(n.Value.Text(), "[") {
			return &plan.Field{Base: plan.Base{Where: at}, Of: args[0], Name: n.Value.Text()}
		}
	}
	return call(at, kind, name, args...)
}

// functionNames are the functions that a hint may propose.
func functionNames() []string {
	names := append([]string{"COALESCE", "LAG", "LAST", "ISFIRST", "GetMetadataPropertyValue"}, windowNames...)
	for n := range functions {
		names = append(names, n)
	}
	for n := range aggregates {
		names = append(names, string(n))
	}
	sort.Strings(names)
	return names
}

// arguments checks the number of arguments and binds each as the signature
// says.
func (q *query) arguments(c *syntax.Call, name string, sig signature) ([]plan.Expr, bool) {
	required, repeat := sig.args, byte(0)
	if strings.HasSuffix(required, "*") {
		repeat = required[len(required)-2]
		required = required[:len(required)-2]
	}
	optional := ""
	if i := strings.IndexByte(required, '?'); i >= 0 {
		required, optional = required[:i], required[i+1:]
	}
	n := len(c.Args)
	if n < len(required) || repeat == 0 && n > len(required)+len(optional) {
		want, arguments := strconv.Itoa(len(required)), "arguments"
		switch {
		case repeat != 0:
			want = "at least " + want
		case optional != "":
			want += " or " + strconv.Itoa(len(required)+len(optional))
		case len(required) == 1:
			arguments = "argument"
		}
		q.b.fail(c.Span, usages[name], "%s takes %s %s, %d given", name, want, arguments, n)
		return nil, false
	}
	letters := required + optional
	var args []plan.Expr
	for i, a := range c.Args {
		letter := repeat
		if i < len(letters) {
			letter = letters[i]
		}
		if letter == 'u' {
			part, ok := datePart(a)
			if !ok {
				text := q.b.text(a.Loc())
				q.b.fail(a.Loc(), datePartHint(text), "%s is no part of a date", text)
				return nil, false
			}
			args = append(args, constant(a.Loc(), column.TextOf(part)))
			continue
		}
		x := q.argument(a, name, i)
		q.checkType(x, name, i, letter)
		args = append(args, x)
	}
	return args, true
}

// argument binds the i-th argument of a function. The name that
// GetRecordPropertyValue looks up is a text in either kind of quotes.
func (q *query) argument(a syntax.Expr, name string, i int) plan.Expr {
	p, ok := a.(*syntax.Path)
	if ok && name == "GETRECORDPROPERTYVALUE" && i == 1 && len(p.Parts) == 1 && p.Parts[0].Quote == '"' && !q.from.known(p.Parts[0].Name) {
		return constant(p.Span, column.TextOf(p.Parts[0].Name))
	}
	if name == "DATEDIFF" && i > 0 {
		if src := q.sourceNamed(a); src != nil {
			if src.isReference() {
				q.b.fail(a.Loc(), "name a column", "%s is reference data, whose rows have no time", src.alias)
			}
			return src.when(q.b, a.Loc())
		}
	}
	return q.expr(a)
}

// allowed are the static types of each letter of a signature.
var allowed = map[byte][]column.Kind{
	'd': {column.Time, column.Text}, 'n': {column.Int64, column.Float64}, 'i': {column.Int64, column.Float64},
	't': {column.Text}, 's': {column.Text}, 'r': {column.Record}, 'A': {column.Array}, 'g': {column.Record, column.Text},
}

// checkType reports an argument whose static type is wrong, in the words of the
// service.
func (q *query) checkType(x plan.Expr, name string, i int, letter byte) {
	kinds := allowed[letter]
	if kinds == nil || x.Type() == column.Null {
		return
	}
	if letter == 't' && x.Type() != column.Record && x.Type() != column.Array {
		return // it has a text
	}
	var names []string
	for _, k := range kinds {
		if x.Type() == k {
			return
		}
		names = append(names, "'"+k.String()+"'")
	}
	q.b.fail(x.Span(), "", "The %s argument of function %s has invalid type '%s'. Only %s is allowed.",
		ordinal(i+1), strings.ToLower(name), x.Type(), strings.Join(names, ", "))
}

func ordinal(n int) string {
	if n <= 3 {
		return [...]string{"0th", "1st", "2nd", "3rd"}[n]
	}
	return fmt.Sprintf("%dth", n)
}

func (q *query) coalesce(c *syntax.Call) plan.Expr {
	out := &plan.Coalesce{Base: plan.Base{Where: c.Span}}
	if len(c.Args) < 2 {
		q.b.fail(c.Span, "", "COALESCE takes at least 2 arguments, %d given", len(c.Args))
		return constant(c.Span, column.Value{})
	}
	first := true
	for _, a := range c.Args {
		x := q.expr(a)
		out.Args = append(out.Args, x)
		if isNull(x) {
			continue
		}
		if first {
			out.Static, first = x.Type(), false
		} else if out.Static != x.Type() {
			out.Static = column.Null
		}
	}
	return out
}

// prefixed handles a call with a prefix, such as udf.f().
func (q *query) prefixed(c *syntax.Call) plan.Expr {
	prefix := strings.ToLower(c.Name.Parts[0].Name)
	last := c.Name.Last().Name
	switch {
	case len(c.Name.Parts) > 2:
		q.b.fail(c.Name.Span, "", "there is no function %s", syntax.FormatName(c.Name))
	case prefix == "udf":
		return q.userCall(c)
	case isSystemWindow(c):
		q.b.fail(c.Span, "use System.Window().Id", "System.Window() stands only with .Id")
	case prefix == "system":
		hint := "use System.Timestamp()"
		if strings.EqualFold(last, "timestamp") {
			hint = "System.Timestamp() has no argument"
		}
		q.b.fail(c.Name.Span, hint, "there is no function System.%s", last)
	default:
		if q.b.opts.Level.AnyPrefix() {
			q.b.fail(c.Name.Span, nearest(last, functionNames()), "there is no function %s", syntax.FormatName(c.Name))
			break
		}
		q.b.fail(c.Name.Span, "leave the prefix out", "function %s takes no prefix at compatibility level 1.2", last)
	}
	return constant(c.Span, column.Value{})
}
