package exec

import (
	"math"
	"testing"
)

// erfc is what a bell adds on the one side, and what it lacks on the other.
func erfc(z float64) float64 {
	var b bells
	b.add([]float64{-z}, 0, 1)
	return b.above()
}

func TestErfc(t *testing.T) {
	for i := range 100_000 {
		z := float64(i) * (6.4 / 100_000)
		want := math.Erfc(z)
		if got := erfc(z); math.Abs(got-want) > 1e-11*want {
			t.Fatalf("erfc(%v) is %v, want %v", z, got, want)
		}
	}
	for _, z := range []float64{6.6, 1e300, math.Inf(1)} {
		if got := erfc(z); got != 0 {
			t.Errorf("erfc(%v) is %v", z, got)
		}
	}
}
