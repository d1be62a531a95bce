package query

import (
	"fmt"
	"testing"
	"time"
)

func TestTextsAreReadAsPointsInTime(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got := ""
		if ticks, err := parseTime(text); err != nil {
			got = "error"
		} else {
			got = ticks.String()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	f("2026-11-27", "2026-11-27T00:00:00.0000000Z")
	f("2026-11-27 10:11", "2026-11-27T10:11:00.0000000Z")
	f("2026-11-27T10:11:12.1234567+02:00", "2026-11-27T08:11:12.1234567Z")
	f("20261127", "2026-11-27T00:00:00.0000000Z")
	f("20261127 10:11:12.5", "2026-11-27T10:11:12.5000000Z")
	f("261127", "2026-11-27T00:00:00.0000000Z")
	f("11/27/2026", "2026-11-27T00:00:00.0000000Z")
	f("1/2/49 1:02 PM", "2049-01-02T13:02:00.0000000Z")
	f("1/2/50", "1950-01-02T00:00:00.0000000Z")
	f("2026/11/27 1AM", "2026-11-27T01:00:00.0000000Z")
	f("Nov 27 2026 12:00AM", "2026-11-27T00:00:00.0000000Z")
	f("27 November 2026", "2026-11-27T00:00:00.0000000Z")
	f("27-Nov-26", "2026-11-27T00:00:00.0000000Z")
	f("10:11:12", "1900-01-01T10:11:12.0000000Z")
	f("", "1900-01-01T00:00:00.0000000Z")
	f("27/11/2026", "error")
	f("2026-02-30", "error")
	f("2026-11-27 25:00", "error")
	f("Foo 27 2026", "error")
	f("hello", "error")
	f("1/2", "error")
	f("123", "error")
}

func TestTimesAreWrittenInEveryStyle(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 6, 7, 123_333_000, time.UTC)
	want := map[int64]string{0: "Mar  4 2026  3:06PM", 1: "03/04/26", 101: "03/04/2026", 2: "26.03.04", 103: "04/03/2026", 4: "04.03.26", 105: "04-03-2026", 6: "04 Mar 26",
		107: "Mar 04, 2026", 108: "15:06:07", 9: "Mar  4 2026  3:06:07:123PM", 110: "03-04-2026", 11: "26/03/04", 112: "20260304", 12: "260304",
		113: "04 Mar 2026 15:06:07:123", 114: "15:06:07:123", 120: "2026-03-04 15:06:07", 121: "2026-03-04 15:06:07.123", 22: "03/04/26  3:06:07 PM", 23: "2026-03-04",
		126: "2026-03-04T15:06:07.123", 127: "2026-03-04T15:06:07.123Z"}
	for style, text := range want {
		if !knownStyle(style) {
			t.Errorf("style %d is not known", style)
		}
		if got := styledTime(at, style, -3); got != text {
			t.Errorf("style %d: got %q, want %q", style, got, text)
		}
	}
	if got := styledTime(at, 121, 6); got != "2026-03-04 15:06:07.123333" {
		t.Errorf("datetime2(6): got %q", got)
	}
	if got := styledTime(at, 121, -1); got != "2026-03-04" {
		t.Errorf("date: got %q", got)
	}
	if knownStyle(15) || knownStyle(130) {
		t.Error("a style that is not built is known")
	}
}

func TestLikePatterns(t *testing.T) {
	cache := new(patternCache)
	f := func(text, pattern, escape string, want bool) {
		t.Helper()
		re, err := cache.get(likeRegexp(pattern, escape))
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		if got := re.MatchString(text); got != want {
			t.Errorf("%q LIKE %q: got %t", text, pattern, got)
		}
	}
	f("abc", "a%", "", true)
	f("abc", "_b_", "", true)
	f("abc", "ab", "", false)
	f("a\nc", "a%c", "", true)
	f("b1", "[a-c][0-9]", "", true)
	f("d1", "[^a-c]1", "", true)
	f("]", "[]]", "", true)
	f("5%", "5[%]", "", true)
	f("5x", "5[%]", "", false)
	f("5%", "5!%", "!", true)
	f("5x", "5!%", "!", false)
	f("[a", "[a", "", false)
	f("a.c", "a.c", "", true)
	f("abc", "a.c", "", false)
	f(`a\d`, `a[\]d`, "", true)
}

