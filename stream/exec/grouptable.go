package exec

import (
	"bytes"
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/column/compute"
)

// position is where a row stands in the total order of its input.
type position struct {
	time, arrived column.Ticks
	part          int32
	seq           int64
}

func positionOf(b *column.Batch, i int) position {
	p := position{time: b.Time[i], arrived: b.Time[i], part: b.Part, seq: int64(i)}
	if b.Arrived != nil {
		p.arrived = b.Arrived[i]
	}
	if b.Seq != nil {
		p.seq = b.Seq[i]
	}
	return p
}

func (p position) before(q position) bool {
	switch {
	case p.time != q.time:
		return p.time < q.time
	case p.arrived != q.arrived:
		return p.arrived < q.arrived
	case p.part != q.part:
		return p.part < q.part
	}
	return p.seq < q.seq
}

// keyColumn turns the values of one key column into codes of its own: equal
// codes for values of one group, 0 for NULL.
type keyColumn struct {
	codes  map[string]uint32
	values []column.Value // by code
	owner  *column.Dict   // the dictionary that remap translates
	remap  []uint32
	buf    []byte
}

func newKeyColumn() keyColumn {
	return keyColumn{codes: make(map[string]uint32), values: make([]column.Value, 1)}
}

func (k *keyColumn) code(v column.Value) uint32 {
	if v.IsNull() {
		return 0
	}
	k.buf = column.AppendKey(k.buf[:0], v)
	if c, ok := k.codes[string(k.buf)]; ok {
		return c
	}
	c := uint32(len(k.values))
	k.values = append(k.values, v)
	k.codes[string(k.buf)] = c
	return c
}

// codeOfText is code for a text, without making a value of one that is known.
func (k *keyColumn) codeOfText(s []byte) uint32 {
	k.buf = column.AppendTextKey(k.buf[:0], s)
	if c, ok := k.codes[string(k.buf)]; ok {
		return c
	}
	return k.code(column.TextOf(string(s)))
}

// codesOf writes the codes of the live rows to dst[row].
func (k *keyColumn) codesOf(o compute.Operand, rows compute.Rows, dst []uint32) {
	if o.Vec == nil {
		c := k.code(o.Const)
		for j := range rows.Len() {
			dst[rows.Row(j)] = c
		}
		return
	}
	v := o.Vec
	if v.Kind == column.Text && v.Codes == nil {
		for j := range rows.Len() {
			i := rows.Row(j)
			if dst[i] = 0; !v.IsNull(i) {
				dst[i] = k.codeOfText(v.TextAt(i))
			}
		}
		return
	}
	if v.Kind != column.Text {
		for j := range rows.Len() {
			i := rows.Row(j)
			dst[i] = k.code(v.At(i))
		}
		return
	}
	if k.owner != v.Dict.Owner() {
		k.owner, k.remap = v.Dict.Owner(), k.remap[:0]
	}
	for len(k.remap) < v.Dict.Len() {
		k.remap = append(k.remap, ^uint32(0))
	}
	k.remap[0] = 0
	remap := k.remap
	for j := range rows.Len() {
		i := rows.Row(j)
		c := remap[v.Codes[i]]
		if c == ^uint32(0) {
			c = k.code(column.TextOf(v.Dict.StringAt(v.Codes[i])))
			remap[v.Codes[i]] = c
		}
		dst[i] = c
	}
}

// groupTable holds the groups of one window or pane.
type groupTable struct {
	keys   []keyColumn
	aggs   int
	index  hashIndex
	wide   map[string]int32 // groups whose codes do not pack into 64 bits
	codes  []uint32         // group g: codes[g*len(keys):]
	first  []position
	accs   []accumulator
	groups int
	newest column.Ticks // latest time of any row: no row at or behind it is a group's first, if it has one
}

func newGroupTable(keys, aggs int) *groupTable {
	t := &groupTable{keys: make([]keyColumn, keys), aggs: aggs}
	for i := range t.keys {
		t.keys[i] = newKeyColumn()
	}
	return t
}

