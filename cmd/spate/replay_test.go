package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Through the built command: a row that a job could not compute is shown with its event,
// the event is sent again through the running instance, once, and the letters go.
func TestDeadLettersOfARunningInstance(t *testing.T) {
	if testing.Short() { // CI and the README run without -short
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "q.asaql", "SELECT DeviceId, CAST(DeviceId AS bigint) AS n INTO o FROM [in]\n")
	write(t, "spate.yaml", `version: 1
name: replay
namespace: { eventHubs: { in: { partitionCount: 1 }, o: {} } }
jobs: { j: { query: q.asaql, runtimeErrorPolicy: skipToDeadLetter } }
`)
	data := filepath.Join(dir, "data")
	stop, _, errs := startUp(t, data, "--ports", "auto", "--no-simulator")
	defer stop()
	var out bytes.Buffer
	if code := run([]string{"simulate", "--hub", "in", "--devices", "1", "--rate", "50", "--duration", "200ms"}, strings.NewReader(""), &out, &out); code != done {
		t.Fatalf("simulate: exit %d, %s", code, out.String())
	}
	type shown struct {
		ID, Kind, Replayed string
		Offset             int64
	}
	letters := func(s string) (list []shown) {
		for line := range strings.Lines(s) {
			var l shown
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			list = append(list, l)
		}
		return list
	}
	status := spateOut(t, func(s string) bool {
		return strings.Contains(s, `"runtimeErrors": `) && !strings.Contains(s, `"runtimeErrors": 0`)
	}, "status", "-o", "json")
	if !strings.Contains(status, `"state": "Running"`) {
		t.Errorf("status %s", status)
	}
	show := []string{"deadletter", "show", "j"}
	first := letters(spateOut(t, func(s string) bool { return s != "" }, show...))[0]
	if first.Kind != "runtime" || first.Offset != 0 {
		t.Fatalf("the first letter is %+v", first)
	}
	replay := func(more ...string) (int, string) {
		var out bytes.Buffer
		code := run(append([]string{"deadletter", "replay", "j", first.ID}, more...), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	if code, said := replay(); code != done || !strings.Contains(said, "job j: 1 events sent again, of 1 dead letters") {
		t.Fatalf("exit %d, %s", code, said)
	}
	if code, said := replay(); code == done || !strings.Contains(said, "not replayed: "+first.ID+": it was replayed at ") {
		t.Errorf("a second time: exit %d, %s", code, said)
	}
	if code, said := replay("--again"); code != done {
		t.Errorf("again: exit %d, %s", code, said)
	}
	spateOut(t, func(s string) bool { return strings.Contains(s, "RuntimeError\tyes") }, "deadletter", "list", "-o", "tsv")
	if l := letters(spateOut(t, func(string) bool { return true }, show...))[0]; l.ID != first.ID || l.Replayed == "" {
		t.Errorf("the letter that was replayed is %+v", l)
	}
	spateOut(t, func(string) bool { return true }, "deadletter", "drop", "j", "--all", "--yes")
	if code := stop(); code != done {
		t.Fatalf("exit %d: %s", code, errs)
	}
	out.Reset() // what failed again behind the drop may be there
	if code := run([]string{"deadletter", "drop", "j", "--all", "--yes"}, strings.NewReader(""), &out, &out); code != done {
		t.Errorf("offline: exit %d, %s", code, out.String())
	}
	if got := spateOut(t, func(string) bool { return true }, show...); got != "" {
		t.Errorf("left: %s", got)
	}
	if _, err := os.Stat(filepath.Join(data, "jobs", "j", "dead-letter")); err != nil {
		t.Error(err)
	}
}
