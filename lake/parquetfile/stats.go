package parquetfile

import (
	"bytes"
	"math"
)

// Stats describe a file that was written.
type Stats struct {
	Rows    int64
	Columns []ColumnStats // one per column
}

// ColumnStats are the null count and the exact bounds of one column. Bounds
// that cannot be told (no value, or a NaN among them) are absent.
type ColumnStats struct {
	Nulls              int64
	Bounded            bool
	MinInt, MaxInt     int64 // Byte to Long, Decimal (unscaled), Date (days since 1970), Timestamp (microseconds)
	MinFloat, MaxFloat float64
	MinText, MaxText   []byte
	NaN                bool
}

func (s *ColumnStats) ints(lo, hi int64) {
	if !s.Bounded {
		s.Bounded, s.MinInt, s.MaxInt = true, lo, hi
		return
	}
	s.MinInt, s.MaxInt = min(s.MinInt, lo), max(s.MaxInt, hi)
}

func (s *ColumnStats) floats(lo, hi float64) {
	if !s.Bounded {
		s.Bounded, s.MinFloat, s.MaxFloat = true, lo, hi
		return
	}
	s.MinFloat, s.MaxFloat = min(s.MinFloat, lo), max(s.MaxFloat, hi)
}

func (s *ColumnStats) floatBounds(v []float64) {
	lo, hi, nan, some := boundFloats(v)
	s.NaN = nan
	if some {
		s.floats(lo, hi)
	}
}

func (s *ColumnStats) text(lo, hi []byte) {
	if !s.Bounded || bytes.Compare(lo, s.MinText) < 0 {
		s.MinText = bytes.Clone(lo)
	}
	if !s.Bounded || bytes.Compare(hi, s.MaxText) > 0 {
		s.MaxText = bytes.Clone(hi)
	}
	s.Bounded = true
}

// add joins the stats of a row group to those of the file.
func (s *ColumnStats) add(g *ColumnStats, k Kind) {
	s.Nulls += g.Nulls
	s.NaN = s.NaN || g.NaN
	if !g.Bounded {
		return
	}
	switch k {
	case String, Binary:
		s.text(g.MinText, g.MaxText)
	case Float, Double:
		s.floats(g.MinFloat, g.MaxFloat)
	default:
		s.ints(g.MinInt, g.MaxInt)
	}
}

func boundInts(v []int64) (lo, hi int64) {
	lo, hi = v[0], v[0]
	for _, x := range v[1:] {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}

// boundFloats returns the bounds of the values that are no NaN. The builtins
// order -0 before 0, as readers of the bounds need it.
func boundFloats(v []float64) (lo, hi float64, nan, any bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, x := range v {
		if x != x {
			nan = true
			continue
		}
		any = true
		if x < lo || x == 0 && lo == 0 && math.Signbit(x) {
			lo = x
		}
		if x > hi || x == 0 && hi == 0 && !math.Signbit(x) {
			hi = x
		}
	}
	return lo, hi, nan, any
}
