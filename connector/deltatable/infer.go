package deltatable

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// Inference makes the schema of a table that does not exist yet from the rows
// of the first epoch that has some.
type Inference struct {
	// Columns are those that the query names, in its order; a Type that is empty
	// comes from the values. Columns that only rows name follow.
	Columns     []delta.Column
	PartitionBy []delta.Partition
	Name        string
}

// inferRows is how many rows a schema is made from at most.
const inferRows = 10_000

// TypeOf is the type of a column of values of one kind; empty if the kind says
// nothing.
func TypeOf(k column.Kind) delta.Type {
	switch k {
	case column.Bool:
		return delta.Boolean
	case column.Int64:
		return delta.Long
	case column.Float64:
		return delta.Double
	case column.Time:
		return delta.Timestamp
	case column.Text, column.Record, column.Array:
		return delta.String
	}
	return ""
}

// seenType is the type of a column after one more value. Bigints among floats
// are floats; other values of several kinds are text.
func seenType(t delta.Type, v column.Value) delta.Type {
	of := TypeOf(v.Kind)
	switch {
	case of == "" || of == t:
		return t
	case t == "":
		return of
	case t == delta.Long && of == delta.Double, t == delta.Double && of == delta.Long:
		return delta.Double
	}
	return delta.String
}

// definition makes the schema of the table from rows.
func (n *Inference) definition(batches []*column.Batch) delta.Definition {
	d := delta.Definition{Name: n.Name, PartitionBy: n.PartitionBy}
	for _, c := range n.Columns {
		d.Columns = append(d.Columns, delta.Column{Name: c.Name, Type: c.Type, Nullable: true})
	}
	for _, b := range batches {
		for _, name := range fieldNames(b) {
			if delta.FindColumn(d.Columns, name) == nil {
				d.Columns = append(d.Columns, delta.Column{Name: name, Nullable: true})
			}
		}
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		t := c.Type
		for _, b := range batches {
			t = seenIn(t, b, c.Name)
		}
		if t == "" {
			t = delta.String
		}
		c.Type = t
	}
	return d
}

func seenIn(t delta.Type, b *column.Batch, name string) delta.Type {
	v, ok := flatColumn(b, name)
	if !ok {
		return t
	}
	for k := range b.LiveRows() {
		if row := b.Row(k); !v.IsNull(row) {
			t = seenType(t, v.At(row))
		}
	}
	return t
}

// inferring is the writer of a table that does not exist yet: rows wait until
// the schema can be made from them.
type inferring struct {
	sink   *Sink
	shard  int
	held   []*column.Batch
	rows   int
	writer *writer // once the table is there
	late   []connector.LateRows
}

// Write implements connector.Writer.
func (w *inferring) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	if w.writer != nil {
		return w.writer.Write(ctx, b)
	}
	bad := badRows{}
	if live := readable(b, bad); len(live) > 0 {
		w.held = append(w.held, b.WithLive(live))
		w.rows += len(live)
	}
	if w.rows >= inferRows {
		if err := w.begin(ctx); err != nil {
			return nil, err
		}
	}
	return bad.list(), nil
}

// readable are the live rows whose texts a table can hold; the others go to bad.
func readable(b *column.Batch, bad badRows) []int32 {
	live := make([]int32, 0, b.LiveRows())
	for k := range b.LiveRows() {
		row := b.Row(k)
		if name := badText(b, row); name != "" {
			bad.add(int32(row), "column %s: the text is no UTF-8", name)
			continue
		}
		live = append(live, int32(row))
	}
	return live
}

// badText names a column of the row whose text no table can hold.
func badText(b *column.Batch, row int) string {
	for i := range b.Schema.Fields {
		v := &b.Cols[i]
		switch {
		case b.Schema.Fields[i].Star:
			if r := v.At(row).Record(); r != nil {
				for k, x := range r.Values {
					if x.Kind == column.Text && !utf8.ValidString(x.Text()) {
						return r.Names[k]
					}
				}
			}
		case v.IsNull(row):
		case v.Kind == column.Text && !utf8.Valid(v.TextAt(row)),
			v.Kind == column.Any && v.At(row).Kind == column.Text && !utf8.ValidString(v.At(row).Text()):
			return b.Schema.Fields[i].Name
		}
	}
	return ""
}

// begin makes the table and writes the rows that waited for it.
func (w *inferring) begin(ctx context.Context) error {
	if err := w.sink.create(ctx, w.held); err != nil {
		return err
	}
	w.writer = w.sink.newWriter(w.shard)
	for _, b := range w.held {
		bad, err := w.writer.Write(ctx, b)
		if err != nil {
			return err
		}
		if len(bad) > 0 {
			w.late = append(w.late, connector.LateRows{Batch: b, Bad: bad})
		}
	}
	w.held = nil
	return nil
}

// Late implements connector.LateWriter: another writer may have made the table,
// and with other types.
func (w *inferring) Late() []connector.LateRows {
	out := w.late
	w.late = nil
	return out
}

// Prepare implements connector.Writer.
func (w *inferring) Prepare(ctx context.Context, epoch connector.Epoch) (connector.Prepared, error) {
	if w.writer == nil {
		if w.rows == 0 {
			return nil, nil
		}
		if err := w.begin(ctx); err != nil {
			return nil, fmt.Errorf("prepare epoch %d: %w", epoch.Number, err)
		}
	}
	return w.writer.Prepare(ctx, epoch)
}

// Close implements connector.Writer.
func (w *inferring) Close() error {
	w.held = nil
	if w.writer == nil {
		return nil
	}
	return w.writer.Close()
}

// create makes the table for rows, or takes the one that another writer made
// meanwhile. An empty table that a crash leaves behind is taken at the next start.
func (s *Sink) create(ctx context.Context, rows []*column.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		return nil
	}
	do := s.deltaOptions()
	d := s.opts.Infer.definition(rows)
	t, err := do.Create(ctx, s.opts.Store, s.opts.Path, d)
	if errors.Is(err, delta.ErrTableExists) {
		t, err = do.Open(ctx, s.opts.Store, s.opts.Path)
	} else if err == nil {
		var cols []string
		for _, c := range d.Columns {
			cols = append(cols, c.Name+" "+string(c.Type))
		}
		s.opts.Log.Info("table created from its first rows", "table", s.opts.Path, "columns", strings.Join(cols, ", "))
	}
	if err != nil {
		return fmt.Errorf("output table: %w", err)
	}
	return s.take(t)
}
