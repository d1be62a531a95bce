package deltatable

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"spate/column"
	"spate/connector"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// writer implements connector.Writer. Rows wait in one open file per partition.
type writer struct {
	sink *Sink
	*layout
	shard int
	trial bool                 // rows are looked at and not written
	open  map[string]*openFile // by partition values
	done  prepared             // files in the store that Prepare has not handed out
	spare []*openFile          // ended ones whose memory serves again

	scratch parquetfile.Scratch // of all files: one is encoded at a time
	// The plan for one schema: which column of a batch fills which of the layout, -1
	// for none.
	schema         *column.Schema
	colsAt         []int
	partsAt        []int
	daysAt         []int // of parts: the batch column whose day it is
	someColumn     bool
	extra          int    // columns that the table does not have
	unlike         string // how a strict output's columns are not the table's
	warned         map[string]bool
	shapes         []*shape // of rows with Star columns
	oldest         int      // of shapes
	flatSchema     *column.Schema
	parquetColumns []parquetfile.Column
	dataColumns    []delta.Column
}

// openFile is a data file that still takes rows.
type openFile struct {
	values map[string]*string
	body   bytes.Buffer
	file   *parquetfile.Writer
}

func (f *openFile) size() int64 { return f.file.Buffered() + int64(f.body.Len()) }

// OpenWriter implements connector.Sink.
func (s *Sink) OpenWriter(_ context.Context, by connector.Shard) (connector.Writer, error) {
	_, l := s.now()
	if s.refused != nil {
		return nil, s.refused
	}
	if l == nil {
		return &following{sink: s, shard: by.Number}, nil
	}
	return &following{sink: s, shard: by.Number, writer: s.newWriter(l, by.Number)}, nil
}

func (s *Sink) newWriter(l *layout, shard int) *writer {
	w := &writer{sink: s, layout: l, shard: shard, open: make(map[string]*openFile)}
	for _, c := range l.cols {
		w.dataColumns = append(w.dataColumns, c.Column)
		w.parquetColumns = append(w.parquetColumns, parquetfile.Column{Name: c.FileName(), ID: c.ID, Type: c.parquet, Nullable: c.Nullable})
	}
	return w
}

// next is the writer that goes on behind w, for a new layout of the table.
func (w *writer) next(ctx context.Context, l *layout) (*writer, error) {
	if err := w.finishAll(ctx); err != nil {
		return nil, err
	}
	n := w.sink.newWriter(l, w.shard)
	n.done, n.warned = w.done, w.warned
	return n, nil
}

// plan matches the columns of a schema.
func (w *writer) plan(s *column.Schema) {
	find := func(name string) int {
		at := -1
		for i, f := range s.Fields {
			if f.Name == name {
				return i
			}
			if at < 0 && strings.EqualFold(f.Name, name) {
				at = i
			}
		}
		return at
	}
	w.schema, w.colsAt, w.partsAt, w.daysAt, w.someColumn = s, w.colsAt[:0], w.partsAt[:0], w.daysAt[:0], false
	for _, c := range w.cols {
		w.colsAt = append(w.colsAt, find(c.Name))
		w.someColumn = w.someColumn || w.colsAt[len(w.colsAt)-1] >= 0
	}
	for _, c := range w.awaited {
		w.someColumn = w.someColumn || find(c.Name) >= 0
	}
	for _, c := range w.parts {
		w.partsAt = append(w.partsAt, find(c.Name))
		w.someColumn = w.someColumn || w.partsAt[len(w.partsAt)-1] >= 0
		day := -1
		if c.source != "" {
			day = find(c.source)
		}
		w.daysAt = append(w.daysAt, day)
	}
	w.extra, w.unlike = 0, ""
	if w.sink.opts.Strict {
		w.unlike = w.layout.differs(fieldsOfSchema(s))
		return
	}
	for i := range s.Fields {
		if !s.Fields[i].Star && !w.takes(s.Fields[i].Name) {
			w.extra++
			w.warnExtra(s.Fields[i].Name)
		}
	}
}

// warnExtra says once of each name that the table does not have the column.
func (w *writer) warnExtra(name string) {
	const most = 100 // names come from events
	if low := strings.ToLower(name); !w.trial && !w.warned[low] && len(w.warned) < most {
		if w.warned == nil {
			w.warned = make(map[string]bool)
		}
		w.warned[low] = true
		w.sink.opts.Log.Warn("a column is not in the table: its values are dropped", "table", w.sink.opts.Name, "column", name)
	}
}

