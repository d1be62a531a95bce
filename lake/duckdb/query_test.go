//go:build cgo && !noduckdb

package duckdb_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"spate/lake/duckdb"
	"spate/lake/query"
)

// workerEnv makes this test binary the child process.
const workerEnv = "SPATE_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		os.Exit(duckdb.Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func engine(t *testing.T, limits query.Limits) *query.Engine {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if limits.SpillDir == "" {
		limits.SpillDir = t.TempDir()
	}
	e, err := query.NewEngine(query.EngineOptions{Command: []string{self}, Env: []string{workerEnv + "=1"}, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// noTables is a catalog of one empty database.
type noTables struct{}

func (noTables) HasDatabase(name string) bool { return strings.EqualFold(name, "telemetry") }

func (noTables) Table(context.Context, string, string, query.AsOf) (*query.Table, error) {
	return nil, query.ErrNoTable
}

func session(t *testing.T, c query.Catalog) *query.Session {
	return &query.Session{Catalog: c, Engine: engine(t, query.Limits{}), Database: "telemetry",
		Now: func() time.Time { return time.Date(2026, 11, 27, 10, 20, 30, 123_456_700, time.UTC) }}
}

// answer runs a query and prints its rows as CSV without the header.
func answer(t *testing.T, s *query.Session, sql string) string {
	t.Helper()
	r, err := s.Run(t.Context(), sql)
	if err != nil {
		return "error: " + err.Error()
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := query.Print(&b, "csv", r, 0); err != nil {
		return "error: " + err.Error()
	}
	_, rows, _ := strings.Cut(b.String(), "\r\n")
	return strings.TrimSuffix(strings.ReplaceAll(rows, "\r\n", "\n"), "\n")
}

func TestScalars(t *testing.T) {
	s := session(t, noTables{})
	f := func(expr, want string) {
		t.Helper()
		if got := answer(t, s, "SELECT "+expr); got != want {
			t.Errorf("%s\n got %s\nwant %s", expr, got, want)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(scalarCases), "\n") {
		if expr, want, ok := strings.Cut(line, " => "); ok {
			f(expr, want)
		}
	}
}

var _ = fmt.Sprint
