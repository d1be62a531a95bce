package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the command of the scripts and the child of the query engine.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "duckdb-worker" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"spate": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
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
