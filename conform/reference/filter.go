package reference

import "spate/sql/plan"

func (r *runner) filter(n *plan.Filter) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	var out []row
	for i := range in {
		ok, err := r.holds(n.Cond, &in[i])
		if err != nil {
			if err := r.skip(n, n.In.Columns(), &in[i], err); err != nil {
				return nil, err
			}
			continue
		}
		if ok {
			out = append(out, in[i])
		}
	}
	return out, nil
}
