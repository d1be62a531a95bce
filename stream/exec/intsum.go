package exec

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// intSums are SUM and AVG over bigints and bits. The sum has 128 bits: an overflow
// is one of the result, not one on the way.
type intSums struct {
	agg  *aggregate
	sums []intSum
}

type intSum struct {
	n  int64 // values that are not null
	hi int64
	lo uint64
}

func (s *intSum) add(i int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(i), 0)
	s.hi += i>>63 + int64(carry)
	s.n++
}

func (s *intSum) sub(i int64) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, uint64(i), 0)
	s.hi -= i>>63 + int64(borrow)
	s.n--
}

// int returns the sum, an error where it does not fit a bigint.
func (s *intSum) int() (column.Value, error) {
	if s.hi != int64(s.lo)>>63 {
		return column.Value{}, compute.ErrOverflow
	}
	return column.IntOf(int64(s.lo)), nil
}

// float returns the sum rounded to a float.
func (s *intSum) float() float64 {
	x := big.NewInt(s.hi)
	x.Lsh(x, 64)
	x.Add(x, new(big.Int).SetUint64(s.lo))
	f, _ := new(big.Float).SetInt(x).Float64()
	return f
}

func (s *intSums) grow(n int) { s.sums = lengthened(s.sums, n) }

func (s *intSums) reserve(n int) { s.sums = reserved(s.sums, n) }

func (s *intSums) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	v := arg.Vec
	if v != nil && (v.Kind == column.Int64 || v.Kind == column.Bool) {
		for j := range rows.Len() {
			i := rows.Row(j)
			if v.Valid == nil || column.Bit(v.Valid, i) {
				s.sums[ids[i]].add(v.Ints[i])
			}
		}
		return
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		s.add(ids[i], arg.At(i), column.Position{})
	}
}

func (s *intSums) add(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		s.sums[g].add(v.Int())
	}
}

func (s *intSums) remove(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		s.sums[g].sub(v.Int())
	}
}

func (s *intSums) invertible() bool { return true }

func (s *intSums) merge(g int32, from accumulators, og int32) {
	a, o := &s.sums[g], &from.(*intSums).sums[og]
	var carry uint64
	a.lo, carry = bits.Add64(a.lo, o.lo, 0)
	a.hi += o.hi + int64(carry)
	a.n += o.n
}

func (s *intSums) unmerge(g int32, from accumulators, og int32) {
	a, o := &s.sums[g], &from.(*intSums).sums[og]
	var borrow uint64
	a.lo, borrow = bits.Sub64(a.lo, o.lo, 0)
	a.hi -= o.hi + int64(borrow)
	a.n -= o.n
}

func (s *intSums) result(g int32) (column.Value, error) {
	a := &s.sums[g]
	switch {
	case a.n == 0:
		return column.Value{}, nil
	case s.agg.spec.Func == plan.Sum:
		return a.int()
	}
	return finite(plan.Avg, a.float()/float64(a.n))
}

func (s *intSums) reset(g int32) { s.sums[g] = intSum{} }

func (s *intSums) clone(groups []int32) accumulators {
	return &intSums{agg: s.agg, sums: pick(s.sums, groups)}
}

func (s *intSums) appendTo(dst []byte, g int32) []byte {
	a := &s.sums[g]
	dst = binary.AppendVarint(dst, a.n)
	dst = binary.AppendVarint(dst, a.hi)
	return binary.BigEndian.AppendUint64(dst, a.lo)
}

func (s *intSums) readFrom(r *stateReader, g int32) {
	s.sums[g] = intSum{n: r.varint(), hi: r.varint(), lo: r.fixed64()}
}
