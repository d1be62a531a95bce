package exec

import (
	"bytes"
	"encoding/binary"
	"sort"

	"spate/column"
)

// groupTable holds the groups of one session.
type groupTable struct {
	groupKeys
	first []column.Position
	accs  []accumulators
}

func newGroupTable(keys int, accs []accumulators) *groupTable {
	return &groupTable{groupKeys: newGroupKeys(keys), accs: accs}
}

// room makes place for every group.
func (t *groupTable) room() {
	t.first = lengthened(t.first, t.groups)
	for _, a := range t.accs {
		a.grow(t.groups)
	}
}

// order lists the groups by the position of their first rows.
func (t *groupTable) order() []int {
	out := make([]int, t.groups)
	for i := range out {
		out[i] = i
	}
	sort.SliceStable(out, func(a, b int) bool { return t.first[out[a]].Before(t.first[out[b]]) })
	return out
}

// appendTo writes the groups with their first positions and accumulators.
func (t *groupTable) appendTo(dst []byte) []byte {
	return t.appendWith(dst, func(dst []byte, g int) []byte {
		p := t.first[g]
		dst = appendTicks(appendTicks(dst, p.Time), p.Arrived)
		dst = binary.AppendVarint(binary.AppendVarint(dst, p.Seq), int64(p.Index))
		for _, a := range t.accs {
			dst = a.appendTo(dst, int32(g))
		}
		return dst
	})
}

func (t *groupTable) readFrom(r *stateReader) {
	t.readWith(r, func(g int) {
		t.first[g] = column.Position{Time: r.ticks(), Arrived: r.ticks(), Seq: r.varint(), Index: int32(r.varint())}
		for _, a := range t.accs {
			a.readFrom(r, int32(g))
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
		for k := range t.cols {
			key = column.AppendKey(key, t.key(g, k))
		}
		entries[g] = entry{key, g}
	}
	sort.Slice(entries, func(a, b int) bool { return bytes.Compare(entries[a].key, entries[b].key) < 0 })
	dst = binary.AppendUvarint(dst, uint64(t.groups))
	for _, e := range entries {
		for k := range t.cols {
			dst = column.AppendBinary(dst, t.key(e.g, k))
		}
		dst = body(dst, e.g)
	}
	return dst
}

// readWith reads what appendWith wrote into an empty table; body reads what
// follows each key.
func (t *groupTable) readWith(r *stateReader, body func(g int)) {
	tuple := make([]uint32, len(t.cols))
	n := r.uvarint()
	for i := uint64(0); i < n && r.err == nil; i++ {
		for k := range t.cols {
			tuple[k] = t.cols[k].code(r.value())
		}
		g, _ := t.find(tuple)
		t.room()
		body(int(g))
	}
}
