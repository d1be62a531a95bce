package exec_test

import (
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
)

// chain is a time stage in front of an operator, as a partition drives them.
type chain struct {
	stage *exec.TimeStage
	step  exec.Operator
	out   counter
}

func (c *chain) Rows(b *column.Batch) error { return c.step.Process(0, b, &c.out) }

func (c *chain) Advance(w column.Ticks) error { return c.step.Advance(w, &c.out) }

// counter counts rows.
type counter int

func (c *counter) Rows(b *column.Batch) error { *c += counter(b.LiveRows()); return nil }

func (c *counter) Advance(column.Ticks) error { return nil }

// silent runs a script whose window ends two seconds into the day over one event
// of its first second, and then hears nothing.
func silent(t *testing.T, script string, p exec.TimePolicy) (*chain, column.Ticks) {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{Inputs: []bind.InputInfo{{Name: "i", Kind: bind.EventHub}}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	stage, err := exec.NewTimeStage(job.Inputs[0], p)
	if err != nil {
		t.Fatal(err)
	}
	project := job.Outputs[0].In.(*plan.Project)
	step, err := exec.NewAggregate(project.In.(*plan.Aggregate))
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{stage: stage, step: step}
	midnight, _ := column.ParseTicks("2026-01-05")
	at := midnight + column.Second
	b := &column.Batch{Schema: exec.SchemaOf(job.Inputs[0].Columns()), Rows: 1, Time: []column.Ticks{at}, Seq: []int64{0}}
	for range job.Inputs[0].Cols {
		b.Cols = append(b.Cols, column.Vector{Kind: column.Time, Ints: []int64{int64(at)}})
	}
	if err := stage.Rows(b, c); err != nil {
		t.Fatal(err)
	}
	if err := c.Advance(stage.Watermark()); err != nil {
		t.Fatal(err)
	}
	return c, at
}

func (c *chain) wait(t *testing.T, now column.Ticks) int {
	t.Helper()
	if err := c.stage.Idle(now, false, c); err != nil {
		t.Fatal(err)
	}
	if err := c.Advance(c.stage.Watermark()); err != nil {
		t.Fatal(err)
	}
	return int(c.out)
}

// Case C-84: a window closes when the estimated arrival time less the late
// tolerance has passed its end, and never if the tolerance is infinite.
func TestWindowClosesInSilence(t *testing.T) {
	const application = "SELECT COUNT(*) AS n INTO o FROM i TIMESTAMP BY t GROUP BY TumblingWindow(second, 2)"
	const arrival = "SELECT COUNT(*) AS n INTO o FROM i GROUP BY TumblingWindow(second, 2)"
	tick := column.Ticks(1)
	for _, c := range []struct {
		name, script string
		late         column.Ticks
		after        column.Ticks // of silence; negative: never
	}{
		{"application time", application, 5 * column.Second, 6 * column.Second},
		{"no tolerance", application, 0, column.Second},
		{"infinite tolerance", application, -1, -1},
		{"arrival time", arrival, 2 * column.Second, 3 * column.Second},
		{"arrival time, infinite tolerance", arrival, -1, 6 * column.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := exec.TimePolicy{Late: c.late}
			ch, at := silent(t, c.script, p)
			if c.after < 0 {
				if n := ch.wait(t, at+column.Day); n != 0 {
					t.Errorf("%d rows after a day, want none", n)
				}
				return
			}
			if n := ch.wait(t, at+c.after); n != 0 {
				t.Errorf("%d rows when the watermark is the end of the window, want none", n)
			}
			if n := ch.wait(t, at+c.after+tick); n != 1 {
				t.Errorf("%d rows behind it, want 1", n)
			}
		})
	}
}
