package workload

import (
	"strconv"
	"testing"
	"time"
)

// BenchmarkStatements is the stage decode+statements alone.
func BenchmarkStatements(b *testing.B) {
	for _, devices := range []int{20, 1000, 10_000} {
		b.Run(strconv.Itoa(devices), func(b *testing.B) { benchStatements(b, devices) })
	}
}

func benchStatements(b *testing.B, devices int) {
	ev, err := generate(devices)
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