// Write implements connector.Writer.
func (w *writer) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	bad := badRows{}
	vecs, parts, b, rows := w.judge(b, bad)
	if len(rows) == 0 {
		return bad.list(), nil
	}
	for _, g := range group(parts, bad.fitting(rows)) {
		values := make([]*string, len(parts))
		for p, v := range parts {
			values[p] = w.parts[p].text(v, g[0])
		}
		if len(g) == b.Rows {
			g = nil // all: the quick way
		}
		if err := w.append(ctx, values, vecs, g, b.Rows); err != nil {
			return nil, err
		}
	}
	return bad.list(), w.shrink(ctx)
}

// judge makes the columns of the table and its partition columns, and returns the batch
// that these come from and its rows; those that do not fit go to bad.
func (w *writer) judge(b *column.Batch, bad badRows) (vecs, parts []*column.Vector, flat *column.Batch, rows []int32) {
	vecs, flat, rows = w.convert(b, bad)
	if len(rows) == 0 {
		return nil, nil, flat, nil
	}
	parts = make([]*column.Vector, len(w.parts))
	for p := range w.parts {
		parts[p] = w.partition(p, flat, rows, bad)
		w.parts[p].checkNull(parts[p], rows, bad)
	}
	return vecs, parts, flat, rows
}

// Refuses implements connector.Judging. A table that is not made yet refuses nothing.
func (s *Sink) Refuses(b *column.Batch) []connector.BadRow {
	_, l := s.now()
	if l == nil {
		return nil
	}
	w := s.newWriter(l, 0)
	w.trial = true
	bad := badRows{}
	w.judge(b, bad)
	return bad.list()
}

// convert makes the columns of the table, and returns the batch that the partition
// columns come from and its rows that may fit; the others go to bad. Rows that do not fit
// one of the columns are in both.
func (w *writer) convert(b *column.Batch, bad badRows) (vecs []*column.Vector, flat *column.Batch, rows []int32) {
	star := hasStar(b.Schema)
	if star && b.LiveRows() > 0 {
		b = w.flat(b, bad)
	}
	if w.schema != b.Schema {
		w.plan(b.Schema)
	}
	rows = make([]int32, b.LiveRows())
	for k := range rows {
		rows[k] = int32(b.Row(k))
	}
	if !w.trial {
		w.sink.extra.Add(int64(w.extra) * int64(len(rows)))
	}
	if w.unlike != "" && !star {
		for _, i := range rows {
			bad.add(i, "%s", w.unlike)
		}
		return nil, b, nil
	}
	if !w.someColumn {
		for _, i := range rows {
			bad.add(i, "no column of the row is a column of table %s", w.sink.opts.Path)
		}
		return nil, b, nil
	}
	vecs = make([]*column.Vector, len(w.cols))
	for c, at := range w.colsAt {
		t := &w.cols[c]
		if at >= 0 {
			vecs[c] = t.convert(&b.Cols[at], rows, bad)
		}
		t.checkNull(vecs[c], rows, bad)
	}
	return vecs, b, rows
}

// fitting are the rows that are not bad.
func (b badRows) fitting(rows []int32) []int32 {
	if len(b) == 0 {
		return rows
	}
	return slices.DeleteFunc(rows, func(i int32) bool { _, is := b[i]; return is })
}

func (b badRows) list() []connector.BadRow {
	if len(b) == 0 {
		return nil
	}
	out := make([]connector.BadRow, 0, len(b))
	for _, i := range slices.Sorted(maps.Keys(b)) {
		out = append(out, connector.BadRow{Row: int(i), Reason: b[i]})
	}
	return out
}

func (t *target) checkNull(v *column.Vector, rows []int32, bad badRows) {
	if t.Nullable {
		return
	}
	for _, i := range rows {
		if isNull(v, i) {
			bad.add(i, "column %s is NOT NULL and the row has no value", t.Name)
		}
	}
}

func isNull(v *column.Vector, i int32) bool {
	return v == nil || v.IsNull(int(i)) || v.Codes != nil && v.Codes[i] == 0
}

// append adds rows to the open file of a partition.
func (w *writer) append(ctx context.Context, values []*string, vecs []*column.Vector, rows []int32, n int) error {
	var key strings.Builder
	for _, v := range values {
		if v == nil {
			key.WriteString("-")
		} else {
			fmt.Fprintf(&key, "%d:%s", len(*v), *v)
		}
	}
	f := w.open[key.String()]
	if f == nil {
		if len(w.open) >= w.sink.opts.MaxOpen {
			if err := w.finish(ctx, w.largest()); err != nil {
				return err
			}
		}
		var err error
		if f, err = w.begin(); err != nil {
			return fmt.Errorf("output table %s: %w", w.sink.opts.Path, err)
		}
		f.values = make(map[string]*string, len(values))
		for p, v := range values {
			f.values[w.parts[p].FileName()] = v
		}
		w.open[key.String()] = f
	}
	if err := f.file.Append(vecs, rows, n); err != nil {
		return fmt.Errorf("output table %s: %w", w.sink.opts.Path, err)
	}
	if int64(f.body.Len()) >= w.sink.opts.TargetFileBytes {
		return w.finish(ctx, key.String())
	}
	return nil
}

