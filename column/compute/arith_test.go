package compute

import (
	"math"
	"testing"

	"spate/column"
)

// The product of bigints that lie in a vector of floats is a bigint too: 0 times -10 is
// 0, and MIN, which tells the zeros of floats apart, sees no -0.
func TestProductsOfBigintsAmongFloatsAreNoNegativeZero(t *testing.T) {
	b := column.NewBuilder(nil)
	for _, v := range []column.Value{column.IntOf(-10), column.FloatOf(2.5), column.FloatOf(-10)} {
		b.Append(v)
	}
	v := b.Vector()
	if v.Kind != column.Float64 || v.Whole == nil {
		t.Fatalf("the vector is of kind %s", v.Kind)
	}
	out, err := Arith("*", Operand{Const: column.IntOf(0)}, Operand{Vec: &v}, Rows{N: 3})
	if err != nil {
		t.Fatal(err)
	}
	if out.Kind != column.Float64 || !out.At(0).IsNull() && out.At(0).Kind != column.Int64 {
		t.Fatalf("0 * -10 is of kind %s in a vector of %s", out.At(0).Kind, out.Kind)
	}
	if math.Signbit(out.Floats[0]) {
		t.Error("0 * -10 of bigints is -0")
	}
	if !math.Signbit(out.Floats[2]) {
		t.Error("0 * -10.0 is not -0")
	}
}
