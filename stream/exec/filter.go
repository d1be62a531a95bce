package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Filter keeps the rows for which a condition is TRUE. It copies nothing.
type Filter struct {
	stateless
	skips
	cond  predicate
	truth []compute.Truth
}

// NewFilter compiles the condition of f.
func NewFilter(f *plan.Filter) (*Filter, error) {
	p, err := compilePredicate(f.Cond)
	return &Filter{cond: p}, err
}

// Process implements Operator.
func (f *Filter) Process(_ int, b *column.Batch, out Emit) error {
	b, err := sound(f, b, f.skip)
	if b == nil {
		return err
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	n := 0
	for k := range rows.Len() {
		if f.truth[rows.Row(k)] == compute.True {
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case rows.Len():
		return out.Rows(b)
	}
	live := make([]int32, 0, n)
	for k := range rows.Len() {
		if i := rows.Row(k); f.truth[i] == compute.True {
			live = append(live, int32(i))
		}
	}
	return out.Rows(b.WithLive(live))
}

func (f *Filter) compute(b *column.Batch) *compute.RowError {
	f.truth = grown(f.truth, b.Rows)
	return f.cond.test(b, compute.Rows{N: b.Rows, Live: b.Live}, f.truth)
}
