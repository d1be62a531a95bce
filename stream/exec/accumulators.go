package exec

import (
	"spate/column"
	"spate/column/compute"
)

// accumulators are the states of one aggregate function, one per group of a table
// or of an operator, by a number that their owner gives. An aggregate function is one
// implementation.
type accumulators interface {
	// grow makes the states 0..n-1 exist; new ones are empty.
	grow(n int)
	// addRows adds the argument of each live row to the state ids[row].
	addRows(ids []int32, arg compute.Operand, rows compute.Rows) *compute.RowError
	// add adds one value to state g. COUNT(*) looks at no value.
	add(g int32, v column.Value) error
	// remove takes back a value that add took, the oldest first. It must not be called
	// where invertible is false.
	remove(g int32, v column.Value)
	// invertible reports whether remove works.
	invertible() bool
	// merge adds state og of from, which is of the same function, to state g.
	merge(g int32, from accumulators, og int32) error
	// result is the value of the aggregate over what was added.
	result(g int32) (column.Value, error)
	// reset empties state g.
	reset(g int32)
	// clone returns copies of the states listed, numbered from 0, that share nothing
	// that changes: they may be encoded on another goroutine.
	clone(groups []int32) accumulators
	// appendTo appends state g; equal states give equal bytes. readFrom reads it back.
	appendTo(dst []byte, g int32) []byte
	readFrom(r *stateReader, g int32)
}

// newAccumulators returns empty states of an aggregate.
func newAccumulators(a *aggregate) accumulators { return &generalAccumulators{agg: a} }

// generalAccumulators work for every function.
type generalAccumulators struct {
	agg  *aggregate
	accs []accumulator
}

func (s *generalAccumulators) grow(n int) {
	for len(s.accs) < n {
		s.accs = append(s.accs, accumulator{})
	}
}

func (s *generalAccumulators) addRows(ids []int32, arg compute.Operand, rows compute.Rows) *compute.RowError {
	if v := arg.Vec; v != nil && v.Kind == column.Float64 && s.agg.arg != nil && s.agg.takesFloats() {
		return s.agg.addFloats(s.accs, ids, 1, 0, v, rows)
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		if s.agg.arg == nil {
			s.accs[ids[i]].n++
			continue
		}
		if err := s.agg.add(&s.accs[ids[i]], arg.At(i)); err != nil {
			return &compute.RowError{Row: i, Err: &placed{err, s.agg.spec.Where}}
		}
	}
	return nil
}

func (s *generalAccumulators) add(g int32, v column.Value) error {
	if s.agg.arg == nil {
		s.accs[g].n++
		return nil
	}
	return s.agg.add(&s.accs[g], v)
}

func (s *generalAccumulators) remove(g int32, v column.Value) {
	if s.agg.arg == nil {
		s.accs[g].n--
		return
	}
	s.agg.remove(&s.accs[g], v)
}

func (s *generalAccumulators) invertible() bool {
	return s.agg.spec.Func != "MIN" && s.agg.spec.Func != "MAX"
}

func (s *generalAccumulators) merge(g int32, from accumulators, og int32) error {
	return s.agg.merge(&s.accs[g], &from.(*generalAccumulators).accs[og])
}

func (s *generalAccumulators) result(g int32) (column.Value, error) { return s.agg.result(&s.accs[g]) }

func (s *generalAccumulators) reset(g int32) { s.accs[g] = accumulator{} }

func (s *generalAccumulators) clone(groups []int32) accumulators {
	out := &generalAccumulators{agg: s.agg, accs: make([]accumulator, len(groups))}
	for i, g := range groups {
		if err := s.agg.merge(&out.accs[i], &s.accs[g]); err != nil {
			out.accs[i] = s.accs[g] // of one value: nothing was there to compare it with
		}
	}
	return out
}

func (s *generalAccumulators) appendTo(dst []byte, g int32) []byte { return s.accs[g].appendTo(dst) }

func (s *generalAccumulators) readFrom(r *stateReader, g int32) { s.accs[g].readFrom(r) }
