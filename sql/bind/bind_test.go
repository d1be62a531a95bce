package bind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// bound binds a script that must have no mistake.
func bound(t *testing.T, src string, opts Options) (*plan.Job, []Warning) {
	t.Helper()
	job, errs, warnings := Script(src, opts)
	if len(errs) > 0 {
		t.Fatalf("bind: %v\n%s", errs, src)
	}
	return job, warnings
}

func seed(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SPATE_SEED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "seed")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("seed file %s: %v", name, err)
	}
	return string(text)
}

func TestSeedScriptBinds(t *testing.T) {
	job, warnings := bound(t, seed(t, "telemetry-processing.asaql"), Options{
		Inputs:  []InputInfo{{Name: "device-telemetry"}},
		Outputs: []string{"synapse-output", "alert-eventhub"},
	})
	var names []string
	for _, o := range job.Outputs {
		names = append(names, o.Name)
	}
	if got := strings.Join(names, " "); got != "synapse-output alert-eventhub alert-eventhub" {
		t.Errorf("outputs %s", got)
	}
	if len(job.Inputs) != 1 || job.Inputs[0].Time != nil {
		t.Errorf("want one input in arrival-time mode, got %d inputs:\n%s", len(job.Inputs), plan.Explain(job))
	}
	if job.Span != 10*column.Minute {
		t.Errorf("span %d, want 10 minutes", job.Span)
	}
	if len(warnings) != 1 || warnings[0].Code != severalWith {
		t.Errorf("warnings %v, want the one about several WITH", warnings)
	}
	t.Log(plan.Explain(job))
}
