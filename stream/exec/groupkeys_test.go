package exec

import (
	"testing"

	"pgregory.net/rapid"

	"spate/column"
	"spate/column/compute"
)

// Equal tuples have one number and others another, whatever the kinds and numbers of
// the key columns.
func TestGroupNumbersAreThoseOfTheKeys(t *testing.T) {
	values := []column.Value{{}, column.IntOf(1), column.FloatOf(1), column.FloatOf(1.5), column.TextOf("a"), column.TextOf("b"), column.BoolOf(true), column.TimeOf(1)}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "columns")
		k := newGroupKeys(n)
		dict := column.NewDict()
		known := make(map[string]int32)
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			rows := rapid.IntRange(1, 10).Draw(t, "rows")
			b := &column.Batch{Rows: rows}
			keys := make([]compute.Operand, n)
			for c := range keys {
				bl := column.NewBuilder(nil)
				if rapid.Bool().Draw(t, "coded") {
					bl = column.NewBuilder(dict)
				}
				for range rows {
					bl.Append(rapid.SampledFrom(values).Draw(t, "key"))
				}
				v := bl.Vector()
				keys[c].Vec = &v
			}
			ids := make([]int32, rows)
			k.idsOf(keys, b, compute.Rows{N: rows}, ids)
			for i, g := range ids {
				var key []byte
				for c := range keys {
					key = column.AppendKey(key, keys[c].At(i))
				}
				if old, ok := known[string(key)]; ok && old != g || !ok && int(g) != len(known) {
					t.Fatalf("key %x is group %d of %d, was %d", key, g, len(known), old)
				}
				known[string(key)] = g
				if got := k.appendKey(nil, int(g)); string(got) != string(key) {
					t.Fatalf("key %x of group %d, want %x", got, g, key)
				}
			}
		}
	})
}

// The slots of a pane are those of a map, for whatever part of a dictionary that
// grows.
func TestSlotsAreFoundAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pane
		want := make(map[int32]int32)
		dict := 1
		for range rapid.IntRange(1, 200).Draw(t, "rows") {
			dict += rapid.SampledFrom([]int{0, 0, 1, 40}).Draw(t, "grown")
			id := int32(rapid.IntRange(max(0, dict-60), dict-1).Draw(t, "id"))
			s, fresh := p.slot(id, dict)
			old, known := want[id]
			if fresh == known || known && old != s || !known && int(s) != len(want) {
				t.Fatalf("slot %d (new: %v) of group %d, want %d (new: %v)", s, fresh, id, old, !known)
			}
			want[id] = s
		}
	})
}
