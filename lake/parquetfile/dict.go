package parquetfile

import (
	"math/bits"

	"spate/column"
)

// textDict is the dictionary of one column in one row group.
type textDict struct {
	entries []string
	bytes   int
	index   map[string]int32

	known column.Translation // of codes to entries
}

// Limits of a dictionary: beyond them a row group is written plain.
const (
	maxDictEntries = 1 << 16
	maxDictBytes   = 1 << 20
)

func (d *textDict) reset() {
	clear(d.entries) // texts of a dictionary that is gone are not kept
	d.entries, d.bytes = d.entries[:0], 0
	clear(d.index)
	d.known.Reset()
}

func (d *textDict) full() bool { return len(d.entries) > maxDictEntries || d.bytes > maxDictBytes }

func (d *textDict) intern(s string) int32 {
	if i, ok := d.index[s]; ok {
		return i
	}
	if d.index == nil {
		d.index = make(map[string]int32)
	}
	i := int32(len(d.entries))
	d.entries = append(d.entries, s)
	d.bytes += len(s)
	d.index[s] = i
	return i
}

// wordDict finds the distinct 64-bit words of a slice: numbers, or the bits of
// floats.
type wordDict struct {
	slots   []int32 // entry+1, 0: empty; the length is a power of two
	entries []uint64
}

// code replaces words by indices into d.entries. It gives up, and returns
// false, when a dictionary would not pay.
func (d *wordDict) code(words []uint64, out []int32) bool {
	limit := min(len(words)*3/4+8, maxDictEntries)
	if len(d.slots) == 0 {
		d.slots = make([]int32, 1024)
	} else {
		clear(d.slots)
	}
	d.entries = d.entries[:0]
	shift := uint(64 - bits.Len(uint(len(d.slots)-1)))
	for i, w := range words {
		h := (w ^ w>>29) * 0x9E3779B97F4A7C15 >> shift
		for {
			s := d.slots[h]
			if s == 0 {
				if len(d.entries) >= limit {
					return false
				}
				d.entries = append(d.entries, w)
				d.slots[h] = int32(len(d.entries))
				out[i] = int32(len(d.entries) - 1)
				if len(d.entries)*2 > len(d.slots) {
					d.grow()
					shift = uint(64 - bits.Len(uint(len(d.slots)-1)))
				}
				break
			}
			if d.entries[s-1] == w {
				out[i] = s - 1
				break
			}
			h = (h + 1) & uint64(len(d.slots)-1)
		}
		if i == 2048 && len(d.entries) > 1700 { // a sample: nearly all differ
			return false
		}
	}
	return true
}

func (d *wordDict) grow() {
	d.slots = make([]int32, len(d.slots)*4)
	shift := uint(64 - bits.Len(uint(len(d.slots)-1)))
	for i, w := range d.entries {
		h := (w ^ w>>29) * 0x9E3779B97F4A7C15 >> shift
		for d.slots[h] != 0 {
			h = (h + 1) & uint64(len(d.slots)-1)
		}
		d.slots[h] = int32(i + 1)
	}
}
