package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/stream/state"
)

// Merge brings rows of several inputs, each in order, into total order: event
// time, arrival time, partition, sequence. It holds a row until the watermark
// is beyond it; whole runs pass as slices of their batches.
type Merge struct {
	schema *column.Schema
	queues []queue
}

type queue struct {
	parts []run
	pos   int // next row of parts[0].rows
	held  int // rows in it
}

// Held is the number of rows of an input that wait for the others.
func (m *Merge) Held(in int) int { return m.queues[in].held }

// run is a batch in a queue: all its rows, or those listed.
type run struct {
	b    *column.Batch
	rows []int32
}

func (r *run) len() int {
	if r.rows == nil {
		return r.b.Rows
	}
	return len(r.rows)
}

func (r *run) at(k int) column.Position {
	if r.rows == nil {
		return column.PositionOf(r.b, k)
	}
	return column.PositionOf(r.b, int(r.rows[k]))
}

// NewMerge returns a merge of the given number of inputs.
func NewMerge(schema *column.Schema, inputs int) *Merge {
	return &Merge{schema: schema, queues: make([]queue, inputs)}
}

// Process implements Operator.
func (m *Merge) Process(in int, b *column.Batch, _ Emit) error {
	n := b.LiveRows()
	if n == 0 {
		return nil
	}
	if b.Live != nil && n*4 < b.Rows {
		b = b.Compact()
	}
	q := &m.queues[in]
	q.parts = append(q.parts, run{b, b.Live})
	q.held += n
	return nil
}

// slice is a batch of rows from..to of a run.
func (r *run) slice(from, to int) *column.Batch {
	switch {
	case r.rows != nil:
		return r.b.WithLive(r.rows[from:to:to])
	case from == 0 && to == r.b.Rows:
		return r.b
	}
	rows := make([]int32, to-from)
	for k := range rows {
		rows[k] = int32(from + k)
	}
	return r.b.WithLive(rows)
}

func allRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

func (q *queue) head() (column.Position, bool) {
	if len(q.parts) == 0 {
		return column.Position{}, false
	}
	return q.parts[0].at(q.pos), true
}

// Advance implements Operator: it emits the rows below w in total order.
func (m *Merge) Advance(w column.Ticks, out Emit) error {
	for {
		best, second := -1, -1
		var least, next column.Position
		for i := range m.queues {
			p, ok := m.queues[i].head()
			if !ok || p.Time >= w {
				continue
			}
			switch {
			case best < 0 || p.Before(least):
				second, next = best, least
				best, least = i, p
			case second < 0 || p.Before(next):
				second, next = i, p
			}
		}
		if best < 0 {
			return out.Advance(w)
		}
		q := &m.queues[best]
		r := q.parts[0]
		// The rows of a run are in order, so where it must stop is searched.
		n := r.len()
		to := q.pos + 1 + sort.Search(n-q.pos-1, func(k int) bool {
			p := r.at(q.pos + 1 + k)
			return p.Time >= w || second >= 0 && next.Before(p)
		})
		q.held -= to - q.pos
		b := r.slice(q.pos, to)
		if to == n {
			q.parts, q.pos = q.parts[1:], 0
			if len(q.parts) == 0 {
				q.parts = nil
			}
		} else {
			q.pos = to
		}
		if err := out.Rows(b); err != nil {
			return err
		}
	}
}

// snapshot appends the state.
func (m *Merge) snapshot(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m.queues)))
	for i := range m.queues {
		q := &m.queues[i]
		dst = binary.AppendUvarint(dst, uint64(len(q.parts)))
		for k, r := range q.parts {
			rows := r.rows
			if rows == nil {
				rows = allRows(r.b.Rows)
			}
			if k == 0 {
				rows = rows[q.pos:]
			}
			dst = appendBatch(dst, r.b, rows)
		}
	}
	return dst
}

// restore takes a snapshot into a new operator.
func (m *Merge) restore(b []byte) error {
	r := &stateReader{b: b}
	n := r.count()
	if r.err == nil && n != len(m.queues) {
		return errState
	}
	for i := range n {
		for range r.count() {
			b := r.batch(m.schema)
			if r.err == nil {
				m.queues[i].parts = append(m.queues[i].parts, run{b, nil})
				m.queues[i].held += b.Rows
			}
		}
	}
	return r.done()
}

// Freeze implements Operator.
func (m *Merge) Freeze() (state.Frozen, error) { return whole(m.snapshot(nil)), nil }

// Load implements Operator.
func (m *Merge) Load(e state.Entry) error { return m.restore(e.Value) }
