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
	failed  failedRows
	skips   *skips
}

func newOrderedRows(schema *column.Schema, s *skips) *orderedRows {
	r := &orderedRows{schema: schema, skips: s}
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

// fails says that the row that has been begun has no result. What is returned ends the
// job.
func (r *orderedRows) fails(err *Error) error { return r.failed.add(len(r.time)-1, err, r.skips.skip) }

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
	if b = r.failed.without(b, r.skips.skip); b == nil {
		return nil
	}
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
	keys, args []compute.Operand
	texts      bool // every key is a vector of texts
}

func newEvaluated(g *grouping) evaluated {
	return evaluated{keys: make([]compute.Operand, len(g.keys)), args: make([]compute.Operand, len(g.aggs))}
}

// of computes a batch.
func (e *evaluated) of(g *grouping, b *column.Batch) *compute.RowError {
	if err := g.evaluate(b, e.keys, e.args); err != nil {
		return err
	}
	e.texts = true
	for _, k := range e.keys {
		e.texts = e.texts && k.Vec != nil && k.Vec.Kind == column.Text
	}
	return nil
}

// failed is an error of an aggregate.
func (g *grouping) failed(a int, t column.Ticks, err error) *Error {
	return &Error{Where: g.aggs[a].spec.Where, Time: t, Err: err, Result: true}
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
