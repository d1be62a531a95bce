package exec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// accumulator is the state of one aggregate of one group. Which fields are used
// depends on the function.
type accumulator struct {
	n    int64       // values that are not null
	sum  exactSum    // SUM and AVG of floats; of bigints in units of one
	best float64     // MIN, MAX where kind is Float64
	kind column.Kind // of the least or greatest value; Null: none yet
	rest *accumulatorRest
}

// accumulatorRest is what only some aggregates need. It lies apart, so that the
// groups of the others fill few cache lines.
type accumulatorRest struct {
	squares exactSum         // VAR and its kin
	best    column.Value     // MIN, MAX of other kinds than float
	seen    map[string]int64 // COUNT(DISTINCT): how often each value came
}

func (s *accumulator) more() *accumulatorRest {
	if s.rest == nil {
		s.rest = new(accumulatorRest)
	}
	return s.rest
}

func (s *accumulator) bestValue() column.Value {
	switch s.kind {
	case column.Null:
		return column.Value{}
	case column.Float64:
		return column.FloatOf(s.best)
	}
	return s.rest.best
}

func (s *accumulator) setBest(v column.Value) {
	s.kind = v.Kind
	if v.Kind == column.Float64 {
		s.best = v.Float()
		return
	}
	if !v.IsNull() {
		s.more().best = v
	}
}

// aggregate is a compiled aggregate function.
type aggregate struct {
	spec plan.Agg
	arg  value // nil: COUNT(*)
	ints bool  // the argument is statically a bigint or a bit
}

func compileAggregate(a plan.Agg) (aggregate, error) {
	out := aggregate{spec: a, ints: a.ArgType == column.Int64 || a.ArgType == column.Bool}
	switch a.Func {
	case plan.Count, plan.Sum, plan.Avg, plan.Min, plan.Max, plan.Stdev, plan.StdevP, plan.Var, plan.VarP:
	default:
		return out, &UnsupportedError{a.Where, "aggregate " + string(a.Func)}
	}
	if a.Distinct && a.Func != plan.Count {
		return out, &UnsupportedError{a.Where, string(a.Func) + "(DISTINCT)"}
	}
	if a.Arg == nil {
		return out, nil
	}
	var err error
	out.arg, err = compile(a.Arg)
	return out, err
}

// addFloats adds the floats of the live rows to the groups of ids: the fast
// path. stride and k say where the aggregate lies among those of a group.
func (a *aggregate) addFloats(accs []accumulator, ids []int32, stride, k int, v *column.Vector, rows compute.Rows) *compute.RowError {
	if v.Valid == nil && rows.Live == nil && (a.spec.Func == plan.Sum || a.spec.Func == plan.Avg) {
		for i, f := range v.Floats[:rows.N] {
			s := &accs[int(ids[i])*stride+k]
			s.n++
			s.sum.add(f)
		}
		return nil
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		if v.Valid != nil && !column.Bit(v.Valid, i) {
			continue
		}
		s, f := &accs[int(ids[i])*stride+k], v.Floats[i]
		if s.kind == column.Time { // MIN or MAX of what is no number
			return &compute.RowError{Row: i, Err: &placed{a.addBest(s, column.FloatOf(f)), a.spec.Where}}
		}
		s.n++
		switch a.spec.Func {
		case plan.Min:
			if s.kind == column.Null || f < s.best || f == 0 && below(f, s.best) {
				s.best, s.kind = f, column.Float64
			}
		case plan.Max:
			if s.kind == column.Null || f > s.best || f == 0 && below(s.best, f) {
				s.best, s.kind = f, column.Float64
			}
		default:
			s.sum.add(f)
		}
	}
	return nil
}

// takesFloats reports whether addFloats handles floats of this aggregate.
func (a *aggregate) takesFloats() bool {
	switch a.spec.Func {
	case plan.Sum, plan.Avg, plan.Min, plan.Max:
		return !a.ints && a.spec.ArgType != column.Text
	}
	return false
}

