package delta

import (
	"encoding/hex"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// chunkRows is how many files a chunk holds at most. Killing a file copies one bit set
// of it and the list of chunks, and a lookup asks every chunk.
const chunkRows = 1024

// chunk holds files as columns and is immutable. A file takes some 200 bytes in it,
// where an Add with the text of its statistics takes above 1,000.
type chunk struct {
	n          int
	templates  []template
	template   []uint16 // of each file
	ids        [][16]byte
	size       []int64
	modified   []int64 // of a removed file: when it was removed
	change     []bool
	partitions []map[string]*string // distinct ones
	partition  []uint16
	rows       []int64         // numRecords, -1: not known
	tight      map[uint16]bool // tightBounds, where it is said
	columns    []chunkColumn   // by name
	arena      []byte          // texts, each behind its length
	raw        map[uint16]string
	extra      map[uint16]*Add // members that few files have
	slots      []uint64        // sorted: the upper 48 bits of a path's hash, then the row
}

// template is a path with a hole for a UUID, if it has one.
type template struct {
	before, after string
	hole          bool
}

// chunkColumn holds the statistics of one column. A number stands in lo and hi as it
// is, floats as their bits; of a text it is the place in the arena.
type chunkColumn struct {
	statColumn
	has    []uint8
	lo, hi []int64 // while the chunk is made; nil: none is known
	nulls  []int64 // nil: all that are known are 0
	// Bounds of a chunk that is made: the values, or, where they lie near each other,
	// what they are above the base.
	bounded        bool
	wideLo, wideHi []int64
	base           int64
	nearLo, nearHi []uint32
	looked, met    int // texts that were looked for while the chunk is made, and found
}

func (k *chunkColumn) low(row int) int64 {
	if k.nearLo != nil {
		return k.base + int64(k.nearLo[row])
	}
	return k.wideLo[row]
}

func (k *chunkColumn) high(row int) int64 {
	if k.nearHi != nil {
		return k.base + int64(k.nearHi[row])
	}
	return k.wideHi[row]
}

// pack makes the bounds small.
func (k *chunkColumn) pack() {
	if k.bounded = k.lo != nil; !k.bounded {
		return
	}
	least, most, some := int64(0), int64(0), false
	each := func(v int64) {
		if !some {
			least, most, some = v, v, true
		}
		least, most = min(least, v), max(most, v)
	}
	for row, has := range k.has {
		if has&hasMin != 0 {
			each(k.lo[row])
		}
		if has&hasMax != 0 {
			each(k.hi[row])
		}
	}
	if uint64(most)-uint64(least) <= math.MaxUint32 {
		k.base, k.nearLo, k.nearHi = least, make([]uint32, len(k.lo)), make([]uint32, len(k.lo))
		for row, has := range k.has {
			if has&hasMin != 0 {
				k.nearLo[row] = uint32(uint64(k.lo[row]) - uint64(least))
			}
			if has&hasMax != 0 {
				k.nearHi[row] = uint32(uint64(k.hi[row]) - uint64(least))
			}
		}
	} else {
		k.wideLo, k.wideHi = slices.Clone(k.lo), slices.Clone(k.hi)
	}
	k.lo, k.hi = nil, nil
}

const (
	hasMin = 1 << iota
	hasMax
	hasNulls
	hasOther // something that the columns do not keep
)

// statColumn says how the statistics of a column are kept.
type statColumn struct {
	name string // physical
	kind BoundKind
	bits int // 32: a float of that size
	zone bool
	// scale is that of a decimal.
	scale int
}

var pathSeed = maphash.MakeSeed()

func pathHash(root, path string) uint64 { return maphash.String(pathSeed, filePath(root, path)) }

// chunkBuilder makes one chunk. Its memory is used again for the next one.
type chunkBuilder struct {
	root    string
	columns []statColumn
	at      map[string]int // column by name
	c       *chunk
	texts   map[string]int64
	parts   map[string]uint16
	last    int // template that was used last
}

func newChunkBuilder(root string, columns []statColumn) *chunkBuilder {
	b := &chunkBuilder{root: root, columns: columns, at: make(map[string]int, len(columns)), texts: map[string]int64{}, parts: map[string]uint16{}}
	for i, c := range columns {
		b.at[c.name] = i
	}
	b.reset()
	return b
}

func (b *chunkBuilder) reset() {
	b.c = &chunk{columns: make([]chunkColumn, len(b.columns)), arena: make([]byte, 1, 64)}
	for i, c := range b.columns {
		b.c.columns[i].statColumn = c
	}
	clear(b.texts)
	clear(b.parts)
	b.last = 0
}

func (b *chunkBuilder) full() bool { return b.c.n >= chunkRows }

// take ends the chunk and begins the next.
func (b *chunkBuilder) take() *chunk {
	c := b.c
	b.reset()
	slices.Sort(c.slots)
	c.slots, c.template, c.partition, c.rows = slices.Clip(c.slots), slices.Clip(c.template), slices.Clip(c.partition), slices.Clip(c.rows)
	c.size, c.modified, c.change, c.ids, c.arena = slices.Clip(c.size), slices.Clip(c.modified), slices.Clip(c.change), slices.Clip(c.ids), slices.Clip(c.arena)
	c.columns = slices.DeleteFunc(c.columns, func(k chunkColumn) bool { return k.has == nil })
	slices.SortFunc(c.columns, func(a, b chunkColumn) int { return strings.Compare(a.name, b.name) })
	for i := range c.columns {
		k := &c.columns[i]
		k.has = slices.Clip(pad(k.has, c.n))
		if k.lo != nil {
			k.lo, k.hi = pad(k.lo, c.n), pad(k.hi, c.n)
		}
		k.pack()
		if k.nulls != nil {
			k.nulls = slices.Clip(pad(k.nulls, c.n))
		}
	}
	return c
}

func pad[T any](s []T, n int) []T {
	if len(s) < n {
		s = slices.Grow(s, n-len(s))[:n]
	}
	return s
}

// add appends a file with its statistics.
func (b *chunkBuilder) add(a *Add) {
	row := b.begin(a)
	if a.Stats != "" && !b.stats(a.Stats) {
		b.keep(row, a.Stats)
	}
}

// keep holds the text of statistics that the columns do not tell in full.
func (b *chunkBuilder) keep(row uint16, text string) {
	if b.c.raw == nil {
		b.c.raw = map[uint16]string{}
	}
	b.c.raw[row] = strings.Clone(text)
}

// begin appends a file without its statistics.
func (b *chunkBuilder) begin(a *Add) uint16 {
	c := b.c
	row := uint16(c.n)
	c.n++
	c.slots = append(c.slots, pathHash(b.root, a.Path)&^0xffff|uint64(row))
	b.path(a.Path)
	c.size, c.modified, c.change, c.rows = append(c.size, a.Size), append(c.modified, a.ModificationTime), append(c.change, a.DataChange), append(c.rows, -1)
	b.partitionOf(a.PartitionValues)
	if a.Tags != nil || a.DeletionVector != nil || a.BaseRowID != nil || a.DefaultRowCommitVersion != nil || a.ClusteringProvider != "" || a.extended {
		if c.extra == nil {
			c.extra = map[uint16]*Add{}
		}
		c.extra[row] = &Add{Tags: a.Tags, DeletionVector: a.DeletionVector, BaseRowID: a.BaseRowID, DefaultRowCommitVersion: a.DefaultRowCommitVersion,
			ClusteringProvider: a.ClusteringProvider, extended: a.extended}
	}
	return row
}

func (b *chunkBuilder) path(p string) {
	c := b.c
	t := template{before: p}
	var id [16]byte
	if at, ok := findUUID(p, &id); ok {
		t = template{p[:at], p[at+36:], true}
	}
	c.ids = append(c.ids, id)
	if b.last < len(c.templates) && c.templates[b.last] == t {
		c.template = append(c.template, uint16(b.last))
		return
	}
	b.last = -1
	if t.hole { // others are different from file to file
		b.last = slices.Index(c.templates, t)
	}
	if b.last < 0 {
		b.last = len(c.templates)
		c.templates = append(c.templates, template{strings.Clone(t.before), strings.Clone(t.after), t.hole})
	}
	c.template = append(c.template, uint16(b.last))
}

// findUUID looks for the last UUID of a path in the form that writers give it.
func findUUID(p string, id *[16]byte) (int, bool) {
	for i := len(p) - 36; i >= 0; i-- {
		u := p[i : i+36]
		if u[8] != '-' || u[13] != '-' || u[18] != '-' || u[23] != '-' {
			continue
		}
		var digits [32]byte
		copy(digits[:], u[:8])
		copy(digits[8:], u[9:13])
		copy(digits[12:], u[14:18])
		copy(digits[16:], u[19:23])
		copy(digits[20:], u[24:])
		lower := true
		for _, d := range digits {
			lower = lower && (d >= '0' && d <= '9' || d >= 'a' && d <= 'f')
		}
		if !lower {
			continue
		}
		if _, err := hex.Decode(id[:], digits[:]); err == nil {
			return i, true
		}
	}
	return 0, false
}

func (b *chunkBuilder) partitionOf(values map[string]*string) {
	c := b.c
	if n := len(c.partition); n > 0 && samePartition(c.partitions[c.partition[n-1]], values) {
		c.partition = append(c.partition, c.partition[n-1])
		return
	}
	key := partitionKey(values)
	at, ok := b.parts[key]
	if !ok {
		at = uint16(len(c.partitions))
		b.parts[key] = at
		c.partitions = append(c.partitions, maps.Clone(values))
	}
	c.partition = append(c.partition, at)
}

func samePartition(a, b map[string]*string) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || (v == nil) != (w == nil) || v != nil && *v != *w {
			return false
		}
	}
	return true
}

