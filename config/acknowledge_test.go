package config

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spate/internal/gosource"
	"spate/sql/bind"
)

// twoWith is a query with the warning W507 at line 2.
const twoWith = "WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s;\nWITH u AS (SELECT a FROM s) SELECT a INTO p FROM u\n"

func TestWarningsAreAcknowledged(t *testing.T) {
	const head = "version: 1\nnamespace: { eventHubs: { i: {}, o: {}, p: {} } }\n"
	for _, c := range []struct{ name, query, file, want string }{
		{"none", twoWith, head + "jobs: { j: { query: q.asaql } }", "q.asaql:2:1 W507"},
		{"key", twoWith, head + "jobs: { j: { query: q.asaql, acknowledge: [W507] } }", ""},
		{"key of another job", twoWith, head + "jobs: { j: { query: q.asaql }, k: { query: \"SELECT a INTO o FROM i\", acknowledge: [W507] } }",
			"q.asaql:2:1 W507; spate.yaml:3:84 W523"},
		{"key of another warning", twoWith, head + "jobs: { j: { query: q.asaql, acknowledge: [W518, W507] } }", "spate.yaml:3:44 W523"},
		{"in the query", strings.Replace(twoWith, "WITH u", "-- spate: ignore W507\nWITH u", 1), head + "jobs: { j: { query: q.asaql } }", ""},
		{"twice", strings.Replace(twoWith, "WITH u", "-- spate: ignore W507\nWITH u", 1), head + "jobs: { j: { query: q.asaql, acknowledge: [W507] } }", "spate.yaml:3:44 W523"},
		{"inline", "", head + "jobs:\n  j:\n    query: |\n      WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s;\n      -- spate: ignore W507\n      WITH u AS (SELECT a FROM s) SELECT a INTO p FROM u\n", ""},
		{"above an inline query", "", head + "jobs:\n  j:\n    # spate: ignore W507\n    query: |\n      WITH s AS (SELECT a FROM i) SELECT a INTO o FROM s;\n      WITH u AS (SELECT a FROM s) SELECT a INTO p FROM u\n", ""},
		{"table", "", "version: 1\ntables:\n  t: {} # spate: ignore W515", ""},
		{"table below", "", "version: 1\ntables:\n  # spate: ignore W515 columns come with the events\n\n  # of devices\n  t: {}", ""},
		{"another table", "", "version: 1\ntables:\n  # spate: ignore W515\n  t: {}\n  u: {}", "spate.yaml:5:3 W515"},
		{"nothing to acknowledge", "", "version: 1\ntables:\n  # spate: ignore W515\n  t: { columns: { a: long } }", "spate.yaml:3:3 W523"},
		{"no code", "", "version: 1 # spate: ignore everything", "spate.yaml:1:12 W523"},
		{"an error", "", "version: 1 # spate: ignore E102\nnoSuchKey: 1", "spate.yaml:2:1 E102"},
		{"columns", "SELECT a, b INTO t FROM i", head + "tables: { t: { columns: { a: long } } }\njobs: { j: { query: q.asaql, acknowledge: [W505] } }", ""},
		{"in a text", "", "version: 1\nname: \"a # spate: ignore W515\"\n", "spate.yaml:2:7 E202"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"q.asaql": c.query, "spate.yaml": c.file})
			p, err := Load(Source{Path: dir})
			ps, _ := err.(Problems)
			if err == nil {
				ps = p.Warnings
			}
			var got []string
			for _, x := range ps {
				got = append(got, strings.ReplaceAll(regexp.MustCompile(`(?s)^\S*/(\S+): (\w+) .*`).ReplaceAllString(x.String(), "$1 $2"), "\n", ""))
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("got %s, want %s; %v", s, c.want, err)
			}
		})
	}
}

// A load that looks only at names knows no warnings of queries.
func TestNothingIsIdleWhereQueriesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"q.asaql": twoWith, "spate.yaml": "version: 1\nnamespace: { eventHubs: { i: {}, o: {}, p: {} } }\njobs: { j: { query: q.asaql, acknowledge: [W507] } }\n"})
	p, err := Load(Source{Path: dir, NoScripts: true})
	if err != nil || len(p.Warnings) > 0 {
		t.Errorf("%v, %v", p.Warnings, err)
	}
}

// Every warning of the code can be acknowledged, but the one that says that one is idle.
func TestEveryWarningCanBeAcknowledged(t *testing.T) {
	code := regexp.MustCompile(`^"W\d{3}"$`)
	for _, dir := range []string{".", "../sql/bind"} {
		for name, f := range gosource.Files(t, dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && code.MatchString(lit.Value) {
					if c := strings.Trim(lit.Value, `"`); c != bind.IdleAcknowledgement && !slices.Contains(warningCodes, c) {
						t.Errorf("%s: %s is not in warningCodes", name, c)
					}
				}
				return true
			})
		}
	}
}

// The page says of every warning what it is about.
func TestThePageListsEveryWarning(t *testing.T) {
	page, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range append([]string{bind.IdleAcknowledgement}, warningCodes...) {
		if !strings.Contains(string(page), "\n| "+code+" | ") {
			t.Errorf("docs/testing.md does not list %s", code)
		}
	}
}
