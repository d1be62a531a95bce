package query

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// compareValues orders two values of one family: numbers, texts, binaries, or
// points in time.
func compareValues(a, b Value) int {
	if a.isNumber() && b.isNumber() {
		switch {
		case a.Kind != KindFloat && a.Kind != KindDecimal && b.Kind != KindFloat && b.Kind != KindDecimal:
			return cmp.Compare(a.num, b.num)
		case a.Kind == KindFloat && b.Kind == KindFloat:
			return cmp.Compare(a.Float(), b.Float())
		}
		x, y := a.rat(), b.rat()
		if x == nil || y == nil {
			return cmp.Compare(a.approx(), b.approx())
		}
		return x.Cmp(y)
	}
	if a.Kind == KindText || a.Kind == KindBinary {
		return strings.Compare(a.str, b.str)
	}
	return cmp.Compare(a.num, b.num)
}

func (v Value) isNumber() bool {
	return v.Kind == KindBool || v.Kind == KindInt || v.Kind == KindFloat || v.Kind == KindDecimal
}

func (v Value) rat() *big.Rat {
	switch v.Kind {
	case KindFloat:
		return new(big.Rat).SetFloat64(v.Float())
	case KindDecimal:
		r, ok := new(big.Rat).SetString(v.str)
		if !ok {
			return nil
		}
		return r
	}
	return new(big.Rat).SetInt64(v.num)
}

func (v Value) approx() float64 {
	switch v.Kind {
	case KindFloat:
		return v.Float()
	case KindDecimal:
		f, _ := strconv.ParseFloat(v.str, 64)
		return f
	}
	return float64(v.num)
}
