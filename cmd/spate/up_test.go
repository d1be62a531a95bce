package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/access"
	"spate/console"
	"spate/monitor"
)

// screen is an output that may be read while it is written.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startUp runs `spate up` in this process and waits for its instance file.
func startUp(t *testing.T, dir string, args ...string) (stop func() int, out, errs *screen) {
	t.Helper()
	out, errs = &screen{}, &screen{}
	code := make(chan int, 1)
	began := time.Now()
	go func() { code <- run(append([]string{"up"}, args...), strings.NewReader(""), out, errs) }()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		// A killed instance leaves its file behind.
		if i, err := console.ReadInstance(dir); err == nil && i.PID == os.Getpid() && !i.StartedAt.Before(began) {
			break
		}
		if len(code) > 0 || time.Now().After(end) {
			t.Fatalf("not ready: %s%s", out, errs)
		}
	}
	return sync.OnceValue(func() int {
		if err := interruptSelf(); err != nil {
			t.Error(err)
		}
		return <-code
	}), out, errs
}

// spateOut runs a verb until ok likes what it prints.
func spateOut(t *testing.T, ok func(out string) bool, args ...string) string {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var out, errs bytes.Buffer
		code := run(args, strings.NewReader(""), &out, &errs)
		if code == done && ok(out.String()) {
			return out.String()
		}
		if time.Now().After(end) {
			t.Fatalf("spate %v: exit %d, %s%s", args, code, out.String(), errs.String())
		}
	}
}

func TestUpInAnEmptyFolder(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	data := filepath.Join(dir, "data")
	stop, out, errs := startUp(t, data, "--ports", "auto")
	defer stop()
	for _, want := range []string{"built-in example", "Endpoint=sb://localhost", "EVENT_HUB_NAME='device-telemetry'", "spate query", "./data"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the first screen does not say %q:\n%s", want, out)
		}
	}
	count := `SELECT COUNT(*) AS n FROM telemetry.raw_telemetry`
	spateOut(t, func(s string) bool { return strings.HasPrefix(s, "n\r\n") && s != "n\r\n0\r\n" }, "query", "-o", "csv", count)

	// A key is printed for who asks for it, and not in passing where it would stay in a file.
	key := func(s string) string {
		c, err := access.ParseConnectionString(strings.TrimSpace(s))
		if err != nil {
			t.Fatal(err)
		}
		return c.Key
	}(spateOut(t, func(string) bool { return true }, "connection-string"))
	if key == "" || key == "***" || strings.Contains(out.String()+errs.String(), key) {
		t.Errorf("the key %q is on the first screen, which is no terminal:\n%s", key, out)
	}
	if s := spateOut(t, func(string) bool { return true }, "connection-string", "--hub", "telemetry-alerts", "-o", "json"); !strings.Contains(s, key) || !strings.Contains(s, "EntityPath=telemetry-alerts;") {
		t.Errorf("the string of a hub is %s", s)
	}

	list := []string{"metrics", "list", "--metric", "InputEvents,OutputEvents,Errors", "--interval", "PT1M", "-o", "json"}
	total := func(s string) (n float64) {
		var a monitor.Answer
		if err := json.Unmarshal([]byte(s), &a); err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Value[0].Timeseries[0].Data {
			if v, ok := p.Value(); ok {
				n += float64(v)
			}
		}
		return n
	}
	running := total(spateOut(t, func(s string) bool { return total(s) > 0 }, list...))

	for _, via := range []string{"kafka", "amqp"} {
		var lost bytes.Buffer
		if code := run([]string{"simulate", "--hub", "nope", "--via", via}, strings.NewReader(""), &lost, &lost); code != notFound {
			t.Errorf("simulate to no hub over %s: exit %d, %s", via, code, lost.String())
		}
	}
	var twice bytes.Buffer
	if code := run([]string{"up", "--ports", "auto"}, strings.NewReader(""), &twice, &twice); code != usage || !strings.Contains(twice.String(), "E321") {
		t.Errorf("a second instance: exit %d, %s", code, twice.String())
	}
	i, err := console.ReadInstance(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range i.Addresses {
		if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s listens on %s", name, addr)
		}
	}
	if code := stop(); code != done {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if strings.ContainsAny(out.String()+errs.String(), "\x1b\r") {
		t.Error("control characters in a pipe")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "data" {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}

	// Stopped: tables and metrics are there.
	before := spateOut(t, func(string) bool { return true }, "query", "-o", "csv", count)
	if stopped := total(spateOut(t, func(string) bool { return true }, list...)); stopped < running {
		t.Errorf("InputEvents %v after the stop, %v before", stopped, running)
	}

	both := "-- View recent telemetry\nSELECT TOP 1 DeviceId AS recent\nFROM telemetry.raw_telemetry\nORDER BY Timestamp DESC;\n" +
		"-- View aggregated metrics\nSELECT COUNT(*) AS windows\nFROM telemetry.aggregated_metrics\nWHERE WindowEnd >= DATEADD(hour, -1, GETUTCDATE());\n"
	if err := os.WriteFile(filepath.Join(data, "both.sql"), []byte(both), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"query", "-o", "csv", both}, {"query", "-o", "csv", "--file", filepath.Join(data, "both.sql")}} {
		got := spateOut(t, func(string) bool { return true }, args...)
		if !strings.HasPrefix(got, "recent\r\ndevice-") || !strings.Contains(got, "\r\n\nwindows\r\n") {
			t.Errorf("two queries in one text answered %q", got)
		}
	}
	if plan := spateOut(t, func(string) bool { return true }, "query", "--explain", "SELECT MAX(Temperature) AS t FROM telemetry.raw_telemetry"); !strings.Contains(plan, "SELECT max(") {
		t.Errorf("the plan is %q", plan)
	}

	// The next start goes on.
	stop, _, errs = startUp(t, data, "--ports", "auto", "--no-simulator")
	if after := spateOut(t, func(string) bool { return true }, "query", "-o", "csv", count); after != before {
		t.Errorf("rows before the restart %q, after %q", before, after)
	}
	if code := stop(); code != done {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestUpOnATakenPortIsAConfigurationError(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	file := "version: 1\nname: taken\nserver: { amqp: { enabled: false }, console: { port: off }, kafka: { port: " + port + " } }\n"
	if err := os.WriteFile("spate.yaml", []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"up"}, strings.NewReader(""), &out, &errs); code != usage || !strings.Contains(errs.String(), "E307") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}
