package exec

import (
	"math/big"

	"spate/column"
	"spate/column/compute"
)

// int returns the sum of bigints, an error where it does not fit one.
func (s *exactSum) int() (column.Value, error) {
	if s.hi != int64(s.lo)>>63 {
		return column.Value{}, compute.ErrOverflow
	}
	return column.IntOf(int64(s.lo)), nil
}

// intFloat returns the sum of bigints rounded to a float.
func (s *exactSum) intFloat() float64 {
	x := big.NewInt(s.hi)
	x.Lsh(x, 64)
	x.Add(x, new(big.Int).SetUint64(s.lo))
	f, _ := new(big.Float).SetInt(x).Float64()
	return f
}
