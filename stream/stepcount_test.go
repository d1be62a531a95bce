package stream

import (
	"testing"

	"spate/column"
)

type blackHole struct{}

func (blackHole) Rows(*column.Batch) error   { return nil }
func (blackHole) Advance(column.Ticks) error { return nil }

// The count of a step costs the same for a batch of any size: a step takes hundreds of
// nanoseconds for each of its rows.
func BenchmarkStepCount(b *testing.B) {
	batch := &column.Batch{Schema: new(column.Schema), Rows: 1024, Time: make([]column.Ticks, 1024)}
	c := &counted{blackHole{}, new(stepCount)}
	for b.Loop() {
		if err := c.Rows(batch); err != nil {
			b.Fatal(err)
		}
	}
}
