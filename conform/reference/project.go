package reference

import (
	"spate/column"
	"spate/sql/plan"
)

func (r *runner) project(n *plan.Project) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	out := make([]row, len(in))
	for i := range in {
		out[i] = row{time: in[i].time, at: in[i].at, traced: in[i].traced, vals: make([]column.Value, len(n.Items))}
		for k := range n.Items {
			if out[i].vals[k], err = r.eval(n.Items[k].Expr, &in[i]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
