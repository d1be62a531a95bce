package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// userCall calls a scalar function of the job.
type userCall struct {
	e      *plan.UserCall
	of     []value
	values []column.Value // by row
}

func compileUserCall(e *plan.UserCall) (value, error) {
	of, err := compileAll(e.Args)
	return &userCall{e: e, of: of}, err
}

func (u *userCall) eval(b *column.Batch, rows compute.Rows) (compute.Operand, *compute.RowError) {
	args := make([]func(int) column.Value, len(u.of))
	fixed := true
	for i, a := range u.of {
		o, err := a.eval(b, rows)
		if err != nil {
			return o, err
		}
		fixed = fixed && o.IsConst()
		args[i] = func(k int) column.Value { return o.At(rows.Row(k)) }
	}
	n := rows.Len()
	if n == 0 {
		return compute.Operand{}, nil
	}
	if fixed {
		n = 1
	}
	u.values = grown(u.values, b.Rows)
	failed := u.e.Func.Code.Scalar(n, args, func(k int, v column.Value) { u.values[rows.Row(k)] = v })
	if failed != nil {
		return compute.Operand{}, at(u.e, &compute.RowError{Row: rows.Row(failed.Row), Err: failed.Err})
	}
	if fixed {
		return compute.Operand{Const: u.values[rows.Row(0)]}, nil
	}
	v, _ := compute.Map(rows, func(i int) (column.Value, error) { return u.values[i], nil })
	clear(u.values)
	return compute.Operand{Vec: &v}, nil
}

// userAggregates are the states of an aggregate of the job: the values of a group, NULL
// too, each with the time that goes with it. The result is computed from them anew each
// time, in their order, so it is a function of the rows of the window and of nothing else:
// not of what was in the window before, nor of where a checkpoint fell. What the object of
// the function holds is never kept, so it need not be of a kind that could be.
type userAggregates struct{ ranked }

func newUserAggregates(a *aggregate) *userAggregates {
	plain := *a
	plain.order = nil // the lists are in the order of the rows
	return &userAggregates{ranked{agg: &plain}}
}

func (s *userAggregates) addRows(ids []int32, arg compute.Operand, b *column.Batch, rows compute.Rows) {
	for j := range rows.Len() {
		i := rows.Row(j)
		s.add(ids[i], arg.At(i), column.PositionOf(b, i))
	}
}

func (s *userAggregates) add(g int32, v column.Value, p column.Position) {
	s.append(&s.lists[g], rankedRow{v, p})
}

func (s *userAggregates) remove(g int32, v column.Value, p column.Position) {
	s.without(&s.lists[g], []rankedRow{{v, p}})
}

func (s *userAggregates) merge(g int32, from accumulators, og int32) {
	s.ranked.merge(g, &from.(*userAggregates).ranked, og)
}

func (s *userAggregates) unmerge(g int32, from accumulators, og int32) {
	s.ranked.unmerge(g, &from.(*userAggregates).ranked, og)
}

func (s *userAggregates) clone(groups []int32) accumulators {
	return &userAggregates{*s.ranked.clone(groups).(*ranked)}
}

func (s *userAggregates) result(g int32) (column.Value, error) {
	l := &s.lists[g]
	s.settle(l)
	spec := &s.agg.spec
	v, err := spec.User.Code.Fold(len(l.rows), func(i int) (v, t column.Value) {
		if r := &l.rows[i]; spec.At == nil {
			return r.value, column.TimeOf(r.at.Time)
		}
		pair := l.rows[i].value.Array()
		return pair[0], pair[1]
	})
	if err != nil || spec.Type == column.Null || v.IsNull() {
		return v, err
	}
	out, ok := column.Cast(v, spec.Type)
	if !ok {
		return v, castError(v, &plan.Cast{Base: plan.Base{Static: spec.Type, Where: spec.Where}, Text: spec.Name})
	}
	return out, nil
}
