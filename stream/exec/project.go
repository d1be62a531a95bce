package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Project computes the columns of a SELECT list.
type Project struct {
	stateless
	skips
	items  []value
	schema *column.Schema
	cols   []column.Vector // of the batch that was computed last
}

// NewProject compiles the items of p.
func NewProject(p *plan.Project) (*Project, error) {
	out := &Project{schema: SchemaOf(p.Columns())}
	for _, it := range p.Items {
		v, err := compile(it.Expr)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

// SchemaOf is the schema of batches with the columns of a plan node.
func SchemaOf(cols []plan.Column) *column.Schema {
	s := &column.Schema{Fields: make([]column.Field, len(cols))}
	for i, c := range cols {
		s.Fields[i] = column.Field{Name: c.Name, Star: c.Star}
	}
	return s
}

// Process implements Operator.
func (p *Project) Process(_ int, b *column.Batch, out Emit) error {
	if b.Live != nil && len(b.Live)*4 < b.Rows {
		b = b.Compact()
	}
	b, err := sound(p, b, p.skip)
	if b == nil {
		return err
	}
	res := *b
	res.Schema, res.Cols = p.schema, p.cols
	return out.Rows(&res)
}

func (p *Project) compute(b *column.Batch) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	p.cols = make([]column.Vector, len(p.items))
	var first *compute.RowError
	for i, it := range p.items {
		o, err := it.eval(b, rows)
		if err != nil {
			if first == nil || err.Row < first.Row {
				first = err
			}
			continue
		}
		if o.Vec != nil {
			p.cols[i] = *o.Vec
		} else {
			p.cols[i] = column.Constant(o.Const, b.Rows)
		}
	}
	return first
}
