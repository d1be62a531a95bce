package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spate/monitor"
)

const countedFile = `version: 1
name: counted
namespace: { eventHubs: { in: { partitionCount: 3 }, copies: {} } }
tables: { rows: { columns: { id: string } } }
jobs:
  j:
    query: |
      SELECT EventId AS id INTO rows FROM [in];
      SELECT EventId INTO copies FROM [in] WHERE Temperature > -1000;
    outputs: { rows: { table: rows }, copies: { eventHub: copies } }
`

// totals sums the values of each metric of an answer.
func totals(t *testing.T, text string) map[string]float64 {
	t.Helper()
	var a monitor.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := map[string]float64{}
	for _, m := range a.Value {
		out[m.Name.Value] = 0
		for _, s := range m.Timeseries {
			for _, p := range s.Data {
				if v, ok := p.Value(); ok {
					out[m.Name.Value] += float64(v)
				}
			}
		}
	}
	return out
}

// The metrics of a known set of events, some of them broken, while the pipeline
// runs and behind its end.
func TestMetricsCountEveryEventOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole pipeline")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("spate.yaml", []byte(countedFile), 0o644); err != nil {
		t.Fatal(err)
	}
	fleet := []string{"simulate", "-q", "--hub", "in", "--scenario", "malformed", "--seed", "5", "--devices", "30", "--interval", "100ms", "--duration", "1s"}
	dry := spateOut(t, func(string) bool { return true }, append(fleet, "--dry-run")...)
	sent, broken, empty := 0.0, 0.0, 0.0
	for line := range strings.Lines(dry) {
		line = strings.TrimSuffix(line, "\n")
		sent++
		var m map[string]any
		switch {
		case line == "": // a message without events
			empty++
		case json.Unmarshal([]byte(line), &m) != nil:
			broken++
		}
	}
	if sent != 300 || broken == 0 {
		t.Fatalf("the fleet sends %v events, %v of them broken", sent, broken)
	}
	good := sent - broken - empty
	stop, _, errs := startUp(t, filepath.Join(dir, "data"), "--ports", "auto")
	spateOut(t, func(string) bool { return true }, fleet...)
	job := []string{"metrics", "list", "-o", "json", "--interval", "PT1M", "--metric", "InputEvents,OutputEvents,Errors,DeserializationError,ConversionErrors"}
	space := []string{"metrics", "list", "-o", "json", "--interval", "PT1M", "--metric", "IncomingMessages,OutgoingMessages"}
	check := func(when string) {
		t.Helper()
		var got map[string]float64
		spateOut(t, func(s string) bool {
			got = totals(t, s)
			return got["OutputEvents"] >= 2*good || when != "running"
		}, job...)
		for name, want := range map[string]float64{"InputEvents": good, "OutputEvents": 2 * good, "Errors": 0, "DeserializationError": broken, "ConversionErrors": 0} {
			if got[name] != want {
				t.Errorf("%s: %s is %v, want %v", when, name, got[name], want)
			}
		}
		// The namespace: events of the fleet and of the job; one reader, the job.
		spateOut(t, func(s string) bool {
			got = totals(t, s)
			return got["IncomingMessages"] >= sent+good || when != "running"
		}, space...)
		if got["IncomingMessages"] != sent+good || got["OutgoingMessages"] != sent {
			t.Errorf("%s: namespace %v, want %v in and %v out", when, got, sent+good, sent)
		}
	}
	check("running")
	if code := stop(); code != done {
		t.Errorf("exit %d: %s", code, errs)
	}
	check("stopped")

	letters, err := filepath.Glob(filepath.Join("data", "jobs", "j", "dead-letter", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range letters {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(b, []byte("\n"))
	}
	if float64(lines) != broken {
		t.Errorf("%d dead letters, want %v", lines, broken)
	}
}
