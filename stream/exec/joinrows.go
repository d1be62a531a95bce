package exec

import (
	"spate/column"
)

// joinRows are the rows of one side of a join, in total order: those that have been
// paired with what came before them, and behind them, from entered on, those that wait.
// Rows are numbered as they come. Their batches are kept as they are.
type joinRows struct {
	blocks []*joinBlock
	base   int64 // number of the first row of blocks[0]

	from, entered, to int64
	waiting           int64 // bytes of the rows that wait, about

	last column.Position // of the newest row
	turn uint32          // how many rows of this position came before it
}

// joinBlock holds up to blockRows rows.
type joinBlock struct {
	batches []*keptBatch
	batch   []uint16 // of each row, in batches
	row     []int32  // its place there
	time    []column.Ticks
	group   []int32
	next    []uint32 // how many rows on the next one of the group stands, once both have been paired
	turn    []uint32 // nil: all 0
	flags   []uint8
}

// Flags of a row.
const (
	rowAlone   = 1 << iota // it has no key, or fails a condition of its side: no row is its partner
	rowMatched             // it has had a partner
	rowSaved               // it is in the state
)

// keptBatch is a batch some rows of which are kept.
type keptBatch struct {
	b     *column.Batch
	bytes int64 // of one row, about
	slot  int32 // in the gatherer, if turn is the gatherer's
	turn  uint64
}

// push appends row i of a batch.
func (r *joinRows) push(k *keptBatch, i int, group int32, flags uint8) {
	at := int(r.to-r.base) >> blockBits
	if at == len(r.blocks) {
		r.blocks = append(r.blocks, new(joinBlock))
	}
	b := r.blocks[at]
	n := len(b.row)
	if p := column.PositionOf(k.b, i); p == r.last && r.to > 0 {
		r.turn++
	} else {
		r.last, r.turn = p, 0
	}
	if last := len(b.batches) - 1; last < 0 || b.batches[last] != k {
		b.batches = append(b.batches, k)
	}
	b.batch, b.row = append(b.batch, uint16(len(b.batches)-1)), append(b.row, int32(i))
	b.time, b.group = append(b.time, k.b.Time[i]), append(b.group, group)
	b.next, b.flags = append(b.next, 0), append(b.flags, flags)
	b.turn = appendSparse(b.turn, n, r.turn)
	r.to++
	r.waiting += k.bytes
}

// at finds a row in its block.
func (r *joinRows) at(row int64) (*joinBlock, int) {
	k := row - r.base
	return r.blocks[k>>blockBits], int(k & (blockRows - 1))
}

// time is that of the first row that waits, the end of time if there is none.
func (r *joinRows) time() column.Ticks {
	if r.entered == r.to {
		return column.EndOfTime
	}
	b, i := r.at(r.entered)
	return b.time[i]
}

// drop takes the first row out.
func (r *joinRows) drop() {
	r.from++
	if r.from-r.base == blockRows {
		r.blocks[0] = nil
		r.blocks = r.blocks[1:]
		r.base = r.from
	}
}

// kept is the batch that row i of a block stands in.
func (b *joinBlock) kept(i int) *keptBatch { return b.batches[b.batch[i]] }

// position is where row i stands in the total order.
func (b *joinBlock) position(i int) column.Position {
	return column.PositionOf(b.kept(i).b, int(b.row[i]))
}

// number gives row i another turn.
func (b *joinBlock) number(i int, turn uint32) {
	if b.turn == nil && turn != 0 {
		b.turn = make([]uint32, len(b.row), blockRows)
	}
	if b.turn != nil {
		b.turn[i] = turn
	}
}

func (b *joinBlock) turnAt(i int) uint32 {
	if b.turn == nil {
		return 0
	}
	return b.turn[i]
}

// add puts row i of a block into the batch that a gatherer makes.
func (b *joinBlock) add(i int, to *column.Gatherer) {
	k := b.kept(i)
	if k.turn != to.Turn() {
		k.slot, k.turn = to.Open(k.b), to.Turn()
	}
	to.Add(k.slot, b.row[i])
}
