package exec

import (
	"fmt"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// full is a hopping window of an hour by seconds, filled: one key has an event a
// second, each of many keys one every six minutes. It returns the next instant.
func full(b *testing.B, keys int) (Operator, column.Ticks) {
	n := aggregation([]plan.Window{{Kind: plan.Hopping, Size: column.Hour, Hop: column.Second}}, testAggs[0], testAggs[4], testAggs[7])
	op, err := NewAggregate(n)
	if err != nil {
		b.Fatal(err)
	}
	at := column.UnixEpoch
	for range 3600 {
		second(b, op, at, keys)
		at += column.Second
	}
	if err := op.Advance(at, &failing{}); err != nil {
		b.Fatal(err)
	}
	return op, at
}

func second(b *testing.B, op Operator, at column.Ticks, keys int) {
	var events []event
	for k := int(at/column.Second) % 360 % keys; k < keys; k += 360 {
		events = append(events, one(at+1, column.IntOf(int64(k)), column.FloatOf(float64(k%17))))
	}
	if err := op.Process(0, rowsOf(events), nil); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHopping moves the window on by a second: all keys are in it, so each
// makes a row.
func BenchmarkHopping(b *testing.B) {
	for _, keys := range []int{1, 10_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			op, at := full(b, keys)
			out := &failing{}
			for b.Loop() {
				second(b, op, at, keys)
				at += column.Second
				if err := op.Advance(at, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(out.rows, 1)), "ns/row")
		})
	}
}

// BenchmarkHoppingNothingDue moves the watermark where no window ends.
func BenchmarkHoppingNothingDue(b *testing.B) {
	op, at := full(b, 1)
	out := &failing{}
	for b.Loop() {
		if err := op.Advance(at, out); err != nil {
			b.Fatal(err)
		}
	}
	if out.rows > 0 {
		b.Fatal("rows")
	}
}

// BenchmarkFreeze freezes a million open groups of which one in a hundred has been
// touched. Encoding, which runs beside the job, is another figure.
func BenchmarkFreeze(b *testing.B) {
	const groups = 1_000_000
	n := aggregation([]plan.Window{{Kind: plan.Tumbling, Size: column.Day, Hop: column.Day}}, testAggs[0], testAggs[4], testAggs[6], testAggs[7])
	h := newHalves(b, n, 1)
	touch := func(step int) {
		var events []event
		for k := 0; k < groups; k += step {
			events = append(events, one(column.UnixEpoch+1, column.IntOf(int64(k)), column.FloatOf(1)))
			if len(events) == 1024 || k+step >= groups {
				if err := h.parts[0].Add(rowsOf(events)); err != nil {
					b.Fatal(err)
				}
				events = events[:0]
			}
		}
		if err := h.take(0, column.EndOfTime); err != nil {
			b.Fatal(err)
		}
	}
	touch(1)
	if _, err := h.end.Freeze(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		touch(100)
		b.StartTimer()
		if f, err := h.end.Freeze(); f == nil || err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge hands ten thousand of a million groups over to the finishing half.
func BenchmarkMerge(b *testing.B) {
	n := aggregation([]plan.Window{{Kind: plan.Tumbling, Size: column.Day, Hop: column.Day}}, testAggs[0], testAggs[4], testAggs[6], testAggs[7])
	h := newHalves(b, n, 1)
	for step := 1; ; step = 100 {
		var events []event
		for k := 0; k < 1_000_000; k += step {
			events = append(events, one(column.UnixEpoch+1, column.IntOf(int64(k)), column.FloatOf(1)))
		}
		rows := rowsOf(events)
		if step == 1 {
			if err := h.parts[0].Add(rows); err != nil {
				b.Fatal(err)
			}
			if err := h.take(0, column.EndOfTime); err != nil {
				b.Fatal(err)
			}
			continue
		}
		b.ResetTimer()
		for range b.N {
			b.StopTimer()
			if err := h.parts[0].Add(rows); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := h.take(0, column.EndOfTime); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
}
