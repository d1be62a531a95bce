package jobs

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/pipeline"
)

// letters are the lines of a job's dead letters.
func (p *testRoom) letters(job string) (out []map[string]any) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "jobs", job, "dead-letter", "*.jsonl"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				p.t.Fatalf("%s: %v", line, err)
			}
			out = append(out, m)
		}
	}
	return out
}

// What a job drops is counted, kept and written to the log once a minute.
func TestDroppedEventsAndRows(t *testing.T) {
	var log lockedBuffer
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	p := run(t, pipeline.Options{
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "out", Columns: []pipeline.TableColumn{{Name: "v", Type: "double"}}}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v INTO out FROM [in] TIMESTAMP BY at",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}, Policies: pipeline.Policies{Action: pipeline.Drop}}},
		Log: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	good := `{"at":"` + at(10*time.Second) + `","v":1}`
	p.send("in", good, `{"at":`, `{"at":"no time","v":1}`, `{"at":"`+at(-time.Hour)+`","v":1}`, `{"at":"`+at(time.Hour)+`","v":1}`,
		`{"at":"`+at(11*time.Second)+`","v":"text"}`)
	for range 20 {
		p.send("in", "no JSON")
	}
	p.send("in", `{"at":"`+at(12*time.Second)+`","v":2}`)
	until(t, "the rows", func() bool { return len(p.rowsOf("out")) == 2 })
	for name, want := range map[string]int64{
		"InputEventsSourcesPerSecond": 27, "InputEvents": 6, "DeserializationError": 21, "InvalidInputTimeStamp": 1, "LateInputEvents": 1,
		"EarlyInputEvents": 1, "ConversionErrors": 1, "OutputEvents": 2, "Errors": 0, "DeadLetterEvents": 25,
	} {
		if got := p.counter(name, "JobName", "j"); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
	if n := p.counter("InputEventBytes", "JobName", "j", "LogicalName", "in", "PartitionId", "0"); n < 6*int64(len(`{"at":"","v":1}`)) || n > 6*64 {
		t.Errorf("InputEventBytes %d: want those of six events", n)
	}
	p.stop()

	kinds := make(map[string]int)
	for _, l := range p.letters("j") {
		kinds[l["kind"].(string)]++
		switch {
		case l["kind"] == "conversion" && (l["output"] != "out" || l["row"].(map[string]any)["v"] != "text"),
			l["kind"] == "late" && l["offset"] != 3.0, l["kind"] == "early" && l["offset"] != 4.0:
			t.Errorf("letter %v", l)
		}
	}
	if want := map[string]int{"deserialization": 21, "timestamp": 1, "late": 1, "early": 1, "conversion": 1}; !maps.Equal(kinds, want) {
		t.Errorf("letters %v, want %v", kinds, want)
	}
	warned := 0
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"kind":"deserialization"`) {
			warned++
			if warned == 2 && !strings.Contains(line, `"count":20`) {
				t.Errorf("the second line does not count the rest: %s", line)
			}
		}
	}
	if warned != 2 {
		t.Errorf("%d lines of bad messages, want the first and a count:\n%s", warned, log.String())
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A row that the table cannot hold stops the job, which goes back to it again and
// again; what comes behind it waits.
func TestStopPolicyHoldsTheRow(t *testing.T) {
	for _, byOutput := range []bool{true, false} {
		out, policies := pipeline.Output{Alias: "out", Table: "out"}, pipeline.Policies{OutputError: pipeline.Stop}
		if byOutput {
			out.ErrorPolicy, policies = pipeline.Stop, pipeline.Policies{}
		}
		p := run(t, pipeline.Options{
			Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}}, Tables: []pipeline.Table{{Name: "out", Columns: []pipeline.TableColumn{{Name: "v", Type: "double"}}}},
			Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []pipeline.Output{out}, Policies: policies}},
		})
		p.send("in", `{"v":1}`)
		until(t, "the good row", func() bool { return len(p.rowsOf("out")) == 1 })
		p.send("in", `{"v":"x"}`, `{"v":2}`)
		until(t, "the job to stop", func() bool { return p.health() != nil })
		if err := p.health().Error(); !strings.Contains(err, `{"v":"x"}`) || !strings.Contains(err, "held") {
			t.Errorf("health says %q", err)
		}
		if n := len(p.rowsOf("out")); n != 1 || len(p.letters("j")) != 0 || p.counter("Errors", "JobName", "j") != 0 {
			t.Errorf("%d rows, %d letters, want the first row alone", n, len(p.letters("j")))
		}
		p.stop()
	}
}
