package exec

import (
	"math"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// outputRows is how many rows an ordered window puts into a batch.
const outputRows = 1024

// orderedRows gathers output rows, which come in order, into batches.
type orderedRows struct {
	schema  *column.Schema
	cols    []*column.Builder
	time    []column.Ticks
	arrived []column.Ticks
	seq     []int64
	index   []int64
	indexed bool // some index is not 0
}

func newOrderedRows(schema *column.Schema) *orderedRows {
	r := &orderedRows{schema: schema}
	for range schema.Fields {
		r.cols = append(r.cols, column.NewBuilder(nil))
	}
	return r
}

// begin begins a row of time at that stands where p does. Its values are appended to
// cols.
func (r *orderedRows) begin(at column.Ticks, p column.Position) {
	r.time, r.arrived = append(r.time, at), append(r.arrived, p.Arrived)
	r.seq, r.index = append(r.seq, p.Seq), append(r.index, p.Index)
	r.indexed = r.indexed || p.Index != 0
}

// end ends a row. It emits the batch if that is full.
func (r *orderedRows) end(out Emit) error {
	if len(r.time) < outputRows {
		return nil
	}
	return r.flush(out)
}

// fail emits the rows before one that failed, which may have been begun, and returns
// the error of that. It is the end of the operator.
func (r *orderedRows) fail(err error, out Emit) error {
	n := len(r.time)
	for _, c := range r.cols {
		n = min(n, c.Rows())
	}
	if n == 0 {
		return err
	}
	b := &column.Batch{Schema: r.schema, Rows: n, Time: r.time[:n], Arrived: r.arrived[:n], Seq: r.seq[:n]}
	if r.indexed {
		b.Index = r.index[:n]
	}
	for _, c := range r.cols {
		v := c.Vector()
		b.Cols = append(b.Cols, v.Gather(upTo(n)))
	}
	if flushed := out.Rows(b); flushed != nil {
		return flushed
	}
	return err
}

// flush emits the rows that are left.
func (r *orderedRows) flush(out Emit) error {
	if len(r.time) == 0 {
		return nil
	}
	b := &column.Batch{Schema: r.schema, Rows: len(r.time), Time: r.time, Arrived: r.arrived, Seq: r.seq}
	if r.indexed {
		b.Index = r.index
	}
	for _, c := range r.cols {
		b.Cols = append(b.Cols, c.Vector())
	}
	n := len(r.time) // as many rows may well follow
	r.time, r.arrived = make([]column.Ticks, 0, n), make([]column.Ticks, 0, n)
	r.seq, r.index, r.indexed = make([]int64, 0, n), make([]int64, 0, n), false
	return out.Rows(b)
}

// windowID is the value of Window.Id in the rows of a window.
func windowID(w *plan.Window) column.Value {
	if w.ID == "" {
		return column.Value{}
	}
	return column.TextOf(w.ID)
}

// evaluated are the keys and arguments of an aggregation over one batch.
type evaluated struct {
	rows       compute.Rows
	keys, args []compute.Operand
	texts      bool // every key is a vector of texts
}

func (g *grouping) evaluate(b *column.Batch) (*evaluated, error) {
	e := &evaluated{rows: compute.Rows{N: b.Rows, Live: b.Live}, args: make([]compute.Operand, len(g.aggs))}
	var err error
	if e.keys, err = operands(g.keys, b, e.rows); err != nil {
		return nil, err
	}
	e.texts = true
	for _, k := range e.keys {
		e.texts = e.texts && k.Vec != nil && k.Vec.Kind == column.Text
	}
	for i := range g.aggs {
		if g.aggs[i].arg == nil {
			continue
		}
		var err *compute.RowError
		if e.args[i], err = g.aggs[i].arg.eval(b, e.rows); err != nil {
			return nil, rowError(b, err)
		}
	}
	return e, nil
}

// failed is an error of an aggregate.
func (g *grouping) failed(a int, t column.Ticks, err error) error {
	return &Error{Where: g.aggs[a].spec.Where, Time: t, Err: err}
}

// operands evaluates several expressions over a batch.
func operands(of []value, b *column.Batch, rows compute.Rows) ([]compute.Operand, error) {
	out := make([]compute.Operand, len(of))
	for k, v := range of {
		var err *compute.RowError
		if out[k], err = v.eval(b, rows); err != nil {
			return nil, rowError(b, err)
		}
	}
	return out, nil
}

// spelling returns the keys of row i if they print otherwise than those by which
// table knows their group, else nil: 1 and 1.0 are one group, and a window prints the
// keys of its first row.
func (e *evaluated) spelling(table *groupKeys, group int32, i int) []column.Value {
	if e.texts {
		return nil // texts of one group are equal
	}
	for k := range e.keys {
		if exactly(e.keys[k].At(i), table.key(int(group), k)) {
			continue
		}
		keys := make([]column.Value, len(e.keys))
		for k := range keys {
			keys[k] = e.keys[k].At(i)
		}
		return keys
	}
	return nil
}

// exactly reports whether two values are the same to the bit.
func exactly(a, b column.Value) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case column.Null:
		return true
	case column.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	case column.Record, column.Array:
		return string(column.AppendBinary(nil, a)) == string(column.AppendBinary(nil, b))
	}
	return column.Same(a, b)
}

// keysOf are the n keys of a group as table knows them.
func keysOf(table *groupKeys, n int, group int32) []column.Value {
	keys := make([]column.Value, n)
	for k := range keys {
		keys[k] = table.key(int(group), k)
	}
	return keys
}
