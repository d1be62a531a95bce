package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/column/compute"
)

// histories is what an analytic function remembers: per partition key the newest rows
// that qualified. A key whose rows are all older than the limit is forgotten.
type histories struct {
	depth int // rows remembered per key
	limit column.Ticks
	ends  bool // ISFIRST: times are ends of intervals, and there are no values
	keys  groupKeys
	of    []history // by group of keys
	kinds kindSet   // of the values remembered since the table was made, at least
	// detect looks for anomalies; then what is remembered is a model, and no value. nil: not.
	detect *detector

	changed []int32  // groups that differ from the state
	gone    [][]byte // keys that are in the state and in the table no more
	empty   int      // groups that remember nothing
	hand    int      // group that is looked at next
	came    int      // rows since the last look
}

// history is what is remembered of one key.
type history struct {
	newest  column.Ticks // of the last row; never: nothing is remembered
	last    column.Value // depth 1: its value
	ring    *ring        // depth above 1
	model   *model       // of a detector
	changed bool         // is in changed
	saved   bool         // the state has an entry for the key
}

const never column.Ticks = -1

// ring holds the newest rows, up to a depth.
type ring struct {
	times  []column.Ticks
	values []column.Value
	next   int // the oldest, when the ring is full
}

func (r *ring) push(t column.Ticks, v column.Value, depth int) {
	if len(r.times) < depth {
		r.times, r.values = append(r.times, t), append(r.values, v)
		return
	}
	r.times[r.next], r.values[r.next] = t, v
	if r.next++; r.next == depth {
		r.next = 0
	}
}

// oldest is where the k-th oldest row stands.
func (r *ring) oldest(k int) int {
	if k += r.next; k >= len(r.times) {
		k -= len(r.times)
	}
	return k
}

// kindSet is a set of kinds of values.
type kindSet uint16

// bigKind is that of bigints that a float does not hold.
const bigKind kindSet = 1 << 15

// kindsOf is the kinds that a vector of kind k may hold beside NULL.
func kindsOf(k column.Kind) kindSet {
	if k == column.Int64 {
		return 1<<k | bigKind
	}
	return 1 << k
}

const floatKinds = kindSet(1<<column.Float64 | 1<<column.Int64)

func kindOf(v column.Value) kindSet {
	if v.Kind == column.Int64 && (v.Int() > 1<<53 || v.Int() < -(1<<53)) {
		return bigKind
	}
	return 1 << v.Kind
}

func (s kindSet) within(of kindSet) bool { return s&^(of|1<<column.Null) == 0 }

func newHistories(keys, depth int, limit column.Ticks, ends bool) histories {
	return histories{depth: depth, limit: limit, ends: ends, keys: newGroupKeys(keys)}
}

// idsOf writes the histories of the live rows to ids[row].
func (h *histories) idsOf(keys []compute.Operand, b *column.Batch, rows compute.Rows, ids []int32) {
	h.keys.idsOf(keys, b, rows, ids)
	h.room()
	h.came += rows.Len()
}

func (h *histories) room() {
	for len(h.of) < h.keys.groups {
		h.of = append(h.of, history{newest: never})
		h.empty++
	}
}

// touch makes t the newest time of a history.
func (h *histories) touch(g int32, t column.Ticks) {
	x := &h.of[g]
	if x.newest == never {
		h.empty--
	}
	x.newest = t
	if !x.changed {
		x.changed = true
		h.changed = append(h.changed, g)
	}
}

// keep remembers a row.
func (h *histories) keep(g int32, t column.Ticks, v column.Value) {
	h.kinds |= kindOf(v)
	h.touch(g, t)
	x := &h.of[g]
	if h.depth == 1 {
		x.last = v
		return
	}
	if x.ring == nil {
		x.ring = new(ring)
	}
	x.ring.push(t, v, h.depth)
}

// back is the value as far back as the histories go, for a row of time t; nil if
// there is none or it is too old.
func (h *histories) back(g int32, t column.Ticks) *column.Value {
	x := &h.of[g]
	if h.depth == 1 {
		if x.newest == never || t-x.newest > h.limit {
			return nil
		}
		return &x.last
	}
	if x.ring == nil || len(x.ring.times) < h.depth {
		return nil
	}
	if k := x.ring.oldest(0); t-x.ring.times[k] <= h.limit {
		return &x.ring.values[k]
	}
	return nil
}

// Bounds of a look for histories that are too old.
const (
	leastLook   = 64   // groups, however few rows came
	leastForget = 1024 // groups of a table that are not worth making anew
)

