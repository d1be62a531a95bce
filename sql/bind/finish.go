package bind

import (
	"spate/column"
	"spate/sql/plan"
)

// finish lists the inputs that the outputs reach and computes the plan's span.
func finish(job *plan.Job) {
	spans := map[plan.Node]column.Ticks{}
	plan.Walk(job, func(n plan.Node) {
		var below column.Ticks
		for _, in := range n.Inputs() {
			below = max(below, spans[in])
		}
		if in, ok := n.(*plan.Input); ok {
			job.Inputs = append(job.Inputs, in)
		}
		spans[n] = min(below+n.Reach(), column.MaxTicks)
	})
	plan.WalkReferences(job, func(n plan.Node) {
		if in, ok := n.(*plan.Input); ok {
			job.Refs = append(job.Refs, in)
		}
	})
	for _, out := range job.Outputs {
		job.Span = max(job.Span, spans[out.In])
	}
}
