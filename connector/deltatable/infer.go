package deltatable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// Inference makes the schema of a table that does not exist yet from the rows
// of the first epoch that has some. A column that the query names, and whose type
// nobody knows yet, comes to the table with its first values.
type Inference struct {
	// Columns are those that the query names, in its order; a Type that is empty
	// comes from the values. Columns that only rows name follow.
	Columns     []delta.Column
	PartitionBy []delta.Partition
	Name        string
	Properties  map[string]string
}

// inferRows is how many rows a schema, or the type of a column that comes later, is
// made from at most.
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

// exactDouble is beyond which doubles skip whole numbers.
const exactDouble = 1 << 53

// seenType is the type of a column after one more value. A whole number may be a float of which
// the fraction is 0, as JavaScript writes it, so that the column is one of doubles, unless they
// cannot hold it; other values of several kinds are text.
func seenType(t delta.Type, v column.Value) delta.Type {
	of := TypeOf(v.Kind)
	if of == delta.Long && t != delta.Long && v.Int() >= -exactDouble && v.Int() <= exactDouble {
		of = delta.Double
	}
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
	d := delta.Definition{Name: n.Name, PartitionBy: n.PartitionBy, Properties: n.Properties}
	all := n.columns(batches)
	data := false // a table needs a column that is no partition column
	for _, c := range all {
		if c.Type == "" && n.mayCome(c.Name) {
			continue
		}
		d.Columns = append(d.Columns, c)
		data = data || !slices.ContainsFunc(n.PartitionBy, func(p delta.Partition) bool { return strings.EqualFold(p.Column, c.Name) })
	}
	if !data {
		d.Columns = all
	}
	asText(d.Columns)
	return d
}

// mayCome reports whether a table can get the column later: the query names it, and it
// does not say where files lie.
func (n *Inference) mayCome(name string) bool {
	return delta.FindColumn(n.Columns, name) != nil && !slices.ContainsFunc(n.PartitionBy, func(p delta.Partition) bool {
		return strings.EqualFold(p.Column, name) || strings.EqualFold(p.DateOf, name)
	})
}

// columns are those of the query and of rows. The type is empty where neither has one.
func (n *Inference) columns(batches []*column.Batch) []delta.Column {
	var out []delta.Column
	for _, c := range n.Columns {
		out = append(out, delta.Column{Name: c.Name, Type: c.Type, Nullable: true})
	}
	for _, b := range batches {
		for _, name := range fieldNames(b) {
			if delta.FindColumn(out, name) == nil {
				out = append(out, delta.Column{Name: name, Nullable: true})
			}
		}
	}
	for i := range out {
		for _, b := range batches {
			out[i].Type = seenIn(out[i].Type, b, out[i].Name)
		}
	}
	return out
}

// asText makes columns texts of which nothing is known.
func asText(columns []delta.Column) {
	for i := range columns {
		if columns[i].Type == "" {
			columns[i].Type = delta.String
		}
	}
}

// come are the awaited columns that rows have values of, with their types.
func (l *layout) come(batches []*column.Batch) []delta.Column {
	var out []delta.Column
	for _, c := range l.awaited {
		if !slices.ContainsFunc(batches, func(b *column.Batch) bool { return hasValue(b, c.Name) }) {
			continue
		}
		t := c.Type
		for _, b := range batches {
			t = seenIn(t, b, c.Name)
		}
		out = append(out, delta.Column{Name: c.Name, Type: t, Nullable: true})
	}
	return out
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

// following is the writer that goes by the schema that the table has at the time. Of a table
// that does not exist yet, or that awaits columns, rows wait until the schema can be made from
// them; columns that others have added are written from the next batch on.
type following struct {
	sink   *Sink
	shard  int
	held   []*column.Batch
	rows   int     // of held
	writer *writer // once the table is there
	taken  int64   // rows since the last Prepare
	heavy  int64   // bytes of theirs that the sink counts
	late   []connector.LateRows
}

// Full implements connector.FullWriter.
func (w *following) Full() bool {
	o := &w.sink.opts
	return o.FullRows > 0 && w.sink.waiting.Load() >= o.FullRows || o.FullBytes > 0 && w.sink.heavy.Load() >= o.FullBytes
}

// count tells the sink what the writer holds, of rows that it has just taken.
func (w *following) count(rows int64) {
	w.taken += rows
	w.sink.waiting.Add(rows)
	if w.writer == nil {
		return
	}
	now := w.writer.size()
	w.sink.heavy.Add(now - w.heavy)
	w.heavy = now
}

// uncount forgets it: the epoch is prepared, or over.
func (w *following) uncount() {
	w.sink.waiting.Add(-w.taken)
	w.sink.heavy.Add(-w.heavy)
	w.taken, w.heavy = 0, 0
}

// Write implements connector.Writer.
func (w *following) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	bad, err := w.write(ctx, b)
	if err == nil {
		w.count(int64(b.LiveRows() - len(bad)))
	}
	return bad, err
}

