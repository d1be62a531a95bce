package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spate/console"
)

// upChild runs `spate up` in a process of its own, so that it can be killed.
func upChild(t *testing.T, dir, data string, flags ...string) *exec.Cmd {
	t.Helper()
	os.Remove(filepath.Join(data, "run", "instance.json")) // of a killed one
	log := &screen{}
	cmd := &exec.Cmd{Path: os.Args[0], Args: append([]string{"spate", "up", dir, "--ports", "auto", "--no-simulator"}, flags...), Dir: dir, Stdout: log, Stderr: log}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if i, err := console.ReadInstance(data); err == nil && i.PID == cmd.Process.Pid {
			return cmd
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %s", log)
		}
	}
}

const derivedScript = `
SELECT DeviceId, System.Timestamp() AS WindowEnd, COUNT(*) AS n, AVG(Temperature) AS average, MAX(CAST(Location AS nvarchar(max))) AS place
INTO averages FROM telemetry GROUP BY DeviceId, TumblingWindow(second, 1);
SELECT *, Temperature > 20 AS Warm INTO everything FROM telemetry;
`

// A folder with nothing but a script makes its hubs and tables; whatever moment
// the process is killed at, each acknowledged event is in the tables once.
func TestScriptsAloneKeepEveryEventOverKills(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("job.asaql", []byte(derivedScript), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	const rounds = 4
	for round := range rounds {
		child := upChild(t, dir, data)
		if round == 0 {
			spateCode(t, notFound, "query", "SELECT COUNT(*) FROM everything")
		}
		spateOut(t, func(string) bool { return true }, "simulate", "-q", "--devices", "40", "--interval", "100ms", "--duration", "500ms")
		time.Sleep(time.Duration(round) * 300 * time.Millisecond) // another place of the checkpoint cycle
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait()
	}
	stop, _, errs := startUp(t, data, "--ports", "auto")
	want := "n,ids\r\n800,800\r\n"
	got := spateOut(t, func(s string) bool { return s == want || strings.HasPrefix(s, "n,ids\r\n8") }, "query", "-o", "csv",
		"SELECT COUNT(*) AS n, COUNT(DISTINCT EventId) AS ids FROM everything")
	if got != want {
		t.Errorf("everything has %q, want %q", got, want)
	}
	got = spateOut(t, func(s string) bool { return s >= "n\r\n800" }, "query", "-o", "csv", "SELECT SUM(n) AS n FROM averages")
	if got != "n\r\n800\r\n" {
		t.Errorf("averages count %q, want 800", got)
	}
	got = spateOut(t, func(string) bool { return true }, "query", "-o", "csv",
		"SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'averages'")
	for _, want := range []string{"DeviceId,nvarchar", "WindowEnd,datetime2", "n,bigint", "average,float", "place,nvarchar"} {
		if !strings.Contains(got, want) {
			t.Errorf("columns %q, want %s", got, want)
		}
	}
	if code := stop(); code != done {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// spateCode runs a verb that ends with a code.
func spateCode(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, strings.NewReader(""), &out, &errs); got != code {
		t.Errorf("spate %v: exit %d, want %d; %s%s", args, got, code, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// What is dropped is kept once too, whatever moment the process is killed at.
func TestDeadLettersOverKills(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("spate.yaml", []byte(countedFile), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	good, broken := 0, 0
	for round := range 4 {
		fleet := []string{"simulate", "-q", "--hub", "in", "--scenario", "malformed", "--seed", strconv.Itoa(round + 1), "--devices", "50", "--interval", "100ms", "--duration", "500ms"}
		for line := range strings.Lines(spateOut(t, func(string) bool { return true }, append(fleet, "--dry-run")...)) {
			if json.Valid([]byte(line)) {
				good++
			} else if line != "\n" {
				broken++
			}
		}
		child := upChild(t, dir, data)
		spateOut(t, func(string) bool { return true }, fleet...)
		time.Sleep(time.Duration(round) * 300 * time.Millisecond) // another place of the checkpoint cycle
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait()
	}
	stop, _, errs := startUp(t, data, "--ports", "auto")
	want := "n\r\n" + strconv.Itoa(good) + "\r\n"
	if got := spateOut(t, func(s string) bool { return s == want }, "query", "-o", "csv", "SELECT COUNT(*) AS n FROM rows"); got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
	if code := stop(); code != done {
		t.Errorf("exit %d: %s", code, errs)
	}
	files, err := filepath.Glob(filepath.Join("data", "jobs", "j", "dead-letter", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines, seen := 0, map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			lines++
			seen[line] = true
		}
	}
	if broken == 0 || lines != broken || len(seen) != broken {
		t.Errorf("%d letters, %d of them different, want %d", lines, len(seen), broken)
	}
}
