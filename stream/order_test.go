package stream_test

import (
	"fmt"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector/file"
	"spate/stream"
	"spate/stream/exec"
)

var newYear, _ = column.ParseTicks("2026-01-01T00:00:00Z")

// lagOver is a job that numbers rows by the one before, over events with a time.
func lagOver(t *testing.T, in []file.Message, parts int, out *table) stream.Options {
	o := options(t, "SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i TIMESTAMP BY at", nil, blob.NewMemory(), out)
	o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, parts, 1024)}}
	o.Policy = exec.TimePolicy{Late: column.Hour}
	o.Interval = time.Hour
	o.IdleTick = 10 * time.Millisecond
	o.Clock = stream.WallClock{}
	return o
}

// A bulk load in which very many events have one time, as coarse clocks give them:
// nothing but the events themselves can let them go.
func TestManyEventsOfOneTimePass(t *testing.T) {
	const n = 150_000
	var in []file.Message
	for i := range n {
		in = append(in, file.Message{Body: fmt.Appendf(nil, `{"n":%d,"at":"2026-01-01T00:00:00Z"}`, i), Line: int64(i + 1), Arrival: newYear + column.Ticks(i)*column.Millisecond})
	}
	last := in[n-1].Arrival
	for i := range 10 {
		in = append(in, file.Message{Body: fmt.Appendf(nil, `{"n":%d,"at":"2026-01-01T00:00:%02dZ"}`, n+i, i+1), Line: int64(n + i + 1), Arrival: last + column.Ticks(i)*column.Second})
	}
	var out table
	if err := run(t, lagOver(t, in, 1, &out)); err != nil {
		t.Fatal(err)
	}
	if len(out.rows) != n+10 {
		t.Errorf("%d rows, want %d", len(out.rows), n+10)
	}
}

// One device whose clock is nearly five minutes ahead moves the watermark of its
// partition: every other event is adjusted to one time until the clock is caught up.
func TestOneFastClockHoldsNobodyUp(t *testing.T) {
	const rate, n = 1000, 400_000
	for _, parts := range []int{1, 3} {
		in := make([]file.Message, n)
		for i := range in {
			arrival := newYear + column.Ticks(i)*column.Second/rate
			when := arrival
			if i == 10*rate {
				when = arrival + 4*column.Minute + 59*column.Second
			}
			in[i] = file.Message{Body: fmt.Appendf(nil, `{"n":%d,"at":"%s"}`, i, when), Line: int64(i + 1), Arrival: arrival, Part: i % parts}
		}
		var out table
		o := lagOver(t, in, parts, &out)
		o.Policy = exec.TimePolicy{Late: 5 * column.Second}
		if err := run(t, o); err != nil {
			t.Fatal(err)
		}
		if len(out.rows) != n {
			t.Errorf("%d partitions: %d rows, want %d", parts, len(out.rows), n)
		}
	}
}

// Events of equal times over several partitions come in the order of their arrival.
func TestOrderOfEqualTimesIsThatOfArrival(t *testing.T) {
	const n = 20_000
	var want []string
	var in []file.Message
	for i := range n {
		in = append(in, file.Message{Body: fmt.Appendf(nil, `{"n":%d,"at":"%s"}`, i, newYear+column.Ticks(i/5000)*column.Second), Line: int64(i + 1), Arrival: newYear + column.Ticks(i)*column.Millisecond, Part: i * i % 4})
		p := fmt.Sprint(i - 1)
		if i == 0 {
			p = "null"
		}
		want = append(want, fmt.Sprintf(`{"n":%d,"p":%s}`, i, p))
	}
	var out table
	if err := run(t, lagOver(t, in, 4, &out)); err != nil {
		t.Fatal(err)
	}
	if len(out.rows) != n {
		t.Fatalf("%d rows, want %d", len(out.rows), n)
	}
	for i, got := range out.rows {
		if got != want[i] {
			t.Fatalf("row %d is %s, want %s", i, got, want[i])
		}
	}
}

// An input may have more partitions when a job comes back.
func TestAnOrderedJobComesBackWithMorePartitions(t *testing.T) {
	store := blob.NewMemory()
	for _, partitions := range []int{2, 4} {
		var out table
		o := options(t, "SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i", nil, store, &out)
		o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(messages(4), partitions, 2)}}
		if err := run(t, o); err != nil {
			t.Errorf("with %d partitions: %v", partitions, err)
		}
	}
}
