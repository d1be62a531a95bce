package exec

import (
	"fmt"
	"math"

	"spate/column"
	"spate/column/compute"
)

// extremes are MIN and MAX. Numbers, bits and times lie in eight bytes; other
// kinds, and the rules of mixed ones, are the general path. Values of a group that have
// no common order spoil its result, whichever came first.
type extremes struct {
	agg    *aggregate
	max    bool
	kinds  []column.Kind  // of the best value; Null: none yet; unordered: there is none
	bits   []uint64       // Float64: its bits; Bool, Int64, Time: the number
	others []column.Value // of other kinds; nil until there is one
}

// unordered is the kind of the best value of a group whose values have no common order.
const unordered column.Kind = 255

func (s *extremes) grow(n int) {
	s.kinds, s.bits = lengthened(s.kinds, n), lengthened(s.bits, n)
	if s.others != nil {
		s.others = lengthened(s.others, n)
	}
}

func (s *extremes) reserve(n int) {
	s.kinds, s.bits = reserved(s.kinds, n), reserved(s.bits, n)
}

func (s *extremes) best(g int32) column.Value {
	switch s.kinds[g] {
	case column.Null:
		return column.Value{}
	case column.Bool:
		return column.BoolOf(s.bits[g] != 0)
	case column.Int64:
		return column.IntOf(int64(s.bits[g]))
	case column.Float64:
		return column.FloatOf(math.Float64frombits(s.bits[g]))
	case column.Time:
		return column.TimeOf(column.Ticks(s.bits[g]))
	}
	return s.others[g]
}

func (s *extremes) setBest(g int32, v column.Value) {
	s.kinds[g] = v.Kind
	switch v.Kind {
	case column.Null:
	case column.Bool, column.Int64, column.Time:
		s.bits[g] = uint64(v.Int())
	case column.Float64:
		s.bits[g] = math.Float64bits(v.Float())
	default:
		s.others = lengthened(s.others, len(s.kinds))
		s.others[g] = v
	}
}

func (s *extremes) addRows(ids []int32, arg compute.Operand, _ *column.Batch, rows compute.Rows) {
	v := arg.Vec
	switch {
	case v == nil:
	case v.Kind == column.Float64 && !s.agg.ints && s.agg.spec.ArgType != column.Text:
		s.addFloats(ids, v, rows)
		return
	case v.Kind == s.agg.spec.ArgType && (v.Kind == column.Int64 || v.Kind == column.Time):
		s.addInts(ids, v, rows)
		return
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		s.add(ids[i], arg.At(i), column.Position{})
	}
}

func (s *extremes) addFloats(ids []int32, v *column.Vector, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		if v.Valid != nil && !column.Bit(v.Valid, i) {
			continue
		}
		g, f := ids[i], v.Floats[i]
		switch s.kinds[g] {
		case column.Float64:
			old := math.Float64frombits(s.bits[g])
			if !s.max && (f < old || f == 0 && below(f, old)) || s.max && (f > old || f == 0 && below(old, f)) {
				s.bits[g] = math.Float64bits(f)
			}
		case column.Null:
			s.kinds[g], s.bits[g] = column.Float64, math.Float64bits(f)
		default:
			s.add(g, column.FloatOf(f), column.Position{})
		}
	}
}

// addInts adds bigints or times whose kind is the static one.
func (s *extremes) addInts(ids []int32, v *column.Vector, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		if v.Valid != nil && !column.Bit(v.Valid, i) {
			continue
		}
		g, x := ids[i], v.Ints[i]
		switch s.kinds[g] {
		case v.Kind:
			if old := int64(s.bits[g]); !s.max && x < old || s.max && x > old {
				s.bits[g] = uint64(x)
			}
		case column.Null:
			s.kinds[g], s.bits[g] = v.Kind, uint64(x)
		default:
			s.add(g, v.At(i), column.Position{})
		}
	}
}

