package jobs

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"spate/pipeline"
	"spate/stream"
)

func TestCSVInput(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "out"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "CREATE TABLE [in] (id nvarchar(max), v float); SELECT id, v INTO out FROM [in]",
			Inputs: []pipeline.Input{{Alias: "in", Hub: "in", Format: "csv", Delimiter: ";"}}, Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}},
	})
	p.send("in", "id;v\na;1.5\nb;2\n", "id;v\nc;x\n", "id\n\"no end")
	until(t, "the rows", func() bool {
		return len(p.rowsOf("out")) == 2 && p.counter("DeserializationError", "JobName", "j") == 2
	})
	if n := p.counter("InputEvents", "JobName", "j"); n != 2 {
		t.Errorf("InputEvents %d, want those that could be read", n)
	}
}

func TestAnEventOfTheMillisecondInWhichAJobWasMadeIsRead(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 999_999, time.UTC) // hubs stamp events with whole milliseconds
	p := run(t, pipeline.Options{
		Clock:  func() time.Time { return at },
		Tables: []pipeline.Table{{Name: "out"}},
		Jobs:   []pipeline.Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}},
	})
	p.send("in", `{"v":1}`)
	until(t, "the job to read it", func() bool { return p.counter("InputEvents", "JobName", "j") == 1 })
	until(t, "the row", func() bool { return len(p.rowsOf("out")) == 1 })
}

func TestAFailedJobIsSeen(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "out"}, {Name: "other"}},
		Jobs: []pipeline.Job{
			{Name: "bad", Script: "SELECT CAST(v AS bigint) AS v INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}},
			{Name: "good", Script: "SELECT v INTO other FROM [in]", Outputs: []pipeline.Output{{Alias: "other", Table: "other"}}},
		},
	})
	if err := p.health(); err != nil {
		t.Fatal(err)
	}
	p.send("in", `{"v":"x"}`)
	until(t, "the job to fail", func() bool { return p.health() != nil })
	if err := p.health().Error(); !strings.Contains(err, "job bad failed") || !strings.Contains(err, "line 1 and column 8") {
		t.Errorf("health says %q", err)
	}
	until(t, "the other job's row", func() bool { return len(p.rowsOf("other")) == 1 })
	states := make(map[string]string)
	for _, j := range p.Status() {
		states[j.Name] = j.State
		if (j.State == "Failed") != (j.Error != "") {
			t.Errorf("status %+v", j)
		}
	}
	if list := p.Problems(); len(list) != 1 || !strings.Contains(list[0].Error(), "job bad failed: ") {
		t.Errorf("problems %v", list)
	}
	if states["bad"] != "Failed" || states["good"] != "Running" || p.counter("Errors", "JobName", "bad") != 1 {
		t.Errorf("states %v, %d errors", states, p.counter("Errors", "JobName", "bad"))
	}
}

// A stop reads what was accepted before it; a short patience leaves it to the
// next start.
func TestAStopReadsWhatWasAccepted(t *testing.T) {
	for _, patience := range []time.Duration{0, time.Nanosecond} {
		o := pipeline.Options{
			Dir: t.TempDir(), Tables: []pipeline.Table{{Name: "out"}}, Drain: patience,
			Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}},
		}
		p := run(t, o)
		const events = 400
		for range events / 2 {
			p.send("in", `{"v":1}`, `{"v":2}`)
		}
		p.stop()
		if n := len(p.rowsOf("out")); patience == 0 && n != events {
			t.Errorf("%d rows behind a stop, want %d", n, events)
		}
		p = run(t, o)
		until(t, "all rows", func() bool { return len(p.rowsOf("out")) >= events })
		if n := len(p.rowsOf("out")); n != events {
			t.Errorf("%d rows behind the next start, want %d", n, events)
		}
	}
}

// Names that differ only in case are one output: no statement's rows are lost.
func TestOutputNamesIgnoreCase(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "out", Columns: []pipeline.TableColumn{{Name: "v", Type: "long"}}}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v INTO [out] FROM [in]; SELECT v + 10 AS v INTO [OUT] FROM [IN]",
			Inputs: []pipeline.Input{{Alias: "In", Hub: "in"}}, Outputs: []pipeline.Output{{Alias: "Out", Table: "out"}}}},
	})
	p.send("in", `{"v":1}`, `{"v":2}`)
	until(t, "four rows", func() bool { return len(p.rowsOf("out")) == 4 })
	if n := p.counter("InputEvents", "JobName", "j"); n != 2 {
		t.Errorf("InputEvents %d, want 2: one input", n)
	}
}

