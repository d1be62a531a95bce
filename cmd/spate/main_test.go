package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"spate/lake/duckdb"
)

// TestMain makes the test binary the command of the scripts and the child of the query engine.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "duckdb-worker" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"spate": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }})
}

// needsDuckDB skips a test that asks tables. lake/duckdb sees to it that CI has DuckDB.
func needsDuckDB(t *testing.T) {
	t.Helper()
	if duckdb.Version == "" {
		t.Skip("this build has no DuckDB, and the test asks tables")
	}
}

// The condition duckdb of a script says whether this build answers queries.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Condition: func(name string) (bool, error) {
		if name != "duckdb" {
			return false, fmt.Errorf("unknown condition %s", name)
		}
		return duckdb.Version != "", nil
	}})
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("bad.yaml", []byte("version: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("in.jsonl", []byte("{\"a\":1}\nno JSON\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eval := []string{"eval", "-e", "SELECT a INTO out FROM [in]", "--input", "in=in.jsonl"}
	for _, c := range []struct {
		code int
		args []string
	}{
		{done, []string{"version"}},
		{done, []string{"check"}},
		{usage, []string{"nope"}},
		{usage, []string{"up", "--nope"}},
		{usage, []string{"check", "bad.yaml"}},
		{usage, []string{"up", "bad.yaml"}},
		{usage, []string{"eval", "-e", "SELEC 1"}},
		{notFound, []string{"query", "SELECT 1"}},
		{notFound, []string{"certs"}},
		{notFound, []string{"eval", "--job", "nope"}},
		{noConnection, []string{"simulate"}},
		{noConnection, []string{"connection-string"}},
		{noConnection, []string{"metrics", "list", "--metric", "Errors", "--address", "http://127.0.0.1:1"}},
		{done, eval},
		{differs, append(eval, "--fail-on-drop")},
	} {
		var out, errs bytes.Buffer
		if got := run(c.args, strings.NewReader(""), &out, &errs); got != c.code {
			t.Errorf("spate %v: exit %d, want %d; %s", c.args, got, c.code, errs.String())
		}
	}
}

// verbs are the verbs that people type, by their words.
func verbs() (leaves [][]string) {
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, c := range cmd.Commands() {
			if c.HasSubCommands() {
				walk(c, append(path, c.Name()))
			}
			if c.Runnable() && !c.Hidden && c.Name() != "help" && c.Name() != "completion" && cmd.Name() != "completion" && !(c.HasSubCommands() && c.Annotations[formless] == "") {
				leaves = append(leaves, append(append([]string{}, path...), c.Name()))
			}
		}
	}
	walk((&app{}).root(), nil)
	return leaves
}

// The page of the command line names every verb and every exit code.
func TestThePageOfTheCommandLine(t *testing.T) {
	page := mustRead(t, filepath.Join("..", "..", "docs", "command-line.md"))
	for _, v := range verbs() {
		if name := "| `spate " + strings.Join(v, " "); !strings.Contains(page, name+" ") && !strings.Contains(page, name+"`") {
			t.Errorf("the page does not name %v", v)
		}
	}
	for _, code := range []int{done, failed, usage, notFound, noConnection, unauthorized, differs, timedOut, interrupted, pipeClosed} {
		if !strings.Contains(page, fmt.Sprintf("| %d |", code)) {
			t.Errorf("the page does not name the exit code %d", code)
		}
	}
}

// Every verb honours -o or refuses it: none prints what was not asked for.
func TestEveryVerbKnowsItsForms(t *testing.T) {
	leaves := verbs()
	if len(leaves) < 15 {
		t.Fatalf("%d verbs: %v", len(leaves), leaves)
	}
	needs := map[string][]string{"job start": {"x"}, "job stop": {"x"}, "job explain": {"x"}, "deadletter show": {"x"}, "deadletter drop": {"x"}, "deadletter replay": {"x"}, "query": {"SELECT 1"}, "bench": {"seed3"}, "backup": {"x"}, "restore": {"x"}, "hub delete": {"x"},
		"table analyze": {"x"}, "table describe": {"x"}, "table history": {"x"}, "table optimize": {"x"}, "table restore": {"x"}, "table vacuum": {"x"},
		"metrics list": {"--metric", "X"}, "eval": {"-e", "SELECT 1"}}
	t.Chdir(t.TempDir())
	for _, path := range leaves {
		args := append(append(append([]string{}, path...), needs[strings.Join(path, " ")]...), "-o", "nonsense")
		var out, errs bytes.Buffer
		if code := run(args, strings.NewReader(""), &out, &errs); code != usage || !strings.Contains(errs.String(), "nonsense") || out.Len() > 0 {
			t.Errorf("%v: exit %d, %s%s", args, code, out.String(), errs.String())
		}
	}
}
