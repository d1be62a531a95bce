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
	var out []row
	for i := range in {
		x := row{time: in[i].time, at: in[i].at, traced: in[i].traced, vals: make([]column.Value, len(n.Items))}
		var failed error
		for k := range n.Items {
			if x.vals[k], failed = r.eval(n.Items[k].Expr, &in[i]); failed != nil {
				break
			}
		}
		if failed == nil {
			out = append(out, x)
		} else if err := r.skip(n, n.In.Columns(), &in[i], failed); err != nil {
			return nil, err
		}
	}
	return out, nil
}