func partitionKey(values map[string]*string) string {
	if values == nil {
		return "-"
	}
	var s []byte
	for _, k := range slices.Sorted(maps.Keys(values)) {
		s = strconv.AppendQuote(s, k)
		if v := values[k]; v != nil {
			s = strconv.AppendQuote(append(s, '='), *v)
		}
		s = append(s, ';')
	}
	return string(s)
}

// pathOf is the path of a file as the log has it.
func (c *chunk) pathOf(row int) string {
	t := &c.templates[c.template[row]]
	if !t.hole {
		return t.before
	}
	b := make([]byte, 0, len(t.before)+36+len(t.after))
	b = append(b, t.before...)
	id := &c.ids[row]
	b = hex.AppendEncode(b, id[:4])
	for _, part := range [][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return string(append(b, t.after...))
}

// action makes the add action again. Its maps are shared.
func (c *chunk) action(row int) *Add {
	a := &Add{Path: c.pathOf(row), PartitionValues: c.partitions[c.partition[row]], Size: c.size[row], ModificationTime: c.modified[row],
		DataChange: c.change[row], Stats: c.statsOf(row)}
	if x := c.extra[uint16(row)]; x != nil {
		a.Tags, a.DeletionVector, a.BaseRowID, a.DefaultRowCommitVersion = x.Tags, x.DeletionVector, x.BaseRowID, x.DefaultRowCommitVersion
		a.ClusteringProvider, a.extended = x.ClusteringProvider, x.extended
	}
	return a
}

func (c *chunk) vector(row int) *DeletionVector {
	if x := c.extra[uint16(row)]; x != nil {
		return x.DeletionVector
	}
	return nil
}

// find yields the rows of a path, whatever their deletion vector.
func (c *chunk) find(root, path string, hash uint64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		want := hash &^ 0xffff
		i, _ := slices.BinarySearch(c.slots, want)
		for ; i < len(c.slots) && c.slots[i]&^0xffff == want; i++ {
			row := int(c.slots[i] & 0xffff)
			if filePath(root, c.pathOf(row)) == path && !yield(row) {
				return
			}
		}
	}
}
