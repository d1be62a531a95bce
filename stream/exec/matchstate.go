package exec

import (
	"spate/column"
	"spate/stream/state"
)

// The state of a MATCH_RECOGNIZE is an entry per row and, for every shard, one that says up
// to when rows have been taken. Attempts begin and end again as they did when the rows are
// taken again.
//
//	row key   whether the row was refused, columns
//	ff        done

type frozenMatchRow struct {
	key     []byte
	group   uint8
	refused bool
	vals    []column.Value
}

// Freeze implements Operator.
func (m *Match) Freeze() (state.Frozen, error) {
	if err := m.settle(); err != nil {
		return nil, err
	}
	var put []frozenMatchRow
	for _, r := range append(m.fresh, m.changed...) {
		if r.turn == over {
			continue
		}
		r.saved = true
		key := m.groups[r.group].key
		put = append(put, frozenMatchRow{appendRowKey(nil, r.at, key, r.turn), key, r.refused, r.vals})
	}
	gone, done := m.gone, m.done
	m.fresh, m.changed, m.gone = nil, nil, nil
	playing := m.live > 0 && done != m.saved
	if len(put) == 0 && len(gone) == 0 && !playing {
		return nil, nil
	}
	if playing {
		m.saved = done
	}
	return func(to *state.Section) {
		for _, key := range gone {
			to.Delete(key)
		}
		var value []byte
		for i := range put {
			r := &put[i]
			value = append(value[:0], 0)
			if r.refused {
				value[0] = 1
			}
			for _, v := range r.vals {
				value = column.AppendBinary(value, v)
			}
			to.Put(r.group, r.key, value)
		}
		if playing {
			to.Put(0, []byte{state.EveryShard}, appendTicks(nil, done))
		}
	}, nil
}

// matchLoading collects the rows that Load puts back.
type matchLoading struct {
	cols []*column.Builder
	b    column.Batch
	rows []matchLoaded
}

// matchLoaded is what the state knows of a row beside its columns.
type matchLoaded struct {
	turn    uint32
	refused bool
}

// Load implements Operator.
func (m *Match) Load(e state.Entry) error {
	r := &stateReader{b: e.Value}
	if len(e.Key) > 0 && e.Key[0] == state.EveryShard {
		m.done = r.ticks()
		m.saved = m.done
		return r.done()
	}
	p, turn, err := readRowKey(e.Key)
	if err != nil {
		return err
	}
	l := m.loading
	if l == nil {
		l = &matchLoading{}
		for range m.in.Fields {
			l.cols = append(l.cols, column.NewBuilder(nil))
		}
		m.loading = l
	}
	l.rows = append(l.rows, matchLoaded{turn, r.byte() == 1})
	l.b.Time, l.b.Arrived = append(l.b.Time, p.Time), append(l.b.Arrived, p.Arrived)
	l.b.Seq, l.b.Index = append(l.b.Seq, p.Seq), append(l.b.Index, p.Index)
	for _, c := range l.cols {
		c.Append(r.value())
	}
	return r.done()
}

// settle takes the rows that Load has put back, and again those that had been taken.
func (m *Match) settle() error {
	l := m.loading
	if l == nil {
		return nil
	}
	m.loading = nil
	l.b.Schema, l.b.Rows = m.in, len(l.rows)
	for _, c := range l.cols {
		l.b.Cols = append(l.b.Cols, c.Vector())
	}
	if err := m.take(&l.b, l.rows); err != nil {
		return err
	}
	if len(m.queue) != len(l.rows) {
		return errState
	}
	m.until(m.done, true)
	return nil
}