func TestJobsThatShareAFolderAreRefused(t *testing.T) {
	job := func(name string) pipeline.Job {
		return pipeline.Job{Name: name, Script: "SELECT v INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Table: "out"}}}
	}
	for _, o := range []pipeline.Options{
		{Jobs: []pipeline.Job{job("a"), job("A")}},
		{Jobs: []pipeline.Job{job("Capture-in")}, Captures: []pipeline.Capture{{Hub: "in", Table: "out"}}},
		{Captures: []pipeline.Capture{{Hub: "in", Table: "out"}, {Hub: "IN", Table: "out"}}},
	} {
		o.Dir, o.Hubs, o.Tables, o.Log = t.TempDir(), []pipeline.Hub{{Name: "in"}}, []pipeline.Table{{Name: "out"}}, slog.New(slog.DiscardHandler)
		if p, err := open(t, o); err == nil {
			t.Error("the jobs share a folder")
			p.stop()
		}
	}
}

// Rows of a hub that is written at once are there long before the next checkpoint, and
// once when the job starts again.
func TestRowsShownAtOnceDoNotWaitForTheCheckpoint(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 2}, {Name: "alerts", Partitions: 2}},
		Jobs: []pipeline.Job{{Name: "j", CheckpointInterval: time.Hour,
			Script:  "SELECT d, v, LAG(v) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS p INTO alerts FROM [in] WHERE v > 0",
			Outputs: []pipeline.Output{{Alias: "alerts", Hub: "alerts", Immediate: true}}}},
	}
	p := run(t, o)
	for v := range 3 { // all to one partition: they stay in order
		p.send("in", fmt.Sprintf(`{"d":1,"v":%d}`, v+1))
	}
	until(t, "the rows", func() bool { e := p.eventsOf("alerts"); return len(e[0])+len(e[1]) == 3 })
	p.stop()
	p = run(t, o)
	p.send("in", `{"d":1,"v":4}`)
	until(t, "the next row", func() bool { return len(p.eventsOf("alerts")[1]) >= 2 })
	want := [][]string{{`{"d":1,"v":1,"p":null}`, `{"d":1,"v":3,"p":2}`}, {`{"d":1,"v":2,"p":1}`, `{"d":1,"v":4,"p":3}`}}
	if got := p.eventsOf("alerts"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("alerts %v, want %v", got, want)
	}
}

func TestWhatCannotBeShownAtOnceIsRefused(t *testing.T) {
	for script, want := range map[string]string{
		"SELECT v INTO out FROM [in] TIMESTAMP BY at":             "input in has its times from the events",
		"SELECT v, EventProcessedUtcTime AS t INTO out FROM [in]": "EventProcessedUtcTime",
		"SELECT * INTO out FROM [in]":                             "name the columns",
		"SELECT * INTO out FROM [in] MATCH_RECOGNIZE (LIMIT DURATION(second, 1) MEASURES Last(A.v) AS v PATTERN (A A?)) AS m": "the rows of MATCH_RECOGNIZE",
		"SELECT a.v INTO out FROM [in] a JOIN [in] b ON DATEDIFF(second, a, b) = 0":                                           "the rows of a JOIN",
		"SELECT v, LAG(v) OVER (LIMIT DURATION(hour, 1)) AS p INTO out FROM [in] UNION SELECT v, v AS p FROM [in]":            "UNION",
	} {
		_, err := open(t, pipeline.Options{
			Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in"}, {Name: "out"}}, Log: slog.New(slog.DiscardHandler),
			Jobs: []pipeline.Job{{Name: "j", Script: script, Outputs: []pipeline.Output{{Alias: "out", Hub: "out", Immediate: true}}}},
		})
		var why *stream.ImmediateError
		if !errors.As(err, &why) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "visibility: epoch") {
			t.Errorf("%s: %v, want one that says %q", script, err, want)
		}
	}
	_, err := open(t, pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Acknowledge: pipeline.AckOS}, {Name: "out"}}, Log: slog.New(slog.DiscardHandler),
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v INTO out FROM [in]", Outputs: []pipeline.Output{{Alias: "out", Hub: "out", Immediate: true}}}},
	})
	if why := new(stream.ImmediateError); !errors.As(err, &why) || !strings.Contains(err.Error(), "power cut") {
		t.Errorf("an input that acknowledges early: %v", err)
	}
	for script, name := range map[string]string{
		"SELECT v INTO out FROM [in] TIMESTAMP BY EventEnqueuedUtcTime":                                                       "the arrival time by name",
		"SELECT v INTO out FROM [in] UNION SELECT v + 1 AS v FROM [in]":                                                       "a union beside the readers",
		"SELECT COUNT(*) AS n INTO out FROM [in] GROUP BY TumblingWindow(second, 1); SELECT v INTO out FROM [in] WHERE v > 3": "statements of different columns",
	} {
		p, err := open(t, pipeline.Options{
			Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in"}, {Name: "out"}}, Log: slog.New(slog.DiscardHandler),
			Jobs: []pipeline.Job{{Name: "j", Script: script, Outputs: []pipeline.Output{{Alias: "out", Hub: "out", Immediate: true}}}},
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p.stop()
	}
}
