package bind_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"spate/config"
	"spate/sql/bind"
)

// TestMistakes compares what `spate check` prints of the mistakes of testdata/mistakes.txt,
// which holds blocks of a line "=== name", a script, a line "---" and the problems. The
// job of the scripts has the inputs telemetry and devices and the outputs archive and
// alerts.
func TestMistakes(t *testing.T) {
	const file, least = "testdata/mistakes.txt", 120
	update := flag.Lookup("update").Value.String() == "true"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split("\n"+string(text), "\n=== ")[1:]
	if len(blocks) < least {
		t.Errorf("%s has %d blocks, want at least %d", file, len(blocks), least)
	}
	var out strings.Builder
	seen := make(map[string]bool)
	for _, block := range blocks {
		name, rest, _ := strings.Cut(block, "\n")
		script, want, ok := strings.Cut("\n"+rest, "\n---")
		if !ok || seen[name] {
			t.Fatalf("block %q stands there twice, or has no line ---", name)
		}
		seen[name] = true
		script, want = strings.TrimPrefix(script, "\n"), strings.TrimSpace(want)
		t.Run(name, func(t *testing.T) {
			got := problems(script)
			if got == "" {
				t.Errorf("%s\nis taken for right", script)
			}
			out.WriteString(strings.TrimRight("=== "+name+"\n"+script, "\n") + "\n---\n" + got + "\n")
			if got != want && !update {
				t.Errorf("%s\ngot\n%s\nwant\n%s", script, got, want)
			}
		})
	}
	if update && !t.Failed() {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// problems is what a person sees of a script: the mistakes, and then the warnings.
func problems(script string) string {
	_, errs, warnings := bind.Script(script, bind.Options{
		Inputs:  []bind.InputInfo{{Name: "telemetry"}, {Name: "devices"}},
		Outputs: []string{"archive", "alerts"},
	})
	found := config.ScriptProblems("query.asaql", script, errs)
	return append(found, config.ScriptWarnings("query.asaql", script, warnings...)...).Error()
}
