package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/pipeline"
)

// A job is stopped and started, and one that has failed is started again.
func TestJobsStopAndStart(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs:   []pipeline.Job{{Name: "j", Script: "SELECT CAST(n AS bigint) AS n INTO o FROM [in]", Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	})
	state := func() string { return p.Status()[0].State }
	p.send("in", `{"n":1}`)
	until(t, "a row", func() bool { return len(p.rowsOf("o")) == 1 })
	if err := p.Stop(t.Context(), "J", true); err != nil || state() != "Stopped" {
		t.Fatalf("%v, %s", err, state())
	}
	if err := p.Stop(t.Context(), "j", true); !errors.Is(err, ErrJobState) {
		t.Errorf("stopped twice: %v", err)
	}
	p.send("in", `{"n":2}`)
	if err := p.Start(t.Context(), "j", pipeline.JobStart{}); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // whoever asks may not wait for the answer
		if err := p.Stop(gone, "j", true); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrJobState) {
			t.Error(err)
		}
	}
	if err := p.Stop(t.Context(), "j", true); err != nil && !errors.Is(err, ErrJobState) {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Start(t.Context(), "j", pipeline.JobStart{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context(), "j", pipeline.JobStart{}); !errors.Is(err, ErrJobState) {
			t.Errorf("started twice: %v", err)
		}
		if err := p.Stop(t.Context(), "j", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Start(t.Context(), "k", pipeline.JobStart{}); !errors.Is(err, ErrNoJob) {
		t.Errorf("a job that is not there: %v", err)
	}
	if err := p.Start(t.Context(), "j", pipeline.JobStart{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the row of the time between", func() bool { return len(p.rowsOf("o")) == 2 })
	p.send("in", `{"n":"x"}`)
	for range 2 {
		until(t, "the failure", func() bool { return state() == "Failed" })
		if err := p.Start(t.Context(), "j", pipeline.JobStart{}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the failure", func() bool { return state() == "Failed" })
}

// A job begins anew where it is told to: its state is gone, its rows stay.
func TestAJobBeginsAnew(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(hour, 1)) AS p INTO o FROM [in]",
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	})
	rows := func(want string) {
		t.Helper()
		got := ""
		defer func() {
			if t.Failed() {
				t.Logf("rows %s", got)
			}
		}()
		until(t, want, func() bool {
			var list []string
			for _, r := range p.rowsOf("o") {
				list = append(list, fmt.Sprintf("%v<%v", r["n"], r["p"]))
			}
			slices.Sort(list)
			got = strings.Join(list, " ")
			return got == want
		})
	}
	began := time.Now()
	p.send("in", `{"n":1}`)
	p.send("in", `{"n":2}`)
	rows("1<<nil> 2<1")
	again := func(start pipeline.JobStart) {
		t.Helper()
		if err := p.Stop(t.Context(), "j", true); err != nil {
			t.Fatal(err)
		}
		p.send("in", fmt.Sprintf(`{"n":%d}`, len(p.rowsOf("o"))+1))
		sent := time.Now().UnixMilli()
		until(t, "a start later than that event", func() bool { return time.Now().UnixMilli() > sent })
		if err := p.Start(t.Context(), "j", start); err != nil {
			t.Fatal(err)
		}
	}
	again(pipeline.JobStart{Mode: pipeline.StartLastOutputEventTime})
	rows("1<<nil> 2<1 3<2")
	again(pipeline.JobStart{Mode: pipeline.StartJobStartTime})
	until(t, "the job", func() bool { return p.Status()[0].State == "Running" })
	p.send("in", `{"n":5}`)
	until(t, "the first row of the new life", func() bool { return len(p.rowsOf("o")) == 4 })
	rows("1<<nil> 2<1 3<2 5<4")                                                                      // rows before the start are computed, and not written
	again(pipeline.JobStart{Mode: pipeline.StartCustomTime, Time: began.Truncate(time.Millisecond)}) // as hubs stamp events
	rows("1<<nil> 1<<nil> 2<1 2<1 3<2 3<2 4<3 5<4 5<4 5<5")
}
