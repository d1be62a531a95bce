package workload

import (
	"fmt"
	"testing"

	"spate/stream"
)

// BenchmarkShards is a job with LAG and one with sessions, in one shard and in four.
func BenchmarkShards(b *testing.B) {
	src := lagSource(1_000_000)
	for name, script := range map[string]string{
		"lag":     lagScript,
		"session": "SELECT d, COUNT(*) AS c, MAX(v) AS m INTO o FROM i TIMESTAMP BY at GROUP BY d, SessionWindow(second, 1, 60) OVER (PARTITION BY d)",
	} {
		for _, shards := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/%d", name, shards), func(b *testing.B) {
				for b.Loop() {
					u, _, _, err := runJob(b.Context(), script, src, func(o *stream.Options) { o.Parallelism = shards })
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(u.cpu)/1e6, "cpu-ns/event")
				}
			})
		}
	}
}
