package eval

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"spate/column"
	"spate/column/format"
	"spate/internal/near"
	"spate/sql/plan"
)

// target prints the rows of one output.
type target interface {
	// append appends what print wants to know of a row.
	append(dst []byte, b *column.Batch, row int) []byte
	// print takes what append made; the bytes are its own during the call.
	print(row []byte) error
	flush() error
	// close ends the output. complete: no row is missing.
	close(complete bool) error
}

// spec is where an output goes: a file, the folder of a table, delta:FOLDER, or empty.
type spec string

func (s spec) table() (folder string, ok bool) {
	if folder, ok := strings.CutPrefix(string(s), "delta:"); ok {
		return folder, true
	}
	return string(s), s != "" && filepath.Ext(string(s)) == ""
}

// OutputError is an output that cannot go where the options say.
type OutputError struct{ Reason string }

// Error implements error.
func (e *OutputError) Error() string { return e.Reason }

func outputError(reason string, args ...any) error {
	return &OutputError{fmt.Sprintf(reason, args...)}
}

// specsOf says where each output of a job goes.
func specsOf(o *Options, job *plan.Job) (map[string]spec, error) {
	out := make(map[string]spec)
	for name, s := range o.Outputs {
		found := false
		for _, x := range job.Outputs {
			if column.EqualNames(x.Name, name) {
				out[x.Name], found = spec(s), true
			}
		}
		if !found {
			return nil, outputError("the script has no output %s%s", name, meantOutput(name, job))
		}
	}
	taken := make(map[string]string) // file or folder to output
	for _, x := range job.Outputs {
		if s := out[x.Name]; s != "" {
			if err := take(taken, s, x.Name); err != nil {
				return nil, err
			}
		}
	}
	if o.Dir == "" {
		return out, nil
	}
	safe := strings.NewReplacer("/", "_", ":", "_", "\\", "_")
	for _, x := range job.Outputs {
		if out[x.Name] != "" {
			continue
		}
		out[x.Name] = spec(filepath.Join(o.Dir, safe.Replace(x.Name)+".jsonl"))
		if err := take(taken, out[x.Name], x.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// meantOutput is the hint for a name that no output has.
func meantOutput(name string, job *plan.Job) string {
	var names []string
	for _, x := range job.Outputs {
		names = append(names, x.Name)
	}
	if meant := near.Word(name, names); meant != "" {
		return fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return ""
}

// take notes that an output goes to a file or folder, which another must not.
func take(taken map[string]string, s spec, output string) error {
	path, _ := s.table()
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	if other, ok := taken[path]; ok && other != output {
		return outputError("the outputs %s and %s would share %s", other, output, path)
	}
	taken[path] = output
	return nil
}

// openTarget opens what is not a table.
func openTarget(r *run, s spec, output string, job *plan.Job) (target, error) {
	o := r.o
	if s == "" {
		if o.Print == nil {
			return &caller{row: o.Row, output: output}, nil
		}
		return newLines(o.Print, output), nil
	}
	ext := strings.ToLower(filepath.Ext(string(s)))
	switch ext {
	case ".jsonl", ".csv":
	case ".parquet":
		return openParquet(r, string(s), output, job)
	default:
		return nil, outputError("%s: want a file .jsonl, .csv or .parquet, or delta:FOLDER", s)
	}
	f, err := create(string(s), r.inputs)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if ext == ".csv" {
		return &csvFile{file: f, w: w}, nil
	}
	return &jsonFile{file: f, w: w}, nil
}

// create makes an output file, which must not be one of the inputs.
func create(name string, inputs []*input) (*os.File, error) {
	if err := spares(name, inputs); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.Create(name)
}

// spares refuses an output file that is one of the inputs.
func spares(name string, inputs []*input) error {
	st, err := os.Stat(name)
	if err != nil {
		return nil // there is none yet, or making it says why
	}
	for _, in := range inputs {
		paths, _, err := in.Input.files()
		if err != nil {
			return err
		}
		for _, p := range paths {
			if other, err := os.Stat(p); err == nil && os.SameFile(st, other) {
				return outputError("%s is read by input %s", name, in.Name)
			}
		}
	}
	return nil
}

// caller hands rows to a function.
type caller struct {
	row    func(output string, row []byte) error
	output string
}

func (c *caller) append(dst []byte, b *column.Batch, row int) []byte {
	return format.AppendRow(dst, b, row)
}
func (c *caller) print(row []byte) error { return c.row(c.output, row) }
func (*caller) flush() error             { return nil }
func (*caller) close(bool) error         { return nil }

// lines prints {"output":NAME,"row":{...}}. The outputs of a run share one writer.
type lines struct {
	w    io.Writer
	head []byte
}

func newLines(w io.Writer, output string) *lines {
	return &lines{w: w, head: append(column.AppendQuoted([]byte(`{"output":`), output), `,"row":`...)}
}

func (l *lines) append(dst []byte, b *column.Batch, row int) []byte {
	return append(format.AppendRow(append(dst, l.head...), b, row), '}', '\n')
}
func (l *lines) print(row []byte) error {
	_, err := l.w.Write(row)
	return err
}
func (l *lines) flush() error {
	if f, ok := l.w.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
func (*lines) close(bool) error { return nil }

// jsonFile is a file of JSON lines.
type jsonFile struct {
	file *os.File
	w    *bufio.Writer
}

func (f *jsonFile) append(dst []byte, b *column.Batch, row int) []byte {
	return append(format.AppendRow(dst, b, row), '\n')
}
func (f *jsonFile) print(row []byte) error {
	_, err := f.w.Write(row)
	return err
}
func (f *jsonFile) flush() error     { return f.w.Flush() }
func (f *jsonFile) close(bool) error { return errors.Join(f.w.Flush(), f.file.Close()) }

// csvFile is a CSV file whose header is that of the first row. What is held of a row
// is the length of its header, the header and the line.
type csvFile struct {
	file   *os.File
	w      *bufio.Writer
	header []byte
}

func (f *csvFile) append(dst []byte, b *column.Batch, row int) []byte {
	b, row = flat(b, row)
	header := format.AppendCSVHeader(nil, b.Schema, ',')
	dst = append(binary.AppendUvarint(dst, uint64(len(header))), header...)
	return format.AppendCSVRow(dst, b, row, ',')
}

func (f *csvFile) print(row []byte) error {
	n, w := binary.Uvarint(row)
	header, line := row[w:w+int(n)], row[w+int(n):]
	switch {
	case f.header == nil:
		f.header = bytes.Clone(header)
		if _, err := f.w.Write(header); err != nil {
			return err
		}
	case !bytes.Equal(header, f.header):
		return fmt.Errorf("writing %s: a row has the columns %q and the header is %q: CSV holds one kind of row", f.file.Name(), bytes.TrimSpace(header), bytes.TrimSpace(f.header))
	}
	_, err := f.w.Write(line)
	return err
}
func (f *csvFile) flush() error     { return f.w.Flush() }
func (f *csvFile) close(bool) error { return errors.Join(f.w.Flush(), f.file.Close()) }

// flat puts the fields of a row's Star columns in the places of the columns.
func flat(b *column.Batch, row int) (*column.Batch, int) {
	star := false
	for i := range b.Schema.Fields {
		star = star || b.Schema.Fields[i].Star
	}
	if !star {
		return b, row
	}
	out := &column.Batch{Schema: new(column.Schema), Rows: 1}
	add := func(name string, v column.Value) {
		for _, f := range out.Schema.Fields {
			if column.EqualNames(f.Name, name) {
				return
			}
		}
		out.Schema.Fields = append(out.Schema.Fields, column.Field{Name: name})
		out.Cols = append(out.Cols, column.Constant(v, 1))
	}
	for i, f := range b.Schema.Fields {
		v := b.Cols[i].At(row)
		if !f.Star {
			add(f.Name, v)
			continue
		}
		if r := v.Record(); r != nil {
			for k, n := range r.Names {
				add(n, r.Values[k])
			}
		}
	}
	return out, 0
}
