package stream_test

import (
	"fmt"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector/file"
	"spate/stream"
	"spate/stream/exec"
)

const lagByTime = "SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i TIMESTAMP BY at"

// runTimed runs a job over n events, one a millisecond, whose times are those of when.
func runTimed(t *testing.T, n int, late column.Ticks, when func(i int, arrival column.Ticks) column.Ticks) {
	t.Helper()
	midnight, _ := column.ParseTicks("2026-01-01")
	in := make([]file.Message, n)
	for i := range in {
		arrival := midnight + column.Ticks(i)*column.Millisecond
		in[i] = file.Message{Body: fmt.Appendf(nil, `{"n":%d,"at":"%s"}`, i, when(i, arrival)), Line: int64(i + 1), Arrival: arrival}
	}
	var out table
	o := options(t, lagByTime, in, blob.NewMemory(), &out)
	o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, 1, 1024)}}
	o.Policy = exec.TimePolicy{Late: late}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	if len(out.rows) != n {
		t.Errorf("%d rows, want %d", len(out.rows), n)
	}
}

// Rows that only their own partition holds back do not stop it.
func TestMoreRowsOfOneTimeThanMayWait(t *testing.T) {
	runTimed(t, 200_000, column.Hour, func(int, column.Ticks) column.Ticks {
		at, _ := column.ParseTicks("2026-01-01")
		return at
	})
}

// Behind an event from a clock that is ahead every other event gets the time of that
// one, until the others have caught up.
func TestAFastClockDoesNotStopTheJob(t *testing.T) {
	runTimed(t, 200_000, 5*column.Second, func(i int, arrival column.Ticks) column.Ticks {
		if i == 1000 {
			return arrival + 4*column.Minute
		}
		return arrival
	})
}

// An input may have more partitions when a job comes back.
func TestOrderedJobComesBackWithMorePartitions(t *testing.T) {
	store := blob.NewMemory()
	const script = "SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i"
	for _, partitions := range []int{2, 4} {
		var out table
		o := options(t, script, messages(4), store, &out)
		o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(messages(4), partitions, 2)}}
		if err := run(t, o); err != nil {
			t.Errorf("with %d partitions: %v", partitions, err)
		}
	}
}
