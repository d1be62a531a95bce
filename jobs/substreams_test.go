package jobs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"spate/pipeline"
)

// Each key has a time line of its own in a job over a hub: one that is far behind is in
// order, the rows of windows come while it is silent, and an event without a key is dropped
// with a letter.
func TestSubstreamsOfAJob(t *testing.T) {
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	p := run(t, pipeline.Options{
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}},
		Tables: []pipeline.Table{
			{Name: "rows", Columns: []pipeline.TableColumn{{Name: "k", Type: "string"}, {Name: "v", Type: "double"}}},
			{Name: "windows", Columns: []pipeline.TableColumn{{Name: "k", Type: "string"}, {Name: "n", Type: "long"}}},
		},
		Jobs: []pipeline.Job{{Name: "j", Script: `SELECT k, v INTO rows FROM [in] TIMESTAMP BY at OVER k;
			SELECT k, COUNT(*) AS n INTO windows FROM [in] TIMESTAMP BY at OVER k GROUP BY k, TumblingWindow(millisecond, 10)`,
			Inputs:   []pipeline.Input{{Alias: "in", Hub: "in"}},
			Outputs:  []pipeline.Output{{Alias: "rows", Table: "rows"}, {Alias: "windows", Table: "windows"}},
			Policies: pipeline.Policies{Action: pipeline.Drop, MaxLate: new(500 * time.Millisecond)}}},
	})
	p.send("in", `{"k":"fast","v":1,"at":"`+at(time.Minute)+`"}`, `{"k":"slow","v":2,"at":"`+at(time.Second)+`"}`,
		`{"k":"fast","v":3,"at":"`+at(time.Second)+`"}`, `{"v":4,"at":"`+at(time.Second)+`"}`)
	until(t, "the window of the slow key", func() bool { return len(p.rowsOf("windows")) == 1 })
	until(t, "the rows", func() bool { return len(p.rowsOf("rows")) == 2 })
	if got := p.counter("DroppedOrAdjustedEvents", "JobName", "j"); got != 1 { // both statements read it once
		t.Errorf("%d events are out of order, want the second of the fast key", got)
	}
	if got := p.counter("InvalidInputTimeStamp", "JobName", "j"); got != 1 {
		t.Errorf("%d events without a key, want 1", got)
	}
	p.stop()
	var reasons []string
	for _, l := range p.letters("j") {
		reasons = append(reasons, l["reason"].(string))
	}
	if !slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(r, "InvalidInputTimeStampKey: ") }) {
		t.Errorf("letters %q", reasons)
	}
}

// A job whose late events may be as late as they like is refused.
func TestSubstreamsNeedATolerance(t *testing.T) {
	_, err := compile(pipeline.Job{Name: "j", Script: "SELECT a INTO o FROM i TIMESTAMP BY t OVER k", Policies: pipeline.Policies{MaxLate: new(pipeline.Infinite)}})
	if err == nil || !strings.Contains(err.Error(), "TIMESTAMP BY ... OVER needs a tolerance for late events") {
		t.Errorf("%v", err)
	}
}