func TestDecimalDivisionHasTheDeclaredScale(t *testing.T) {
	f := func(a, b string, scale int64, want string) {
		t.Helper()
		got, err := divideDecimals(a, b, scale, false)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s / %s: got %s, want %s", a, b, got, want)
		}
	}
	f("2.0", "3", 6, "0.666666")
	f("-2.00", "3.0", 6, "-0.666666")
	f("10", "4", 0, "2")
	f("1", "0.0", 6, "SPATE:8134:Divide by zero error encountered.")
	for _, x := range [][3]string{{"2.0", "3", "0.666667"}, {"-2.00", "3.0", "-0.666667"}, {"2", "-3", "-0.666667"}, {"1", "3", "0.333333"}, {"0.0000005", "1", "0.000001"}} {
		if got, err := divideDecimals(x[0], x[1], 6, true); err != nil || got != x[2] {
			t.Errorf("%s / %s rounded: got %s (%v), want %s", x[0], x[1], got, err, x[2])
		}
	}
	if got := truncateDecimal("-123.456", 1); got != "-123.400" {
		t.Errorf("truncate: got %s", got)
	}
	if got := truncateDecimal("123.456", -2); got != "100.000" {
		t.Errorf("truncate: got %s", got)
	}
}

// Result types of decimal arithmetic, from the tables of the T-SQL reference
// (Precision, scale, and length) and sql-endpoint.md 7.3.
func TestDecimalResultTypes(t *testing.T) {
	dec := func(p, s int) Type { return Type{ID: Decimal, Prec: p, Scale: s} }
	for _, c := range []struct {
		op   string
		l, r Type
		want string
	}{
		{"+", dec(10, 2), dec(10, 4), "decimal(13,4)"},
		{"-", dec(38, 10), dec(38, 2), "decimal(38,2)"},
		{"*", dec(10, 2), dec(10, 2), "decimal(21,4)"},
		{"*", dec(38, 10), dec(38, 10), "decimal(38,6)"},
		{"/", dec(10, 2), dec(10, 2), "decimal(23,13)"},
		{"/", dec(38, 10), dec(38, 10), "decimal(38,6)"},
		{"%", dec(10, 2), dec(5, 4), "decimal(5,4)"},
	} {
		if got := decimalType(c.op, c.l, c.r).String(); got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.l, c.op, c.r, got, c.want)
		}
	}
}

func TestJSONPaths(t *testing.T) {
	doc := `{"a":{"b c":[1,{"d":"x\ny"}]},"n":null,"t":true}`
	f := func(path string, scalar bool, want string) {
		t.Helper()
		v, err := jsonValue(doc, path, scalar)
		got := fmt.Sprint(v)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	f(`$.a."b c"[0]`, true, "1")
	f(`lax $.a."b c"[1].d`, true, "x\ny")
	f(`$.a`, true, "<nil>")
	f(`$.a."b c"[1]`, false, `{"d":"x\ny"}`)
	f(`$.t`, false, "<nil>")
	f(`$.n`, true, "<nil>")
	f(`$.x`, true, "<nil>")
	f(`strict $.x`, true, "SPATE:13608:Property cannot be found on the specified JSON path.")
	f(`a`, true, "SPATE:13607:JSON path is not properly formatted: 'a'.")
	f(`$[`, true, "SPATE:13607:JSON path is not properly formatted: '$['.")
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-11-27T10:11:12.1+02:00", "1/2/49 1:02 PM", "Nov 27 2026", "20261127", "27-Nov-26", ":", "1:2:3.4 AM"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ticks, err := parseTime(s)
		if err == nil && !ticks.Valid() {
			t.Errorf("%q gave %d", s, ticks)
		}
	})
}

func FuzzLike(f *testing.F) {
	f.Add("[a-c]%_", "!", "abc")
	f.Add("[^]]", "", "x")
	f.Fuzz(func(t *testing.T, pattern, escape, text string) {
		cache := new(patternCache)
		if re, err := cache.get(likeRegexp(pattern, escape)); err == nil {
			re.MatchString(text)
		}
	})
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a":[1]}`, `strict $.a[0]`)
	f.Fuzz(func(t *testing.T, doc, path string) {
		jsonValue(doc, path, true)
		jsonValue(doc, path, false)
	})
}
