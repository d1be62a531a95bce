//go:build !cgo || noduckdb

package duckdb

import (
	"os"
	"strings"
	"testing"

	"spate/lake/query"
)

// TestMain makes the test binary the child of the query engine, as the command is.
func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		os.Exit(Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

const workerEnv = "SPATE_WITHOUT_WORKER"

// noTables is a catalog of nothing.
type noTables struct{ query.Catalog }

func (noTables) HasDatabase(string) bool { return false }

func TestQueriesAreRefusedByName(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e, err := query.NewEngine(query.EngineOptions{Command: []string{self}, Env: []string{workerEnv + "=1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := &query.Session{Catalog: noTables{}, Engine: e}
	for range 2 {
		r, err := s.Run(t.Context(), "SELECT 1 AS n")
		if err == nil {
			for _, e := range r.Rows() {
				err = e
			}
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "built without DuckDB") {
			t.Fatalf("got %v, want a refusal that names DuckDB", err)
		}
	}
}

// TestQueries stands for the tests of this package that are left out. CI has them all
// unless it asks for the tag.
func TestQueries(t *testing.T) {
	why := "this build has no DuckDB: the tests of queries, of the golden tables and of the child process are left out"
	if os.Getenv("CI") == "true" && !tagged {
		t.Fatal(why + "; cgo is off, and the tag noduckdb was not asked for")
	}
	t.Skip(why)
}
