package exec

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// percentiles are PERCENTILE_CONT and PERCENTILE_DISC: all values of the group, as numbers
// of eight bytes that have their order.
type percentiles struct {
	agg   *aggregate
	lists []valueSet
}

// valueSet is the values of one state.
type valueSet struct {
	sorted []uint64
	fresh  []uint64 // came since, in no order
}

func (s *percentiles) grow(n int) { s.lists = lengthened(s.lists, n) }

func (s *percentiles) reserve(n int) { s.lists = reserved(s.lists, n) }

// code is a value as a number: bigints in their order; floats in theirs, -0 below +0.
func (s *percentiles) code(v column.Value) uint64 {
	if s.agg.ints {
		return uint64(v.Int()) ^ 1<<63
	}
	f, _ := v.Number()
	if v.Kind == column.Text {
		x, _ := column.ParseFloat(v.Text()) // argument took it
		f = x.Float()
	}
	b := math.Float64bits(f)
	if b>>63 == 0 {
		return b | 1<<63
	}
	return ^b
}

// value is the value that a number stands for.
func (s *percentiles) value(code uint64) column.Value {
	switch {
	case s.agg.ints:
		return column.IntOf(int64(code ^ 1<<63))
	case code>>63 != 0:
		return column.FloatOf(math.Float64frombits(code &^ (1 << 63)))
	}
	return column.FloatOf(math.Float64frombits(^code))
}

func (s *percentiles) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		s.add(ids[i], arg.At(i), column.Position{})
	}
}

func (s *percentiles) add(g int32, v column.Value, _ column.Position) {
	if !v.IsNull() {
		s.lists[g].fresh = append(s.lists[g].fresh, s.code(v))
	}
}

// settle brings all values in order.
func (l *valueSet) settle() {
	switch n := len(l.fresh); {
	case n == 0:
		return
	case n == 1 && len(l.sorted) > 0:
		i, _ := slices.BinarySearch(l.sorted, l.fresh[0])
		l.sorted = slices.Insert(l.sorted, i, l.fresh[0])
	default:
		slices.Sort(l.fresh)
		if len(l.sorted) == 0 {
			l.sorted, l.fresh = l.fresh, nil
			return
		}
		l.sorted = merged(l.sorted, l.fresh)
	}
	l.fresh = l.fresh[:0]
}

// merged merges two lists in order.
func merged(a, b []uint64) []uint64 {
	out := make([]uint64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (s *percentiles) remove(g int32, v column.Value, _ column.Position) {
	if v.IsNull() {
		return
	}
	l := &s.lists[g]
	l.settle()
	i, _ := slices.BinarySearch(l.sorted, s.code(v))
	l.sorted = slices.Delete(l.sorted, i, i+1)
}

func (s *percentiles) invertible() bool { return true }

func (s *percentiles) merge(g int32, from accumulators, og int32) {
	o := &from.(*percentiles).lists[og]
	s.lists[g].fresh = append(append(s.lists[g].fresh, o.sorted...), o.fresh...)
}

func (s *percentiles) unmerge(g int32, from accumulators, og int32) {
	l, o := &s.lists[g], &from.(*percentiles).lists[og]
	l.settle()
	o.settle()
	gone := o.sorted
	kept := l.sorted[:0]
	for _, v := range l.sorted {
		if len(gone) > 0 && gone[0] == v {
			gone = gone[1:]
			continue
		}
		kept = append(kept, v)
	}
	l.sorted = kept
}

func (s *percentiles) result(g int32) (column.Value, error) {
	l := &s.lists[g]
	l.settle()
	n := len(l.sorted)
	if n == 0 {
		return column.Value{}, nil
	}
	at := func(i int) column.Value { // the i-th value, from the top if they go down
		if s.agg.spec.Desc {
			i = n - 1 - i
		}
		return s.value(l.sorted[i])
	}
	share := s.agg.spec.Share
	if s.agg.spec.Func == plan.PercentileDisc {
		return at(max(rankOf(share, n)-1, 0)), nil
	}
	// Between the two values that stand around the rank share*(n-1), in proportion. It is
	// computed exactly and rounded once.
	rank := new(big.Rat).Mul(share, new(big.Rat).SetInt64(int64(n-1)))
	below := new(big.Int).Quo(rank.Num(), rank.Denom())
	i := int(below.Int64())
	a := at(i)
	if rank.IsInt() {
		f, _ := a.Number()
		return column.FloatOf(f), nil
	}
	part := rank.Sub(rank, new(big.Rat).SetInt(below))
	x, y := exactNumber(a), exactNumber(at(i+1))
	f, _ := y.Sub(y, x).Mul(y, part).Add(y, x).Float64()
	return column.FloatOf(f), nil
}

// rankOf is the least whole number that is not below share*n.
func rankOf(share *big.Rat, n int) int {
	num := new(big.Int).Mul(share.Num(), big.NewInt(int64(n)))
	up := new(big.Int).Sub(share.Denom(), big.NewInt(1))
	return int(num.Add(num, up).Quo(num, share.Denom()).Int64())
}

func exactNumber(v column.Value) *big.Rat {
	if v.Kind == column.Int64 {
		return new(big.Rat).SetInt64(v.Int())
	}
	return new(big.Rat).SetFloat64(v.Float())
}

func (s *percentiles) reset(g int32) { s.lists[g] = valueSet{} }

func (s *percentiles) clone(groups []int32) accumulators {
	out := &percentiles{agg: s.agg, lists: make([]valueSet, len(groups))}
	for i, g := range groups {
		l := &s.lists[g]
		l.settle()
		out.lists[i].sorted = slices.Clone(l.sorted)
	}
	return out
}

// appendTo writes each value as its distance from the one before it.
func (s *percentiles) appendTo(dst []byte, g int32) []byte {
	l := &s.lists[g]
	l.settle()
	dst = binary.AppendUvarint(dst, uint64(len(l.sorted)))
	last := uint64(0)
	for _, v := range l.sorted {
		dst = binary.AppendUvarint(dst, v-last)
		last = v
	}
	return dst
}

func (s *percentiles) readFrom(r *stateReader, g int32) {
	n := r.count()
	list := make([]uint64, 0, n)
	last := uint64(0)
	for range n {
		last += r.uvarint()
		list = append(list, last)
	}
	if r.err == nil && n > 0 {
		s.lists[g].sorted = list
	}
}
