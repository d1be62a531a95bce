package exec

import (
	"spate/column"
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
	add, err := NewAggregator(n)
	if err != nil {
		return nil, err
	}
	end, err := NewFinisher(n)
	return &aggregateOperator{add, end}, err
}

// Process implements Operator.
func (a *aggregateOperator) Process(_ int, b *column.Batch, _ Emit) error { return a.add.Add(b) }

// Advance implements Operator.
func (a *aggregateOperator) Advance(w column.Ticks, out Emit) error {
	if err := a.flush(w); err != nil {
		return err
	}
	return a.end.Advance(w, out)
}

func (a *aggregateOperator) flush(w column.Ticks) error {
	for _, p := range a.add.Take(w) {
		if err := a.end.Merge(p); err != nil {
			return err
		}
	}
	return nil
}

// Freeze implements Operator.
func (a *aggregateOperator) Freeze() (state.Frozen, error) {
	if err := a.flush(column.EndOfTime); err != nil {
		return nil, err
	}
	return a.end.Freeze()
}

// Load implements Operator.
func (a *aggregateOperator) Load(e state.Entry) error { return a.end.Load(e) }
