package workload

import (
	"context"
	"fmt"
	"runtime"

	"spate/column"
)

// measureAnomaly is the functions that look for anomalies over histories that are full, of
// 500 keys and of one.
func measureAnomaly(_ context.Context, r *Report) error {
	const rows = 200_000
	for _, call := range []string{"SpikeAndDip(v, 95, %d, 'spikesanddips')", "ChangePoint(v, 95, %d)"} {
		for _, keys := range []int{1, 500} {
			const history = 120
			op, job, err := operatorOf("SELECT k, AnomalyDetection_" + fmt.Sprintf(call, history) + " OVER (PARTITION BY k LIMIT DURATION(hour, 1)) AS r INTO o FROM i")
			if err != nil {
				return err
			}
			at, _, err := feed(op, job, benchEpoch, keys*history, column.Millisecond, keys)
			if err != nil {
				return err
			}
			dict := column.NewDict()
			batches := make([]*column.Batch, rows/1000)
			for i := range batches {
				batches[i] = benchBatch(job, dict, 1000, func(k int) column.Ticks { return at + column.Ticks(i*1000+k)*column.Millisecond },
					func(k int) string { return fmt.Sprintf("device-%06d", (i*1000+k)%keys) })
			}
			var out nothing
			runtime.GC()
			before := used()
			for _, b := range batches {
				if err := op.Process(0, b, &out); err != nil {
					return err
				}
			}
			u := used().since(before)
			r.add(fmt.Sprintf("anomaly, %.11s, history %d, %d keys", call, history, keys), "CPU-ns/event", float64(u.cpu)/rows, 2000)
		}
	}
	return nil
}
