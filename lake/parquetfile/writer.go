package parquetfile

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"spate/column"
)

// Writer writes one flat file. One goroutine uses it.
type Writer struct {
	opts   Options
	chunks []chunk
	out    counter
	rows   int // in the row group that is being filled
	groups []groupMeta
	stats  Stats
	enc    encoder
}

// counter counts what is written to the file.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// NewWriter begins a file. An error of w comes back from Append or Close.
func NewWriter(w io.Writer, cols []Column, o Options) (*Writer, error) {
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = 1 << 17
	}
	if o.BufferBytes <= 0 {
		o.BufferBytes = 64 << 20
	}
	o.CreatedBy = cmp.Or(o.CreatedBy, "spate")
	if o.Scratch == nil {
		o.Scratch = new(Scratch)
	}
	out := &Writer{opts: o, chunks: make([]chunk, len(cols))}
	codec, err := o.Scratch.codec(o.Codec)
	if err != nil {
		return nil, err
	}
	out.enc = encoder{Scratch: o.Scratch, codec: codec, out: &out.out}
	for i, c := range cols {
		if err := c.Type.check(c.Name); err != nil {
			return nil, err
		}
		out.chunks[i].col = c
	}
	return out, out.Reset(w)
}

// Reset begins another file of the same columns and options. It keeps the
// memory of the last one, so that a stream of small files costs no growing.
func (w *Writer) Reset(to io.Writer) error {
	w.rows, w.groups, w.stats = 0, w.groups[:0], Stats{Columns: make([]ColumnStats, len(w.chunks))}
	for i := range w.chunks {
		w.chunks[i].reset()
	}
	w.out = counter{to: to}
	if _, err := io.WriteString(&w.out, magic); err != nil {
		return fmt.Errorf("begin Parquet file: %w", err)
	}
	return nil
}

// Append adds rows of the vectors, one vector per column, nil for a column of
// nulls: the rows listed, or the first n when rows is nil. Text fills String
// and Binary, Bool Boolean, Int64 the integers and Decimal (unscaled), Float64
// Float and Double, Time Date and Timestamp (both rounded toward the past).
// Nothing of the vectors is kept. After an error the file is of no use.
func (w *Writer) Append(vecs []*column.Vector, rows []int32, n int) error {
	if rows != nil {
		n = len(rows)
	}
	for n > 0 {
		k := min(n, w.opts.RowGroupRows-w.rows)
		for i := range w.chunks {
			var part []int32
			v := vecs[i]
			if rows != nil {
				part = rows[:k]
			}
			if err := w.chunks[i].append(v, part, k); err != nil {
				return err
			}
		}
		w.rows += k
		w.stats.Rows += int64(k)
		if w.rows >= w.opts.RowGroupRows || w.Buffered() >= w.opts.BufferBytes {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		n -= k
		if n > 0 && rows == nil { // the rest of a whole batch, by row number
			rows = make([]int32, n)
			for i := range rows {
				rows[i] = int32(k + i)
			}
		} else if rows != nil {
			rows = rows[k:]
		}
	}
	return nil
}

// Rows is the number of rows appended.
func (w *Writer) Rows() int64 { return w.stats.Rows }

// Buffered is about the memory that rows not yet encoded take.
func (w *Writer) Buffered() int64 {
	n := int64(0)
	for i := range w.chunks {
		n += w.chunks[i].size()
	}
	return n
}

// Written is the number of bytes that have gone to the file.
func (w *Writer) Written() int64 { return w.out.n }

// Flush ends the row group.
func (w *Writer) Flush() error {
	if w.rows == 0 {
		return nil
	}
	k := len(w.groups)
	w.groups = slices.Grow(w.groups, 1)[:k+1]
	g := &w.groups[k]
	g.rows, g.chunks = int64(w.rows), g.chunks[:0]
	for i := range w.chunks {
		c := &w.chunks[i]
		m, err := w.enc.write(c)
		if err != nil {
			return fmt.Errorf("encode column %s: %w", c.col.Name, err)
		}
		w.stats.Columns[i].add(&m.stats, c.col.Type.Kind)
		g.chunks = append(g.chunks, m)
		c.reset()
	}
	w.rows = 0
	return nil
}

// Close ends the file; the underlying writer stays open.
func (w *Writer) Close() (Stats, error) {
	if err := w.Flush(); err != nil {
		return Stats{}, err
	}
	c := &w.enc.head
	c.reset()
	w.appendFooter(c)
	size := uint32(len(c.b))
	c.b = append(binary.LittleEndian.AppendUint32(c.b, size), magic...)
	if _, err := w.out.Write(c.b); err != nil {
		return Stats{}, fmt.Errorf("end Parquet file: %w", err)
	}
	return w.stats, nil
}
