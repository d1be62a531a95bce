package format

import (
	"math/bits"

	"spate/column"
)

// Limits of a dictionary. Source: engine.md 2.3.
const (
	maxDictEntries  = 65_536
	dictWatch       = 16    // batches over which new entries are counted
	dictWatchRows   = 256   // fewer rows than this prove nothing
	plainForBatches = 1_000 // then coding is tried again
)

// dictionary is a column.Dict with a faster index: open addressing by a hash
// over the ends of the text.
type dictionary struct {
	dict    *column.Dict
	strings []string // by code; entry 0 is null
	slots   []uint32 // code, 0 if free; length is a power of two
	shift   uint     // 64 - log2(len(slots))
}

func newDictionary() *dictionary {
	return &dictionary{dict: column.NewDict(), strings: []string{""}, slots: make([]uint32, 256), shift: 56}
}

// hashText hashes data[from:to]; 8 readable bytes follow to.
func hashText(data []byte, from, to int) uint64 {
	n := to - from
	h := uint64(n) * 0x9E3779B97F4A7C15
	for n > 8 {
		h = bits.RotateLeft64(h^load64(data, from), 29) * 0x9E3779B97F4A7C15
		from += 8
		n -= 8
	}
	w := load64(data, from)
	if n < 8 {
		w &= 1<<(8*uint(n)) - 1
	}
	h = (h ^ w) * 0xD6E8FEB86659FD93
	return (h ^ h>>32) * 0x9E3779B97F4A7C15
}

// code returns the code of data[from:to], 0 if it is new and the dictionary full.
// 8 readable bytes follow to.
func (d *dictionary) code(data []byte, from, to int) (code uint32, added bool) {
	s := data[from:to]
	mask := len(d.slots) - 1
	for i := int(hashText(data, from, to) >> d.shift); ; i++ {
		c := d.slots[i&mask]
		if c == 0 {
			return d.add(s, i&mask)
		}
		if d.strings[c] == string(s) {
			return c, false
		}
	}
}

func (d *dictionary) add(s []byte, slot int) (uint32, bool) {
	if len(d.strings) > maxDictEntries {
		return 0, false
	}
	str := string(s)
	c := d.dict.CodeOf(str)
	d.strings = append(d.strings, str)
	if 2*len(d.strings) < len(d.slots) {
		d.slots[slot] = c
		return c, true
	}
	d.slots = make([]uint32, 2*len(d.slots))
	d.shift--
	mask := len(d.slots) - 1
	for code := 1; code < len(d.strings); code++ {
		b := append([]byte(d.strings[code]), 0, 0, 0, 0, 0, 0, 0, 0)
		i := int(hashText(b, 0, len(b)-8) >> d.shift)
		for ; d.slots[i&mask] != 0; i++ {
		}
		d.slots[i&mask] = uint32(code)
	}
	return c, true
}
