package exec

import (
	"encoding/binary"
	"fmt"
	"math"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// floatSums are SUM and AVG over floats: exact until the result is rounded, once.
type floatSums struct {
	agg  *aggregate
	sums []floatSum
}

type floatSum struct {
	n   int64 // values that are not null
	sum exactSum
}

func (s *floatSums) grow(n int) { s.sums = lengthened(s.sums, n) }

func (s *floatSums) reserve(n int) { s.sums = reserved(s.sums, n) }

func (s *floatSums) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	v := arg.Vec
	if v == nil || v.Kind != column.Float64 {
		for j := range rows.Len() {
			i := rows.Row(j)
			s.add(ids[i], arg.At(i), column.Position{})
		}
		return
	}
	sums := s.sums
	if v.Valid == nil && rows.Live == nil {
		floats := v.Floats[:rows.N]
		for i, g := range ids[:rows.N] {
			to := &sums[g]
			to.n++
			to.sum.add(floats[i])
		}
		return
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		if v.Valid == nil || column.Bit(v.Valid, i) {
			to := &sums[ids[i]]
			to.n++
			to.sum.add(v.Floats[i])
		}
	}
}

func (s *floatSums) add(g int32, v column.Value, _ column.Position) {
	if v.IsNull() {
		return
	}
	f, _ := s.agg.float(v) // argument took it
	s.sums[g].n++
	s.sums[g].sum.add(f)
}

func (s *floatSums) remove(g int32, v column.Value, _ column.Position) {
	if v.IsNull() {
		return
	}
	f, _ := s.agg.float(v) // as add did
	s.sums[g].n--
	s.sums[g].sum.sub(f)
}

func (s *floatSums) invertible() bool { return true }

func (s *floatSums) merge(g int32, from accumulators, og int32) {
	o := &from.(*floatSums).sums[og]
	s.sums[g].n += o.n
	s.sums[g].sum.merge(&o.sum)
}

func (s *floatSums) unmerge(g int32, from accumulators, og int32) {
	o := &from.(*floatSums).sums[og]
	s.sums[g].n -= o.n
	s.sums[g].sum.unmerge(&o.sum)
}

func (s *floatSums) result(g int32) (column.Value, error) {
	a := &s.sums[g]
	if a.n == 0 {
		return column.Value{}, nil
	}
	sum := a.sum.float()
	if s.agg.spec.Func == plan.Avg {
		sum /= float64(a.n)
	}
	return finite(s.agg.spec.Func, sum)
}

func finite(f plan.AggFunc, v float64) (column.Value, error) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return column.Value{}, fmt.Errorf("arithmetic overflow: the result of %s does not fit a float", f)
	}
	return column.FloatOf(v), nil
}

func (s *floatSums) reset(g int32) { s.sums[g] = floatSum{} }

func (s *floatSums) clone(groups []int32) accumulators {
	out := &floatSums{agg: s.agg, sums: pick(s.sums, groups)}
	for i := range out.sums {
		out.sums[i].sum.unshare()
	}
	return out
}

func (s *floatSums) appendTo(dst []byte, g int32) []byte {
	return s.sums[g].sum.appendTo(binary.AppendVarint(dst, s.sums[g].n))
}

func (s *floatSums) readFrom(r *stateReader, g int32) {
	s.sums[g].n = r.varint()
	r.sum(&s.sums[g].sum)
}