// forget drops histories that no row of time w or later can see. It looks at two
// groups for every row that came, and a few in silence: the cost is spread, and as a
// row brings one key at most, those that wait for being dropped stay fewer than the
// live ones and those of one limit.
func (h *histories) forget(w column.Ticks) {
	if w == column.EndOfTime || len(h.of) == 0 {
		return
	}
	look := min(len(h.of), max(leastLook, 2*h.came))
	h.came = 0
	oldest := w
	if !h.ends {
		oldest -= h.limit
	}
	for range look {
		if h.hand++; h.hand >= len(h.of) {
			h.hand = 0
		}
		x := &h.of[h.hand]
		if x.newest == never || x.newest >= oldest {
			continue
		}
		h.touch(int32(h.hand), never)
		x.last, x.ring, x.model = column.Value{}, nil, nil
		h.empty++
	}
	if h.empty >= leastForget && h.empty*2 > len(h.of) {
		h.rebuild()
	}
}

// rebuild makes a table of the groups that remember something. More than half of the
// groups go, so every group that was ever made pays for a bounded number of copies.
func (h *histories) rebuild() {
	old := *h
	h.keys, h.of, h.kinds = newGroupKeys(len(old.keys.cols)), make([]history, 0, len(old.of)-old.empty), 0
	h.changed, h.empty, h.hand = nil, 0, 0
	tuple := make([]column.Value, len(old.keys.cols))
	for g := range old.of {
		x := old.of[g]
		if x.newest == never {
			if x.saved {
				h.gone = append(h.gone, old.keys.appendKey(nil, g))
			}
			continue
		}
		for k := range tuple {
			tuple[k] = old.keys.key(g, k)
		}
		if id := h.keys.id(tuple); x.changed {
			h.changed = append(h.changed, id)
		}
		h.of = append(h.of, x)
		h.kinds |= kindOf(x.last)
		if x.ring != nil {
			for _, v := range x.ring.values {
				h.kinds |= kindOf(v)
			}
		}
	}
}

// frozenHistory is a history as it was when it was frozen.
type frozenHistory struct {
	key    []column.Value
	times  []column.Ticks // oldest first
	values []column.Value // of each time; ISFIRST: none
	model  []byte         // of a detector, as it is written
}

// freeze takes what changed since the last freeze: entries to be put, keys to be
// deleted before.
func (h *histories) freeze() (put []frozenHistory, gone [][]byte) {
	gone, h.gone = h.gone, nil
	put = make([]frozenHistory, 0, len(h.changed))
	n := len(h.keys.cols)
	keys := make([]column.Value, 0, n*len(h.changed))
	for _, g := range h.changed {
		x := &h.of[g]
		x.changed = false
		if x.newest == never {
			if x.saved {
				gone = append(gone, h.keys.appendKey(nil, int(g)))
			}
			x.saved = false
			continue
		}
		x.saved = true
		for k := range n {
			keys = append(keys, h.keys.key(int(g), k))
		}
		put = append(put, h.frozen(x, keys[len(keys)-n:]))
	}
	h.changed = h.changed[:0]
	return put, gone
}

func (h *histories) frozen(x *history, key []column.Value) frozenHistory {
	f := frozenHistory{key: key}
	switch {
	case h.ends:
		f.times = []column.Ticks{x.newest}
	case h.detect != nil:
		f.times, f.model = []column.Ticks{x.newest}, x.model.append(nil)
	case h.depth == 1:
		f.times, f.values = []column.Ticks{x.newest}, []column.Value{x.last}
	default:
		n := len(x.ring.times)
		f.times, f.values = make([]column.Ticks, n), make([]column.Value, n)
		for k := range n {
			i := x.ring.oldest(k)
			f.times[k], f.values[k] = x.ring.times[i], x.ring.values[i]
		}
	}
	return f
}

// append writes the key as values, which the tuple in the key of the entry does not
// give back, then the rows.
func (f *frozenHistory) append(dst []byte) []byte {
	for _, v := range f.key {
		dst = column.AppendBinary(dst, v)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.times)))
	for i, t := range f.times {
		dst = appendTicks(dst, t)
		if f.values != nil {
			dst = column.AppendBinary(dst, f.values[i])
		}
	}
	return append(dst, f.model...)
}

// load reads one entry.
func (h *histories) load(b []byte) error {
	r := &stateReader{b: b}
	key := make([]column.Value, len(h.keys.cols))
	for k := range key {
		key[k] = r.value()
	}
	n := r.count()
	if r.err == nil && (n == 0 || n > h.depth) {
		return errState
	}
	g := h.keys.id(key)
	h.room()
	for range n {
		t := r.ticks()
		switch {
		case h.ends:
			h.touch(g, t)
		case h.detect != nil:
			h.touch(g, t)
			h.of[g].model = h.detect.readModel(r)
		default:
			h.keep(g, t, r.value())
		}
	}
	x := &h.of[g]
	x.saved, x.changed = true, false
	h.changed = h.changed[:0]
	return r.done()
}
