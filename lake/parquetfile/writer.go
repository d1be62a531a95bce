package parquetfile

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"spate/column"
)

// Writer writes one flat file. One goroutine uses it.
type Writer struct {
	opts   Options
	props  *parquet.WriterProperties
	root   *schema.GroupNode
	chunks []chunk
	file   *file.Writer
	rows   int // in the row group that is being filled
	stats  Stats
	enc    encoder
}

// NewWriter begins a file. An error of w comes back from Append or Close.
func NewWriter(w io.Writer, cols []Column, o Options) (*Writer, error) {
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = 1 << 18
	}
	if o.BufferBytes <= 0 {
		o.BufferBytes = 64 << 20
	}
	codec, err := codecOf(o.Codec)
	if err != nil {
		return nil, err
	}
	props := []parquet.WriterProperty{
		parquet.WithCompression(codec),
		parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithBatchSize(writeBatch),
		parquet.WithDictionaryPageSizeLimit(1 << 30), // the encoder decides
	}
	if o.Codec == "" || o.Codec == "zstd" {
		props = append(props, parquet.WithCompressionLevel(1))
	}
	if o.CreatedBy != "" {
		props = append(props, parquet.WithCreatedBy(o.CreatedBy))
	}
	fields := make(schema.FieldList, len(cols))
	out := &Writer{opts: o, chunks: make([]chunk, len(cols)), props: parquet.NewWriterProperties(props...)}
	for i, c := range cols {
		rep := parquet.Repetitions.Required
		if c.Nullable {
			rep = parquet.Repetitions.Optional
		}
		if fields[i], err = c.Type.node(c.Name, rep); err != nil {
			return nil, err
		}
		out.chunks[i].col = c
	}
	if out.root, err = schema.NewGroupNode("spark_schema", parquet.Repetitions.Required, fields, -1); err != nil {
		return nil, fmt.Errorf("Parquet schema: %w", err)
	}
	return out, out.Reset(w)
}

// Reset begins another file of the same columns and options. It keeps the
// memory of the last one, so that a stream of small files costs no growing.
func (w *Writer) Reset(to io.Writer) error {
	w.rows, w.stats = 0, Stats{Columns: make([]ColumnStats, len(w.chunks))}
	for i := range w.chunks {
		w.chunks[i].reset()
	}
	var err error
	if w.file, err = file.NewParquetWriterWithError(to, w.root, file.WithWriterProps(w.props)); err != nil {
		return fmt.Errorf("begin Parquet file: %w", err)
	}
	return nil
}

const writeBatch = 8192

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
func (w *Writer) Written() int64 { return w.file.TotalBytesWritten() }

// Flush ends the row group.
func (w *Writer) Flush() error {
	if w.rows == 0 {
		return nil
	}
	group, err := w.file.AppendRowGroupChecked()
	if err != nil {
		return fmt.Errorf("begin row group: %w", err)
	}
	for i := range w.chunks {
		c := &w.chunks[i]
		cw, err := group.NextColumn()
		if err != nil {
			return fmt.Errorf("begin column %s: %w", c.col.Name, err)
		}
		stats, err := w.enc.write(cw, c)
		if err != nil {
			return fmt.Errorf("encode column %s: %w", c.col.Name, err)
		}
		w.stats.Columns[i].add(&stats, c.col.Type.Kind)
		c.reset()
	}
	if err := group.Close(); err != nil {
		return fmt.Errorf("end row group: %w", err)
	}
	w.rows = 0
	return nil
}

// Close ends the file; the underlying writer stays open.
func (w *Writer) Close() (Stats, error) {
	if err := w.Flush(); err != nil {
		return Stats{}, err
	}
	if err := w.file.Close(); err != nil {
		return Stats{}, fmt.Errorf("end Parquet file: %w", err)
	}
	return w.stats, nil
}
