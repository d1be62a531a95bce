package conform_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"spate/conform"
)

const oddEvent = `{"n":null,"i":5,"neg":-3,"z":0,"big":9223372036854775807,"f":2.5,"h":-0.5,"s":"12","t":"aBc","e":"","sp":" x ",` +
	`"d":"2026-03-31T23:59:59.1234567Z","b":true,"rec":{"x":1},"arr":[1,"a"],"u":"😀é","p":"%b%",` +
	`"pt":"POINT(1 2)","ln":{"type":"LineString","coordinates":[[0,0],[4,4]]},"poly":"POLYGON((0 0,5 0,5 5,0 0))","bad":"POLYGON((0 0,1 1))",` +
	`"gj":"{\"type\":\"Point\",\"coordinates\":[1]}"}`

// oddExpressions puts values of every kind, and odd ones of each, into every
// operator and function.
func oddExpressions() []string {
	all := strings.Fields("n i neg z big f h s t e sp d b rec arr u p System.Timestamp()")
	some := strings.Fields("n i neg f s t e d b arr")
	few := strings.Fields("n z neg i f t e")
	var out []string
	each := func(formats string, args ...any) {
		for f := range strings.SplitSeq(formats, ";") {
			out = append(out, fmt.Sprintf(f, args...))
		}
	}
	call := func(names string, args ...string) {
		for name := range strings.FieldsSeq(names) {
			out = append(out, name+"("+strings.Join(args, ", ")+")")
		}
	}
	for _, a := range all {
		call("ABS CEILING FLOOR SIGN EXP SQRT SQUARE LEN UNICODE NCHAR LOWER UPPER REVERSE LTRIM RTRIM TRIM SPACE "+
			"JSON_PARSE GetArrayLength DAY MONTH YEAR GetType", a)
		each("-%[1]s;~%[1]s;+%[1]s;CAST(%[1]s AS bigint);CAST(%[1]s AS float);CAST(%[1]s AS nvarchar(max));"+
			"CAST(%[1]s AS datetime);CAST(%[1]s AS bit);CAST(%[1]s AS record);CAST(%[1]s AS array)", a)
		for part := range strings.FieldsSeq("year quarter month week weekday dayofyear day hour minute second millisecond microsecond") {
			call("DATENAME DATEPART", part, a)
			for _, b := range []string{"d", "'1600-02-29'", "n", "i"} {
				call("DATEADD DATEDIFF", part, a, b)
			}
		}
		for _, b := range all {
			call("ROUND POWER CHARINDEX PATINDEX REGEXMATCH CONCAT LEFT RIGHT REPLICATE GetArrayElement GetRecordPropertyValue NULLIF COALESCE", a, b)
			for op := range strings.FieldsSeq("+ - * / % & | ^") {
				out = append(out, a+" "+op+" "+b)
			}
			for _, op := range []string{"=", "<>", "<", ">", "<=", ">=", "!<", "LIKE", "NOT LIKE"} {
				each("CASE WHEN %[1]s THEN 1 WHEN NOT (%[1]s) THEN 2 ELSE 3 END", a+" "+op+" "+b)
			}
		}
	}
	for _, a := range some {
		for _, b := range some {
			for _, c := range some {
				call("CHARINDEX CONCAT_WS SUBSTRING REPLACE TRANSLATE", a, b, c)
				each("CASE WHEN %[1]s BETWEEN %[2]s AND %[3]s THEN 1 ELSE 0 END;CASE WHEN %[1]s NOT IN (%[2]s, %[3]s) THEN 1 ELSE 0 END", a, b, c)
			}
		}
	}
	shapes := strings.Fields("n i f t e d b arr pt ln poly bad gj")
	for _, a := range shapes {
		for _, b := range shapes {
			call("CreatePoint CreateLineString ST_WITHIN ST_OVERLAPS ST_INTERSECTS", a, b)
			each("ROUND(ST_DISTANCE(%s, %s), 3)", a, b)
			call("CreatePolygon", a, b, "'POINT(3 4)'")
		}
	}
	for _, a := range few {
		for _, b := range few {
			for _, c := range few {
				for _, d := range few {
					call("STUFF", a, b, c, d)
				}
			}
		}
	}
	return out
}

// runBoth runs a case on the reference and on the engine, and reports where they
// differ.
func runBoth(t *testing.T, c *conform.Case, engine conform.Streaming) (ran bool) {
	t.Helper()
	job, err := c.Compile()
	if err != nil { // a static type is wrong
		return false
	}
	want, wantErr := conform.Reference(t.Context(), job, c.Events(job), c.Options)
	got, err := engine.Run(t.Context(), job, c.Events(job), c.Options)
	switch {
	case errors.Is(err, conform.ErrUnsupported):
		t.Fatalf("%s: %v", c.Script, err)
	case (err == nil) != (wantErr == nil):
		t.Errorf("%s: error %v, want %v", c.Script, err, wantErr)
	case err == nil:
		if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Exact, true); err != nil {
			t.Errorf("%s: %v", c.Script, err)
		}
	}
	return true
}

// Whatever an operator or function is given, the engine gives the value that the
// reference gives, or stops where the reference stops.
func TestOddArguments(t *testing.T) {
	t.Parallel()
	record, err := conform.Records([]byte(oddEvent))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, x := range oddExpressions() {
		c := &conform.Case{Script: "SELECT " + x + " AS r INTO o FROM i", Inputs: []conform.Input{{Name: "i", Events: record}}, Options: conform.Options{Late: -1}}
		if runBoth(t, c, conform.Streaming{Batch: 1}) {
			ran++
		}
	}
	if ran < 20000 {
		t.Errorf("%d expressions ran", ran)
	}
}

// Aggregates of every pair of kinds, over every kind of window.
func TestOddAggregates(t *testing.T) {
	t.Parallel()
	values := strings.Fields(`null 5 -3 0 9007199254740993 2.5 -0.5 1e300 "12" "aBc" "" "2026-03-31" true false {"x":1} [1]`)
	windows := []string{"TumblingWindow(second, 10)", "HoppingWindow(second, 10, 5)", "SlidingWindow(second, 10)", "SessionWindow(second, 5, 10)"}
	args := []string{"v", "CAST(v AS bigint)", "CAST(v AS float)", "CAST(v AS nvarchar(max))", "CAST(v AS bit)", "CAST(v AS datetime)", "TRY_CAST(v AS bigint)", "CASE WHEN v IS NULL THEN 1 ELSE 0.5 END"}
	for i, a := range values {
		for k, b := range values {
			text := fmt.Sprintf(`{"t":"2026-01-05T00:00:01Z","v":%s}`+"\n"+`{"t":"2026-01-05T00:00:07Z","v":%s}`+"\n"+`{"t":"2026-01-05T00:00:07Z","v":%[1]s}`, a, b)
			events, err := conform.Records([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for n, arg := range args {
				for m, f := range []string{"SUM", "AVG", "MIN", "MAX", "COUNT", "VAR", "STDEVP"} {
					c := &conform.Case{
						Script: fmt.Sprintf("SELECT %s(%s) AS r, COUNT(DISTINCT %[2]s) AS d, System.Timestamp() AS e INTO o FROM i TIMESTAMP BY t GROUP BY %s", f, arg, windows[(i+k+n+m)%len(windows)]),
						Inputs: []conform.Input{{Name: "i", Events: events}}, Options: conform.Options{Late: -1},
					}
					runBoth(t, c, conform.Streaming{Batch: 1})
				}
			}
		}
	}
}
