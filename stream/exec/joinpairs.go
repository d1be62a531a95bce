package exec

import (
	"spate/column"
	"spate/column/compute"
)

// pairs are rows that are to be emitted together, in the order in which they were found.
type pairs struct {
	left    []int64 // numbers of the rows of the left side
	time    []column.Ticks
	arrived []column.Ticks
	seq     []int64
	index   []int64
	indexed bool // some index is not 0

	base column.Position // of the pair that was found last, without its turn
	turn int64

	lefts, rights []column.Ticks // the times of both, if a bound looks at them
}

// add adds a pair, which stands where the later of its rows does, behind the pairs that
// stand there already.
func (p *pairs) add(j *Join, left, right int64) {
	l, i := j.sides[0].rows.at(left)
	r, k := j.sides[1].rows.at(right)
	l.add(i, j.sides[0].gather)
	r.add(k, j.sides[1].gather)
	at, other := l.position(i), r.position(k)
	if !other.Before(at) {
		at = other
	}
	base := at
	if base.Index &^= column.Branch - 1; base != p.base {
		p.base, p.turn = base, -1
	}
	p.turn = min(p.turn+1, column.Branch-1)
	at.Index = base.Index + p.turn
	p.begin(left, at.Time, at)
	if len(j.far) > 0 {
		p.lefts, p.rights = append(p.lefts, l.time[i]), append(p.rights, r.time[k])
	}
}

// alone adds a row of the left side without a partner.
func (p *pairs) alone(j *Join, left int64) {
	l, i := j.sides[0].rows.at(left)
	l.add(i, j.sides[0].gather)
	p.begin(left, l.time[i]+j.node.Wait, l.position(i))
}

func (p *pairs) begin(left int64, at column.Ticks, place column.Position) {
	p.left = append(p.left, left)
	p.time, p.arrived = append(p.time, at), append(p.arrived, place.Arrived)
	p.seq, p.index = append(p.seq, place.Seq), append(p.index, place.Index)
	p.indexed = p.indexed || place.Index != 0
}

// batch makes the rows; right holds the columns of the right side.
func (p *pairs) batch(j *Join, right []column.Vector) *column.Batch {
	n := len(p.left)
	b := &column.Batch{Schema: j.schema, Rows: n, Time: p.time, Arrived: p.arrived, Seq: p.seq}
	if p.indexed {
		b.Index = p.index
	}
	b.Cols = append(append(b.Cols, j.sides[0].gather.Batch().Cols...), right...)
	p.time, p.arrived = make([]column.Ticks, 0, n), make([]column.Ticks, 0, n)
	p.seq, p.index, p.indexed = make([]int64, 0, n), make([]int64, 0, n), false
	return b
}

// flush emits the pairs that meet all conditions.
func (j *Join) flush(out Emit) error {
	p := &j.pairs
	if len(p.left) == 0 {
		return nil
	}
	left := p.left
	b := p.batch(j, j.sides[1].gather.Batch().Cols)
	b, err := j.met(b)
	p.lefts, p.rights, p.left = p.lefts[:0], p.rights[:0], p.left[:0]
	if b == nil || err != nil {
		return err
	}
	if j.node.Outer {
		for k := range b.LiveRows() {
			j.match(left[b.Row(k)])
		}
	}
	return out.Rows(b)
}

// match notes that a row of the left side has had a partner.
func (j *Join) match(number int64) {
	b, i := j.sides[0].rows.at(number)
	if b.flags[i]&(rowMatched|rowSaved) == rowSaved {
		j.state.changed = append(j.state.changed, number)
	}
	b.flags[i] |= rowMatched
}

// met are the pairs for which bounds and conditions hold; nil: none.
func (j *Join) met(b *column.Batch) (*column.Batch, error) {
	if len(j.far) > 0 {
		live, err := j.within(b)
		if err != nil || len(live) == 0 {
			return nil, err
		}
		b = b.WithLive(live)
	}
	if j.rest == nil {
		return b, nil
	}
	skip := j.skip
	if skip != nil {
		skip = func(b *column.Batch, row int, err *Error) {
			err.Result = true // a pair is of two messages
			j.skip(b, row, err)
		}
	}
	b, err := sound(j, b, skip)
	if b == nil {
		return nil, err
	}
	live := make([]int32, 0, b.LiveRows())
	for k := range b.LiveRows() {
		if i := b.Row(k); j.truth[i] == compute.True {
			live = append(live, int32(i))
		}
	}
	if len(live) == 0 {
		return nil, nil
	}
	return b.WithLive(live), nil
}

// compute implements computer, for pairs.
func (j *Join) compute(b *column.Batch) *compute.RowError {
	j.truth = grown(j.truth, b.Rows)
	return j.rest.test(b, compute.Rows{N: b.Rows, Live: b.Live}, j.truth)
}

// within lists the pairs that are within the bounds on times of columns. One that is NULL
// is within none.
func (j *Join) within(b *column.Batch) ([]int32, error) {
	rows := compute.Rows{N: b.Rows}
	live := upTo(b.Rows)
	for f := range j.far {
		bound := &j.far[f]
		var of [2]compute.Operand
		for k, v := range []value{bound.from, bound.to} {
			if v == nil {
				continue
			}
			var err *compute.RowError
			if of[k], err = v.eval(b, rows); err != nil {
				return nil, errorOf(b, err)
			}
		}
		time := func(k int, own []column.Ticks, i int) (column.Ticks, bool) {
			if [...]value{bound.from, bound.to}[k] == nil {
				return own[i], true
			}
			v := of[k].At(i)
			return v.Ticks(), v.Kind == column.Time
		}
		kept := live[:0]
		for _, i := range live {
			from, ok := time(0, j.pairs.lefts, int(i))
			to, also := time(1, j.pairs.rights, int(i))
			if ok && also && bound.Holds(from, to) {
				kept = append(kept, i)
			}
		}
		live = kept
	}
	return live, nil
}

// single emits rows of the left side that have no partner.
func (j *Join) single(out Emit) error {
	p := &j.pairs
	if len(p.left) == 0 {
		return nil
	}
	right := make([]column.Vector, len(j.node.Right.Columns()))
	for c := range right {
		right[c] = column.Constant(column.Value{}, len(p.left))
	}
	b := p.batch(j, right)
	p.left = p.left[:0]
	return out.Rows(b)
}
