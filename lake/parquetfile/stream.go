package parquetfile

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// RowWriter writes nested rows one after another and holds one row group of them.
type RowWriter struct {
	b     *rowSchema
	nodes []*node
	fw    *file.Writer
	rows  int
	most  int
}

// NewRowWriter begins a file of nested rows. A row group ends at Options.RowGroupRows.
func NewRowWriter(w io.Writer, fields []Field, o Options) (*RowWriter, error) {
	codec, err := codecOf(o.Codec)
	if err != nil {
		return nil, err
	}
	out := &RowWriter{b: &rowSchema{}, nodes: make([]*node, len(fields)), most: o.RowGroupRows}
	list := make(schema.FieldList, len(fields))
	for i, f := range fields {
		if out.nodes[i], err = out.b.add(f, 0, 0); err != nil {
			return nil, err
		}
		list[i] = out.nodes[i].node
	}
	root, err := schema.NewGroupNode("spark_schema", parquet.Repetitions.Required, list, -1)
	if err != nil {
		return nil, fmt.Errorf("Parquet schema: %w", err)
	}
	props := []parquet.WriterProperty{parquet.WithCompression(codec)}
	if o.CreatedBy != "" {
		props = append(props, parquet.WithCreatedBy(o.CreatedBy))
	}
	if out.fw, err = file.NewParquetWriterWithError(w, root, file.WithWriterProps(parquet.NewWriterProperties(props...))); err != nil {
		return nil, fmt.Errorf("begin Parquet file: %w", err)
	}
	return out, nil
}

// Note puts a key with its value into the footer.
func (w *RowWriter) Note(key, value string) error {
	if err := w.fw.AppendKeyValueMetadata(key, value); err != nil {
		return fmt.Errorf("footer of Parquet file: %w", err)
	}
	return nil
}

// Append adds a row. Nothing of its maps and lists is kept; its texts are.
func (w *RowWriter) Append(row map[string]any) error {
	for _, n := range w.nodes {
		if err := w.b.put(n, row[n.Name], 0, 0); err != nil {
			return err
		}
	}
	if w.rows++; w.most > 0 && w.rows >= w.most {
		return w.flush()
	}
	return nil
}

// Flush ends the row group, if it has rows.
func (w *RowWriter) Flush() error {
	if w.rows == 0 {
		return nil
	}
	return w.flush()
}

func (w *RowWriter) flush() error {
	group, err := w.fw.AppendRowGroupChecked()
	if err != nil {
		return fmt.Errorf("begin row group: %w", err)
	}
	for _, l := range w.b.leaves {
		cw, err := group.NextColumn()
		if err == nil {
			err = l.writeTo(cw)
		}
		if err != nil {
			return fmt.Errorf("encode %s: %w", l.name, err)
		}
		l.clear()
	}
	if err := group.Close(); err != nil {
		return fmt.Errorf("end row group: %w", err)
	}
	w.rows = 0
	return nil
}

// clear keeps the memory of levels and values for the next row group.
func (l *leafData) clear() {
	l.defs, l.reps = l.defs[:0], l.reps[:0]
	switch v := l.values.(type) {
	case []bool:
		l.values = v[:0]
	case []int32:
		l.values = v[:0]
	case []int64:
		l.values = v[:0]
	case []float32:
		l.values = v[:0]
	case []float64:
		l.values = v[:0]
	case []parquet.ByteArray:
		clear(v)
		l.values = v[:0]
	}
}

// Close ends the file; the underlying writer stays open.
func (w *RowWriter) Close() error {
	if w.rows > 0 || w.fw.NumRows() == 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if err := w.fw.Close(); err != nil {
		return fmt.Errorf("end Parquet file: %w", err)
	}
	return nil
}

// RowFile reads leaves of nested rows, one row group at a time.
type RowFile struct {
	f     *file.Reader
	at    map[string]int // leaf by path
	names []string
}

// OpenRowFile opens a file whose bytes are data.
func OpenRowFile(data []byte) (f *RowFile, err error) {
	err = guarded(func() error {
		r, err := file.NewParquetReader(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("Parquet file: %w", err)
		}
		f = &RowFile{f: r, at: map[string]int{}}
		s := r.MetaData().Schema
		for i := range s.NumColumns() {
			f.at[s.Column(i).Path()] = i
			f.names = append(f.names, s.Column(i).Path())
		}
		return nil
	})
	return f, err
}

// guarded turns the panics of the library, which some damaged files cause, into errors.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged Parquet file: %v", r)
		}
	}()
	return f()
}

// Note returns the value of a key of the footer.
func (f *RowFile) Note(key string) string {
	if v := f.f.MetaData().KeyValueMetadata().FindValue(key); v != nil {
		return *v
	}
	return ""
}

// Leaves are the paths of all leaves.
func (f *RowFile) Leaves() []string { return f.names }

// Groups is the number of row groups.
func (f *RowFile) Groups() int { return f.f.NumRowGroups() }