// add adds one value: the general path.
func (a *aggregate) add(s *accumulator, v column.Value) error {
	if v.IsNull() {
		return nil
	}
	switch a.spec.Func {
	case plan.Count:
		if !a.spec.Distinct {
			s.n++
			return nil
		}
		m := s.more()
		if m.seen == nil {
			m.seen = make(map[string]int64)
		}
		m.seen[string(column.AppendKey(nil, v))]++
		return nil
	case plan.Min, plan.Max:
		return a.addBest(s, v)
	case plan.Sum, plan.Avg:
		if a.ints && (v.Kind == column.Int64 || v.Kind == column.Bool) {
			s.n++
			s.sum.addInt(v.Int())
			return nil
		}
	}
	f, err := a.float(v)
	if err != nil {
		return err
	}
	s.n++
	s.sum.add(f)
	switch a.spec.Func {
	case plan.Var, plan.VarP, plan.Stdev, plan.StdevP:
		hi := f * f
		if math.IsInf(hi, 0) {
			return fmt.Errorf("%s: the square of %v does not fit a float", a.spec.Func, f)
		}
		squares := &s.more().squares
		squares.add(hi)
		squares.add(math.FMA(f, f, -hi))
	}
	return nil
}

// remove takes back a value that add took, for windows that slide. MIN and MAX
// cannot be taken back.
func (a *aggregate) remove(s *accumulator, v column.Value) {
	if v.IsNull() {
		return
	}
	if a.spec.Func == plan.Count {
		if !a.spec.Distinct {
			s.n--
			return
		}
		k := string(column.AppendKey(nil, v))
		if s.rest.seen[k]--; s.rest.seen[k] == 0 {
			delete(s.rest.seen, k)
		}
		return
	}
	s.n--
	if a.ints && (v.Kind == column.Int64 || v.Kind == column.Bool) && (a.spec.Func == plan.Sum || a.spec.Func == plan.Avg) {
		s.sum.subInt(v.Int())
		return
	}
	f, _ := a.float(v)
	s.sum.sub(f)
	switch a.spec.Func {
	case plan.Var, plan.VarP, plan.Stdev, plan.StdevP:
		hi := f * f
		s.rest.squares.sub(hi)
		s.rest.squares.sub(math.FMA(f, f, -hi))
	}
}

func (a *aggregate) float(v column.Value) (float64, error) {
	switch v.Kind {
	case column.Int64, column.Float64, column.Bool:
		f, _ := v.Number()
		return f, nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f.Float(), nil
		}
		return 0, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to type 'float' for aggregate %s", v.Text(), a.spec.Func)
	}
	return 0, fmt.Errorf("aggregate %s cannot take a value of type '%s'", a.spec.Func, v.Kind)
}

// addBest keeps the least or greatest value. Values without a static type are
// numbers (as floats), datetimes, or text that reads as one of the two.
func (a *aggregate) addBest(s *accumulator, v column.Value) error {
	if a.spec.ArgType == column.Null || a.spec.ArgType == column.Any {
		var err error
		if v, err = a.untypedBest(v); err != nil {
			return err
		}
	} else if v.Kind == column.Bool && a.spec.ArgType != column.Bool || v.Kind == column.Int64 && a.spec.ArgType == column.Float64 {
		v, _ = column.Cast(v, column.Float64)
	}
	s.n++
	if s.kind == column.Null {
		s.setBest(v)
		return nil
	}
	if s.kind != v.Kind && (s.kind == column.Time || v.Kind == column.Time || s.kind == column.Text || v.Kind == column.Text) {
		return fmt.Errorf("aggregate %s cannot compare values of types '%s' and '%s'", a.spec.Func, s.kind, v.Kind)
	}
	o, err := column.Compare(v, s.bestValue())
	if err != nil {
		return err
	}
	if o == column.Equal && v.Kind == column.Float64 && s.kind == column.Float64 {
		switch {
		case below(v.Float(), s.best):
			o = column.Less
		case below(s.best, v.Float()):
			o = column.Greater
		}
	}
	if a.spec.Func == plan.Min && o == column.Less || a.spec.Func == plan.Max && o == column.Greater {
		s.setBest(v)
	}
	return nil
}

// below tells the zeros apart: -0 lies below +0. So MIN and MAX do not depend on
// the order of their values.
func below(a, b float64) bool {
	return a == 0 && b == 0 && math.Signbit(a) && !math.Signbit(b)
}

