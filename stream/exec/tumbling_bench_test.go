package exec_test

import (
	"fmt"
	"testing"

	"spate/column"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
)

// BenchmarkTumbling is the windows of the telemetry example, by devices: both halves,
// a figure per event.
func BenchmarkTumbling(b *testing.B) {
	const script = `SELECT d, l, k, COUNT(*) AS n, AVG(t) AS at, MIN(t) AS lo, MAX(t) AS hi, AVG(h) AS ah, AVG(p) AS ap
		INTO o FROM i TIMESTAMP BY e GROUP BY d, l, k, TumblingWindow(minute, 5)`
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		b.Fatal(errs)
	}
	node := job.Outputs[0].In.(*plan.Project).In.(*plan.Aggregate)
	for _, devices := range []int{20, 1000, 10_000} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			add, err := exec.NewAggregator(node)
			if err != nil {
				b.Fatal(err)
			}
			end, err := exec.NewFinisher(node)
			if err != nil {
				b.Fatal(err)
			}
			const rows, batches = 1024, 32
			in := telemetry(job.Inputs[0], devices, batches, rows)
			var out counter
			at := column.UnixEpoch
			for b.Loop() {
				src := in[int(at/column.Second)%batches]
				c := *src
				c.Time = make([]column.Ticks, rows)
				for i := range c.Time {
					c.Time[i] = at + column.Ticks(i)*column.Second/rows
				}
				at += column.Second
				if err := add.Add(&c); err != nil {
					b.Fatal(err)
				}
				for _, p := range add.Take(at) {
					end.Merge(p)
				}
				if err := end.Advance(at, &out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/event")
		})
	}
}

// telemetry makes batches of events of devices that take turns.
func telemetry(in *plan.Input, devices, batches, rows int) []*column.Batch {
	dicts := make([]*column.Dict, len(in.Cols))
	for c := range dicts {
		dicts[c] = column.NewDict()
	}
	var out []*column.Batch
	for k := range batches {
		b := &column.Batch{Schema: exec.SchemaOf(in.Columns()), Rows: rows, Seq: make([]int64, rows)}
		for c := range in.Cols {
			bl := column.NewBuilder(dicts[c])
			for i := range rows {
				d := (k*rows + i) * 7919 % devices
				switch in.Cols[c].Name {
				case "d":
					bl.Append(column.TextOf(fmt.Sprintf("device-%05d", d)))
				case "l":
					bl.Append(column.TextOf(fmt.Sprintf("site %d", d%40)))
				case "k":
					bl.Append(column.TextOf(fmt.Sprintf("kind %d", d%7)))
				default:
					bl.Append(column.FloatOf(float64(d%100) + float64(i)/64))
				}
			}
			b.Cols = append(b.Cols, bl.Vector())
		}
		out = append(out, b)
	}
	return out
}
