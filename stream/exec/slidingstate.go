package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/stream/state"
)

// The state of a sliding window is an entry per row and, for every shard, one that
// says which instants have been played.
//
//	00 time turn arrived seq index group   keys, arguments
//	ff                                     done
//
// turn is how many rows of that time and key group came before: rows of one time need
// not come in the order of their places, nor have places of their own, where several
// windows made them.
const rowEntry = 0x00

// rowKeyBytes is the length of the key of a row.
const rowKeyBytes = 1 + 8 + 4 + 8 + 8 + 8 + 1

// slidingSaved is what the state knows.
type slidingSaved struct {
	from, to int64 // of the log; what came later is not in it
	done     column.Ticks
}

// Freeze implements Operator.
func (s *sliding) Freeze() (state.Frozen, error) {
	f := &frozenSliding{aggs: s.aggs, forms: s.forms}
	begin := max(s.saved.to, s.log.from)
	f.rows = s.log.frozen(begin, s.log.to)
	f.gone, f.left = s.log.from > s.saved.from && s.saved.from < s.saved.to, s.left
	f.playing, f.done = s.log.from < s.log.to && s.done != s.saved.done, s.done
	if begin == s.log.to && !f.gone && !f.playing {
		s.saved.from, s.saved.to = s.log.from, s.log.to
		return nil, nil
	}
	if len(s.odd) > 0 {
		f.odd = make(map[int64][]column.Value)
		for row := begin; row < s.log.to; row++ {
			if keys := s.odd[row]; keys != nil {
				f.odd[row] = keys
			}
		}
	}
	s.saved.from, s.saved.to = s.log.from, s.log.to
	if f.playing {
		s.saved.done = s.done
	}
	return f.write, nil
}

// frozenSliding is what changed between two checkpoints.
type frozenSliding struct {
	aggs  []aggregate
	forms []groupForm
	rows  rowLog
	odd   map[int64][]column.Value

	gone    bool // rows up to time left have left
	left    column.Ticks
	playing bool // done is to be written
	done    column.Ticks
}

func (f *frozenSliding) write(to *state.Section) {
	if f.gone {
		// Shards play the same instants, so the range holds no row that another one keeps.
		to.DeleteRange([]byte{rowEntry}, appendSortable([]byte{rowEntry}, int64(f.left)+1))
	}
	var key, value []byte
	for row := f.rows.from; row < f.rows.to; row++ {
		b, i := f.rows.at(row)
		form := &f.forms[b.group[i]]
		key = appendRowKey(key[:0], b.position(i), form.keyGroup, b.turnAt(i))
		value = value[:0]
		if keys := f.odd[row]; keys != nil {
			for _, v := range keys {
				value = column.AppendBinary(value, v)
			}
		} else {
			value = append(value, form.keys...)
		}
		for a := range f.aggs {
			if f.aggs[a].arg != nil {
				value = column.AppendBinary(value, b.args[a].at(i))
			}
		}
		to.Put(form.keyGroup, key, value)
	}
	if f.playing {
		to.Put(0, []byte{state.EveryShard}, appendTicks(nil, f.done))
	}
}

// Load implements Operator.
func (s *sliding) Load(e state.Entry) error {
	if len(e.Key) > 0 && e.Key[0] == state.EveryShard {
		return s.loadDone(e.Value)
	}
	p, turn, err := readRowKey(e.Key)
	if err != nil {
		return err
	}
	r := &stateReader{b: e.Value}
	keys := make([]column.Value, len(s.keys))
	for k := range keys {
		keys[k] = r.value()
	}
	args := make([]column.Value, len(s.aggs))
	for a := range args {
		if s.aggs[a].arg != nil {
			args[a] = r.value()
		}
	}
	if err := r.done(); err != nil {
		return err
	}
	group := s.table.id(keys)
	s.room()
	for k := range keys {
		if !exactly(keys[k], s.table.key(int(group), k)) {
			s.odd[s.log.to] = keys
			break
		}
	}
	s.hold(group)
	s.turns.seen(p.Time, s.forms[group].keyGroup, turn)
	block := s.log.push(p, turn, group)
	for a := range args {
		if s.aggs[a].arg != nil {
			block.args[a].append(args[a])
		}
	}
	s.saved.to = s.log.to
	return nil
}

// loadDone takes the rows whose instants have been played into the window. All rows
// have been loaded: their keys come first.
func (s *sliding) loadDone(value []byte) error {
	r := &stateReader{b: value}
	s.done = r.ticks()
	s.saved.done = s.done
	if err := r.done(); err != nil {
		return err
	}
	for s.entered < s.log.to {
		b, i := s.log.at(s.entered)
		if b.time[i] >= s.done {
			break
		}
		s.enter(b, i)
	}
	return nil
}

// appendSortable appends v as bytes in the order of numbers.
func appendSortable(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^1<<63)
}

func appendRowKey(dst []byte, p column.Position, group uint8, turn uint32) []byte {
	dst = appendSortable(append(dst, rowEntry), int64(p.Time))
	dst = binary.BigEndian.AppendUint32(dst, turn)
	dst = appendSortable(appendSortable(dst, int64(p.Arrived)), p.Seq)
	return append(appendSortable(dst, p.Index), group)
}

func readRowKey(key []byte) (p column.Position, turn uint32, err error) {
	if len(key) != rowKeyBytes || key[0] != rowEntry {
		return p, 0, errState
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(key[at:]) ^ 1<<63) }
	p = column.Position{Time: column.Ticks(number(1)), Arrived: column.Ticks(number(13)), Seq: number(21), Index: number(29)}
	return p, binary.BigEndian.Uint32(key[9:]), nil
}

// turnCounter numbers the rows of one time within each key group, so that every row
// has a key of its own, whatever the shards.
type turnCounter struct {
	at     column.Ticks
	counts [state.Groups]uint32
	used   []uint8 // key groups with rows of that time
}

// next is the number of a row that comes now.
func (t *turnCounter) next(at column.Ticks, group uint8) uint32 {
	if at != t.at {
		for _, g := range t.used {
			t.counts[g] = 0
		}
		t.at, t.used = at, t.used[:0]
	}
	n := t.counts[group]
	if n == 0 {
		t.used = append(t.used, group)
	}
	t.counts[group]++
	return n
}

// seen says that a row has that number.
func (t *turnCounter) seen(at column.Ticks, group uint8, turn uint32) {
	t.next(at, group)
	t.counts[group] = turn + 1
}