func (a *aggregate) untypedBest(v column.Value) (column.Value, error) {
	switch v.Kind {
	case column.Time:
		return v, nil
	case column.Text:
		if f, ok := column.ParseFloat(v.Text()); ok {
			return f, nil
		}
		if t, ok := column.ParseTicks(v.Text()); ok {
			return column.TimeOf(t), nil
		}
		return v, fmt.Errorf("Cannot convert value '%s' of type 'nvarchar(max)' to type 'float' for aggregate %s", v.Text(), a.spec.Func)
	case column.Record, column.Array:
		return v, fmt.Errorf("aggregate %s cannot take a value of type '%s'", a.spec.Func, v.Kind)
	}
	f, _ := v.Number()
	return column.FloatOf(f), nil
}

// merge adds the state of another part of the same group.
func (a *aggregate) merge(s, o *accumulator) error {
	s.sum.merge(&o.sum)
	if o.rest != nil {
		m := s.more()
		m.squares.merge(&o.rest.squares)
		if m.seen == nil && o.rest.seen != nil {
			m.seen = make(map[string]int64, len(o.rest.seen))
		}
		for k, n := range o.rest.seen {
			m.seen[k] += n
		}
	}
	if o.kind != column.Null {
		if err := a.mergeBest(s, o.bestValue()); err != nil {
			return err
		}
	}
	s.n += o.n
	return nil
}

func (a *aggregate) mergeBest(s *accumulator, v column.Value) error {
	n := s.n
	err := a.addBest(s, v)
	s.n = n
	return err
}

// result is the value of the aggregate.
func (a *aggregate) result(s *accumulator) (column.Value, error) {
	switch a.spec.Func {
	case plan.Count:
		if a.spec.Distinct {
			if s.rest == nil {
				return column.IntOf(0), nil
			}
			return column.IntOf(int64(len(s.rest.seen))), nil
		}
		return column.IntOf(s.n), nil
	case plan.Min, plan.Max:
		return s.bestValue(), nil
	}
	if s.n == 0 {
		return column.Value{}, nil
	}
	switch a.spec.Func {
	case plan.Sum:
		if a.ints {
			return s.sum.int()
		}
		return finite(a.spec.Func, s.sum.float())
	case plan.Avg:
		sum := s.sum.float()
		if a.ints {
			sum = s.sum.intFloat()
		}
		return finite(a.spec.Func, sum/float64(s.n))
	}
	return a.variance(s)
}

func finite(f plan.AggFunc, v float64) (column.Value, error) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return column.Value{}, fmt.Errorf("arithmetic overflow: the result of %s does not fit a float", f)
	}
	return column.FloatOf(v), nil
}

// variance is computed from the exact sums of values and squares, so nothing
// cancels: (n*Σv² - (Σv)²) / (n*d) with d = n-1 for a sample, n for a population.
func (a *aggregate) variance(s *accumulator) (column.Value, error) {
	d := s.n
	if a.spec.Func == plan.Var || a.spec.Func == plan.Stdev {
		d--
	}
	if d == 0 {
		return column.Value{}, nil
	}
	sum := s.sum.total()
	num := new(big.Int).Mul(big.NewInt(s.n), s.rest.squares.total())
	num.Lsh(num, wideScale)
	num.Sub(num, new(big.Int).Mul(sum, sum))
	den := new(big.Int).Mul(big.NewInt(s.n), big.NewInt(d))
	den.Lsh(den, 2*wideScale)
	v, _ := new(big.Rat).SetFrac(num, den).Float64()
	if a.spec.Func == plan.Stdev || a.spec.Func == plan.StdevP {
		v = math.Sqrt(v)
	}
	return finite(a.spec.Func, v)
}

func (s *accumulator) appendTo(dst []byte) []byte {
	dst = binary.AppendVarint(dst, s.n)
	dst = s.sum.appendTo(dst)
	dst = column.AppendBinary(dst, s.bestValue())
	if s.rest == nil {
		return append(dst, 0)
	}
	dst = s.rest.squares.appendTo(append(dst, 1))
	keys := make([]string, 0, len(s.rest.seen))
	for k := range s.rest.seen {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = appendText(dst, k)
		dst = binary.AppendVarint(dst, s.rest.seen[k])
	}
	return dst
}

func (s *accumulator) readFrom(r *stateReader) {
	s.n = r.varint()
	r.sum(&s.sum)
	s.setBest(r.value())
	if r.byte() == 0 {
		return
	}
	m := s.more()
	r.sum(&m.squares)
	for range r.count() {
		if m.seen == nil {
			m.seen = make(map[string]int64)
		}
		k := r.text()
		m.seen[k] = r.varint()
	}
}
