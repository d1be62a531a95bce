package reorder

import (
	"slices"
	"sort"

	"spate/column"
)

// run is a batch in ascending order.
type run struct {
	b       *column.Batch
	rows    []int32 // ascending; nil: all
	pos, n  int     // rows pos..n wait
	source  int32
	number  uint64   // of row 0: rows are numbered as they come
	numbers []uint64 // of each row, where they do not follow on; number is not used then
	bytes   int64
	before  int64 // bytes of the runs that stood before it in its chain
	saved   bool  // its waiting rows are in the state
	fresh   int   // where it stands among those that are not

	slot int32 // in the gatherer, if turn is the gatherer's
	turn uint64
}

// row is the row of the batch that is k-th in the run.
func (r *run) row(k int) int {
	if r.rows == nil {
		return k
	}
	return int(r.rows[k])
}

func (r *run) time(k int) column.Ticks { return r.b.Time[r.row(k)] }

func (r *run) at(k int) column.Position { return column.PositionOf(r.b, r.row(k)) }

func (r *run) numberAt(k int) uint64 {
	if r.numbers != nil {
		return r.numbers[k]
	}
	return r.number + uint64(k)
}

// search finds the first waiting row for which out is true; it is for all behind
// that. The first one is taken to be false.
func (r *run) search(out func(k int) bool) int {
	// Sources that interleave change often: the end is near, or far.
	k := r.pos + 1
	for near := min(k+4, r.n); k < near; k++ {
		if out(k) {
			return k
		}
	}
	return k + sort.Search(r.n-k, func(i int) bool { return out(k + i) })
}

// slice is a batch of rows from..to of the run.
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

// chain is a sequence of runs, each not before the one it follows.
type chain struct {
	runs  []*run // none is empty
	tail  column.Position
	bytes int64 // of all runs that it ever had
}

// from is how many bytes rows of the chain wait with that do not stand before p.
func (c *chain) from(p column.Position) int64 {
	i := sort.Search(len(c.runs), func(i int) bool { r := c.runs[i]; return !r.at(r.n - 1).Before(p) })
	if i == len(c.runs) {
		return 0
	}
	r := c.runs[i]
	k := r.pos + sort.Search(r.n-r.pos, func(k int) bool { return !r.at(r.pos + k).Before(p) })
	return c.bytes - r.before - r.bytes*int64(k)/int64(r.n)
}

// heads is a heap of chains by the rows they begin with.
type heads struct {
	list   []head
	chains []*chain // by the number in their heads; nil: the number is free
	free   []int32
}

// head is a chain with the time of its first row, which nearly always decides. It
// holds no pointer, so that moving one costs the garbage collector nothing.
type head struct {
	time  column.Ticks
	chain int32
}

func (h *heads) empty() bool { return len(h.list) == 0 }

// top is the chain with the first row of all.
func (h *heads) top() *chain { return h.chains[h.list[0].chain] }

func (h *heads) before(x, y head) bool {
	if x.time != y.time {
		return x.time < y.time
	}
	a, b := h.chains[x.chain].runs[0], h.chains[y.chain].runs[0]
	return a.precedes(a.pos, b, b.pos)
}

// precedes reports whether row i of r orders before row k of o, a row of another run.
func (r *run) precedes(i int, o *run, k int) bool {
	p, q := r.at(i), o.at(k)
	switch {
	case p != q:
		return p.Before(q)
	case r.source != o.source:
		return r.source < o.source
	}
	return r.numberAt(i) < o.numberAt(k)
}

func (h *heads) push(c *chain) {
	number := int32(len(h.chains))
	if n := len(h.free) - 1; n >= 0 {
		number, h.free = h.free[n], h.free[:n]
		h.chains[number] = c
	} else {
		h.chains = append(h.chains, c)
	}
	h.list = append(h.list, head{c.runs[0].time(c.runs[0].pos), number})
	l := h.list
	for i := len(l) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(l[i], l[up]) {
			return
		}
		l[i], l[up] = l[up], l[i]
		i = up
	}
}

// pop removes the first chain.
func (h *heads) pop() {
	l := h.list
	h.chains[l[0].chain] = nil
	h.free = append(h.free, l[0].chain)
	n := len(l) - 1
	l[0] = l[n]
	if h.list = l[:n]; n > 0 {
		h.sink()
	}
}

// moved puts the first chain in its place again, whose rows have begun to leave.
func (h *heads) moved() {
	r := h.top().runs[0]
	h.list[0].time = r.time(r.pos)
	h.sink()
}

func (h *heads) sink() {
	l := h.list
	top := l[0]
	i := 0
	for {
		k := 2*i + 1
		if k >= len(l) {
			break
		}
		if k+1 < len(l) && h.before(l[k+1], l[k]) {
			k++
		}
		if !h.before(l[k], top) {
			break
		}
		l[i] = l[k]
		i = k
	}
	l[i] = top
}

// next is the chain behind the first one, and the time of its first row; nil if there
// is no other.
func (h *heads) next() (*chain, column.Ticks) {
	l := h.list
	switch {
	case len(l) < 2:
		return nil, 0
	case len(l) == 2 || h.before(l[1], l[2]):
		return h.chains[l[1].chain], l[1].time
	}
	return h.chains[l[2].chain], l[2].time
}

// inOrder reports whether the live rows are in ascending order.
func inOrder(b *column.Batch) bool {
	n := b.LiveRows()
	if b.Live == nil {
		for i := 1; i < n; i++ {
			if b.Time[i] <= b.Time[i-1] && column.PositionOf(b, i).Before(column.PositionOf(b, i-1)) {
				return false
			}
		}
		return true
	}
	for k := 1; k < n; k++ {
		i, last := b.Row(k), b.Row(k-1)
		if b.Time[i] <= b.Time[last] && column.PositionOf(b, i).Before(column.PositionOf(b, last)) {
			return false
		}
	}
	return true
}

// sorted lists the live rows in ascending order; equal ones stay as they are.
func sorted(b *column.Batch) []int32 {
	type timed struct {
		time column.Ticks
		row  int32
	}
	keys := make([]timed, b.LiveRows())
	for k := range keys {
		i := b.Row(k)
		keys[k] = timed{b.Time[i], int32(i)}
	}
	slices.SortFunc(keys, func(x, y timed) int {
		switch {
		case x.time < y.time:
			return -1
		case x.time > y.time:
			return 1
		}
		p, q := column.PositionOf(b, int(x.row)), column.PositionOf(b, int(y.row))
		switch {
		case p.Before(q):
			return -1
		case q.Before(p):
			return 1
		}
		return int(x.row - y.row)
	})
	rows := make([]int32, len(keys))
	for k := range keys {
		rows[k] = keys[k].row
	}
	return rows
}
