package exec

import (
	"spate/column"
	"spate/sql/plan"
)

// Union passes the rows of all its inputs, columns by position.
type Union struct {
	stateless
	schema *column.Schema // nil: rows keep their own
	branch []int64        // by input: what its branches are numbered from
}

// NewUnion makes the operator of u.
func NewUnion(u *plan.Union) *Union {
	out := &Union{branch: plan.FirstBranches(u)}
	if len(u.Cols) != 1 || !u.Cols[0].Star {
		out.schema = SchemaOf(u.Cols)
	}
	return out
}

// Process implements Operator.
func (u *Union) Process(in int, b *column.Batch, out Emit) error {
	if u.schema == nil {
		b = StarBatch(b)
	}
	c := *onBranch(b, u.branch[in])
	if u.schema != nil {
		c.Schema = u.schema
	}
	return out.Rows(&c)
}

// onBranch puts rows behind all branches before first.
func onBranch(b *column.Batch, first int64) *column.Batch {
	if first == 0 {
		return b
	}
	c := *b
	c.Index = make([]int64, b.Rows)
	for i := range c.Index {
		c.Index[i] = first * column.Branch
		if b.Index != nil {
			c.Index[i] += b.Index[i]
		}
	}
	return &c
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
// that clash, ignoring case, with that of a column to their left are left out.
func RowRecord(b *column.Batch, i int) *column.RecordValue {
	r := &column.RecordValue{}
	for c, f := range b.Schema.Fields {
		v := b.Cols[c].At(i)
		left := len(r.Names)
		if !f.Star {
			addField(r, left, f.Name, v)
			continue
		}
		if rec := v.Record(); rec != nil {
			for k, n := range rec.Names {
				addField(r, left, n, rec.Values[k])
			}
		}
	}
	return r
}

// addField adds a field whose name is none of the first left.
func addField(r *column.RecordValue, left int, name string, v column.Value) {
	if !taken(r.Names[:left], name) {
		r.Names, r.Values = append(r.Names, name), append(r.Values, v)
	}
}