const packedBits = 21

// find returns the group of a tuple of codes, adding it if it is new.
func (t *groupTable) find(tuple []uint32) (int32, bool) {
	if len(tuple) > 3 {
		return t.findWide(tuple)
	}
	var packed uint64
	for _, c := range tuple {
		if c >= 1<<packedBits {
			return t.findWide(tuple)
		}
		packed = packed<<packedBits | uint64(c)
	}
	g, fresh := t.index.find(packed, int32(t.groups))
	if fresh {
		t.grow(tuple)
	}
	return g, fresh
}

// findAll writes the groups of the live rows to ids, given the codes of every key
// column by row, and remembers the first row of each.
func (t *groupTable) findAll(codes [][]uint32, b *column.Batch, rows compute.Rows, s *findScratch, ids []int32) {
	narrow := len(codes) <= 3
	for k := range t.keys {
		narrow = narrow && len(t.keys[k].values) < 1<<packedBits
	}
	s.tuple = grown(s.tuple, len(codes))
	if narrow {
		s.packed = grown(s.packed, b.Rows)
		pack(codes, rows, s.packed)
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		var g int32
		var fresh bool
		if narrow {
			if g, fresh = t.index.find(s.packed[i], int32(t.groups)); fresh {
				t.grow(tupleOf(codes, i, s.tuple))
			}
		} else {
			g, fresh = t.find(tupleOf(codes, i, s.tuple))
		}
		at := b.Time[i]
		switch {
		case fresh:
			t.first[g] = positionOf(b, i)
		case at < t.newest:
			if p := positionOf(b, i); p.before(t.first[g]) {
				t.first[g] = p
			}
		}
		t.newest = max(t.newest, at)
		ids[i] = g
	}
}

// findScratch is the memory of findAll.
type findScratch struct {
	packed []uint64
	tuple  []uint32
}

func tupleOf(codes [][]uint32, i int, dst []uint32) []uint32 {
	for k := range codes {
		dst[k] = codes[k][i]
	}
	return dst
}

// pack puts up to three codes of a row into one word.
func pack(codes [][]uint32, rows compute.Rows, dst []uint64) {
	for j := range rows.Len() {
		i := rows.Row(j)
		var w uint64
		for k := range codes {
			w = w<<packedBits | uint64(codes[k][i])
		}
		dst[i] = w
	}
}

func (t *groupTable) findWide(tuple []uint32) (int32, bool) {
	var buf [64]byte
	key := buf[:0]
	for _, c := range tuple {
		key = binary.BigEndian.AppendUint32(key, c)
	}
	if g, ok := t.wide[string(key)]; ok {
		return g, false
	}
	if t.wide == nil {
		t.wide = make(map[string]int32)
	}
	g := int32(t.groups)
	t.wide[string(key)] = g
	t.grow(tuple)
	return g, true
}

func (t *groupTable) grow(tuple []uint32) {
	t.groups++
	t.codes = append(t.codes, tuple...)
	t.first = append(t.first, position{})
	for range t.aggs {
		t.accs = append(t.accs, accumulator{})
	}
}

// key returns key column k of group g.
func (t *groupTable) key(g, k int) column.Value {
	return t.keys[k].values[t.codes[g*len(t.keys)+k]]
}

// merge adds the groups of o, a part of the same window.
func (t *groupTable) merge(o *groupTable, aggs []aggregate) error {
	tuple := make([]uint32, len(t.keys))
	for g := range o.groups {
		for k := range t.keys {
			tuple[k] = t.keys[k].code(o.key(g, k))
		}
		id, fresh := t.find(tuple)
		if fresh || o.first[g].before(t.first[id]) {
			t.first[id] = o.first[g]
			for k := range t.keys { // equal numbers print as first seen
				t.keys[k].values[tuple[k]] = o.key(g, k)
			}
		}
		for a := range aggs {
			if err := aggs[a].merge(&t.accs[int(id)*t.aggs+a], &o.accs[g*o.aggs+a]); err != nil {
				return err
			}
		}
	}
	return nil
}

