package exec

import (
	"bytes"
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/column/compute"
)

// groupTable holds the groups of one window or pane.
type groupTable struct {
	groupKeys
	aggs   int
	first  []column.Position
	accs   []accumulator
	newest column.Ticks // latest time of any row: no row at or behind it is a group's first, if it has one
}

func newGroupTable(keys, aggs int) *groupTable {
	return &groupTable{groupKeys: newGroupKeys(keys), aggs: aggs}
}

// findAll writes the groups of the live rows to ids and remembers the first row of
// each.
func (t *groupTable) findAll(keys []compute.Operand, b *column.Batch, rows compute.Rows, ids []int32) {
	known := int32(t.groups)
	t.idsOf(keys, b, rows, ids)
	t.room()
	for j := range rows.Len() {
		i := rows.Row(j)
		g, at := ids[i], b.Time[i]
		switch {
		case g >= known:
			t.first[g] = column.PositionOf(b, i)
			known = g + 1
		case at < t.newest:
			if p := column.PositionOf(b, i); p.Before(t.first[g]) {
				t.first[g] = p
			}
		}
		t.newest = max(t.newest, at)
	}
}

// room makes place for every group.
func (t *groupTable) room() {
	for len(t.first) < t.groups {
		t.first = append(t.first, column.Position{})
	}
	for len(t.accs) < t.groups*t.aggs {
		t.accs = append(t.accs, accumulator{})
	}
}

// merge adds the groups of o, a part of the same window.
func (t *groupTable) merge(o *groupTable, aggs []aggregate) error {
	tuple := make([]uint32, len(t.cols))
	for g := range o.groups {
		for k := range t.cols {
			tuple[k] = t.cols[k].code(o.key(g, k))
		}
		id, fresh := t.find(tuple)
		t.room()
		if fresh || o.first[g].Before(t.first[id]) {
			t.first[id] = o.first[g]
			for k := range t.cols { // equal numbers print as first seen
				t.cols[k].values[tuple[k]] = o.key(g, k)
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
	sort.SliceStable(out, func(a, b int) bool { return t.first[out[a]].Before(t.first[out[b]]) })
	return out
}

// appendTo writes the groups with their first positions and accumulators.
func (t *groupTable) appendTo(dst []byte) []byte {
	return t.appendWith(dst, func(dst []byte, g int) []byte {
		p := t.first[g]
		dst = appendTicks(appendTicks(dst, p.Time), p.Arrived)
		dst = binary.AppendVarint(binary.AppendVarint(dst, p.Seq), int64(p.Index))
		for a := range t.aggs {
			dst = t.accs[g*t.aggs+a].appendTo(dst)
		}
		return dst
	})
}

func (t *groupTable) readFrom(r *stateReader) {
	t.readWith(r, func(g int) {
		t.first[g] = column.Position{Time: r.ticks(), Arrived: r.ticks(), Seq: r.varint(), Index: int32(r.varint())}
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
