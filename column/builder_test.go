package column

import (
	"math/rand/v2"
	"testing"
)

// Nulls at a word's boundary of the bitmap, before a value of another kind, are nulls.
func TestBuilderTurnsIntsWithTrailingNullsIntoFloats(t *testing.T) {
	for _, nulls := range []int{1, 63, 64, 65, 129} {
		for _, last := range []Value{FloatOf(2.5), TextOf("x")} {
			b := NewBuilder(nil)
			b.Append(IntOf(7))
			for range nulls {
				b.Append(Value{})
			}
			b.Append(last)
			v := b.Vector()
			if !Same(v.At(0), IntOf(7)) || !Same(v.At(nulls+1), last) {
				t.Errorf("%d nulls: %v and %v", nulls, v.At(0), v.At(nulls+1))
			}
			for i := 1; i <= nulls; i++ {
				if !v.IsNull(i) {
					t.Fatalf("%d nulls: row %d is none", nulls, i)
				}
			}
		}
	}
}

// Whatever is appended is what the vector holds.
func TestBuilderHoldsWhatIsAppended(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := []Value{{}, IntOf(1), IntOf(1 << 60), FloatOf(0.5), FloatOf(2), TextOf("a"), BoolOf(true), TimeOf(5), ArrayOf(nil)}
	for range 20_000 {
		var kinds []Value
		for range 1 + r.IntN(3) {
			kinds = append(kinds, all[r.IntN(len(all))])
		}
		b := NewBuilder(nil)
		var want []Value
		for len(want) < r.IntN(200) {
			x := kinds[r.IntN(len(kinds))]
			for range 1 + r.IntN(70) {
				want = append(want, x)
				b.Append(x)
			}
		}
		v := b.Vector()
		for i, w := range want {
			if got := v.At(i); got.Kind != w.Kind || string(AppendBinary(nil, got)) != string(AppendBinary(nil, w)) {
				t.Fatalf("row %d of %d is %v, want %v", i, len(want), got, w)
			}
		}
	}
}
