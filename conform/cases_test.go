package conform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"spate/conform"
)

func cases(t *testing.T) []*conform.Case {
	t.Helper()
	list, err := conform.LoadAll(os.DirFS("."), "testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no cases")
	}
	return list
}

func TestCasesOnReference(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), conform.Reference); err != nil {
				t.Error(err)
			}
		})
	}
}

// The pipeline that must run unmodified: the script lies outside the project.
func TestSeedScriptOnReference(t *testing.T) {
	dir := os.Getenv("SPATE_SEED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "seed")
	}
	script, err := os.ReadFile(filepath.Join(dir, "telemetry-processing.asaql"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("the seed's script: %v", err)
	}
	for _, c := range cases(t) {
		if c.Name == "telemetry_three_statements" {
			c.Script = string(script)
			if err := c.Run(t.Context(), conform.Reference); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the case with the events is gone")
}

func TestParseRefusesWhatIsNoCase(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := conform.Parse("x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f("Title.\nSource: x\n", "no query.sql")
	f("Title.\nSource: x\n-- settings --\nspeed=1\n", "no such setting")
	f("Title.\nSource: x\n-- in/a.jsonl --\n{\n", "byte")
	f("Title.\nSource: x\n-- out/a.jsonl --\n", "no such file")

	// The cases here say where their rules come from.
	dir := fstest.MapFS{"cases/x.txtar": {Data: []byte("Title.\n-- query.sql --\nSELECT 1\n")}}
	if _, err := conform.LoadAll(dir, "cases"); err == nil || !strings.Contains(err.Error(), "no Source line") {
		t.Errorf("error %v", err)
	}
}
