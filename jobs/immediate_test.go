package jobs

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"spate/pipeline"
)

// A row that was shown says that nothing earlier can come. A clock that is set back while
// the process is away does not make that untrue, for partitions without events neither.
func TestAClockSetBackPutsNoEventInFrontOfRowsThatWereShown(t *testing.T) {
	var back atomic.Int64
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 2}, {Name: "out", Partitions: 1}},
		Clock: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) },
		Jobs: []pipeline.Job{{Name: "j", Script: "SELECT v, LAG(v) OVER (LIMIT DURATION(day, 1)) AS p INTO out FROM [in]",
			Outputs: []pipeline.Output{{Alias: "out", Hub: "out", Immediate: true}}}},
	}
	p := run(t, o)
	p.send("in", `{"v":1}`)
	until(t, "the row", func() bool { return len(p.eventsOf("out")[0]) == 1 })
	in, _ := p.o.Hubs.Hub("in")
	shown := in.Partition(0).Bounds().LastTime
	p.stop()
	back.Store(int64(4 * time.Second))
	p = run(t, o)
	in, _ = p.o.Hubs.Hub("in")
	if promise := in.Partition(1).Promise(); !promise.After(shown) {
		t.Errorf("an event could come at %v, and a row of %v was shown", promise, shown)
	}
	p.send("in", `{"v":2}`, `{"v":3}`)
	back.Store(0) // the time of both is that of the promise until the clock is there again
	until(t, "the rows", func() bool { return len(p.eventsOf("out")[0]) == 3 })
	// A partition of which the job knew more when it was stopped gives its event that time.
	got := fmt.Sprint(p.eventsOf("out")[0])
	if got != `[{"v":1,"p":null} {"v":2,"p":1} {"v":3,"p":2}]` && got != `[{"v":1,"p":null} {"v":3,"p":1} {"v":2,"p":3}]` {
		t.Errorf("rows %s", got)
	}
}
