package exec

import (
	"math"

	"spate/column"
)

const (
	blockBits = 10
	blockRows = 1 << blockBits
)

// rowLog is a queue of rows in total order, kept in columns. Rows are numbered as
// they come. What has been put into it does not change, except for the links.
type rowLog struct {
	args     int
	blocks   []*rowBlock
	base     int64 // number of the first row of blocks[0]
	from, to int64 // the rows that are kept: from <= number < to
}

// rowBlock holds up to blockRows rows.
type rowBlock struct {
	time    []column.Ticks
	arrived []column.Ticks
	seq     []int64
	index   []int64  // nil: all 0
	turn    []uint32 // rows before this one of the same time, in its key group; nil: all 0
	group   []int32
	next    []uint32 // how many rows on the next one of the group stands, once both are in the window
	args    []valueList
}

// newRowBlock returns an empty block, with room for what the block before it holds. A
// first block begins small: most logs never need another.
func newRowBlock(args int, before *rowBlock) *rowBlock {
	b := &rowBlock{args: make([]valueList, args)}
	if before == nil {
		return b
	}
	b.time, b.arrived = make([]column.Ticks, 0, blockRows), make([]column.Ticks, 0, blockRows)
	b.seq, b.group, b.next = make([]int64, 0, blockRows), make([]int32, 0, blockRows), make([]uint32, 0, blockRows)
	for a := range b.args {
		if before.args[a].kinds == nil {
			continue // COUNT(*)
		}
		b.args[a].kinds, b.args[a].nums = make([]column.Kind, 0, blockRows), make([]uint64, 0, blockRows)
	}
	return b
}

// push appends a row and returns its block, for the arguments.
func (l *rowLog) push(p column.Position, turn uint32, group int32) *rowBlock {
	k := int(l.to-l.base) >> blockBits
	if k == len(l.blocks) {
		var before *rowBlock
		if k > 0 {
			before = l.blocks[k-1]
		}
		l.blocks = append(l.blocks, newRowBlock(l.args, before))
	}
	b := l.blocks[k]
	n := len(b.time)
	b.time, b.arrived, b.seq = append(b.time, p.Time), append(b.arrived, p.Arrived), append(b.seq, p.Seq)
	b.group, b.next = append(b.group, group), append(b.next, 0)
	b.index = appendSparse(b.index, n, p.Index)
	b.turn = appendSparse(b.turn, n, turn)
	l.to++
	return b
}

// appendSparse appends element n to a list that is nil while all elements are 0.
func appendSparse[T int64 | uint32](to []T, n int, v T) []T {
	if to == nil {
		if v == 0 {
			return nil
		}
		to = make([]T, n, blockRows)
	}
	return append(to, v)
}

// at finds a row in its block.
func (l *rowLog) at(row int64) (*rowBlock, int) {
	k := row - l.base
	return l.blocks[k>>blockBits], int(k & (blockRows - 1))
}

// drop takes the first row out.
func (l *rowLog) drop() {
	l.from++
	if l.from-l.base == blockRows {
		l.blocks[0] = nil
		l.blocks = l.blocks[1:]
		l.base = l.from
	}
}

// regroup gives the rows other group numbers. Copies of the log keep the old ones.
func (l *rowLog) regroup(to []int32) {
	for k, b := range l.blocks {
		group := make([]int32, len(b.group), blockRows)
		for i := range group {
			if l.base+int64(k<<blockBits+i) >= l.from {
				group[i] = to[b.group[i]]
			}
		}
		b.group = group
	}
}

// frozen returns a copy of the rows from..to, which may be read while rows are pushed
// and dropped.
func (l *rowLog) frozen(from, to int64) rowLog {
	c := rowLog{from: from, to: to}
	if from == to {
		return c
	}
	first, last := (from-l.base)>>blockBits, (to-1-l.base)>>blockBits
	c.base = l.base + first<<blockBits
	for _, b := range l.blocks[first : last+1] {
		b := *b
		b.args = append([]valueList(nil), b.args...)
		c.blocks = append(c.blocks, &b)
	}
	return c
}

// position is where row i stands in the total order.
func (b *rowBlock) position(i int) column.Position {
	p := column.Position{Time: b.time[i], Arrived: b.arrived[i], Seq: b.seq[i]}
	if b.index != nil {
		p.Index = b.index[i]
	}
	return p
}

func (b *rowBlock) turnAt(i int) uint32 {
	if b.turn == nil {
		return 0
	}
	return b.turn[i]
}

// valueList is a list of values. A number takes 9 bytes of it.
type valueList struct {
	kinds []column.Kind
	nums  []uint64
	texts []string       // nil while there is no text
	rest  []column.Value // nil while there is no record or array
}

func (l *valueList) append(v column.Value) {
	var num uint64
	switch v.Kind {
	case column.Bool:
		if v.Bool() {
			num = 1
		}
	case column.Int64:
		num = uint64(v.Int())
	case column.Float64:
		num = math.Float64bits(v.Float())
	case column.Time:
		num = uint64(v.Ticks())
	case column.Text:
		if l.texts == nil {
			l.texts = make([]string, len(l.kinds), blockRows)
		}
	case column.Record, column.Array:
		if l.rest == nil {
			l.rest = make([]column.Value, len(l.kinds), blockRows)
		}
	}
	l.kinds, l.nums = append(l.kinds, v.Kind), append(l.nums, num)
	if l.texts != nil {
		l.texts = append(l.texts, v.Text())
	}
	if l.rest != nil {
		l.rest = append(l.rest, v)
	}
}

func (l *valueList) at(i int) column.Value {
	switch l.kinds[i] {
	case column.Null:
		return column.Value{}
	case column.Bool:
		return column.BoolOf(l.nums[i] != 0)
	case column.Int64:
		return column.IntOf(int64(l.nums[i]))
	case column.Float64:
		return column.FloatOf(math.Float64frombits(l.nums[i]))
	case column.Time:
		return column.TimeOf(column.Ticks(l.nums[i]))
	case column.Text:
		return column.TextOf(l.texts[i])
	}
	return l.rest[i]
}
