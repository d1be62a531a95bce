package reorder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"spate/column"
	"spate/stream/state"
)

// saved is what is known of the rows in the state.
type saved struct {
	fresh []*run // runs with waiting rows that came since the last Freeze
	some  bool   // rows that were saved have left since the last Freeze
	last  column.Position
}

func (s *saved) came(r *run) {
	r.fresh = len(s.fresh)
	s.fresh = append(s.fresh, r)
}

// leaves notes that rows of r up to k leave.
func (s *saved) leaves(r *run, k int) {
	if !r.saved {
		return
	}
	if p := r.at(k); !s.some || s.last.Before(p) {
		s.some, s.last = true, p
	}
}

// left notes that no row of r waits any more.
func (s *saved) left(r *run) {
	if r.saved {
		return
	}
	n := len(s.fresh) - 1
	s.fresh[r.fresh] = s.fresh[n]
	s.fresh[r.fresh].fresh = r.fresh
	s.fresh[n] = nil
	s.fresh = s.fresh[:n]
}

// piece is rows from..to of a run that are to be written.
type piece struct {
	r        *run
	from, to int
	groups   []uint8 // nil: all 0
}

// Freeze takes the rows that came since the last Freeze and still wait, and removes
// those from the state that have left since. Nil: nothing changed.
func (b *Buffer) Freeze() state.Frozen {
	b.settle()
	var pieces []piece
	s := &b.saved
	some, last := s.some, s.last
	if some {
		pieces = b.before(last, pieces)
	}
	for _, r := range s.fresh {
		pieces = append(pieces, b.piece(r, r.n))
		r.saved = true
	}
	*s = saved{}
	if !some && len(pieces) == 0 {
		return nil
	}
	return func(to *state.Section) {
		if some {
			to.DeleteRange([]byte{rowKey}, endKey(last))
		}
		var key, value []byte
		for _, p := range pieces {
			for k := p.from; k < p.to; k++ {
				group := uint8(0)
				if p.groups != nil {
					group = p.groups[k-p.from]
				}
				key = appendKey(key[:0], p.r.at(k), p.r.numberAt(k))
				value = appendRow(value[:0], p.r, p.r.row(k))
				to.Put(group, key, value)
			}
		}
	}
}

// before lists the saved rows that wait at or before the last one that has left: the
// range that removes what has left removes them too, so they are written again. Rows
// leave in order, so there are none but for rows of one position and rows that came
// behind their frontier.
func (b *Buffer) before(last column.Position, pieces []piece) []piece {
	if b.heads.empty() || b.heads.list[0].time > last.Time {
		return pieces
	}
	for i := range b.sources {
		for _, c := range b.sources[i].chains {
			for _, r := range c.runs {
				if last.Before(r.at(r.pos)) {
					break
				}
				if r.saved {
					pieces = append(pieces, b.piece(r, r.search(func(k int) bool { return last.Before(r.at(k)) })))
				}
			}
		}
	}
	return pieces
}

// piece copies what of r changes as rows leave; the batch never does.
func (b *Buffer) piece(r *run, to int) piece {
	c := *r
	p := piece{r: &c, from: r.pos, to: to}
	if b.Group != nil {
		p.groups = make([]uint8, to-r.pos)
		for k := range p.groups {
			p.groups[k] = b.Group(r.b, r.row(r.pos+k))
		}
	}
	return p
}

// rowKey begins the key of a row: its position follows in an encoding that orders as
// positions do, then its number, which tells rows of one position apart.
const (
	rowKey    = 0x00
	keyLength = 1 + 8 + 8 + 8 + 8 + 8
)

func appendKey(dst []byte, p column.Position, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPosition(append(dst, rowKey), p), number)
}

// endKey is behind the keys of all rows at p and before those of the rows behind p.
func endKey(p column.Position) []byte {
	return append(appendKey(nil, p, math.MaxUint64), 0)
}

const sign = 1 << 63

func appendPosition(dst []byte, p column.Position) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Time)^sign)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Arrived)^sign)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Seq)^sign)
	return binary.BigEndian.AppendUint64(dst, uint64(p.Index)^sign)
}

func readKey(b []byte) (p column.Position, number uint64) {
	p.Time = column.Ticks(binary.BigEndian.Uint64(b[1:]) ^ sign)
	p.Arrived = column.Ticks(binary.BigEndian.Uint64(b[9:]) ^ sign)
	p.Seq = int64(binary.BigEndian.Uint64(b[17:]) ^ sign)
	p.Index = int64(binary.BigEndian.Uint64(b[25:]) ^ sign)
	return p, binary.BigEndian.Uint64(b[33:])
}

