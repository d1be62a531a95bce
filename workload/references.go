package workload

import (
	"context"
	"fmt"

	"spate/column"
	"spate/column/format"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream/exec"
)

// oneTable is one table for all times.
type oneTable struct{ t *exec.Table }

// At implements exec.Tables.
func (o oneTable) At(column.Ticks) (*exec.Table, column.Ticks, column.Ticks, error) {
	return o.t, 0, column.EndOfTime, nil
}

// measureReference joins events as the decoder gives them with 100,000 rows of reference
// data, by a text and by a number, and by keys of which half have no row. What it takes to
// read the events is no part of it.
func measureReference(_ context.Context, r *Report) error {
	const n, rounds, rows = 100 << 10, 10, 100_000
	var data []byte
	for i := range rows {
		data = fmt.Appendf(data, `{"d":"device-%06d","n":%d,"site":"site-%03d","most":%d.5}`, i, i, i%500, i%97)
	}
	for _, c := range []struct {
		name, script string
		budget       float64
	}{
		{"by a text", "SELECT i.d, i.v, r.site, r.most INTO o FROM i JOIN ref r ON i.d = r.d", 60},
		{"by a number, LEFT JOIN, half without a row", "SELECT i.d, i.v, r.site, r.most INTO o FROM i LEFT JOIN ref r ON i.n = r.n", 60},
		{"by a text and a condition", "SELECT i.d, i.v, r.site INTO o FROM i JOIN ref r ON i.d = r.d AND i.v > r.most", 0},
	} {
		job, errs, _ := bind.Script(c.script, bind.Options{References: []string{"ref"}})
		if len(errs) > 0 {
			return errs
		}
		node := job.Outputs[0].In.Inputs()[0].(*plan.Lookup)
		op, err := exec.NewLookup(node)
		if err != nil {
			return err
		}
		before := used()
		table, err := exec.NewTable(node, newDecoded(node.Ref).rows(data), nil)
		if err != nil {
			return err
		}
		op.Tables = oneTable{table}
		if c.budget > 0 {
			r.add("reference data "+c.name+", making the table", "CPU-ns/row", float64(used().since(before).cpu)/rows, 0)
		}
		var batches []*column.Batch
		events := newDecoded(node.In)
		for i := 0; i < n; i += 1024 {
			var chunk []byte
			for k := range 1024 {
				at := (i + k) * 7919 % rows
				chunk = fmt.Appendf(chunk, `{"d":"device-%06d","n":%d,"v":%d.25}`, at, at*2, i%97)
			}
			batches = append(batches, events.rows(chunk))
		}
		var out nothing
		before = used()
		for range rounds {
			for _, b := range batches {
				if err := op.Process(0, b, &out); err != nil {
					return err
				}
			}
		}
		u := used().since(before)
		if c.budget > 0 && out.rows != n*rounds {
			return fmt.Errorf("the join with reference data %s gave %d rows, want %d", c.name, out.rows, n*rounds)
		}
		r.add("reference data of 100,000 rows "+c.name, "CPU-ns/event", float64(u.cpu)/(n*rounds), c.budget)
	}
	return nil
}

// decodedRows makes rows of a projection of an input.
type decodedRows struct {
	d      *format.Decoder
	schema *column.Schema
	seq    int64
}

func newDecoded(n plan.Node) *decodedRows {
	var cols []format.Column
	in := n.Inputs()[0].(*plan.Input)
	for _, it := range n.(*plan.Project).Items {
		cols = append(cols, format.Column{Path: in.Cols[it.Expr.(*plan.Col).Index].Path})
	}
	return &decodedRows{d: format.NewDecoder(cols, format.Options{}), schema: exec.SchemaOf(n.Columns())}
}

// rows are those of JSON objects that stand behind one another.
func (d *decodedRows) rows(data []byte) *column.Batch {
	size := uint32(len(data))
	rows := d.d.Decode(append(data, make([]byte, 16)...), []uint32{0}, []uint32{size}, 0)
	b := &column.Batch{Schema: d.schema, Rows: rows.Rows, Cols: rows.Cols, Time: make([]column.Ticks, rows.Rows), Seq: make([]int64, rows.Rows)}
	for i := range b.Time {
		b.Time[i], b.Seq[i] = benchEpoch+column.Ticks(d.seq), d.seq
		d.seq++
	}
	return b
}
