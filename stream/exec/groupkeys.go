package exec

import (
	"encoding/binary"

	"spate/column"
	"spate/column/compute"
)

// groupKeys numbers the tuples of key values that come by: equal tuples have one
// number, counted from 0. It only grows, so a view of it may be read on another
// goroutine.
type groupKeys struct {
	cols   []keyColumn
	index  hashIndex
	wide   map[string]int32 // groups whose codes do not pack into 64 bits
	codes  []uint32         // of group g: codes[g*len(cols):]
	groups int

	// byFirst is, by the code of the first column, the group + 1 that it last had. A key
	// that determines the others, as a device does its site, is found without hashing.
	byFirst []int32

	rowCodes [][]uint32 // scratch of idsOf
	tuple    []uint32
}

func newGroupKeys(n int) groupKeys {
	k := groupKeys{cols: make([]keyColumn, n), rowCodes: make([][]uint32, n), tuple: make([]uint32, n)}
	for i := range k.cols {
		k.cols[i] = newKeyColumn()
	}
	return k
}

// newFormKeys is newGroupKeys for an owner that asks for the forms of keys.
func newFormKeys(n int) *groupKeys {
	k := newGroupKeys(n)
	for i := range k.cols {
		k.cols[i].keepForms = true
	}
	return &k
}

// idsOf writes the groups of the live rows to ids[row].
func (t *groupKeys) idsOf(keys []compute.Operand, b *column.Batch, rows compute.Rows, ids []int32) {
	for k := range t.cols {
		t.rowCodes[k] = grown(t.rowCodes[k], b.Rows)
		t.cols[k].codesOf(keys[k], rows, t.rowCodes[k])
	}
	if len(t.cols) == 0 {
		if rows.Len() > 0 {
			t.find(nil)
		}
		for j := range rows.Len() {
			ids[rows.Row(j)] = 0
		}
		return
	}
	first, others := t.rowCodes[0], t.rowCodes[1:]
	t.byFirst = lengthened(t.byFirst, t.cols[0].values.len())
	byFirst, codes, n := t.byFirst, t.codes, len(t.cols)
rows:
	for j := range rows.Len() {
		i := rows.Row(j)
		if g := int(byFirst[first[i]]) - 1; g >= 0 {
			for k, col := range others {
				if codes[g*n+1+k] != col[i] {
					ids[i] = t.probe(i)
					codes = t.codes
					continue rows
				}
			}
			ids[i] = int32(g)
			continue
		}
		ids[i] = t.probe(i)
		codes = t.codes
	}
}

// probe finds the group of a row whose codes are in rowCodes.
func (t *groupKeys) probe(i int) int32 {
	g, _ := t.find(tupleOf(t.rowCodes, i, t.tuple))
	t.byFirst[t.tuple[0]] = g + 1
	return g
}

// rowForm is the form of key column k in a row of the last idsOf.
func (t *groupKeys) rowForm(k, i int) uint32 {
	if c := &t.cols[k]; c.formed {
		return c.rowForms[i]
	}
	return 0
}

// formed reports whether some row of the last idsOf has a form other than 0.
func (t *groupKeys) formed() bool {
	for k := range t.cols {
		if t.cols[k].formed {
			return true
		}
	}
	return false
}

// id returns the group of a tuple of values.
func (t *groupKeys) id(values []column.Value) int32 {
	for k := range t.cols {
		t.tuple[k] = t.cols[k].code(values[k])
	}
	g, _ := t.find(t.tuple)
	return g
}

// key returns key column k of group g, as the group that came first with it had it.
func (t *groupKeys) key(g, k int) column.Value {
	return t.cols[k].values.at(t.codes[g*len(t.cols)+k])
}

// keyAs returns key column k of group g in a form.
func (t *groupKeys) keyAs(g int32, k int, form uint32) column.Value {
	if form != 0 {
		return t.cols[k].forms[form-1]
	}
	return t.key(int(g), k)
}

// form is the form of a value of key column k of group g.
func (t *groupKeys) form(g int32, k int, v column.Value) uint32 {
	return t.cols[k].form(t.codes[int(g)*len(t.cols)+k], v)
}

// appendKey appends the encoded tuple of group g: equal bytes for equal groups.
func (t *groupKeys) appendKey(dst []byte, g int) []byte {
	for k := range t.cols {
		dst = t.cols[k].values.appendKey(dst, t.codes[g*len(t.cols)+k])
	}
	return dst
}

// worn reports whether the dictionary holds far more than live groups, so that it is
// time for a new one.
func (t *groupKeys) worn(live int) bool {
	size := t.groups
	for k := range t.cols {
		size += len(t.cols[k].forms)
	}
	return size > 4096 && size > 4*live
}

// keysView is what another goroutine may read of groupKeys: the groups of when it
// was made. Owner tells dictionaries apart and must not be read.
type keysView struct {
	owner  *groupKeys
	values []keyValues      // per key column, by code
	forms  [][]column.Value // per key column, by form - 1
	codes  []uint32
}

func (t *groupKeys) view() *keysView {
	v := &keysView{owner: t, codes: t.codes, values: make([]keyValues, len(t.cols)), forms: make([][]column.Value, len(t.cols))}
	for k := range t.cols {
		v.values[k], v.forms[k] = t.cols[k].values, t.cols[k].forms
	}
	return v
}

// key returns key column k of group g in a form.
func (v *keysView) key(g int32, k int, form uint32) column.Value {
	if form != 0 {
		return v.forms[k][form-1]
	}
	return v.values[k].at(v.codes[int(g)*len(v.values)+k])
}

// appendKey appends the encoded tuple of group g.
func (v *keysView) appendKey(dst []byte, g int32) []byte {
	for k := range v.values {
		dst = v.values[k].appendKey(dst, v.codes[int(g)*len(v.values)+k])
	}
	return dst
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