// begin makes a file without rows.
func (w *writer) begin() (*openFile, error) {
	if n := len(w.spare); n > 0 {
		f := w.spare[n-1]
		w.spare = w.spare[:n-1]
		f.body.Reset()
		return f, f.file.Reset(&f.body)
	}
	f := &openFile{}
	var err error
	f.file, err = parquetfile.NewWriter(&f.body, w.parquetColumns, parquetfile.Options{Codec: w.codec, CreatedBy: w.sink.opts.EngineInfo,
		BufferBytes: w.sink.opts.BufferBytes, Scratch: &w.scratch})
	return f, err
}

// size is about how many bytes the files of the epoch have: rows that are not encoded yet will
// have a fifth of theirs.
func (w *writer) size() int64 {
	n := int64(0)
	for _, a := range w.done.Adds {
		n += a.Size
	}
	for _, f := range w.open {
		n += int64(f.body.Len()) + f.file.Buffered()/5
	}
	return n
}

// shrink keeps the memory of the writer bounded.
func (w *writer) shrink(ctx context.Context) error {
	for {
		total := int64(0)
		for _, f := range w.open {
			total += f.size()
		}
		if total <= w.sink.opts.BufferBytes {
			return nil
		}
		key := w.largest()
		if f := w.open[key]; f.file.Buffered() > int64(f.body.Len()) {
			if err := f.file.Flush(); err != nil {
				return fmt.Errorf("output table %s: %w", w.sink.opts.Path, err)
			}
			continue
		}
		if err := w.finish(ctx, key); err != nil {
			return err
		}
	}
}

func (w *writer) largest() string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(w.open)), func(a, b string) int { return cmp.Compare(w.open[a].size(), w.open[b].size()) })
}

// finish ends a file and puts it into the store, where no version names it yet.
func (w *writer) finish(ctx context.Context, key string) error {
	f, s := w.open[key], w.sink
	delete(w.open, key)
	st, err := f.file.Close()
	if err != nil {
		return fmt.Errorf("output table %s: %w", s.opts.Path, err)
	}
	size := int64(f.body.Len())
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	// The random part tells epochs and incarnations apart: a file of an epoch
	// that is prepared again never meets its own leftover.
	name := fmt.Sprintf("part-%05d-%x-%x-%x-%x-%x-c000.%sparquet", w.shard, id[:4], id[4:6], id[6:8], id[8:10], id[10:], codecPart(w.codec))
	file := w.snap.Folder(f.values) + name
	if _, err := s.opts.Store.Create(ctx, path.Join(s.opts.Path, file), bytes.NewReader(f.body.Bytes())); err != nil {
		return fmt.Errorf("output table %s: data file: %w", s.opts.Path, err)
	}
	if len(w.spare) == 0 { // one is enough for a stream: most epochs write one day
		w.spare = append(w.spare, f)
	}
	w.done.Rows += st.Rows
	w.done.Adds = append(w.done.Adds, &delta.Add{Path: delta.EncodePath(file), PartitionValues: f.values, Size: size,
		ModificationTime: s.opts.Clock().UnixMilli(), DataChange: true, Stats: w.snap.StatsOf(w.dataColumns, st)})
	return nil
}

func (w *writer) finishAll(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(w.open)) {
		if err := w.finish(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func codecPart(codec string) string {
	switch codec {
	case "uncompressed":
		return ""
	case "gzip":
		return "gz."
	}
	return codec + "."
}

// Prepare implements connector.Writer.
func (w *writer) Prepare(ctx context.Context, epoch connector.Epoch) (connector.Prepared, error) {
	if err := w.finishAll(ctx); err != nil {
		return nil, fmt.Errorf("prepare epoch %d: %w", epoch.Number, err)
	}
	if len(w.done.Adds) == 0 {
		return nil, nil
	}
	out, err := json.Marshal(w.done)
	if err != nil {
		return nil, fmt.Errorf("prepare epoch %d of %s: %w", epoch.Number, w.sink.opts.Path, err)
	}
	w.done = prepared{}
	return out, nil
}

// Close implements connector.Writer. Files that were not prepared are deleted.
func (w *writer) Close() error {
	var keys []string
	for _, a := range w.done.Adds {
		keys = append(keys, w.snap.Key(a))
	}
	w.open, w.done = nil, prepared{}
	return w.sink.opts.Store.Delete(context.Background(), keys...)
}