// add keeps the least or greatest value.
func (s *extremes) add(g int32, v column.Value, _ column.Position) {
	if v.IsNull() {
		return
	}
	switch t := s.agg.spec.ArgType; {
	case t == column.Null || t == column.Any:
		v, _ = s.agg.untypedExtreme(v) // argument took it
	case v.Kind == column.Bool && t != column.Bool, v.Kind == column.Int64 && t == column.Float64:
		v, _ = column.Cast(v, column.Float64)
	}
	s.addBest(g, v)
}

// addBest compares a value that has its final kind.
func (s *extremes) addBest(g int32, v column.Value) {
	kind := s.kinds[g]
	switch {
	case kind == column.Null:
		s.setBest(g, v)
		return
	case kind == unordered:
		return
	case kind != v.Kind && (kind == column.Time || v.Kind == column.Time || kind == column.Text || v.Kind == column.Text):
		s.kinds[g] = unordered
		return
	}
	old := s.best(g)
	o, err := column.Compare(v, old)
	if err != nil {
		s.kinds[g] = unordered
		return
	}
	if o == column.Equal && v.Kind == column.Float64 && kind == column.Float64 {
		switch {
		case below(v.Float(), old.Float()):
			o = column.Less
		case below(old.Float(), v.Float()):
			o = column.Greater
		}
	}
	if !s.max && o == column.Less || s.max && o == column.Greater {
		s.setBest(g, v)
	}
}

// below tells the zeros apart: -0 lies below +0. So MIN and MAX do not depend on
// the order of their values.
func below(a, b float64) bool {
	return a == 0 && b == 0 && math.Signbit(a) && !math.Signbit(b)
}

// remove is never called: what lies behind a least value is not known.
func (s *extremes) remove(int32, column.Value, column.Position) {}

func (s *extremes) invertible() bool { return false }

func (s *extremes) merge(g int32, from accumulators, og int32) {
	o := from.(*extremes)
	switch o.kinds[og] {
	case column.Null:
		return
	case unordered:
		s.kinds[g] = unordered
		return
	}
	if s.kinds[g] == column.Float64 && o.kinds[og] == column.Float64 {
		a, b := math.Float64frombits(s.bits[g]), math.Float64frombits(o.bits[og])
		if !s.max && (b < a || below(b, a)) || s.max && (b > a || below(a, b)) {
			s.bits[g] = o.bits[og]
		}
		return
	}
	s.addBest(g, o.best(og))
}

// unmerge is never called.
func (s *extremes) unmerge(int32, accumulators, int32) {}

func (s *extremes) result(g int32) (column.Value, error) {
	if s.kinds[g] == unordered {
		return column.Value{}, fmt.Errorf("aggregate %s cannot compare datetimes with other values", s.agg.spec.Func)
	}
	return s.best(g), nil
}

func (s *extremes) reset(g int32) {
	s.kinds[g] = column.Null
	if s.others != nil {
		s.others[g] = column.Value{}
	}
}

func (s *extremes) clone(groups []int32) accumulators {
	out := &extremes{agg: s.agg, max: s.max, kinds: pick(s.kinds, groups), bits: pick(s.bits, groups)}
	if s.others != nil {
		out.others = make([]column.Value, len(groups))
		for i, g := range groups {
			if int(g) < len(s.others) {
				out.others[i] = s.others[g]
			}
		}
	}
	return out
}

// appendTo writes an array, which is never the best value, where there is no order.
func (s *extremes) appendTo(dst []byte, g int32) []byte {
	if s.kinds[g] == unordered {
		return column.AppendBinary(dst, column.ArrayOf(nil))
	}
	return column.AppendBinary(dst, s.best(g))
}

func (s *extremes) readFrom(r *stateReader, g int32) {
	v := r.value()
	if v.Kind == column.Array {
		s.kinds[g] = unordered
		return
	}
	s.setBest(g, v)
}