func (w *following) write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	if w.writer != nil && len(w.held) == 0 {
		if _, l := w.sink.now(); l != w.writer.layout {
			next, err := w.writer.next(ctx, l)
			if err != nil {
				return nil, err // and Close deletes the files of the old one
			}
			w.writer = next
		}
		if !w.writer.brings(b) {
			return w.writer.Write(ctx, b)
		}
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

// brings reports whether a row has a value of an awaited column.
func (l *layout) brings(b *column.Batch) bool {
	return slices.ContainsFunc(l.awaited, func(c delta.Column) bool { return hasValue(b, c.Name) })
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

// begin makes the table, or the columns that have come, and writes the rows that
// waited for it.
func (w *following) begin(ctx context.Context) error {
	l, err := w.sink.layoutFor(ctx, w.held)
	if err != nil {
		return err
	}
	switch {
	case w.writer == nil:
		w.writer = w.sink.newWriter(l, w.shard)
	case w.writer.layout != l:
		next, err := w.writer.next(ctx, l)
		if err != nil {
			return err // and Close deletes the files of the old one
		}
		w.writer = next
	}
	for _, b := range w.held {
		bad, err := w.writer.Write(ctx, b)
		if err != nil {
			return err
		}
		if len(bad) > 0 {
			w.late = append(w.late, connector.LateRows{Batch: b, Bad: bad})
		}
	}
	w.held, w.rows = nil, 0
	return nil
}

// Late implements connector.LateWriter: another writer may have made the table or the
// column, and with other types.
func (w *following) Late() []connector.LateRows {
	out := w.late
	w.late = nil
	return out
}

// Prepare implements connector.Writer.
func (w *following) Prepare(ctx context.Context, epoch connector.Epoch) (connector.Prepared, error) {
	if w.rows > 0 {
		if err := w.begin(ctx); err != nil {
			return nil, fmt.Errorf("prepare epoch %d: %w", epoch.Number, err)
		}
	}
	w.uncount()
	if w.writer == nil {
		return nil, nil
	}
	return w.writer.Prepare(ctx, epoch)
}

// Close implements connector.Writer.
func (w *following) Close() error {
	w.uncount()
	w.held = nil
	if w.writer == nil {
		return nil
	}
	return w.writer.Close()
}

// layoutFor is the layout of the table that takes rows: it makes the table and adds the
// columns that are missing. What a crash leaves behind, an empty table or a column
// without values, is taken at the next start.
func (s *Sink) layoutFor(ctx context.Context, rows []*column.Batch) (*layout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table == nil {
		if err := s.create(ctx, rows); err != nil {
			return nil, err
		}
	}
	columns := s.layout.come(rows)
	if len(columns) == 0 {
		return s.layout, nil
	}
	snap, err := s.table.AddColumns(ctx, s.layout.snap, columns)
	if err != nil {
		return nil, fmt.Errorf("output table: %w", err)
	}
	l, err := newLayout(snap, s.opts.Infer)
	if err != nil {
		return nil, fmt.Errorf("output table %s: %w", s.opts.Path, err)
	}
	s.opts.Log.Info("the table has new columns", "table", s.opts.Path, "columns", listed(columns))
	s.layout = l
	return l, nil
}

// create makes the table for rows, or takes the one that another writer made
// meanwhile.
func (s *Sink) create(ctx context.Context, rows []*column.Batch) error {
	d := s.opts.Infer.definition(rows)
	t, err := s.opts.Tables.Create(ctx, s.opts.Path, d)
	if errors.Is(err, delta.ErrTableExists) {
		t, err = s.opts.Tables.Open(ctx, s.opts.Path)
	} else if err == nil {
		s.opts.Log.Info("table created from its first rows", "table", s.opts.Path, "columns", listed(d.Columns))
	}
	if err != nil {
		return fmt.Errorf("output table: %w", err)
	}
	return s.take(t)
}

func listed(columns []delta.Column) string {
	var list []string
	for _, c := range columns {
		list = append(list, c.Name+" "+string(c.Type))
	}
	return strings.Join(list, ", ")
}
