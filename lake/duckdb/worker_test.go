//go:build cgo && !noduckdb

package duckdb_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/lake/duckdb"
	"spate/lake/query"
)

// run sends one request to a worker of this process and returns its last frame.
func run(t *testing.T, req *query.Request) (typ byte, text string) {
	t.Helper()
	in, toWorker := io.Pipe()
	fromWorker, out := io.Pipe()
	code := make(chan int)
	go func() { code <- duckdb.Main(in, out) }()
	if req.Limits.Timeout == 0 {
		req.Limits = query.Limits{MemoryBytes: 256 << 20, Threads: 1, Timeout: time.Minute}
	}
	if err := query.WriteRequest(toWorker, req); err != nil {
		t.Fatal(err)
	}
	var buf []byte
	for {
		typ, body, err := query.ReadFrame(fromWorker, &buf)
		if err != nil {
			t.Fatal(err)
		}
		if typ == query.FrameBatch {
			continue
		}
		text = string(body)
		toWorker.Close()
		if c := <-code; c != 0 {
			t.Errorf("worker ended with %d", c)
		}
		return typ, text
	}
}

func TestWorkerReadsOnlyTheFilesOfTheRequest(t *testing.T) {
	dir := t.TempDir()
	allowed, other := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	for _, f := range []string{allowed, other} {
		if err := os.WriteFile(f, []byte("x\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(sql string, files []string, want byte) {
		t.Helper()
		typ, text := run(t, &query.Request{SQL: sql, Kinds: []query.Kind{query.KindInt}, Files: files})
		if typ != want {
			t.Errorf("%s: got frame %q (%s), want %q", sql, typ, text, want)
		}
	}
	f("SELECT * FROM read_csv('"+allowed+"')", []string{allowed}, query.FrameDone)
	f("SELECT * FROM read_csv('"+other+"')", []string{allowed}, query.FrameError)
	f("SELECT * FROM read_csv('"+dir+"/*.csv')", []string{allowed}, query.FrameError)
	f("SELECT * FROM read_csv('"+allowed+"/../b.csv')", []string{allowed}, query.FrameError)
	f("SELECT * FROM read_text('/etc/hostname')", nil, query.FrameError)
	f("SELECT count(*) FROM glob('/*')", nil, query.FrameError)
	f("COPY (SELECT 1) TO '"+allowed+"'", []string{allowed}, query.FrameError)
	f("ATTACH '"+allowed+".db'", []string{allowed}, query.FrameError)
	f("SET enable_external_access = true", nil, query.FrameError)
	f("INSTALL httpfs", nil, query.FrameError)
	f("LOAD httpfs", nil, query.FrameError)
	f("CREATE TABLE x (a INT)", nil, query.FrameError)
	f("SELECT 1; SELECT 2", nil, query.FrameError)
	if text, err := os.ReadFile(allowed); err != nil || string(text) != "x\n1\n" {
		t.Errorf("the file was changed: %q, %v", text, err)
	}
}

func TestQueryRunsOutOfTime(t *testing.T) {
	s := session(t, noTables{})
	s.Engine = engine(t, query.Limits{Timeout: 300 * time.Millisecond})
	r, err := s.Run(t.Context(), "SELECT COUNT_BIG(*) FROM GENERATE_SERIES(1, 3000000) a JOIN GENERATE_SERIES(1, 3000000) b ON a.value * 3 > b.value + 1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err = r.Next(); !errors.Is(err, query.ErrTimeout) {
		t.Errorf("got %v, want a time-out", err)
	}
}

func TestQueryRunsOutOfMemory(t *testing.T) {
	s := session(t, noTables{})
	s.Engine = engine(t, query.Limits{MemoryBytes: 64 << 20})
	got := answer(t, s, "SELECT COUNT(*) FROM (SELECT DISTINCT value, REPLICATE('x', 200) + CAST(value AS varchar(20)) AS t FROM GENERATE_SERIES(1, 3000000)) AS q")
	if !strings.Contains(got, "Msg 701") {
		t.Errorf("got %s, want error 701", got)
	}
	if got := answer(t, s, "SELECT 1"); got != "1" {
		t.Errorf("next query: got %s", got)
	}
}

func TestChildThatIsNoWorkerIsAnErrorOfTheQuery(t *testing.T) {
	e, err := query.NewEngine(query.EngineOptions{Command: []string{"/bin/false"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := session(t, noTables{})
	s.Engine = e
	if got := answer(t, s, "SELECT 1"); !strings.Contains(got, "query process ended") {
		t.Errorf("got %s", got)
	}
}

func TestLargeResultsStream(t *testing.T) {
	s := session(t, noTables{})
	r, err := s.Run(t.Context(), "SELECT value, CAST(value AS varchar(20)) + REPLICATE('x', 20) FROM GENERATE_SERIES(1, 300000)")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := int64(0)
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n += row[0].Int()
	}
	if want := int64(300000) * 300001 / 2; n != want {
		t.Errorf("sum %d, want %d", n, want)
	}
}