// Rows is the number of rows of a group.
func (f *RowFile) Rows(group int) int { return int(f.f.MetaData().RowGroup(group).NumRows()) }

// Close ends the use of the file.
func (f *RowFile) Close() error { return f.f.Close() }

// Leaf reads a leaf of a row group; nil if the file has no such leaf.
func (f *RowFile) Leaf(group int, path string) (l *Leaf, err error) {
	at, ok := f.at[path]
	if !ok {
		return nil, nil
	}
	err = guarded(func() error {
		c := f.f.MetaData().Schema.Column(at)
		l = &Leaf{l: leafData{name: path, max: c.MaxDefinitionLevel(), text: true}, repeated: c.MaxRepetitionLevel() > 0}
		cr, err := f.f.RowGroup(group).Column(at)
		if err == nil {
			err = l.l.readFrom(cr)
		}
		if err != nil {
			return fmt.Errorf("row group %d, %s: %w", group, path, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Leaf walks over the entries of one leaf in a row group. A nil Leaf has only NULLs.
type Leaf struct {
	l        leafData
	repeated bool
	err      error
	i        int // of the value that stands at the cursor
}

// Next goes on to the next entry and reports whether a value is there. Every row has one
// entry, of a leaf in a list or a map at least one: see More.
func (l *Leaf) Next() bool {
	if l == nil {
		return false
	}
	if l.l.next >= len(l.l.defs) {
		l.fail()
		return false
	}
	there := l.l.defs[l.l.next] == l.l.max
	l.l.next++
	if there {
		l.i = l.l.taken
		l.l.taken++
	}
	return there
}

// More reports whether another entry of the same row follows.
func (l *Leaf) More() bool {
	return l != nil && l.repeated && l.l.next < len(l.l.reps) && l.l.reps[l.l.next] > 0
}

// Level is the definition level of the entry that Next went to.
func (l *Leaf) Level() int16 {
	if l == nil || l.l.next == 0 {
		return 0
	}
	return l.l.defs[l.l.next-1]
}

// Max is the definition level at which a value is there.
func (l *Leaf) Max() int16 {
	if l == nil {
		return 0
	}
	return l.l.max
}

func (l *Leaf) fail() {
	if l.err == nil {
		l.err = fmt.Errorf("%s: damaged Parquet file: entry %d of %d, value %d", l.l.name, l.l.next, len(l.l.defs), l.l.taken)
	}
}

// Err tells whether entries were missing.
func (l *Leaf) Err() error {
	if l == nil {
		return nil
	}
	return l.err
}

// Int is the value of a whole number, a date or a time.
func (l *Leaf) Int() int64 {
	switch v := l.l.values.(type) {
	case []int64:
		if l.i < len(v) {
			return v[l.i]
		}
	case []int32:
		if l.i < len(v) {
			return int64(v[l.i])
		}
	case []parquet.Int96:
		if l.i < len(v) {
			return v[l.i].ToTime().UnixMicro()
		}
	}
	l.fail()
	return 0
}

// Float is the value of a float of either size.
func (l *Leaf) Float() float64 {
	switch v := l.l.values.(type) {
	case []float64:
		if l.i < len(v) {
			return v[l.i]
		}
	case []float32:
		if l.i < len(v) {
			return float64(v[l.i])
		}
	}
	l.fail()
	return 0
}

// Bool is the value of a boolean.
func (l *Leaf) Bool() bool {
	if v, ok := l.l.values.([]bool); ok && l.i < len(v) {
		return v[l.i]
	}
	l.fail()
	return false
}

// Bytes is the value of a text. It stays valid, and must not be changed.
func (l *Leaf) Bytes() []byte {
	switch v := l.l.values.(type) {
	case []parquet.ByteArray:
		if l.i < len(v) {
			return v[l.i]
		}
	case []parquet.FixedLenByteArray:
		if l.i < len(v) {
			return v[l.i]
		}
	}
	l.fail()
	return nil
}

// IsInt reports whether the leaf holds what Int gives, IsFloat and IsText likewise.
func (l *Leaf) IsInt() bool {
	switch l.l.values.(type) {
	case []int64, []int32, []parquet.Int96:
		return true
	}
	return false
}

// IsFloat reports whether the leaf holds floats.
func (l *Leaf) IsFloat() bool {
	switch l.l.values.(type) {
	case []float64, []float32:
		return true
	}
	return false
}

// IsText reports whether the leaf holds texts.
func (l *Leaf) IsText() bool {
	_, ok := l.l.values.([]parquet.ByteArray)
	return ok
}

// keeper copies short byte slices into large ones.
type keeper struct{ block []byte }

func (k *keeper) own(b []byte) []byte {
	if cap(k.block)-len(k.block) < len(b) {
		k.block = make([]byte, 0, max(1<<16, len(b)))
	}
	n := len(k.block)
	k.block = append(k.block, b...)
	return slices.Clip(k.block[n:])
}
