package plan_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"spate/sql/bind"
	"spate/sql/plan"
)

var update = flag.Bool("update", false, "rewrite the golden names")

func compile(t *testing.T, script string) *plan.Job {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{References: []string{"ref"}})
	if len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, script)
	}
	return job
}

// match is a script with a MATCH_RECOGNIZE.
func match(clauses string) string {
	return "SELECT * INTO o FROM i MATCH_RECOGNIZE (" + clauses + ") AS m"
}

// nodes are the nodes of a job in the order in which Explain prints them.
func nodes(job *plan.Job) []plan.Node {
	var list []plan.Node
	var visit func(n plan.Node)
	visit = func(n plan.Node) {
		if slices.Contains(list, n) {
			return
		}
		for _, in := range n.Inputs() {
			visit(in)
		}
		list = append(list, n)
	}
	for _, o := range job.Outputs {
		visit(o.In)
	}
	return list
}

// TestCanonIsStable compares names with those of testdata/canon.txt, which holds blocks
// of a line "=== name", a script, a line "---" and a line for each node. Jobs in the
// field keep their state under these names: a change here makes them begin anew.
func TestCanonIsStable(t *testing.T) {
	const file = "testdata/canon.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(string(text), "=== ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		script, want, _ := strings.Cut(rest, "---\n")
		t.Run(name, func(t *testing.T) {
			job := compile(t, script)
			c := plan.NewCanon(plan.Level12)
			var got strings.Builder
			for i, n := range nodes(job) {
				kind := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", n), "*plan."))
				fmt.Fprintf(&got, "#%d %s step %s columns %s\n", i+1, kind, c.Step(n), c.Columns(n))
			}
			out.WriteString("=== " + name + "\n" + script + "---\n" + got.String())
			if got.String() != want && !*update {
				t.Errorf("%s\ngot\n%swant\n%s", script, got.String(), want)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// stateful are the names of the steps of a script that keep state.
func stateful(t *testing.T, script string) []string {
	t.Helper()
	job := compile(t, script)
	c := plan.NewCanon(plan.Level12)
	var names []string
	for _, n := range nodes(job) {
		switch n.(type) {
		case *plan.Aggregate, *plan.Analytic, *plan.Match:
			names = append(names, c.Step(n))
		}
	}
	return names
}

func TestAStepKeepsItsNameHoweverTheScriptIsWritten(t *testing.T) {
	const sum = "SELECT k, SUM(v) AS x INTO o FROM i WHERE w > 1 GROUP BY k, TumblingWindow(minute, 5)"
	const lag = "SELECT LAG(v, 2, 0) OVER (PARTITION BY k LIMIT DURATION(hour, 1) WHEN w = 1) AS p INTO o FROM i"
	for _, c := range []struct{ what, script, same string }{
		{"another name of the column", sum, "SELECT k AS [key], SUM(v) AS total INTO o FROM i WHERE w > 1 GROUP BY k, TumblingWindow(minute, 5)"},
		{"another output", sum, "SELECT k, SUM(v) AS x INTO p FROM i WHERE w > 1 GROUP BY k, TumblingWindow(minute, 5)"},
		{"an alias of the input", sum, "SELECT e.k, SUM(e.v) AS x INTO o FROM I AS e WHERE e.w > 1 GROUP BY e.k, TumblingWindow(minute, 5)"},
		{"brackets and letter case of keywords", sum, "select [k], sum([i].[v]) as x into [o] from [i] where [w]>1 group by [k], tumblingwindow(mi,5)"},
		{"another unit of the same span", sum, "SELECT k, SUM(v) AS x INTO o FROM i WHERE w > 1 GROUP BY k, TumblingWindow(Duration(second, 300))"},
		{"a step in between", sum, "WITH s AS (SELECT v AS value, k, w FROM i) SELECT k, SUM(value) AS x INTO o FROM s WHERE w > 1 GROUP BY k, TumblingWindow(minute, 5)"},
		{"a step with the WHERE", sum, "WITH big AS (SELECT k, v FROM i WHERE w > 1) SELECT k, SUM(v) AS x INTO o FROM big GROUP BY k, TumblingWindow(minute, 5)"},
		{"another name of the step", "WITH s AS (SELECT v + 1 AS a FROM i) SELECT MAX(a) AS m INTO o FROM s GROUP BY TumblingWindow(s, 1)",
			"WITH t AS (SELECT 9 AS z, v + 1 AS b FROM i) SELECT MAX(b) AS m INTO o FROM t GROUP BY TumblingWindow(s, 1)"},
		{"a HAVING behind it", sum, sum + " HAVING SUM(v) > 5"},
		{"a second statement before it", sum, "SELECT z, y, v INTO p FROM i;" + sum},
		{"a second statement behind it", sum, sum + "; SELECT z, y INTO p FROM i"},
		{"an alias in TIMESTAMP BY", "SELECT MAX(v) AS m INTO o FROM i TIMESTAMP BY at GROUP BY TumblingWindow(s, 1)",
			"SELECT MAX(x.v) AS m INTO o FROM i x TIMESTAMP BY x.at GROUP BY TumblingWindow(s, 1)"},
		{"other columns of LAG's statement", lag, strings.Replace(lag, "SELECT ", "SELECT z, y + 1 AS y, ", 1)},
		{"other columns before a LAG", lag, "SELECT a, b, c INTO p FROM i;" + lag},
		{"a WHERE behind LAG", lag, lag + " WHERE z > 4"},
		{"other names of variables and measures", match("LIMIT DURATION(s, 10) MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("MEASURES Last(Q.v) AS y PATTERN (Q{1} R) LIMIT DURATION(ms, 10000) DEFINE Q AS v = 1, R AS v > Last(Q.v)")},
	} {
		if a, b := stateful(t, c.script), stateful(t, c.same); len(a) != 1 || !slices.Equal(a, b) {
			t.Errorf("%s: %v and %v, want one name\n%s\n%s", c.what, a, b, c.script, c.same)
		}
	}
}

// What a step computes depends on how its events were read.
func TestAStepOfAnotherLevelHasAnotherName(t *testing.T) {
	const script = "SELECT k, SUM(v) AS x INTO o FROM i TIMESTAMP BY t GROUP BY k, TumblingWindow(minute, 5)"
	steps, plans := map[string]plan.Level{}, map[string]plan.Level{}
	for _, level := range []plan.Level{plan.Level12, plan.Level11, plan.Level10} {
		job, errs, _ := bind.Script(script, bind.Options{Level: level})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		text := plan.Explain(job)
		if other, ok := plans[text]; ok {
			t.Errorf("levels %s and %s have one plan:\n%s", level, other, text)
		}
		plans[text] = level
		c := plan.NewCanon(job.Level)
		for _, n := range nodes(job) {
			for _, name := range []string{c.Step(n), c.Columns(n)} {
				if other, ok := steps[name]; ok && other != level {
					t.Errorf("levels %s and %s have one name of %s", level, other, plan.Describe(n))
				}
				steps[name] = level
			}
		}
	}
}

func TestAStepThatComputesSomethingElseHasAnotherName(t *testing.T) {
	for _, scripts := range [][]string{
		{
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v + 1) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(w) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, MAX(v) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(DISTINCT v) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(CAST(v AS bigint)) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x, COUNT(*) AS n INTO o FROM i GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT w, SUM(v) AS x INTO o FROM i GROUP BY w, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, w, TumblingWindow(minute, 5)",
			"SELECT SUM(v) AS x INTO o FROM i GROUP BY TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, TumblingWindow(minute, 6)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, HoppingWindow(minute, 5, 1)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, SlidingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, TumblingWindow(Duration(minute, 5), Offset(second, 1))",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, SessionWindow(minute, 5, 10)",
			"SELECT k, SUM(v) AS x INTO o FROM i GROUP BY k, SessionWindow(minute, 5, 10) OVER (PARTITION BY k)",
			"SELECT k, SUM(v) AS x INTO o FROM j GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i TIMESTAMP BY t GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i TIMESTAMP BY u GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i WHERE v > 0 GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i WHERE v > 1 GROUP BY k, TumblingWindow(minute, 5)",
			"SELECT k, SUM(v) AS x INTO o FROM i WHERE v > 0.0 GROUP BY k, TumblingWindow(minute, 5)",
			"WITH a AS (SELECT k, v FROM i UNION SELECT k, v FROM j) SELECT k, SUM(v) AS x INTO o FROM a GROUP BY k, TumblingWindow(minute, 5)",
			"WITH a AS (SELECT k, v FROM j UNION SELECT k, v FROM i) SELECT k, SUM(v) AS x INTO o FROM a GROUP BY k, TumblingWindow(minute, 5)",
		},
		{
			"SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(w) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v.w) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v, 2) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v, 1, 0) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v) OVER (PARTITION BY w LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(hour, 2)) AS p INTO o FROM i",
			"SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(hour, 1) WHEN v > 1) AS p INTO o FROM i",
			"SELECT LAST(v) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
			"SELECT ISFIRST(hour, 1) OVER (PARTITION BY k) AS p INTO o FROM i",
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 11) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY w MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES First(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A B+) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A | B) DEFINE A AS A.v = 1, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 2, B AS B.v > A.v"),
			match("LIMIT DURATION(s, 10) PARTITION BY k MEASURES Last(A.v) AS x PATTERN (A B) DEFINE A AS A.v = 1, B AS B.v > First(A.w)"),
			"SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM j",
			"SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS p INTO o FROM i TIMESTAMP BY t",
		},
	} {
		seen := map[string]string{}
		for _, s := range scripts {
			names := stateful(t, s)
			if len(names) != 1 {
				t.Errorf("%d steps with state, want 1\n%s", len(names), s)
				continue
			}
			if other, ok := seen[names[0]]; ok {
				t.Errorf("one name of\n%s\n%s", other, s)
			}
			seen[names[0]] = s
		}
	}
}

// One plan names equal steps alike, so that two jobs of one script may tell them by it.
func TestEqualStepsOfOnePlanHaveOneName(t *testing.T) {
	names := stateful(t, "SELECT SUM(v) AS a INTO o FROM i GROUP BY TumblingWindow(s, 1); SELECT SUM(v) AS b INTO p FROM i GROUP BY TumblingWindow(s, 1)")
	if len(names) != 2 || names[0] != names[1] {
		t.Errorf("names %v, want one twice", names)
	}
}
