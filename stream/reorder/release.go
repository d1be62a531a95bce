package reorder

import (
	"spate/column"
)

// Sizes of what leaves, in rows.
const (
	gathered = 1024 // at most, of rows gathered from several batches
	long     = 256  // rows of one batch in a row that leave as a slice of it
)

// Release gives out, in order, every row that nothing can come before any more:
// those before every frontier and, of the source with the least one, those at it.
// Rows that interleave come in batches of up to 1024; a run of one batch comes as it
// stands there.
func (b *Buffer) Release(emit func(*column.Batch) error) error {
	b.settle()
	b.rank()
	bound := b.sources[b.first].frontier
	for !b.heads.empty() {
		c := b.heads.top()
		r := c.runs[0]
		if !b.ready(r, r.pos, bound) {
			break
		}
		from, to := r.pos, b.stop(r, bound)
		b.saved.leaves(r, to-1)
		b.consume(c, to)
		if to-from >= long {
			if err := b.flush(emit); err != nil {
				return err
			}
			if err := emit(r.slice(from, to)); err != nil {
				return err
			}
			continue
		}
		for k := from; k < to; k++ {
			if r.turn != b.out.Turn() {
				r.slot, r.turn = b.out.Open(r.b), b.out.Turn()
			}
			b.out.Add(r.slot, int32(r.row(k)))
			if b.out.Rows() == gathered {
				if err := b.flush(emit); err != nil {
					return err
				}
			}
		}
	}
	return b.flush(emit)
}

func (b *Buffer) flush(emit func(*column.Batch) error) error {
	if b.out.Rows() == 0 {
		return nil
	}
	return emit(b.out.Batch())
}

// ready reports whether row k of r may leave.
func (b *Buffer) ready(r *run, k int, bound column.Position) bool {
	if t := r.time(k); t != bound.Time {
		return t < bound.Time
	}
	p := r.at(k)
	return p.Before(bound) || p == bound && int(r.source) <= b.first
}

// stop is where the run at the head must stop: at a row that may not leave, or that
// the head of another chain comes before.
func (b *Buffer) stop(r *run, bound column.Position) int {
	next, at := b.heads.next()
	if next == nil {
		return r.search(func(k int) bool { return !b.ready(r, k, bound) })
	}
	o := next.runs[0]
	sure := min(at, bound.Time)
	if k := r.pos + 1; k < r.n && r.time(k) > sure {
		return k
	}
	return r.search(func(k int) bool {
		t := r.time(k)
		return t > sure || t == sure && (!b.ready(r, k, bound) || !r.precedes(k, o, o.pos))
	})
}

// consume takes the rows up to `to` off the head of the first chain.
func (b *Buffer) consume(c *chain, to int) {
	r := c.runs[0]
	r.pos = to
	if to < r.n {
		b.heads.moved()
		return
	}
	s := &b.sources[r.source]
	s.held -= r.bytes
	b.saved.left(r)
	c.runs[0] = nil
	if c.runs = c.runs[1:]; len(c.runs) > 0 {
		b.heads.moved()
		return
	}
	b.heads.pop()
	for i := range s.chains {
		if s.chains[i] == c {
			copy(s.chains[i:], s.chains[i+1:])
			s.chains[len(s.chains)-1] = nil
			s.chains = s.chains[:len(s.chains)-1]
			break
		}
	}
}
