package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// accumulators are the states of one aggregate function, one per group of a table
// or of an operator, by a number that their owner gives. An aggregate function is one
// implementation. Nothing but a result fails: what aggregate.argument has passed can be
// added, and so can parts.
type accumulators interface {
	// grow makes the states 0..n-1 exist; new ones are empty.
	grow(n int)
	// reserve makes place for n states, which grow then needs not look for.
	reserve(n int)
	// addRows adds the argument of each live row of a batch to the state ids[row].
	addRows(ids []int32, arg compute.Operand, b *column.Batch, rows compute.Rows)
	// add adds one value, of a row that stands at p, to state g. COUNT(*) looks at no value.
	add(g int32, v column.Value, p column.Position)
	// remove takes back a value that add took, the oldest first. It must not be called
	// where invertible is false.
	remove(g int32, v column.Value, p column.Position)
	// invertible reports whether remove and unmerge work.
	invertible() bool
	// merge adds state og of from, which is of the same function, to state g. The rows
	// of g come before those of og.
	merge(g int32, from accumulators, og int32)
	// unmerge takes back what merge added. It must not be called where invertible is
	// false.
	unmerge(g int32, from accumulators, og int32)
	// result is the value of the aggregate over what was added.
	result(g int32) (column.Value, error)
	// reset empties state g.
	reset(g int32)
	// clone returns copies of the states listed, numbered from 0, that share nothing
	// that changes: they may be encoded on another goroutine.
	clone(groups []int32) accumulators
	// appendTo appends state g; equal states give equal bytes. readFrom reads it back
	// into an empty state.
	appendTo(dst []byte, g int32) []byte
	readFrom(r *stateReader, g int32)
}

// newAccumulators returns empty states of an aggregate.
func newAccumulators(a *aggregate) accumulators {
	switch a.spec.Func {
	case plan.Count:
		if a.spec.Distinct {
			return &distinctCounts{}
		}
		return &counts{all: a.arg == nil}
	case plan.Min, plan.Max:
		return &extremes{agg: a, max: a.spec.Func == plan.Max}
	case plan.Sum, plan.Avg:
		if a.ints {
			return &intSums{agg: a}
		}
		return &floatSums{agg: a}
	case plan.PercentileCont, plan.PercentileDisc:
		return &percentiles{agg: a}
	case plan.Collect, plan.CollectTop, plan.TopOne:
		return &ranked{agg: a}
	case plan.User:
		return newUserAggregates(a)
	}
	return &variances{agg: a}
}

// newAllAccumulators returns empty states of every aggregate of a step.
func (g *grouping) newAllAccumulators() []accumulators {
	out := make([]accumulators, len(g.aggs))
	for a := range out {
		out[a] = newAccumulators(&g.aggs[a])
	}
	return out
}

// aggregate is a compiled aggregate function.
type aggregate struct {
	spec plan.Agg
	arg  value // nil: COUNT(*)
	ints bool  // the argument is statically a bigint or a bit

	order []value // the keys of ORDER BY, or the time that goes with a value
}

func compileAggregate(a plan.Agg) (aggregate, error) {
	out := aggregate{spec: a, ints: a.ArgType == column.Int64 || a.ArgType == column.Bool}
	switch a.Func {
	case plan.Count, plan.Sum, plan.Avg, plan.Min, plan.Max, plan.Stdev, plan.StdevP, plan.Var, plan.VarP:
	case plan.Collect, plan.CollectTop, plan.TopOne, plan.User:
	case plan.PercentileCont, plan.PercentileDisc:
		out.ints = a.ArgType == column.Int64
	default:
		return out, &UnsupportedError{a.Where, "aggregate " + string(a.Func)}
	}
	if a.Distinct && a.Func != plan.Count {
		return out, &UnsupportedError{a.Where, string(a.Func) + "(DISTINCT)"}
	}
	if a.Arg == nil {
		return out, nil
	}
	for _, k := range a.Order {
		v, err := compile(k.Expr)
		if err != nil {
			return out, err
		}
		out.order = append(out.order, v)
	}
	if a.At != nil {
		v, err := compile(a.At)
		if err != nil {
			return out, err
		}
		out.order = []value{v} // goes with the argument as keys do
	}
	var err error
	out.arg, err = compile(a.Arg)
	return out, err
}

// lengthened returns s with at least n elements; new ones are zero.
func lengthened[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// reserved returns s with room for n elements.
func reserved[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s
	}
	return append(make([]T, 0, n), s...)
}

// pick returns the elements listed.
func pick[T any](s []T, list []int32) []T {
	out := make([]T, len(list))
	for i, g := range list {
		out[i] = s[g]
	}
	return out
}
