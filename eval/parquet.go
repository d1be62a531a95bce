package eval

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"spate/column"
	"spate/column/format"
	"spate/connector/deltatable"
	"spate/sql/plan"
	"spate/stream"
)

// partial is what the name of a Parquet file ends with as long as rows may come: a file
// that has its name is whole.
const partial = ".partial"

// parquetBatch is how many rows are written at once.
const parquetBatch = 1024

// parquetFile is a single Parquet file. What is held of a row is the number of its schema,
// its time and its values.
type parquetFile struct {
	name    string
	log     *slog.Logger
	file    *os.File
	w       *bufio.Writer
	rows    *deltatable.File
	err     error // what ended the writing
	schemas []*column.Schema

	schema   int // of the rows that wait
	times    []column.Ticks
	builders []*column.Builder
}

// openParquet makes the file under its temporary name. Rows that it cannot hold are
// dropped and counted, or end the run.
func openParquet(r *run, name, output string, job *plan.Job) (*parquetFile, error) {
	if err := spares(name, r.inputs); err != nil {
		return nil, err
	}
	f, err := create(name+partial, r.inputs)
	if err != nil {
		return nil, err
	}
	p := &parquetFile{name: name, log: r.o.Log, file: f, w: bufio.NewWriterSize(f, 64<<10)}
	p.rows = deltatable.NewFile(p.w, deltatable.FileOptions{
		Name: name, Columns: columnsOf(job, output), BufferBytes: tableBytes, Log: r.o.Log,
		Bad: func(b *column.Batch, row int, reason string) error {
			if r.o.HoldErrors {
				return fmt.Errorf("output %s cannot hold the row of %s, %.200s: %s: %w", output, b.Time[row], format.AppendRow(nil, b, row), reason, stream.ErrHeld)
			}
			r.tally.fault(stream.Diagnostic{Kind: "conversion", Type: "OutputDataConversionError.TypeConversionError", Output: output, Dropped: true, Reason: reason})
			return nil
		},
	})
	return p, nil
}

func (p *parquetFile) append(dst []byte, b *column.Batch, row int) []byte {
	dst = binary.AppendUvarint(dst, uint64(p.number(b.Schema)))
	dst = binary.AppendVarint(dst, int64(b.Time[row]))
	for c := range b.Cols {
		dst = column.AppendBinary(dst, b.Cols[c].At(row))
	}
	return dst
}

// number finds a schema among the few that the statements of an output have.
func (p *parquetFile) number(s *column.Schema) int {
	for i, have := range p.schemas {
		if have == s || slices.Equal(have.Fields, s.Fields) {
			return i
		}
	}
	p.schemas = append(p.schemas, s)
	return len(p.schemas) - 1
}

func (p *parquetFile) print(row []byte) error {
	schema, n := binary.Uvarint(row)
	row = row[n:]
	if int(schema) != p.schema || p.builders == nil {
		if err := p.write(); err != nil {
			return err
		}
		p.schema = int(schema)
		p.builders = make([]*column.Builder, len(p.schemas[schema].Fields))
		p.clear()
	}
	at, n := binary.Varint(row)
	row = row[n:]
	p.times = append(p.times, column.Ticks(at))
	for _, b := range p.builders {
		v, rest, err := column.ReadBinary(row)
		if err != nil {
			return fmt.Errorf("reading a row that waited: %w", err)
		}
		b.Append(v)
		row = rest
	}
	if len(p.times) < parquetBatch {
		return nil
	}
	return p.write()
}

// clear begins a batch.
func (p *parquetFile) clear() {
	p.times = nil
	for i := range p.builders {
		p.builders[i] = column.NewBuilder(nil)
	}
}

// write hands the rows that wait to the file.
func (p *parquetFile) write() error {
	if len(p.times) == 0 || p.err != nil {
		return p.err
	}
	b := &column.Batch{Schema: p.schemas[p.schema], Rows: len(p.times), Time: p.times, Cols: make([]column.Vector, len(p.builders))}
	for i := range p.builders {
		b.Cols[i] = p.builders[i].Vector()
	}
	p.clear()
	p.err = p.rows.Write(b)
	return p.err
}

// flush leaves the rows where they are: a part of the file is of no use to a reader.
func (*parquetFile) flush() error { return nil }

// close gives the file its name if the run is complete. Otherwise what is final of it can
// be read under the temporary name.
func (p *parquetFile) close(complete bool) error {
	temporary := p.name + partial
	written := p.write()
	err := p.rows.Close()
	if err == nil {
		err = p.w.Flush()
	}
	if e := p.file.Close(); err == nil {
		err = e
	}
	switch {
	case errors.Is(err, deltatable.ErrNoColumns):
		// What an earlier run left would pass for the result of this one.
		if complete {
			p.log.Warn("no row came that names the columns: there is no file", "file", p.name)
			if err := os.Remove(p.name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return os.Remove(temporary)
	case err != nil: // it cannot be read
		return errors.Join(cmp.Or(written, err), os.Remove(temporary))
	case written != nil || !complete:
		p.log.Warn("the run was cut short: the rows that are final are in a file of another name", "file", temporary)
		return written
	}
	return os.Rename(temporary, p.name)
}
