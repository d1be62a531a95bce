package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/stream/state"
)

// The state of a join is an entry per row and, for every shard, one that says up to when
// rows have been paired.
//
//	00 or 01: side, time arrived seq index turn group   flags, columns
//	ff                                                  done
//
// turn is how many rows of that side came before with this place.

// joinSaved is what the state knows.
type joinSaved struct {
	gone    [2]bool // rows that were saved have left
	changed []int64 // rows of the left side that were saved without the partner they have had since
	done    column.Ticks
}

// frozenJoinRow is a row that is to be written.
type frozenJoinRow struct {
	kept  *keptBatch
	row   int32
	turn  uint32
	side  uint8
	group uint8
	flags uint8
}

// Freeze implements Operator.
func (j *Join) Freeze() (state.Frozen, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	var rows []frozenJoinRow
	var until [2]column.Ticks
	some := false
	gone := j.state.gone
	for in, s := range j.sides {
		r := &s.rows
		for n := r.to - 1; n >= r.from; n-- {
			b, i := r.at(n)
			if b.flags[i]&rowSaved != 0 {
				break
			}
			b.flags[i] |= rowSaved
			rows = append(rows, j.frozen(in, b, i))
		}
		until[in] = j.done - max(s.hold, 0)
		some = some || r.from < r.to
	}
	for _, n := range j.state.changed {
		if r := &j.sides[0].rows; n >= r.from {
			b, i := r.at(n)
			rows = append(rows, j.frozen(0, b, i))
		}
	}
	playing, done := some && j.done != j.state.done, j.done
	j.state.gone, j.state.changed = [2]bool{}, nil
	if len(rows) == 0 && !playing && gone == [2]bool{} {
		return nil, nil
	}
	if playing {
		j.state.done = done
	}
	return func(to *state.Section) {
		for in := range gone {
			if gone[in] { // all shards have come as far, so the range holds no row that another one keeps
				to.DeleteRange([]byte{byte(in)}, appendSortable([]byte{byte(in)}, int64(until[in])))
			}
		}
		var key, value []byte
		for i := range rows {
			f := &rows[i]
			key = f.appendKey(key[:0])
			value = append(value[:0], f.flags)
			for c := range f.kept.b.Cols {
				value = column.AppendBinary(value, f.kept.b.Cols[c].At(int(f.row)))
			}
			to.Put(f.group, key, value)
		}
		if playing {
			to.Put(0, []byte{state.EveryShard}, appendTicks(nil, done))
		}
	}, nil
}

func (j *Join) frozen(side int, b *joinBlock, i int) frozenJoinRow {
	return frozenJoinRow{kept: b.kept(i), row: b.row[i], turn: b.turnAt(i), side: uint8(side), group: j.key[b.group[i]], flags: b.flags[i] & rowMatched}
}

const joinKeyBytes = 1 + 4*8 + 4 + 1

func (f *frozenJoinRow) appendKey(dst []byte) []byte {
	p := column.PositionOf(f.kept.b, int(f.row))
	dst = appendSortable(append(dst, f.side), int64(p.Time))
	dst = appendSortable(appendSortable(appendSortable(dst, int64(p.Arrived)), p.Seq), p.Index)
	return append(binary.BigEndian.AppendUint32(dst, f.turn), f.group)
}

// joinLoading collects the rows of a side that Load puts back, in batches of the size of
// others: one of all rows would be kept until the last of them goes.
type joinLoading struct {
	batches []*column.Batch
	flags   []uint8  // of all rows
	turn    []uint32 // of all rows

	time, arrived []column.Ticks // of the batch to come, as what follows
	seq, index    []int64
	cols          []*column.Builder
}

// finish makes a batch of the rows since the last one.
func (l *joinLoading) finish(schema *column.Schema) {
	if len(l.time) == 0 {
		return
	}
	b := &column.Batch{Schema: schema, Rows: len(l.time), Time: l.time, Arrived: l.arrived, Seq: l.seq, Index: l.index}
	for c := range l.cols {
		b.Cols = append(b.Cols, l.cols[c].Vector())
		l.cols[c] = column.NewBuilder(nil)
	}
	l.batches = append(l.batches, b)
	l.time, l.arrived, l.seq, l.index = nil, nil, nil, nil
}

// Load implements Operator.
func (j *Join) Load(e state.Entry) error {
	if len(e.Key) > 0 && e.Key[0] == state.EveryShard {
		r := &stateReader{b: e.Value}
		j.done = r.ticks()
		j.state.done = j.done
		return r.done()
	}
	if len(e.Key) != joinKeyBytes || e.Key[0] > 1 {
		return errState
	}
	s := j.sides[e.Key[0]]
	l := s.loading
	if l == nil {
		l = &joinLoading{cols: make([]*column.Builder, len(s.schema.Fields))}
		for c := range l.cols {
			l.cols[c] = column.NewBuilder(nil)
		}
		s.loading = l
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(e.Key[at:]) ^ 1<<63) }
	l.time, l.arrived = append(l.time, column.Ticks(number(1))), append(l.arrived, column.Ticks(number(9)))
	l.seq, l.index = append(l.seq, number(17)), append(l.index, number(25))
	l.turn = append(l.turn, binary.BigEndian.Uint32(e.Key[33:]))
	r := &stateReader{b: e.Value}
	l.flags = append(l.flags, r.byte())
	for c := range l.cols {
		l.cols[c].Append(r.value())
	}
	if len(l.time) == outputRows {
		l.finish(s.schema)
	}
	return r.done()
}

// settle takes the rows that Load has put back: those before done have been paired with
// one another.
func (j *Join) settle() error {
	for in, s := range j.sides {
		l := s.loading
		if l == nil {
			continue
		}
		s.loading = nil
		l.finish(s.schema)
		for _, b := range l.batches {
			if err := j.take(in, b); err != nil {
				return err
			}
		}
		r := &s.rows
		if r.to != int64(len(l.turn)) {
			return errState
		}
		for n := range r.to {
			b, i := r.at(n)
			b.flags[i] |= l.flags[n] | rowSaved
			b.number(i, l.turn[n])
			r.turn = l.turn[n]
			if b.time[i] >= j.done {
				continue
			}
			r.entered++
			r.waiting -= b.kept(i).bytes
			if b.flags[i]&rowAlone == 0 && s.linked {
				s.groups[b.group[i]].push(r, n)
			}
		}
	}
	return nil
}
