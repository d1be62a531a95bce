package bind

import (
	"flag"
	"os"
	"strings"
	"testing"

	"spate/sql/plan"
)

var update = flag.Bool("update", false, "rewrite the golden plans")

// TestPlans compares the plans of testdata/plans.txt, which holds blocks of a
// line "=== name", a script, a line "---" and the plan's text.
func TestPlans(t *testing.T) {
	const file = "testdata/plans.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(string(text), "=== ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		script, want, _ := strings.Cut(rest, "---\n")
		t.Run(name, func(t *testing.T) {
			job, _ := bound(t, script, Options{References: []string{"ref"}})
			got := plan.Explain(job)
			out.WriteString("=== " + name + "\n" + script + "---\n" + got)
			if got != want && !*update {
				t.Errorf("%s\ngot\n%swant\n%s", script, got, want)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStepsAndInputsAreShared(t *testing.T) {
	job, _ := bound(t, `WITH s AS (SELECT a FROM i TIMESTAMP BY t), u AS (SELECT b FROM i x TIMESTAMP BY x.T)
		SELECT a INTO o FROM s; SELECT a INTO p FROM s; SELECT b INTO q FROM u`, Options{})
	if len(job.Inputs) != 1 {
		t.Errorf("%d inputs, want 1:\n%s", len(job.Inputs), plan.Explain(job))
	}
	if a, b := job.Outputs[0].In.Inputs()[0], job.Outputs[1].In.Inputs()[0]; a != b {
		t.Error("two statements read different copies of one step")
	}
}

func TestSpanSumsAlongAPath(t *testing.T) {
	job, _ := bound(t, `WITH s AS (SELECT LAG(a) OVER (LIMIT DURATION(minute, 3)) AS p FROM i)
		SELECT COUNT(p) INTO o FROM s GROUP BY HoppingWindow(minute, 10, 5)`, Options{})
	if want := 13 * 60 * 10_000_000; int(job.Span) != want {
		t.Errorf("span %d, want %d", job.Span, want)
	}
}
