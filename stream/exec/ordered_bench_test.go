package exec_test

import (
	"fmt"
	"testing"

	"spate/column"
	"spate/stream/exec"
)

func (c *compiled) operator(t testing.TB) exec.Operator {
	t.Helper()
	op, err := exec.NewAggregate(c.node)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// benchRows are n rows from number first on, one a tick. The values go up and down.
func benchRows(first, n int, key func(i int) string) []*modelRow {
	rows := make([]*modelRow, n)
	for k := range rows {
		i := first + k
		at := column.UnixEpoch + column.Ticks(i)
		v := column.FloatOf(float64(uint32(i) * 2654435761 >> 12))
		rows[k] = &modelRow{at: column.Position{Time: at, Arrived: at, Seq: int64(i)}, k: column.TextOf(key(i)), n: v, m: v}
	}
	return rows
}

// BenchmarkSlidingExtremes slides a window that holds so many rows, with two output
// rows to each: what an operation takes is ns a row.
func BenchmarkSlidingExtremes(b *testing.B) {
	for _, aggs := range []string{"MIN(m) AS lo, MAX(m) AS hi", "COUNT(*) AS c, SUM(n) AS s"} {
		for _, keys := range []int{1, 100} {
			for _, inside := range []int{1000, 4000, 16_000, 100_000} {
				b.Run(fmt.Sprintf("%.3s/keys=%d/inside=%d", aggs, keys, inside), func(b *testing.B) {
					c := compileScript(b, fmt.Sprintf("SELECT k, %s INTO o FROM i GROUP BY k, SlidingWindow(microsecond, %d)", aggs, inside/10))
					benchSliding(b, c, func(i int) string { return fmt.Sprint("device-", i%keys) }, inside)
				})
			}
		}
	}
}

func benchSliding(b *testing.B, c compiled, key func(i int) string, inside int) {
	const n = 1000
	op := c.operator(b)
	var out counter
	run := func(batch *column.Batch) {
		if err := op.Process(0, batch, &out); err != nil {
			b.Fatal(err)
		}
		if err := op.Advance(batch.Time[n-1], &out); err != nil {
			b.Fatal(err)
		}
	}
	at := 0
	for ; at < inside; at += n {
		run(c.batch(benchRows(at, n, key)))
	}
	var batches []*column.Batch
	for range b.N/n + 1 {
		batches = append(batches, c.batch(benchRows(at, n, key)))
		at += n
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, batch := range batches {
		run(batch)
	}
}

const openSessions = 100_000

func device(i int) string { return fmt.Sprint("device-", i%openSessions) }

// manySessions is an operator with openSessions open sessions.
func manySessions(b *testing.B) (compiled, exec.Operator) {
	c := compileScript(b, "SELECT k, COUNT(*) AS c, SUM(n) AS s INTO o FROM i GROUP BY k, SessionWindow(minute, 5, 60) OVER (PARTITION BY k)")
	op := c.operator(b)
	var out counter
	for at := 0; at < openSessions; at += 1000 {
		if err := op.Process(0, c.batch(benchRows(at, 1000, device)), &out); err != nil {
			b.Fatal(err)
		}
	}
	return c, op
}

// BenchmarkSessionRows adds rows to open sessions: what an operation takes is ns a row.
func BenchmarkSessionRows(b *testing.B) {
	c, op := manySessions(b)
	var batches []*column.Batch
	for at := 0; at < openSessions; at += 1000 {
		batches = append(batches, c.batch(benchRows(openSessions+at, 1000, device)))
	}
	var out counter
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 1000 {
		if err := op.Process(0, batches[i/1000%len(batches)], &out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSessionIdle moves the watermark over open sessions of which none is due.
func BenchmarkSessionIdle(b *testing.B) {
	_, op := manySessions(b)
	var out counter
	at := column.UnixEpoch + openSessions
	b.ResetTimer()
	for i := range b.N {
		if err := op.Advance(at+column.Ticks(i%1000), &out); err != nil {
			b.Fatal(err)
		}
	}
	if out != 0 {
		b.Fatalf("%d sessions closed", out)
	}
}

// BenchmarkSessionFreeze takes a checkpoint of open sessions, a hundredth of which
// changed.
func BenchmarkSessionFreeze(b *testing.B) {
	c, op := manySessions(b)
	var out counter
	batch := c.batch(benchRows(openSessions, openSessions/100, device))
	if _, err := op.Freeze(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		if err := op.Process(0, batch, &out); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := op.Freeze(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSessionExpression takes batches of different sizes into sessions per value
// of an expression: what an operation takes is ns a row.
func BenchmarkSessionExpression(b *testing.B) {
	for _, n := range []int{256, 1024, 4096} {
		b.Run(fmt.Sprint("batch=", n), func(b *testing.B) {
			c := compileScript(b, "SELECT COUNT(*) AS c INTO o FROM i GROUP BY UPPER(k), SessionWindow(minute, 5, 60) OVER (PARTITION BY UPPER(k))")
			op := c.operator(b)
			batch := c.batch(benchRows(0, n, func(i int) string { return fmt.Sprint("device-", i%10) }))
			var out counter
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				if err := op.Process(0, batch, &out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
