package bind

import (
	"strings"
	"testing"
)

// What is legal and most likely not meant is said, and what is meant is not.
func TestLints(t *testing.T) {
	f := func(script string, want ...string) {
		t.Helper()
		job, errs, warnings := Script(script, Options{})
		if job == nil {
			t.Fatalf("%s: %v", script, errs)
		}
		if len(warnings) != len(want) {
			t.Errorf("%s\ngot %v\nwant %q", script, warnings, want)
			return
		}
		for i, w := range warnings {
			if !strings.Contains(w.String(), want[i]) {
				t.Errorf("%s\ngot %s\nwant %s", script, w, want[i])
			}
		}
	}
	where := func(cond string, want ...string) {
		t.Helper()
		f("SELECT a INTO o FROM i WHERE "+cond, want...)
	}
	where("a > 5 AND b = 1 AND a < 3", "1:50: a > 5 and a < 3 are never true of one row (W526)")
	where("a >= 5 AND a <= 5")
	where("a >= 5 AND a < 5", "never true of one row")
	where("a > 5 AND 5 >= a", "never true of one row")
	where("a = 5 AND a = 6", "never true of one row")
	where("a = 5 AND a = 5.0 AND a > -1")
	where("a > -1 AND a < -2", "never true of one row")
	where("a > 5 OR a < 3")
	where("a <> 5 AND a <> 6")
	where("(a > 5 AND a < 3) OR b = 1", "never true of one row")
	where("NOT (a > 5 AND a < 3)", "never true of one row")
	where("a = 'x' AND a = 'y'", "never true of one row")
	where("a = 'x' AND a = 'X'")
	where("a > 'y' AND a < 'x'")
	where("a.b > 5 AND a.c < 3")
	where("a BETWEEN 10 AND 5", "a BETWEEN 10 AND 5 is never true; the lower bound stands first (W526)")
	where("a NOT BETWEEN 10 AND 5")
	where("a BETWEEN 1 AND 5 AND a > 7", "never true of one row")
	where("a NOT IN (1, NULL)", "NOT IN a list with NULL is never true")
	where("a IN (1, NULL)")
	where("a IS NULL AND a > 3", "never true of one row")
	where("a IS NOT NULL AND a > 3")
	where("a IS NULL AND a IS NOT NULL", "never true of one row")
	window := " GROUP BY TumblingWindow(second, 5) HAVING "
	f("SELECT COUNT(*) AS n INTO o FROM i"+window+"COUNT(*) = 0", "COUNT(*) = 0 is never true: a window without events gives no row")
	f("SELECT COUNT(*) AS n INTO o FROM i"+window+"COUNT(*) < 1", "W526")
	f("SELECT COUNT(*) AS n INTO o FROM i" + window + "COUNT(*) < 2")
	f("SELECT COUNT(a) AS n INTO o FROM i" + window + "COUNT(a) = 0")
	f("SELECT CASE WHEN a > 5 AND a < 3 THEN 1 ELSE 0 END AS x INTO o FROM i", "W526")

	join := "CREATE TABLE l (k bigint, t nvarchar(max)); CREATE TABLE r (k nvarchar(max), n float); SELECT l.k AS k INTO o FROM l JOIN r ON DATEDIFF(second, l, r) BETWEEN 0 AND 5 AND "
	f(join+"l.k = r.k", "the sides of this key are a bigint and a nvarchar(max); CAST one of them (W527)")
	f(join + "l.k = r.n")
	f(join + "l.t = r.k")
	f(join + "CAST(l.k AS nvarchar(max)) = r.k")

	f("WITH s AS (SELECT a FROM i), u AS (SELECT a FROM s) SELECT a INTO o FROM s", "1:30: nobody reads step u")
	f("WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s")
	f("WITH s AS (SELECT a FROM i) -- spate: ignore W528\nSELECT a INTO o FROM i")

	f("SELECT LAG(a) OVER (PARTITION BY t LIMIT DURATION(minute, 5)) AS x INTO o FROM i TIMESTAMP BY t", "t is another for nearly every event, and LAG keeps state")
	f("SELECT LAG(a) OVER (PARTITION BY EventEnqueuedUtcTime LIMIT DURATION(minute, 5)) AS x INTO o FROM i", "W529")
	f("SELECT LAG(a) OVER (PARTITION BY u LIMIT DURATION(minute, 5)) AS x INTO o FROM i TIMESTAMP BY t")
	f("SELECT t, COUNT(*) AS n INTO o FROM i TIMESTAMP BY t GROUP BY t, TumblingWindow(second, 5)", "and a window keeps state")
	f("SELECT t, COUNT(*) AS n INTO o FROM i TIMESTAMP BY t GROUP BY t, System.Timestamp()")
}
