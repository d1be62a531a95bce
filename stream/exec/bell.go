package exec

import "math"

// bells add up how much of a bell over each of many values lies above x, and how much below:
// half of erfc of how far x lies above the value, in widths. Both keep their digits where they are
// small.
type bells struct {
	tails [2]float64 // the smaller part, of values below x and of those above it
	of    [2]int     // values below x, and above it
}

// add is given the values, whose bells are 1/inverse wide. erfc is written out: it stands in
// the one loop whose cost is that of the step.
func (b *bells) add(values []float64, x, inverse float64) {
	var below, above float64 // tails of values below x, and above it
	aboveX := 0
	for _, v := range values {
		z := (x - v) * inverse
		k := math.Abs(z)*erfcSteps + 0.5
		tail := 0.0
		if k < erfcLast*erfcSteps+1 {
			i := uint(k)
			t := &erfcTable[i&511]
			d := math.Abs(z) - float64(int(i))*(1.0/erfcSteps)
			dd := d * d
			tail = (t[0] + d*t[1]) + dd*((t[2]+d*t[3])+dd*((t[4]+d*t[5])+dd*(t[6]+d*t[7])))
		}
		if z < 0 {
			above += tail
			aboveX++
		} else {
			below += tail
		}
	}
	b.tails = [2]float64{below, above}
	b.of = [2]int{len(values) - aboveX, aboveX}
}

// above and below are sums of twice the parts.
func (b *bells) above() float64 { return b.tails[0] + (2*float64(b.of[1]) - b.tails[1]) }

func (b *bells) below() float64 { return b.tails[1] + (2*float64(b.of[0]) - b.tails[0]) }

// The complementary error function by its series around the nearest of many places, to a
// billionth of its value and better; math.Erfc takes several times as long. Beyond the last
// place it is 0: a sum that is not taken for 1e-8 of its most does not see that.
const (
	erfcSteps = 64 // places in 1
	erfcLast  = 6.5
	erfcTerms = 8
)

var erfcTable = func() (table [512][erfcTerms]float64) {
	for k := range table {
		z := float64(k) / erfcSteps
		table[k][0] = math.Erfc(z)
		// The derivatives are Hermite polynomials times exp(-z²).
		h0, h1, c := 1.0, 2*z, -2/math.Sqrt(math.Pi)*math.Exp(-z*z)
		for i := 1; i < erfcTerms; i++ {
			c /= float64(i)
			table[k][i] = c * h0
			h0, h1 = h1, 2*z*h1-2*float64(i)*h0
			c = -c
		}
	}
	return table
}()
