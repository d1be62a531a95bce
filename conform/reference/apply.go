package reference

import (
	"fmt"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// apply puts a row into the place of each part of a value. Rows of one place are numbered
// through.
func (r *runner) apply(n *plan.Apply) ([]row, error) {
	in, err := r.rows(n.In)
	if err != nil {
		return nil, err
	}
	var out []row
	for i := range in {
		parts, err := r.partsOf(n, &in[i])
		if err != nil {
			if err := r.skip(n, n.In.Columns(), &in[i], err); err != nil {
				return nil, err
			}
			continue
		}
		if len(parts) == 0 && n.Outer {
			parts = [][3]column.Value{{}}
		}
		for _, part := range parts {
			x := row{time: in[i].time, at: in[i].at, traced: in[i].traced}
			for _, k := range n.Keep {
				x.vals = append(x.vals, in[i].vals[k])
			}
			for _, m := range n.Makes {
				x.vals = append(x.vals, part[m.What])
			}
			x.at.turn = 0
			if n := len(out) - 1; n >= 0 && behind(&out[n], &x) {
				x.at.turn = out[n].at.turn + 1
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// partsOf are the parts of the value of a row: place, value and both.
func (r *runner) partsOf(n *plan.Apply, x *row) ([][3]column.Value, error) {
	v, err := r.eval(n.Arg, x)
	if err != nil {
		return nil, err
	}
	of, names := column.Array, []string{"ArrayIndex", "ArrayValue"}
	if n.Kind == plan.Properties {
		of, names = column.Record, []string{"PropertyName", "PropertyValue"}
	}
	if v.Kind != of && v.Kind != column.Null {
		at := n.Where.From
		return nil, fmt.Errorf("Cannot cast value of type '%s' to type '%s' in expression '%s'. At line '%d' and column '%d'. TRY_CAST function can be used to handle values with unexpected type.",
			v.Kind, of, n.Text, at.Line, at.Col)
	}
	var out [][3]column.Value
	add := func(place, value column.Value) {
		whole := &column.RecordValue{Names: slices.Clone(names), Values: []column.Value{place, value}}
		out = append(out, [3]column.Value{place, value, column.RecordOf(whole)})
	}
	for k, e := range v.Array() {
		add(column.IntOf(int64(k)), e)
	}
	if rec := v.Record(); rec != nil {
		for k, name := range rec.Names {
			add(column.TextOf(name), rec.Values[k])
		}
	}
	return out, nil
}
