package spate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"spate/jobs"
	"spate/pipeline"
	"spate/stream"
)

// What became of each event is said while the job runs and when it has stopped: written
// where, dropped by what, refused by which output, waiting for what.
func TestWhyAnEventHasNoRow(t *testing.T) {
	p := run(t, pipeline.Options{
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "other", Partitions: 1}},
		Tables: []pipeline.Table{{Name: "out", Columns: []pipeline.TableColumn{{Name: "n", Type: "int"}}}, {Name: "counts"}},
		Jobs: []pipeline.Job{{Name: "j", Policies: pipeline.Policies{Action: pipeline.Drop},
			Outputs: []pipeline.Output{{Alias: "out", Table: "out"}, {Alias: "counts", Table: "counts"}},
			Script: `SELECT n INTO out FROM [in] TIMESTAMP BY t
WHERE n > 1;
SELECT COUNT(*) AS c INTO counts FROM [in] TIMESTAMP BY t GROUP BY TumblingWindow(hour, 1)`}},
	})
	now := time.Now().UTC()
	event := func(n string, at time.Time) string {
		return fmt.Sprintf(`{"n":%s,"t":"%s"}`, n, at.Format(time.RFC3339Nano))
	}
	p.send("in", event("2", now), event("1", now), `{"n`, event("3", now.Add(-time.Hour)), event("99999999999", now), `{"n":5,"t":"soon"}`)
	until(t, "the row", func() bool { return len(p.rowsOf("out")) == 1 })
	until(t, "the last event", func() bool { return p.counter("InvalidInputTimeStamp", "JobName", "j") > 0 })
	p.send("other", `{}`)
	want := []string{
		"out: written 1, counts: waiting 1",
		"out: nothing at #2 filter n > 1, counts: waiting 1",
		"deserialization, out: nothing, counts: nothing",
		"late, out: nothing, counts: nothing",
		"out: refused 1, counts: waiting 1",
		"timestamp, out: nothing, counts: nothing",
	}
	look := func(when string) {
		t.Helper()
		for seq, want := range want {
			trace, err := p.Jobs().Why(t.Context(), "j", jobs.Event{Hub: "IN", Sequence: int64(seq)})
			if err != nil {
				t.Fatal(err)
			}
			if got := told(trace); got != want {
				t.Errorf("%s, event %d: %s, want %s", when, seq, got, want)
			}
		}
	}
	look("running")
	if err := p.Jobs().Stop(t.Context(), "j", true); err != nil {
		t.Fatal(err)
	}
	look("stopped")
	p.send("in", event("7", now))
	if trace, err := p.Jobs().Why(t.Context(), "j", jobs.Event{Hub: "in", Sequence: 6}); err != nil || !trace.Unread {
		t.Errorf("an event that came behind the stop: %+v, %v", trace, err)
	}
	for e, want := range map[jobs.Event]string{
		{Hub: "in", Sequence: 99}:                 "sequence numbers 0 to 6",
		{Hub: "in", Partition: 1}:                 "partitions 0 to 0",
		{Hub: "nowhere"}:                          "no hub nowhere",
		{Hub: "other", Partition: 0, Sequence: 0}: "does not read hub other",
	} {
		if _, err := p.Jobs().Why(t.Context(), "j", e); !errors.Is(err, jobs.ErrNoEvent) || !strings.Contains(err.Error(), want) {
			t.Errorf("event %v: error %v, want one with %q", e, err, want)
		}
	}
	x, err := p.Jobs().Explain(t.Context(), "J", 1)
	if err != nil {
		t.Fatal(err)
	}
	if in := x.Inputs[0]; x.State != "Stopped" || in.Messages != 6 || in.Late < 1 || in.Deserialization != 1 || in.InvalidTime < 1 {
		t.Errorf("state %s, input %+v", x.State, in)
	}
	for _, out := range x.Outputs {
		if out.Alias == "out" && (out.Rows != 1 || out.Refused != 1) {
			t.Errorf("output %+v", out)
		}
	}
}

// told is what a trace says, in short.
func told(t *stream.Trace) string {
	var out []string
	for _, v := range t.Verdicts {
		out = append(out, v.Kind)
	}
	for _, o := range t.Outputs {
		switch {
		case o.Written > 0:
			out = append(out, fmt.Sprintf("%s: written %d", o.Alias, o.Written))
		case o.Refused > 0:
			out = append(out, fmt.Sprintf("%s: refused %d", o.Alias, o.Refused))
		case o.Waiting > 0:
			out = append(out, fmt.Sprintf("%s: waiting %d", o.Alias, o.Waiting))
		default:
			s := o.Alias + ": nothing"
			for _, st := range t.Steps {
				if st.Rows == 0 && len(st.From) == 1 && t.Steps[st.From[0]-1].Rows > 0 {
					s += fmt.Sprintf(" at #%d %s", st.ID, st.Does)
				}
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}
