package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Stats counts what one query read.
type Stats struct {
	FilesOpened  int
	FilesSkipped int
	BytesOpened  int64 // sizes of the opened files
	Rows         int64 // rows handed out so far
	Started      time.Time
}

// Scan is what a query reads of a table.
type Scan struct {
	Database, Table string
	Version         int64
	Read, Skipped   int   // files
	Bytes           int64 // of the files that are read
	Columns         []string
	Counted         bool // the log has the answer, and no file is opened
}

// String says it in one line.
func (s Scan) String() string {
	name := fmt.Sprintf("%s.%s, version %d: ", s.Database, s.Table, s.Version)
	if s.Counted {
		return name + "counted in the log, no file is opened"
	}
	columns := "no column"
	if len(s.Columns) > 0 {
		columns = strings.Join(s.Columns, ", ")
	}
	return fmt.Sprintf("%s%d of %d files, %d bytes, %d skipped; reads %s", name, s.Read, s.Read+s.Skipped, s.Bytes, s.Skipped, columns)
}

// Result is the answer of a query. It is used by one goroutine, and must be
// closed.
type Result struct {
	Columns  []Column
	Stats    Stats
	Warnings []string // for the person who asked, one sentence each
	SQL      string   // what the engine runs: for --explain and tests, not for readers of errors
	Scans    []Scan   // what is read of each table that the query names

	s     *stream
	rows  [][]Value
	again func() (*Result, error) // plans and starts the query anew; nil: it was tried
}

// Plan says what the query would read, and what the engine would run, line by line.
func (r *Result) Plan() []string {
	var out []string
	for _, s := range r.Scans {
		out = append(out, s.String())
	}
	return append(out, strings.TrimSpace(r.SQL))
}

// NewResult is a result of rows that are there already.
func NewResult(columns []Column, rows [][]Value) *Result {
	return &Result{Columns: columns, rows: rows, Stats: Stats{Started: time.Now()}}
}

// Only leaves the columns of those names, in this order, of a result whose rows are there.
func (r *Result) Only(names ...string) {
	var keep []int
	var cols []Column
	for _, n := range names {
		for i, c := range r.Columns {
			if c.Name == n {
				keep, cols = append(keep, i), append(cols, c)
			}
		}
	}
	rows := make([][]Value, len(r.rows))
	for k, row := range r.rows {
		for _, i := range keep {
			rows[k] = append(rows[k], row[i])
		}
	}
	r.Columns, r.rows = cols, rows
}

// Next returns the next row, valid for good, and io.EOF behind the last one.
func (r *Result) Next() ([]Value, error) {
	for len(r.rows) == 0 {
		if r.s == nil {
			return nil, io.EOF
		}
		rows, err := r.s.next()
		if err != nil && r.Stats.Rows == 0 && r.again != nil && isFileGone(err) {
			// A file of the snapshot was vacuumed after the log was read: the newest
			// snapshot names others.
			if err = r.restart(); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		r.again = nil
		r.rows = rows
	}
	row := r.rows[0]
	r.rows = r.rows[1:]
	r.Stats.Rows++
	return row, nil
}

func (r *Result) restart() error {
	again := r.again
	r.again = nil
	n, err := again()
	if err != nil {
		return err
	}
	r.s, r.SQL, r.Stats, r.Warnings = n.s, n.SQL, n.Stats, n.Warnings
	return nil
}

// Rows yields all rows that are left; an error ends it.
func (r *Result) Rows() iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the query; rows not read are dropped.
func (r *Result) Close() error {
	if r.s != nil {
		r.s.close()
	}
	return nil
}

// start has the engine run what was planned.
func (r *Result) start(ctx context.Context, e *Engine, req *Request) error {
	s, err := e.run(ctx, req)
	if err != nil {
		return err
	}
	r.s = s
	return nil
}

// String says what was read in one line.
func (s Stats) String() string {
	return fmt.Sprintf("%d files opened, %d skipped, %d bytes in the opened files, %d rows", s.FilesOpened, s.FilesSkipped, s.BytesOpened, s.Rows)
}
