package format

import (
	"math/bits"
	"math/rand/v2"

	"spate/column"
)

// Limits of a dictionary. Source: engine.md 2.3.
const (
	maxDictEntries  = 65_536
	dictWatch       = 32    // batches over which new entries are counted
	dictWatchRows   = 256   // fewer rows than this prove nothing
	plainForBatches = 1_000 // then coding is tried again
)

// dictionary is a column.Dict with a faster index: open addressing by a seeded
// hash over all words of the text. Texts of up to 16 bytes are compared as two words.
type dictionary struct {
	dict    *column.Dict
	entries []dictEntry // by code; entry 0 is null
	slots   []uint32    // code, 0 if free; length is a power of two
	shift   uint        // 64 - log2(len(slots))
	last    uint32      // code that was found last
}

type dictEntry struct {
	text string
	a, b uint64 // of texts of up to 16 bytes
	hash uint64
}

func newDictionary() *dictionary {
	return &dictionary{dict: column.NewDict(), entries: make([]dictEntry, 1, 64), slots: make([]uint32, 256), shift: 56}
}

const mix = 0x9E3779B97F4A7C15

// Seeds of the hash: senders cannot make texts that share one. Codes are given in the
// order of arrival, so nothing but the place in slots depends on them.
var seedA, seedB = rand.Uint64(), rand.Uint64() | 1<<63

// fold mixes two words into one.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// words reads a text of up to 16 bytes as two words, zero behind its end.
// 16 readable bytes follow to.
func words(data []byte, from, to int) (a, b uint64) {
	a, b = load64(data, from), load64(data, from+8)
	switch n := to - from; {
	case n < 8:
		return a & (1<<(8*uint(n)) - 1), 0
	case n < 16:
		return a, b & (1<<(8*uint(n-8)) - 1)
	}
	return a, b
}

// code returns the code of data[from:to], 0 if it is new and the dictionary full.
// 16 readable bytes follow to.
func (d *dictionary) code(data []byte, from, to int) (code uint32, added bool) {
	n := to - from
	if n > 16 {
		return d.longCode(data, from, to)
	}
	a, b := words(data, from, to)
	// Devices speak in turns: the text behind the last one is a good guess, and stands
	// beside it in memory.
	if next := int(d.last) + 1; next < len(d.entries) {
		if e := &d.entries[next]; e.a == a && e.b == b && len(e.text) == n {
			d.last++
			return d.last, false
		}
	}
	h := fold(fold(a^seedA, b^seedB)^uint64(n), mix)
	mask := len(d.slots) - 1
	for i := int(h >> d.shift); ; i++ {
		c := d.slots[i&mask]
		if c == 0 {
			return d.add(dictEntry{text: string(data[from:to]), a: a, b: b, hash: h}, i&mask)
		}
		if e := &d.entries[c]; e.a == a && e.b == b && len(e.text) == n {
			d.last = c
			return c, false
		}
	}
}

func (d *dictionary) longCode(data []byte, from, to int) (uint32, bool) {
	s := data[from:to]
	h := uint64(to-from) ^ seedA
	for ; to-from > 16; from += 8 {
		h = fold(h^load64(data, from), seedB)
	}
	a, b := words(data, from, to)
	h = fold(fold(h^a, b^seedB), mix)
	mask := len(d.slots) - 1
	for i := int(h >> d.shift); ; i++ {
		c := d.slots[i&mask]
		if c == 0 {
			return d.add(dictEntry{text: string(s), hash: h}, i&mask)
		}
		if d.entries[c].text == string(s) {
			return c, false
		}
	}
}

func (d *dictionary) add(e dictEntry, slot int) (uint32, bool) {
	if len(d.entries) > maxDictEntries {
		return 0, false
	}
	c := d.dict.Add(e.text)
	d.entries = append(d.entries, e)
	if 2*len(d.entries) < len(d.slots) {
		d.slots[slot] = c
		return c, true
	}
	d.slots = make([]uint32, 2*len(d.slots))
	d.shift--
	mask := len(d.slots) - 1
	for code := 1; code < len(d.entries); code++ {
		i := int(d.entries[code].hash >> d.shift)
		for ; d.slots[i&mask] != 0; i++ {
		}
		d.slots[i&mask] = uint32(code)
	}
	return c, true
}
