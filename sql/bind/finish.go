package bind

import (
	"spate/column"
	"spate/sql/plan"
)

// finish lists the inputs that the outputs reach and computes the plan's span.
func finish(job *plan.Job) {
	seen := map[plan.Node]column.Ticks{}
	var visit func(n plan.Node) column.Ticks
	visit = func(n plan.Node) column.Ticks {
		if span, ok := seen[n]; ok {
			return span
		}
		var below column.Ticks
		for _, in := range n.Inputs() {
			below = max(below, visit(in))
		}
		if in, ok := n.(*plan.Input); ok {
			job.Inputs = append(job.Inputs, in)
		}
		seen[n] = below + spanOf(n)
		return seen[n]
	}
	for _, out := range job.Outputs {
		job.Span = max(job.Span, visit(out.In))
	}
}

// spanOf is how far back a step looks.
func spanOf(n plan.Node) column.Ticks {
	var span column.Ticks
	switch n := n.(type) {
	case *plan.Aggregate:
		for _, w := range n.Windows {
			if w.Kind == plan.Session { // a session may last nearly twice its maximum
				span = max(span, 2*w.Hop+w.Size)
			} else {
				span = max(span, w.Size)
			}
		}
	case *plan.Analytic:
		for _, f := range n.Funcs {
			span = max(span, f.Limit)
		}
	}
	return span
}
