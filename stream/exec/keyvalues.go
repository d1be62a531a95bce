package exec

import (
	"hash/maphash"
	"unsafe"

	"spate/column"
)

// keyValues are values by number, counted from 0: 16 bytes for each beside its text,
// and hardly a pointer, because there may be millions for as long as the job runs. It
// only grows, so a copy of it may be read on another goroutine.
type keyValues struct {
	cells  []keyCell
	chunks [][]byte // texts, one behind the other; what is written once stays
	used   int      // bytes of the last chunk
	others []column.Value
}

// keyCell is a value: the bits of a number or a time, the chunk of a text (high half)
// and where it begins, the place among the others of a record or an array.
type keyCell struct {
	bits uint64
	size uint32 // of a text
	kind column.Kind
}

// Sizes of chunks of texts: each is twice the one before.
const (
	firstChunk = 256
	mostChunk  = 64 << 10
)

func (v *keyValues) len() int { return len(v.cells) }

func (v *keyValues) add(x column.Value) {
	c := keyCell{kind: x.Kind}
	switch x.Kind {
	case column.Text:
		v.addText(unsafe.Slice(unsafe.StringData(x.Text()), len(x.Text())))
		return
	case column.Record, column.Array:
		c.bits = uint64(len(v.others))
		v.others = append(v.others, x)
	default:
		c.bits = x.Bits()
	}
	v.cells = append(v.cells, c)
}

func (v *keyValues) addText(s []byte) {
	last := len(v.chunks) - 1
	if last < 0 || len(s) > len(v.chunks[last])-v.used {
		size := firstChunk
		if last >= 0 {
			size = min(2*len(v.chunks[last]), mostChunk)
		}
		v.chunks, v.used = append(v.chunks, make([]byte, max(size, len(s)))), 0
		last++
	}
	copy(v.chunks[last][v.used:], s)
	v.cells = append(v.cells, keyCell{uint64(last)<<32 | uint64(v.used), uint32(len(s)), column.Text})
	v.used += len(s)
}

// text is the text with a number.
func (v *keyValues) text(i uint32) []byte {
	c := &v.cells[i]
	at := c.bits & (1<<32 - 1)
	return v.chunks[c.bits>>32][at : at+uint64(c.size)]
}

// at is the value with a number. A text is not copied.
func (v *keyValues) at(i uint32) column.Value {
	switch c := &v.cells[i]; c.kind {
	case column.Text:
		s := v.text(i)
		return column.TextOf(unsafe.String(unsafe.SliceData(s), len(s)))
	case column.Record, column.Array:
		return v.others[c.bits]
	default:
		return column.OfBits(c.kind, c.bits)
	}
}

// appendKey appends the value as column.AppendKey does.
func (v *keyValues) appendKey(dst []byte, i uint32) []byte {
	if v.cells[i].kind == column.Text {
		return column.AppendTextKey(dst, v.text(i))
	}
	return column.AppendKey(dst, v.at(i))
}

// textIndex finds texts: open addressing with linear probing. A slot is the number + 1
// of a text in the low half, 0 if it is free, and a part of its hash in the high half.
type textIndex struct {
	slots []uint64
	used  int
}

// Strangers choose the texts: a seed that they do not know keeps them apart.
var textSeed = maphash.MakeSeed()

// find returns the number of a text among those of v; it adds one that is new.
func (h *textIndex) find(s []byte, v *keyValues) uint32 {
	if h.used*2 >= len(h.slots) {
		h.resize(v)
	}
	mask := uint64(len(h.slots) - 1)
	hash := maphash.Bytes(textSeed, s)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := h.slots[i]
		if slot == 0 {
			h.used++
			h.slots[i] = hash&^(1<<32-1) | uint64(v.len()+1)
			v.addText(s)
			return uint32(v.len() - 1)
		}
		if (slot^hash)>>32 != 0 {
			continue
		}
		if n := uint32(slot) - 1; string(v.text(n)) == string(s) {
			return n
		}
	}
}

func (h *textIndex) resize(v *keyValues) {
	old := h.slots
	h.slots = make([]uint64, max(64, 2*len(old)))
	mask := uint64(len(h.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := maphash.Bytes(textSeed, v.text(uint32(slot)-1)) & mask
		for h.slots[i] != 0 {
			i = (i + 1) & mask
		}
		h.slots[i] = slot
	}
}