// order lists the groups by the position of their first rows.
func (t *groupTable) order() []int {
	out := make([]int, t.groups)
	for i := range out {
		out[i] = i
	}
	sort.SliceStable(out, func(a, b int) bool { return t.first[out[a]].before(t.first[out[b]]) })
	return out
}

// appendTo writes the groups with their first positions and accumulators.
func (t *groupTable) appendTo(dst []byte) []byte {
	return t.appendWith(dst, func(dst []byte, g int) []byte {
		p := t.first[g]
		dst = appendTicks(appendTicks(dst, p.time), p.arrived)
		dst = binary.AppendVarint(binary.AppendVarint(dst, int64(p.part)), p.seq)
		for a := range t.aggs {
			dst = t.accs[g*t.aggs+a].appendTo(dst)
		}
		return dst
	})
}

func (t *groupTable) readFrom(r *stateReader) {
	t.readWith(r, func(g int) {
		t.first[g] = position{time: r.ticks(), arrived: r.ticks(), part: int32(r.varint()), seq: r.varint()}
		for a := range t.aggs {
			t.accs[g*t.aggs+a].readFrom(r)
		}
	})
}

// appendWith writes the groups in the order of their encoded keys, each followed
// by what body writes of it.
func (t *groupTable) appendWith(dst []byte, body func(dst []byte, g int) []byte) []byte {
	type entry struct {
		key []byte
		g   int
	}
	entries := make([]entry, t.groups)
	for g := range entries {
		var key []byte
		for k := range t.keys {
			key = column.AppendKey(key, t.key(g, k))
		}
		entries[g] = entry{key, g}
	}
	sort.Slice(entries, func(a, b int) bool { return bytes.Compare(entries[a].key, entries[b].key) < 0 })
	dst = binary.AppendUvarint(dst, uint64(t.groups))
	for _, e := range entries {
		for k := range t.keys {
			dst = column.AppendBinary(dst, t.key(e.g, k))
		}
		dst = body(dst, e.g)
	}
	return dst
}

// readWith reads what appendWith wrote into an empty table; body reads what
// follows each key.
func (t *groupTable) readWith(r *stateReader, body func(g int)) {
	tuple := make([]uint32, len(t.keys))
	n := r.uvarint()
	for i := uint64(0); i < n && r.err == nil; i++ {
		for k := range t.keys {
			tuple[k] = t.keys[k].code(r.value())
		}
		g, _ := t.find(tuple)
		body(int(g))
	}
}

// hashIndex finds group numbers by packed keys: open addressing with linear
// probing.
type hashIndex struct {
	keys  []uint64
	ids   []int32 // group number + 1; 0: free
	used  int
	shift uint
}

func (h *hashIndex) find(key uint64, next int32) (int32, bool) {
	if h.used*2 >= len(h.ids) {
		h.resize()
	}
	mask := uint64(len(h.ids) - 1)
	i := key * 0x9e3779b97f4a7c15 >> h.shift
	for {
		id := h.ids[i]
		if id == 0 {
			h.keys[i], h.ids[i] = key, next+1
			h.used++
			return next, true
		}
		if h.keys[i] == key {
			return id - 1, false
		}
		i = (i + 1) & mask
	}
}

func (h *hashIndex) resize() {
	keys, ids := h.keys, h.ids
	n := max(64, 2*len(ids))
	h.keys, h.ids = make([]uint64, n), make([]int32, n)
	h.shift = 64
	for s := n; s > 1; s >>= 1 {
		h.shift--
	}
	mask := uint64(n - 1)
	for k, id := range ids {
		if id == 0 {
			continue
		}
		i := keys[k] * 0x9e3779b97f4a7c15 >> h.shift
		for h.ids[i] != 0 {
			i = (i + 1) & mask
		}
		h.keys[i], h.ids[i] = keys[k], id
	}
}
