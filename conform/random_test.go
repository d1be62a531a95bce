package conform_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spate/conform"
	"spate/conform/random"
)

// checked compiles a random script and runs it by definition.
func checked(t *rapid.T) (script string, events []conform.Event, o conform.Options) {
	skip := rapid.Bool().Draw(t, "skip")
	if skip {
		script = random.FailingScript(t)
	} else {
		script = random.Script(t)
	}
	events, o = random.Stream(t)
	o.SkipErrors = skip
	return script, events, o
}

func TestRandomScriptsRun(t *testing.T) {
	rows, runs, stopped, skipped := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		script, events, o := checked(t)
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("compile: %v\n%s", err, script)
		}
		// Values of mixed kinds may stop a script, as the language says.
		o.Skipped = func(conform.Skipped) { skipped++ }
		out, err := conform.Reference(t.Context(), job, events, o)
		runs++
		if err != nil {
			stopped++
		}
		for _, list := range out {
			rows += len(list)
		}
	})
	if rows == 0 || skipped == 0 || stopped*2 > runs {
		t.Errorf("%d of %d random scripts stopped, the others gave %d rows and skipped %d", stopped, runs, rows, skipped)
	}
}

// same checks that two scripts give the same rows on a random stream.
func same(t *rapid.T, a, b string) {
	events, o := random.Stream(t)
	var got [2]map[string][]conform.Row
	for i, script := range []string{a, b} {
		job, err := conform.Compile(script)
		if err != nil {
			t.Fatalf("compile: %v\n%s", err, script)
		}
		if got[i], err = conform.Reference(t.Context(), job, events, o); err != nil {
			t.Fatalf("run: %v\n%s", err, script)
		}
	}
	if err := conform.Compare(conform.AsRecords(got[0]), conform.AsRecords(got[1]), conform.Exact, true); err != nil {
		t.Fatalf("%s\nagainst\n%s\n%v", a, b, err)
	}
}

func TestHoppingByItsSizeIsTumbling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := "SELECT k, COUNT(*) AS n, SUM(v) AS s, System.Timestamp() AS e INTO o FROM i TIMESTAMP BY t GROUP BY k, "
		same(t, q+"HoppingWindow(second, 5, 5)", q+"TumblingWindow(second, 5)")
	})
}

func TestSeveralWindowsAreTheirUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := "SELECT k, COUNT(*) AS n, MAX(v) AS s, System.Timestamp() AS e INTO o FROM i TIMESTAMP BY t GROUP BY k, "
		a, b := "TumblingWindow(second, 5)", "HoppingWindow(second, 10, 3)"
		same(t, q+"Windows("+a+", "+b+")", q+a+";\n"+q+b+";")
	})
}

func TestTumblingReaggregatesExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		same(t, "SELECT d, COUNT(*) AS n, MIN(v) AS lo, MAX(v) AS hi INTO o FROM i TIMESTAMP BY t GROUP BY d, TumblingWindow(second, 10)",
			`WITH s AS (SELECT d, COUNT(*) AS n, MIN(v) AS lo, MAX(v) AS hi FROM i TIMESTAMP BY t GROUP BY d, TumblingWindow(second, 2))
SELECT d, SUM(n) AS n, MIN(lo) AS lo, MAX(hi) AS hi INTO o FROM s GROUP BY d, TumblingWindow(second, 10)`)
	})
}

func TestTernaryPartitionLosesNoRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]string{"v > 1", "s LIKE 'a%'", "m = 1", "v IN (1, n)", "k = 'a' AND v < 2"}).Draw(t, "p")
		part := func(cond string) string {
			return "SELECT k, v, t INTO o FROM i TIMESTAMP BY t WHERE " + cond + ";\n"
		}
		third := "CASE WHEN " + p + " THEN 1 WHEN NOT (" + p + ") THEN 2 ELSE 3 END = 3"
		same(t, "SELECT k, v, t INTO o FROM i TIMESTAMP BY t", strings.Join([]string{part(p), part("NOT (" + p + ")"), part(third)}, ""))
	})
}

// Variances are combined in different precision: the last digits may differ.
func TestVariancesAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		job, err := conform.Compile("SELECT k, VAR(v) AS a, VARP(v) AS b, STDEV(n) AS c, STDEVP(CAST(n AS bigint)) AS d\nINTO o\nFROM i TIMESTAMP BY t\nGROUP BY k, " +
			rapid.SampledFrom([]string{"TumblingWindow(second, 5)", "HoppingWindow(second, 10, 3)", "SlidingWindow(second, 5)"}).Draw(t, "window"))
		if err != nil {
			t.Fatal(err)
		}
		events, o := random.Stream(t)
		want, err := conform.Reference(t.Context(), job, events, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := conform.Streaming{Batch: 7, Behind: turns(conform.GoOn, conform.Checkpoint, conform.Crash)}.Run(t.Context(), job, events, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Published, true); err != nil {
			t.Fatal(err)
		}
	})
}
