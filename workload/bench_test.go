package workload

import (
	"testing"
	"time"
)

// BenchmarkStatements is the stage decode+statements alone.
func BenchmarkStatements(b *testing.B) {
	ev, err := generate(1000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := &Report{Counters: make(map[string]int64)}
		if err := measureStatements(b.Context(), r, ev, Seed3Options{Duration: 3 * time.Second}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Figures[0].Value, "cpu-ns/event")
		b.ReportMetric(float64(r.Counters["statements.alerts"])/float64(r.Counters["statements.events"]), "alerts/event")
	}
}
