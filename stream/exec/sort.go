package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/stream/state"
)

// Sort brings rows that come in any order into total order. It holds a row
// until the watermark is beyond it.
type Sort struct {
	schema *column.Schema
	held   []heldRow
	fresh  bool
}

// NewSort returns a sort of rows with that schema.
func NewSort(schema *column.Schema) *Sort { return &Sort{schema: schema} }

// Process implements Operator.
func (s *Sort) Process(_ int, b *column.Batch, _ Emit) error {
	for k := range b.LiveRows() {
		i := b.Row(k)
		s.held = append(s.held, heldRow{b, int32(i), b.Time[i]})
	}
	s.fresh = true
	return nil
}

// Advance implements Operator.
func (s *Sort) Advance(w column.Ticks, out Emit) error {
	if s.fresh {
		sort.SliceStable(s.held, func(i, j int) bool {
			return column.PositionOf(s.held[i].b, int(s.held[i].row)).Before(column.PositionOf(s.held[j].b, int(s.held[j].row)))
		})
		s.fresh = false
	}
	n := sort.Search(len(s.held), func(i int) bool { return s.held[i].time >= w })
	ready := s.held[:n]
	for len(ready) > 0 {
		b := ready[0].b
		var rows []int32
		for len(ready) > 0 && ready[0].b == b {
			rows = append(rows, ready[0].row)
			ready = ready[1:]
		}
		if err := out.Rows(b.Gather(rows)); err != nil {
			return err
		}
	}
	s.held = append([]heldRow(nil), s.held[n:]...)
	return out.Advance(w)
}

// snapshot appends the state.
func (s *Sort) snapshot(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.held)))
	for _, h := range s.held {
		dst = appendBatch(dst, h.b, []int32{h.row})
	}
	return dst
}

// restore takes a snapshot into a new operator.
func (s *Sort) restore(b []byte) error {
	r := &stateReader{b: b}
	for range r.count() {
		b := r.batch(s.schema)
		if r.err == nil && b.Rows == 1 {
			s.held = append(s.held, heldRow{b, 0, b.Time[0]})
		}
	}
	s.fresh = true
	return r.done()
}

// Freeze implements Operator.
func (s *Sort) Freeze() (state.Frozen, error) { return whole(s.snapshot(nil)), nil }

// Load implements Operator.
func (s *Sort) Load(e state.Entry) error { return s.restore(e.Value) }