// What a row says of its place beside its time, which a batch may leave out.
const (
	hasArrived = 1 << iota
	hasSeq
	hasIndex
)

// appendRow writes what is not in the key: the source, which parts of its place the
// row had, and its values, whose kinds stand with them.
func appendRow(dst []byte, r *run, row int) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.source))
	has := byte(0)
	if r.b.Arrived != nil {
		has |= hasArrived
	}
	if r.b.Seq != nil {
		has |= hasSeq
	}
	if r.b.Index != nil {
		has |= hasIndex
	}
	dst = binary.AppendUvarint(append(dst, has), uint64(len(r.b.Cols)))
	for c := range r.b.Cols {
		dst = column.AppendBinary(dst, r.b.Cols[c].At(row))
	}
	return dst
}

var errRow = errors.New("reading a row that waits for time: the state is damaged")

// restored collects the rows of a source that Load puts back, until they are a run.
type restored struct {
	has     byte // what any of the rows had
	time    []column.Ticks
	arrived []column.Ticks
	seq     []int64
	index   []int64
	numbers []uint64
	cols    []*column.Builder
}

// Load puts back a row that Freeze wrote. Rows come in key order, before anything
// else does.
func (b *Buffer) Load(e state.Entry) error {
	if len(e.Key) != keyLength || e.Key[0] != rowKey {
		return errRow
	}
	p, number := readKey(e.Key)
	from, w := binary.Uvarint(e.Value)
	if w <= 0 || w >= len(e.Value) {
		return errRow
	}
	has, rest := e.Value[w], e.Value[w+1:]
	cols, w := binary.Uvarint(rest)
	if w <= 0 {
		return errRow
	}
	rest = rest[w:]
	if cols != uint64(len(b.schema.Fields)) {
		return fmt.Errorf("reading a row that waits for time: %d columns saved, %d needed", cols, len(b.schema.Fields))
	}
	// Rows leave in the right order wherever they are put; a source that is no more has
	// to be some other.
	to := int(from % uint64(len(b.sources)))
	if b.Source != nil {
		if to = b.Source(p.Seq); to < 0 || to >= len(b.sources) {
			return fmt.Errorf("reading a row that waits for time: source %d of %d", to, len(b.sources))
		}
	}
	values := make([]column.Value, cols)
	for c := range values {
		var err error
		if values[c], rest, err = column.ReadBinary(rest); err != nil {
			return errRow
		}
	}
	if len(rest) != 0 {
		return errRow
	}
	if b.restored == nil {
		b.restored = make([]*restored, len(b.sources))
	}
	if b.restored[to] == nil {
		b.restored[to] = newRestored(len(values))
	}
	r := b.restored[to]
	r.add(p, number, has, values)
	b.number = max(b.number, number+1)
	if len(r.time) == gathered {
		b.settleOne(to)
	}
	return nil
}

func newRestored(cols int) *restored {
	r := &restored{cols: make([]*column.Builder, cols)}
	for c := range r.cols {
		r.cols[c] = column.NewBuilder(nil)
	}
	return r
}

func (r *restored) add(p column.Position, number uint64, has byte, values []column.Value) {
	r.has |= has
	r.time, r.arrived = append(r.time, p.Time), append(r.arrived, p.Arrived)
	r.seq, r.index = append(r.seq, p.Seq), append(r.index, p.Index)
	r.numbers = append(r.numbers, number)
	for c := range r.cols {
		r.cols[c].Append(values[c])
	}
}

// settle makes runs of all rows that Load has put back.
func (b *Buffer) settle() {
	if b.restored == nil {
		return
	}
	for i := range b.restored {
		if b.restored[i] != nil {
			b.settleOne(i)
		}
	}
	b.restored = nil
}

func (b *Buffer) settleOne(source int) {
	r := b.restored[source]
	b.restored[source] = nil
	batch := &column.Batch{Schema: b.schema, Rows: len(r.time), Time: r.time}
	if r.has&hasArrived != 0 {
		batch.Arrived = r.arrived
	}
	if r.has&hasSeq != 0 {
		batch.Seq = r.seq
	}
	if r.has&hasIndex != 0 {
		batch.Index = r.index
	}
	for _, c := range r.cols {
		batch.Cols = append(batch.Cols, c.Vector())
	}
	b.place(&run{b: batch, n: batch.Rows, source: int32(source), numbers: r.numbers, bytes: batch.Bytes(), saved: true})
}
