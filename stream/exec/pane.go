package exec

import (
	"container/heap"

	"spate/column"
)

// pane holds the groups of the rows of one pane of a window: a span of time that a
// window holds whole or not at all. Its groups have slots, counted from 0 in order of
// appearance; they are named by the numbers of a dictionary that the pane's owner has.
type pane struct {
	window int
	end    column.Ticks
	ids    []int32           // of slot s: number in the dictionary
	first  []column.Position // of slot s: the least of its rows
	forms  []uint32          // of slot s: forms[s*keys:], of its first row; nil: all 0
	accs   []accumulators    // per aggregate, by slot
	keys   int               // number of key columns
	slots  slotIndex
	newest column.Position // no row so far stands behind it

	touched      // since the last Freeze; a Finisher's
	listed  bool // among the changed panes
	saved   bool // some of it is in the state
	gone    bool

	link []paneSlot     // of slot s: the next pane of the rolling window that has the group
	tops []accumulators // of slot s: this pane and those behind it, for what cannot be taken back
}

// paneSlot is a group in a pane.
type paneSlot struct {
	pane *pane
	slot int32
}

// slot returns the slot of a group; dict is the size of the dictionary. The caller
// sets what belongs to a new one.
func (p *pane) slot(id int32, dict int) (int32, bool) {
	s, fresh := p.slots.find(p.ids, id, dict)
	if fresh {
		p.ids = append(p.ids, id)
		p.first = append(p.first, column.Position{})
		if p.forms != nil {
			p.forms = lengthened(p.forms, len(p.ids)*p.keys)
		}
	}
	return s, fresh
}

// reserve makes place for n groups: about as many as the pane before it had.
func (p *pane) reserve(n int) {
	if n <= fewSlots {
		return
	}
	p.ids, p.first = reserved(p.ids, n), reserved(p.first, n)
	for _, a := range p.accs {
		a.reserve(n)
	}
}

// room makes the accumulators of every slot exist.
func (p *pane) room() {
	for _, a := range p.accs {
		a.grow(len(p.ids))
	}
}

func (p *pane) form(s int32, k int) uint32 {
	if p.forms == nil {
		return 0
	}
	return p.forms[int(s)*p.keys+k]
}

// setForm sets the form of key k of a slot; nothing is kept while all are 0.
func (p *pane) setForm(s int32, k int, form uint32) {
	if p.forms == nil {
		if form == 0 {
			return
		}
		p.forms = make([]uint32, len(p.ids)*p.keys)
	}
	p.forms[int(s)*p.keys+k] = form
}

// merge adds a pane of the same window and end, whose groups are of the same
// dictionary. touch is called for every slot that changes.
func (p *pane) merge(o *pane, dict int) {
	for os, id := range o.ids {
		s, fresh := p.slot(id, dict)
		if fresh {
			p.room()
		}
		if fresh || o.first[os].Before(p.first[s]) {
			p.first[s] = o.first[os]
			for k := range p.keys {
				p.setForm(s, k, o.form(int32(os), k))
			}
		}
		p.touch(s)
		for a := range p.accs {
			p.accs[a].merge(s, o.accs[a], int32(os))
		}
	}
}

// touched lists the slots that have changed.
type touched struct {
	list []int32
	bits []uint64
	all  bool // every slot, whatever the list says
}

func (t *touched) touch(s int32) {
	if t.all {
		return
	}
	t.bits = lengthened(t.bits, column.Words(int(s)+1))
	if !column.Bit(t.bits, int(s)) {
		column.SetBit(t.bits, int(s))
		t.list = append(t.list, s)
	}
}

// take returns the slots that have changed, of n, and forgets them.
func (t *touched) take(n int) []int32 {
	list := t.list
	if t.all {
		list = upTo(n)
	}
	for _, s := range t.list {
		column.ClearBit(t.bits, int(s))
	}
	t.list, t.all = nil, false
	return list
}

// slotIndex finds the slots of a pane by dictionary number: a pane with a good part
// of the dictionary is a vector, one with few groups a hash table or, with very few,
// a search.
type slotIndex struct {
	dense []int32 // slot + 1 by number; nil: not dense
	hash  hashIndex
	built int // slots that dense or hash know
}

const fewSlots = 8

func (x *slotIndex) find(ids []int32, id int32, dict int) (int32, bool) {
	n := len(ids)
	switch {
	case x.dense != nil && int(id) < len(x.dense):
	case dict <= 64 || (n+1)*8 >= dict:
		if x.dense == nil {
			*x = slotIndex{dense: make([]int32, 0, dict)}
		}
		x.dense = lengthened(x.dense, dict)
	case n <= fewSlots:
		if x.dense != nil {
			*x = slotIndex{}
		}
		for s, other := range ids {
			if other == id {
				return int32(s), false
			}
		}
		return int32(n), true
	default:
		if x.dense != nil {
			*x = slotIndex{}
		}
		for ; x.built < n; x.built++ {
			x.hash.find(uint64(ids[x.built]), int32(x.built))
		}
		s, fresh := x.hash.find(uint64(id), int32(n))
		if fresh {
			x.built++
		}
		return s, fresh
	}
	for ; x.built < n; x.built++ {
		x.dense[ids[x.built]] = int32(x.built) + 1
	}
	if s := x.dense[id]; s != 0 {
		return s - 1, false
	}
	x.dense[id] = int32(n) + 1
	x.built++
	return int32(n), true
}

// paneQueue holds the panes of one window by end, and gives the earliest.
type paneQueue struct {
	byEnd map[column.Ticks]*pane
	ends  endHeap
}

func newPaneQueue() paneQueue { return paneQueue{byEnd: make(map[column.Ticks]*pane)} }

func (q *paneQueue) put(p *pane) {
	q.byEnd[p.end] = p
	heap.Push(&q.ends, p.end)
}

// least is the end of the earliest pane, column.EndOfTime if there is none.
func (q *paneQueue) least() column.Ticks {
	if len(q.ends) == 0 {
		return column.EndOfTime
	}
	return q.ends[0]
}

// pop takes the earliest pane out.
func (q *paneQueue) pop() *pane {
	end := heap.Pop(&q.ends).(column.Ticks)
	p := q.byEnd[end]
	delete(q.byEnd, end)
	return p
}

type endHeap []column.Ticks

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h endHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *endHeap) Push(x any)        { *h = append(*h, x.(column.Ticks)) }
func (h *endHeap) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}
