package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/column/compute"
)

// groupKeys numbers the tuples of key values that come by: equal tuples have one
// number, counted from 0.
type groupKeys struct {
	cols   []keyColumn
	index  hashIndex
	wide   map[string]int32 // groups whose codes do not pack into 64 bits
	codes  []uint32         // of group g: codes[g*len(cols):]
	groups int

	rowCodes [][]uint32 // scratch of idsOf
	packed   []uint64
	tuple    []uint32
}

func newGroupKeys(n int) groupKeys {
	k := groupKeys{cols: make([]keyColumn, n), rowCodes: make([][]uint32, n), tuple: make([]uint32, n)}
	for i := range k.cols {
		k.cols[i] = newKeyColumn()
	}
	return k
}

// idsOf writes the groups of the live rows to ids[row].
func (t *groupKeys) idsOf(keys []compute.Operand, b *column.Batch, rows compute.Rows, ids []int32) {
	narrow := len(t.cols) <= 3
	for k := range t.cols {
		t.rowCodes[k] = grown(t.rowCodes[k], b.Rows)
		t.cols[k].codesOf(keys[k], rows, t.rowCodes[k])
		narrow = narrow && len(t.cols[k].values) < 1<<packedBits
	}
	if !narrow {
		for j := range rows.Len() {
			i := rows.Row(j)
			ids[i], _ = t.find(tupleOf(t.rowCodes, i, t.tuple))
		}
		return
	}
	t.packed = grown(t.packed, b.Rows)
	pack(t.rowCodes, rows, t.packed)
	for j := range rows.Len() {
		i := rows.Row(j)
		g, fresh := t.index.find(t.packed[i], int32(t.groups))
		if fresh {
			t.grow(tupleOf(t.rowCodes, i, t.tuple))
		}
		ids[i] = g
	}
}

// id returns the group of a tuple of values.
func (t *groupKeys) id(values []column.Value) int32 {
	for k := range t.cols {
		t.tuple[k] = t.cols[k].code(values[k])
	}
	g, _ := t.find(t.tuple)
	return g
}

// key returns key column k of group g.
func (t *groupKeys) key(g, k int) column.Value {
	return t.cols[k].values[t.codes[g*len(t.cols)+k]]
}

// appendKey appends the encoded tuple of group g: equal bytes for equal groups.
func (t *groupKeys) appendKey(dst []byte, g int) []byte {
	for k := range t.cols {
		dst = column.AppendKey(dst, t.key(g, k))
	}
	return dst
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

const packedBits = 21

// find returns the group of a tuple of codes, adding it if it is new.
func (t *groupKeys) find(tuple []uint32) (int32, bool) {
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

func (t *groupKeys) findWide(tuple []uint32) (int32, bool) {
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

func (t *groupKeys) grow(tuple []uint32) {
	t.groups++
	t.codes = append(t.codes, tuple...)
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
