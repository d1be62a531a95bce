package exec

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The exact sum must be the real sum rounded once, whatever the order.
func TestExactSumIsRoundedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.Float64(), rapid.Float64Range(-1e-8, 1e-8),
			rapid.Map(rapid.IntRange(-100000, 100000), func(i int) float64 { return float64(i) / 100 }))
		xs := rapid.SliceOfN(gen, 0, 40).Draw(t, "xs")
		var a, b, c exactSum
		want := new(big.Float).SetPrec(4000)
		for i, x := range xs {
			a.add(x)
			want.Add(want, new(big.Float).SetPrec(4000).SetFloat64(x))
			if i%2 == 0 {
				b.add(x)
			} else {
				c.add(x)
			}
		}
		w, _ := want.Float64()
		b.merge(&c)
		if got := a.float(); got != w && !(math.IsInf(w, 0) && math.IsInf(got, 0)) {
			t.Fatalf("sum of %v: got %v, want %v", xs, got, w)
		}
		if a.float() != b.float() {
			t.Fatalf("merged sum differs: %v and %v", a.float(), b.float())
		}
		var r exactSum
		if rest, err := r.readFrom(a.appendTo(nil)); err != nil || len(rest) != 0 || r.float() != a.float() {
			t.Fatalf("state does not read back: %v %v", err, rest)
		}
		for _, x := range xs {
			a.sub(x)
		}
		if a.float() != 0 {
			t.Fatalf("subtracting all leaves %v", a.float())
		}
	})
}
