package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// aggregateOperator runs both halves of an order-free aggregation in one place.
type aggregateOperator struct {
	add *Aggregator
	end *Finisher
}

// NewAggregate makes the operator of an aggregation whose rows come to one
// place. Sliding and session windows need them in total order.
func NewAggregate(n *plan.Aggregate) (Operator, error) {
	for _, w := range n.Windows {
		if w.Kind == plan.Sliding || w.Kind == plan.Session {
			return newOrderedAggregate(n)
		}
	}
	return newOrderFree(n)
}

func newOrderFree(n *plan.Aggregate) (*aggregateOperator, error) {
	add, err := NewAggregator(n)
	if err != nil {
		return nil, err
	}
	end, err := NewFinisher(n)
	return &aggregateOperator{add, end}, err
}

// Process implements Operator.
func (a *aggregateOperator) Process(_ int, b *column.Batch, _ Emit) error { return a.add.Add(b) }

// SkipTo implements Skipper.
func (a *aggregateOperator) SkipTo(f Skip) {
	a.add.SkipTo(f)
	a.end.SkipTo(f)
}

func (a *aggregateOperator) compute(b *column.Batch) *compute.RowError { return a.add.compute(b) }

func (a *aggregateOperator) take(b *column.Batch) { a.add.take(b) }

// Advance implements Operator.
func (a *aggregateOperator) Advance(w column.Ticks, out Emit) error {
	a.flush(w)
	return a.end.Advance(w, out)
}

func (a *aggregateOperator) flush(w column.Ticks) {
	for _, p := range a.add.Take(w) {
		a.end.Merge(p)
	}
}

// Freeze implements Operator.
func (a *aggregateOperator) Freeze() (state.Frozen, error) {
	a.flush(column.EndOfTime)
	return a.end.Freeze()
}

// Load implements Operator.
func (a *aggregateOperator) Load(e state.Entry) error { return a.end.Load(e) }
