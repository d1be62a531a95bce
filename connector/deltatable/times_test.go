package deltatable

import (
	"fmt"
	"testing"

	"spate/column"
)

func TestTimesOneBehindTheOtherAreThoseOfParseTicks(t *testing.T) {
	var texts []string
	for _, minute := range []string{"2026-01-05T10:11:", "2026-01-05T10:12:", "2026-01-05 10:12:", "2026-01-05t10:12:", "9999-12-31T23:59:", "0001-01-01T00:00:",
		"2026-01-05T24:00:", "2026-13-05T10:11:", "20260105T101112", "2026-01-05T1011:", "x"} {
		for _, rest := range []string{"00", "07", "59", "60", "5", "5x", "07.1", "07.1234567", "07.12345678", "07.9999999", "07.", "07.x", "07Z", "07.25Z", "07z", "07ZZ",
			"07+02:00", "07.5-01:30", "07 ", ""} {
			texts = append(texts, minute+rest)
		}
	}
	var p timeParser
	for range 2 { // the second time with the last minute of the first
		for _, s := range texts {
			got, ok := p.parse([]byte(s))
			want, wantOK := column.ParseTicks(s)
			if ok != wantOK || ok && got != want {
				t.Errorf("%q is %d, %v; ParseTicks says %d, %v", s, got, ok, want, wantOK)
			}
		}
	}
}

func BenchmarkTimes(b *testing.B) {
	var texts [][]byte
	for i := range 1000 {
		texts = append(texts, fmt.Appendf(nil, "2026-01-05T10:11:%02d.%06d", i/20, i*997%1_000_000))
	}
	run := func(b *testing.B, parse func([]byte) (column.Ticks, bool)) {
		for b.Loop() {
			for _, s := range texts {
				if _, ok := parse(s); !ok {
					b.Fatalf("%s is no time", s)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(texts)), "ns/text")
	}
	b.Run("ParseTicks", func(b *testing.B) { run(b, column.ParseTicks[[]byte]) })
	b.Run("timeParser", func(b *testing.B) {
		var p timeParser
		run(b, p.parse)
	})
}
