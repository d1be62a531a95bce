package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/config"
	"spate/console"
	"spate/pipeline"
)

// While a pipeline runs its script is edited: a mistake is printed and changes nothing,
// what is right is taken over. A job is stopped and started from outside.
func TestUpTakesOverAnEditedScript(t *testing.T) {
	needsDuckDB(t)
	if testing.Short() { // CI and the README run without -short
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) { t.Helper(); edit(t, name, text) }
	script := "SELECT DeviceId, Temperature INTO levels FROM [in]"
	write("q.asaql", script)
	write("spate.yaml", `version: 1
name: edited
namespace:
  eventHubs:
    in: { partitionCount: 2 }
tables:
  levels: {}
jobs:
  j:
    query: q.asaql
    outputs: { levels: { table: levels } }
simulate: { hub: in, devices: 5, interval: 100ms }
`)
	data := filepath.Join(dir, "data")
	stop, out, errs := startUp(t, data, "--ports", "auto", "--watch")
	defer stop()
	rows := func(where string) {
		t.Helper()
		spateOut(t, func(s string) bool { return strings.HasPrefix(s, "n\r\n") && s != "n\r\n0\r\n" }, "query", "-o", "csv", "SELECT COUNT(*) AS n FROM levels WHERE "+where)
	}
	says := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !strings.Contains(errs.String(), what); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it does not say %q:\n%s", what, errs)
			}
		}
	}
	rows("Temperature IS NOT NULL")
	write("q.asaql", "SELECT DeviceId Temperature oops INTO levels FROM [in]")
	says("the pipeline goes on as it was")
	says("q.asaql:1:29: E400")
	write("q.asaql", "SELECT 'new' AS DeviceId, Temperature INTO levels FROM [in]")
	says("taken over: job j replaced")
	rows("DeviceId = 'new'")
	write("name.js", "function main(x) { return 'first' }")
	write("q.asaql", "SELECT udf.name(1) AS DeviceId, Temperature INTO levels FROM [in]")
	write("spate.yaml", strings.Replace(mustRead(t, "spate.yaml"), "    query: q.asaql\n", "    query: q.asaql\n    functions: { name: { file: name.js } }\n", 1))
	rows("DeviceId = 'first'")
	write("name.js", "function main(x) { return 'second' }")
	rows("DeviceId = 'second'")
	write("name.js", "function main(x) { return 'second' ")
	says("name.js:1:")
	write("name.js", "function main(x) { return 'third' }")
	rows("DeviceId = 'third'")
	write("spate.yaml", strings.Replace(mustRead(t, "spate.yaml"), "partitionCount: 2", "partitionCount: 1", 1))
	says("cannot shrink to 1")

	do := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(args, strings.NewReader(""), &out, &errs); got != code {
			t.Errorf("spate %v: exit %d, want %d: %s%s", args, got, code, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	do(done, "job", "stop", "j")
	if list := do(done, "job", "list"); !strings.Contains(list, "j     Stopped") {
		t.Errorf("jobs:\n%s", list)
	}
	if page := do(done, "status"); !strings.Contains(page, "j     Stopped") || !strings.Contains(page, "events in") {
		t.Errorf("status:\n%s", page)
	}
	do(failed, "job", "stop", "j")
	do(notFound, "job", "stop", "k")
	do(usage, "job", "start", "j", "--output-start-mode", "CustomTime")
	do(failed, "job", "start", "j", "--output-start-mode", "Sometimes")
	do(done, "job", "start", "j", "--output-start-mode", "CustomTime", "--output-start-time", "2026-01-01T00:00:00Z")
	if list := do(done, "job", "list", "-o", "json"); !strings.Contains(list, `"state": "Running"`) {
		t.Errorf("jobs:\n%s", list)
	}
	i, err := console.ReadInstance(data)
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + i.Addresses["console"]
	resp, err := http.Post(address+"/api/jobs/j/stop", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stop without the token: %s", resp.Status)
	}
	do(unauthorized, "job", "stop", "j", "--address", address)
	do(done, "job", "stop", "j", "--address", address, "--token", i.Token)
	if code := stop(); code != done {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if s := out.String() + errs.String(); strings.Contains(s, i.Token) {
		t.Error("the token is on the screen")
	}
	do(noConnection, "job", "list")
}

// A file that changes while it is being read, or that is named for the first time and
// changes then, is read once more.
func TestAChangeDuringALoadIsTaken(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("b", "old")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got string
	loads := 0
	w := &watcher{files: []string{at("a")}, warned: map[string]bool{}, say: func(string) {}, warn: func(string) {},
		load: func() (*config.Pipeline, error) {
			got = mustRead(t, at("a")) + mustRead(t, at("b"))
			switch loads++; loads {
			case 1:
				put("a", "22") // behind the read
			case 2:
				put("b", "newer")
			}
			if got == "22newer" {
				cancel()
			}
			return &config.Pipeline{Files: []string{at("a"), at("b")}}, nil
		},
		reload: func(context.Context, pipeline.Options) ([]string, error) { return nil, nil }}
	w.run(ctx)
	if got != "22newer" {
		t.Errorf("read last: %q", got)
	}
}

// edit writes a file as editors do.
func edit(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An action group gets another file and the fleet another size while the pipeline runs; a
// port waits for the next start.
func TestUpTakesOverActionGroupsAndTheSimulator(t *testing.T) {
	if testing.Short() { // CI and the README run without -short
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	edit(t, "q.asaql", "SELECT DeviceId INTO alerts FROM [in]")
	file := func(alerts, devices, port string) string {
		return `version: 1
name: edited
server:
  kafka: { port: ` + port + ` }
namespace:
  eventHubs:
    in: { partitionCount: 1 }
    alerts: { partitionCount: 1 }
jobs:
  j:
    query: q.asaql
    outputs: { alerts: { eventHub: alerts } }
monitor:
  actionGroups:
    ops: { receivers: [ { name: f, file: ` + alerts + ` } ] }
notify:
  pager: { hub: alerts, actionGroups: [ops] }
simulate: { hub: in, devices: ` + devices + `, interval: 100ms }
`
	}
	edit(t, "spate.yaml", file("one.jsonl", "1", "0"))
	stop, _, errs := startUp(t, filepath.Join(dir, "data"), "--ports", "auto", "--watch")
	defer stop()
	wait := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s:\n%s", what, errs)
			}
		}
	}
	says := func(what string) {
		t.Helper()
		wait(what, func() bool { return strings.Contains(errs.String(), what) })
	}
	devices := func(name string) map[string]bool {
		out := make(map[string]bool)
		data, err := os.ReadFile(name)
		if err != nil {
			return out
		}
		for line := range strings.Lines(string(data)) {
			out[line] = true
		}
		return out
	}
	wait("alerts", func() bool { return len(devices("one.jsonl")) == 1 })
	edit(t, "spate.yaml", file("two.jsonl", "1", "0"))
	says("taken over: notify pager replaced")
	wait("alerts at the new place", func() bool { return len(devices("two.jsonl")) == 1 })
	edit(t, "spate.yaml", file("two.jsonl", "3", "0"))
	says("taken over: simulator replaced")
	wait("alerts of three devices", func() bool { return len(devices("two.jsonl")) == 3 })
	edit(t, "spate.yaml", file("two.jsonl", "4", "\"off\""))
	says("server.kafka.port cannot change while the pipeline runs")
	if n := len(devices("two.jsonl")); n != 3 {
		t.Errorf("%d devices after a change that was refused", n)
	}
	if code := stop(); code != done {
		t.Fatalf("exit %d: %s", code, errs)
	}
}
