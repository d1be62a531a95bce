package deltatable

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"spate/column"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

// ErrNoColumns: neither the query nor a row named a column.
var ErrNoColumns = errors.New("no row came that names the columns")

// File writes rows into one Parquet file. Its columns are those that a table would have
// that is made from the same rows, and so are the values. One goroutine uses it.
type File struct {
	o    FileOptions
	to   io.Writer
	held []*column.Batch // until the columns are known
	rows int             // of held

	w      *writer // nil: they are not known
	file   *parquetfile.Writer
	broken error // what made the file one that cannot be ended
}

// FileOptions say what a File holds.
type FileOptions struct {
	Name        string         // in messages
	Columns     []delta.Column // as in Inference
	BufferBytes int64          // of rows that are not yet encoded, default 32 MiB
	Log         *slog.Logger

	// Bad is told of a row that the file cannot hold, after it was dropped; its error ends
	// the writing. Rows come in their order within what one Write brought.
	Bad func(b *column.Batch, row int, reason string) error
}

// NewFile begins a file. to stays the caller's.
func NewFile(to io.Writer, o FileOptions) *File {
	if o.BufferBytes <= 0 {
		o.BufferBytes = 32 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &File{o: o, to: to}
}

// Write appends the live rows of b. It may keep b.
func (f *File) Write(b *column.Batch) error {
	if f.w != nil {
		return f.append(b)
	}
	bad := badRows{}
	live := readable(b, bad)
	if len(live) > 0 {
		f.held = append(f.held, b.WithLive(live))
		f.rows += len(live)
	}
	if err := f.tell(b, bad); err != nil || f.rows < inferRows {
		return err
	}
	return f.begin()
}

// begin settles the columns and writes the rows that waited for them.
func (f *File) begin() error {
	n := Inference{Columns: f.o.Columns, Name: f.o.Name}
	columns := n.columns(f.held)
	asText(columns)
	if len(columns) == 0 {
		return fmt.Errorf("write %s: %w", f.o.Name, ErrNoColumns)
	}
	s := &Sink{opts: Options{Path: f.o.Name, Name: f.o.Name, Log: f.o.Log}}
	l := &layout{snap: &delta.Snapshot{Columns: columns}}
	for _, c := range columns {
		t, err := delta.ParquetType(c)
		if err != nil {
			return fmt.Errorf("write %s: %w", f.o.Name, err)
		}
		l.cols = append(l.cols, target{Column: c, parquet: t})
	}
	f.w = s.newWriter(l, 0)
	var err error
	f.file, err = parquetfile.NewWriter(f.to, f.w.parquetColumns, parquetfile.Options{CreatedBy: "Spate", BufferBytes: f.o.BufferBytes})
	if err != nil {
		return fmt.Errorf("write %s: %w", f.o.Name, err)
	}
	held := f.held
	f.held = nil
	for _, b := range held {
		if err := f.append(b); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) append(b *column.Batch) error {
	bad := badRows{}
	vecs, flat, rows := f.w.convert(b, bad)
	if rows = bad.fitting(rows); len(rows) > 0 {
		if len(rows) == flat.Rows {
			rows = nil // all: the quick way
		}
		if err := f.file.Append(vecs, rows, flat.Rows); err != nil {
			f.broken = fmt.Errorf("write %s: %w", f.o.Name, err)
			return f.broken
		}
	}
	return f.tell(b, bad)
}

func (f *File) tell(b *column.Batch, bad badRows) error {
	for _, r := range bad.list() {
		if err := f.o.Bad(b, r.Row, r.Reason); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the file: without it, or if it fails, what was written is none. ErrNoColumns
// says that nothing was written. An error of Bad spoils nothing.
func (f *File) Close() error {
	if f.broken != nil {
		return f.broken
	}
	if f.w == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	if _, err := f.file.Close(); err != nil {
		return fmt.Errorf("write %s: %w", f.o.Name, err)
	}
	return nil
}
