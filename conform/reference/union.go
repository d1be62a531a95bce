package reference

import (
	"spate/column"
	"spate/sql/plan"
)

func (r *runner) union(n *plan.Union) ([]row, error) {
	star := len(n.Cols) == 1 && n.Cols[0].Star
	var out []row
	first := plan.FirstBranches(n)
	for m, member := range n.Ins {
		in, err := r.rows(member)
		if err != nil {
			return nil, err
		}
		cols := member.Columns()
		for i := range in {
			x := in[i]
			x.at.branch += first[m]
			if star {
				e := Expand(x.time, cols, x.vals)
				x.vals = []column.Value{column.RecordOf(&column.RecordValue{Names: e.Names, Values: e.Values})}
			}
			out = append(out, x)
		}
	}
	return out, nil
}
