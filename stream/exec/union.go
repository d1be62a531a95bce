package exec

import (
	"spate/column"
	"spate/sql/plan"
)

// Union passes the rows of all its inputs, columns by position.
type Union struct {
	stateless
	schema *column.Schema // nil: rows keep their own
}

// NewUnion makes the operator of u.
func NewUnion(u *plan.Union) *Union {
	if len(u.Cols) == 1 && u.Cols[0].Star {
		return &Union{}
	}
	return &Union{schema: SchemaOf(u.Cols)}
}

// Process implements Operator.
func (u *Union) Process(_ int, b *column.Batch, out Emit) error {
	if u.schema == nil {
		return out.Rows(StarBatch(b))
	}
	c := *b
	c.Schema = u.schema
	return out.Rows(&c)
}

// StarSchema is the schema of StarBatch.
func StarSchema() *column.Schema {
	return &column.Schema{Fields: []column.Field{{Name: "*", Star: true}}}
}

// StarBatch puts the columns of rows into one Star column of records.
func StarBatch(b *column.Batch) *column.Batch {
	if len(b.Cols) == 1 && b.Schema.Fields[0].Star {
		return b
	}
	c := *b
	c.Schema = StarSchema()
	v := column.Vector{Kind: column.Any, Anys: make([]column.Value, b.Rows)}
	for k := range b.LiveRows() {
		i := b.Row(k)
		v.Anys[i] = column.RecordOf(RowRecord(b, i))
	}
	c.Cols = []column.Vector{v}
	return &c
}

// RowRecord is row i as one record: Star columns are expanded in place and names
// that clash, ignoring case, with one to their left are left out.
func RowRecord(b *column.Batch, i int) *column.RecordValue {
	r := &column.RecordValue{}
	for c, f := range b.Schema.Fields {
		v := b.Cols[c].At(i)
		if !f.Star {
			addField(r, f.Name, v)
			continue
		}
		if rec := v.Record(); rec != nil {
			for k, n := range rec.Names {
				addField(r, n, rec.Values[k])
			}
		}
	}
	return r
}

func addField(r *column.RecordValue, name string, v column.Value) {
	for _, n := range r.Names {
		if column.EqualNames(n, name) {
			return
		}
	}
	r.Names, r.Values = append(r.Names, name), append(r.Values, v)
}
