package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"spate/suite"
)

// With --watch tests run again when a file of theirs changes, a new one comes or a mistake is
// mended, until the run is ended.
func TestTestsRunAgainWhenAFileChanges(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	edit(t, at("q.asaql"), "SELECT a INTO o FROM i")
	edit(t, at("in.jsonl"), `{"a":1}`)
	edit(t, at("spate.yaml"), "version: 1\njobs: { j: { query: q.asaql } }\ntests:\n  - { name: one, job: j, input: { i: in.jsonl }, expect: { o: [ { a: 1 } ] } }\n")
	out, errs := io.Pipe()
	a := &app{stdout: errs, stderr: errs}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- a.watchTests(ctx, &testFlags{}, suite.Options{}, []string{dir})
		errs.Close()
	}()
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		var said []string
		for lines.Scan() {
			said = append(said, lines.Text())
			if lines.Text() == "waiting for a change" {
				break
			}
		}
		if s := strings.Join(said, "\n"); !strings.Contains(s, want) {
			t.Fatalf("want %q, got\n%s", want, s)
		}
	}
	says("1 test passes")
	edit(t, at("in.jsonl"), `{"a":2}`)
	says(`+ {"a":2}`)
	edit(t, at("q.asaql"), "SELECT a - 1 AS a INTO o FROM i")
	says("1 test passes")
	edit(t, at("spate.yaml"), "version: 2\n")
	says("E201")
	edit(t, at("spate.yaml"), "version: 1\njobs: { j: { query: q.asaql } }\ntests:\n  - { name: one, job: j, input: { i: in.jsonl }, expectCount: { o: 1 } }\n")
	says("1 test passes")
	if err := os.Mkdir(at("tests"), 0o755); err != nil {
		t.Fatal(err)
	}
	edit(t, at("tests/new.txtar"), "New.\n-- query.sql --\nSELECT a INTO o FROM i\n-- in/i.jsonl --\n{\"a\":1}\n-- want/o.jsonl --\n{\"a\":1}\n")
	says("2 tests pass")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// A test of many rows holds few of them.
func TestALargeTestRunsInBoundedMemory(t *testing.T) {
	if testing.Short() { // CI and the README run without -short
		t.Skip("writes files of some size")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	const rows = 300_000
	in, err := os.Create("in.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(in)
	pad := strings.Repeat("x", 200)
	for i := range rows {
		fmt.Fprintf(w, "{\"id\":%d,\"pad\":%q}\n", i, pad)
	}
	if err := errors.Join(w.Flush(), in.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, "spate.yaml", "version: 1\njobs: { j: { query: \"SELECT id, pad INTO o FROM i\" } }\ntests:\n  - { name: large, job: j, input: { i: in.jsonl }, expect: { o: in.jsonl } }\n")
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // what is held, and hardly what is not yet collected
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	a := &app{stdout: io.Discard, stderr: new(bytes.Buffer)}
	sources, _, err := a.findTests(&testFlags{}, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.runTests(t.Context(), &testFlags{}, suite.Options{}, sources) }()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-look.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}
	const size = rows * 220
	if limit := before.HeapInuse + size; peak > limit {
		t.Errorf("%d bytes of heap at most, %d before; the file alone has %d", peak, before.HeapInuse, size)
	}
}
