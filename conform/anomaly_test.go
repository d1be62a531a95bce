package conform_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"spate/conform"
)

// Scores are those of a model that adds everything up anew for each value, however values
// spread, and over keys that go and come back.
func TestScoresOfAnomalies(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	shapes := map[string]func(i int) string{
		"normal":   func(int) string { return fmt.Sprint(r.NormFloat64()) },
		"steps":    func(i int) string { return fmt.Sprint(20 + i/150*30 + r.IntN(4)) },
		"constant": func(i int) string { return fmt.Sprint(7 + i/200) },
		"rare":     func(i int) string { return fmt.Sprint(math.Pow(10, float64(r.IntN(12)-6))) },
		"huge":     func(i int) string { return fmt.Sprintf("%.3e", (r.Float64()-0.5)*1e308) },
		"tiny":     func(i int) string { return fmt.Sprintf("%.3e", (r.Float64()-0.5)*1e-300) },
	}
	for name, shape := range shapes {
		var events strings.Builder
		at := 0
		for i := range 500 {
			at += r.IntN(3)
			if r.IntN(150) == 0 {
				at += 700
			}
			fmt.Fprintf(&events, "{\"n\":%d,\"t\":\"2026-01-05T%02d:%02d:%02dZ\",\"k\":%d,\"v\":%s}\n", i, at/3600, at/60%60, at%60, r.IntN(2), shape(i))
		}
		for _, history := range []int{1, 2, 7, 120} {
			for _, call := range []string{"SpikeAndDip(v, 95, %d, 'spikes')", "SpikeAndDip(v, 99.9, %d, 'dips')", "SpikeAndDip(v, 100, %d, 'spikesanddips')", "ChangePoint(v, 90, %d)"} {
				script := "SELECT n, AnomalyDetection_" + fmt.Sprintf(call, history) + " OVER (PARTITION BY k LIMIT DURATION(minute, 10)) AS r INTO o FROM i TIMESTAMP BY t"
				records, err := conform.Records([]byte(events.String()))
				if err != nil {
					t.Fatal(err)
				}
				c := &conform.Case{Script: script, Inputs: []conform.Input{{Name: "i", Events: records}}, Options: conform.Options{Late: -1}}
				job, err := c.Compile()
				if err != nil {
					t.Fatal(err)
				}
				want, err := conform.Reference(t.Context(), job, c.Events(job), c.Options)
				if err != nil {
					t.Fatal(err)
				}
				got, err := conform.Streaming{Batch: 100}.Run(t.Context(), job, c.Events(job), c.Options)
				if err != nil {
					t.Fatal(err)
				}
				if err := conform.Compare(conform.AsRecords(got), conform.AsRecords(want), conform.Published, true); err != nil {
					t.Errorf("%s, %s: %v", name, script, err)
				}
			}
		}
	}
}
