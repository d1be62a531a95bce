package exec

import (
	"encoding/binary"
	"math"
	"unsafe"

	"spate/column"
	"spate/column/compute"
)

// keyColumn turns the values of one key column into codes of its own: equal codes
// for values of one group, 0 for NULL.
//
// Values of one code may print differently, as 1 and 1.0 do. These are the forms of
// the code: 0 is the one in values, another f is forms[f-1].
type keyColumn struct {
	values keyValues // by code
	texts  textIndex
	ints   hashIndex          // codes of whole numbers
	codes  map[string]uint32  // of all others, by column.AppendKey
	known  column.Translation // of codes of dictionaries
	buf    []byte

	keepForms bool // else every form is 0
	forms     []column.Value
	formIndex map[string]uint32
	formed    bool     // some row of the last codesOf has a form other than 0
	rowForms  []uint32 // of those rows, if formed
}

func newKeyColumn() keyColumn {
	k := keyColumn{}
	k.values.add(column.Value{})
	return k
}

func (k *keyColumn) code(v column.Value) uint32 {
	switch v.Kind {
	case column.Null:
		return 0
	case column.Text:
		return k.codeOfText(unsafe.Slice(unsafe.StringData(v.Text()), len(v.Text())))
	case column.Int64:
		return k.codeOfInt(v.Int(), v)
	case column.Float64: // as column.AppendKey has it
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return k.codeOfInt(int64(f), v)
		}
	}
	k.buf = column.AppendKey(k.buf[:0], v)
	if c, ok := k.codes[string(k.buf)]; ok {
		return c
	}
	if k.codes == nil {
		k.codes = make(map[string]uint32)
	}
	c := uint32(k.values.len())
	k.values.add(v)
	k.codes[string(k.buf)] = c
	return c
}

func (k *keyColumn) codeOfInt(i int64, v column.Value) uint32 {
	c, fresh := k.ints.find(uint64(i), int32(k.values.len()))
	if fresh {
		k.values.add(v)
	}
	return uint32(c)
}

// codeOfText is code for a text.
func (k *keyColumn) codeOfText(s []byte) uint32 { return k.texts.find(s, &k.values) }

// form is the form in which v, a value of code c, prints.
func (k *keyColumn) form(c uint32, v column.Value) uint32 {
	if !k.keepForms {
		return 0
	}
	if first := &k.values.cells[c]; first.kind == v.Kind {
		switch v.Kind {
		case column.Float64:
			if first.bits == v.Bits() {
				return 0
			}
		case column.Record, column.Array:
			k.buf = column.AppendBinary(k.buf[:0], k.values.at(c))
			n := len(k.buf)
			k.buf = column.AppendBinary(k.buf, v)
			if string(k.buf[:n]) == string(k.buf[n:]) {
				return 0
			}
		default:
			return 0
		}
	}
	k.buf = column.AppendBinary(binary.BigEndian.AppendUint32(k.buf[:0], c), v)
	if f, ok := k.formIndex[string(k.buf)]; ok {
		return f
	}
	if k.formIndex == nil {
		k.formIndex = make(map[string]uint32)
	}
	k.forms = append(k.forms, v)
	f := uint32(len(k.forms))
	k.formIndex[string(k.buf)] = f
	return f
}

// note remembers the form of row i of n.
func (k *keyColumn) note(i, n int, f uint32) {
	if !k.formed {
		k.rowForms = grown(k.rowForms, n)
		clear(k.rowForms)
		k.formed = true
	}
	k.rowForms[i] = f
}

// codesOf writes the codes of the live rows to dst[row].
func (k *keyColumn) codesOf(o compute.Operand, rows compute.Rows, dst []uint32) {
	k.formed = false
	v := o.Vec
	switch {
	case v == nil:
		c := k.code(o.Const)
		f := k.form(c, o.Const)
		for j := range rows.Len() {
			dst[rows.Row(j)] = c
			if f != 0 {
				k.note(rows.Row(j), rows.N, f)
			}
		}
	case v.Kind == column.Text && v.Codes != nil:
		k.codesOfCoded(v, rows, dst)
	case v.Kind == column.Text:
		for j := range rows.Len() {
			i := rows.Row(j)
			if dst[i] = 0; !v.IsNull(i) {
				dst[i] = k.codeOfText(v.TextAt(i))
			}
		}
	default:
		for j := range rows.Len() {
			i := rows.Row(j)
			x := v.At(i)
			dst[i] = k.code(x)
			if f := k.form(dst[i], x); f != 0 {
				k.note(i, rows.N, f)
			}
		}
	}
}

// codesOfCoded translates the codes of a dictionary, each once.
func (k *keyColumn) codesOfCoded(v *column.Vector, rows compute.Rows, dst []uint32) {
	known := k.known.Of(v.Dict)
	known[0] = 1 // NULL
	for j := range rows.Len() {
		i := rows.Row(j)
		c := known[v.Codes[i]]
		if c == 0 {
			c = k.code(column.TextOf(v.Dict.StringAt(v.Codes[i]))) + 1
			known[v.Codes[i]] = c
		}
		dst[i] = c - 1
	}
}

// hashIndex finds numbers by 64-bit keys: open addressing with linear probing.
type hashIndex struct {
	keys  []uint64
	ids   []int32 // number + 1; 0: free
	used  int
	shift uint
}

// find returns the number of key, which becomes next if the key is new.
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
