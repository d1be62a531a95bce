package stream

import (
	"spate/column"
	"spate/stream/exec"
	"spate/stream/reorder"
	"spate/stream/state"
)

// waiting is a buffer as a snapshotter.
type waiting struct{ *reorder.Buffer }

func (w waiting) Freeze() (state.Frozen, error) { return w.Buffer.Freeze(), nil }

// sorter brings the rows of a step that emits them in any order into total order. It
// holds a row until the watermark is beyond it.
type sorter struct{ waiting }

// Process implements exec.Operator.
func (s *sorter) Process(_ int, b *column.Batch, _ exec.Emit) error {
	s.Add(0, b)
	return nil
}

// Advance implements exec.Operator.
func (s *sorter) Advance(w column.Ticks, out exec.Emit) error {
	s.Reach(0, column.Position{Time: w})
	if err := s.Release(out.Rows); err != nil {
		return err
	}
	return out.Advance(w)
}
