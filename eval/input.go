package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
)

// Input is one input of a run.
type Input struct {
	Name           string
	Path           string    // a file, or a folder whose files are read in the order of their names
	Reader         io.Reader // instead of Path, which names it
	Format         string    // json, jsonl or csv; default by the extension
	Delimiter      string    // csv
	NoHeader       bool      // csv: columns are named by CREATE TABLE, else column1, column2, ...
	PartitionField string    // PartitionId is its value modulo Partitions
	Partitions     int

	// Source is read instead of files: a bounded one that stamps its messages itself, as the
	// log of a hub does. System columns join its SELECT *, as in a job, unless Bare says
	// that the messages are events as files have them.
	Source connector.Source
	Bare   bool
}

// InputError is an input file that says something impossible.
type InputError = file.Error

// offsetBits is where the number of the input stands in the offset of a message: rows
// that arrive together stand in the order of the inputs, then of the lines.
const offsetBits = 40

// input is an open input.
type input struct {
	Input
	format   stream.Format
	files    *file.Source // nil: Source is read
	arrivals *arrivals
	system   bool
	level    plan.Level
	names    []string // as the script spells it
}

func openInput(r *run, in Input, number int, refs []*plan.Input) (*input, error) {
	out := &input{Input: in, system: r.o.SystemCols, level: r.o.Level}
	for _, ref := range refs {
		out.names = append(out.names, ref.Name)
	}
	paths, name, err := in.files()
	if err != nil {
		return nil, err
	}
	if out.format, err = stream.ParseFormat(name, in.Delimiter); err != nil {
		return nil, fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	if in.Source != nil {
		out.system = out.system || !in.Bare
		return out, nil
	}
	fo := file.Options{
		Files: paths, Reader: in.Reader, Delimiter: out.format.Delimiter, NoHeader: in.NoHeader, Names: syntax.Declared(r.o.Script, in.Name),
		Partitions: in.Partitions, Base: int64(number) << offsetBits, Name: in.Name, Batch: r.o.BatchRows,
	}
	switch {
	case out.format.CSV:
		fo.Cut = file.CSV
	case name == "json":
		fo.Cut = file.JSON
	}
	out.arrivals = newArrivals(r, out, refs)
	if fo.Route, err = out.router(r.o); err != nil {
		return nil, fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	if out.files, err = file.Open(fo); err != nil {
		return nil, fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	if err := out.arrivals.findFirst(out.files); err != nil {
		return nil, errors.Join(fmt.Errorf("reading input %s: %w", in.Name, err), out.files.Close())
	}
	return out, nil
}

// formats are what extensions say.
var formats = map[string]string{".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}

// files lists the files of an input and names their format.
func (in Input) files() (paths []string, name string, err error) {
	if in.Source != nil || in.Reader != nil {
		return []string{in.Path}, cmp.Or(in.Format, formats[strings.ToLower(filepath.Ext(in.Path))], "jsonl"), nil
	}
	st, err := os.Stat(in.Path)
	if err != nil {
		return nil, "", fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	if !st.IsDir() {
		return []string{in.Path}, cmp.Or(in.Format, formats[strings.ToLower(filepath.Ext(in.Path))], "jsonl"), nil
	}
	err = filepath.WalkDir(in.Path, func(path string, d fs.DirEntry, err error) error {
		hidden := path != in.Path && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_"))
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case !d.IsDir() && !hidden:
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	if len(paths) == 0 {
		return nil, "", &InputError{File: in.Path, Reason: "the folder holds no file"}
	}
	name = in.Format
	for _, p := range paths {
		of := formats[strings.ToLower(filepath.Ext(p))]
		if name == "" {
			name = cmp.Or(of, "jsonl")
		}
		if in.Format == "" && of != "" && of != name {
			return nil, "", &InputError{File: p, Reason: fmt.Sprintf("is %s among files that are %s: say format=", of, name)}
		}
	}
	return paths, name, nil
}

// stream is the input as the engine takes it.
func (in *input) stream(ctx context.Context) stream.Input {
	out := stream.Input{Format: in.format, SystemColumns: in.system}
	if in.files == nil {
		out.Source = bounded{in.Source, ctx}
		return out
	}
	out.Source, out.LineOrder = bounded{in.files, ctx}, true
	if !in.arrivals.routed {
		out.Arrivals = func(int) stream.Arrivals { return in.arrivals.partition() }
	}
	return out
}

// place is where a message stands. The name is empty where the input is one file.
func (in *input) place(offset int64) (name string, line int64) {
	if in.files == nil {
		return "", offset
	}
	name, line = in.files.Place(offset)
	if name == in.Path {
		name = ""
	}
	return name, line
}

func (in *input) close() error {
	if in.files == nil {
		return nil
	}
	return in.files.Close()
}

// bounded is a source that ends with the context of the run: the engine, which reads
// to the end of what it was given, has one of its own.
type bounded struct {
	connector.Source
	ctx context.Context
}

func (b bounded) OpenReader(ctx context.Context, partition int, from connector.Start) (connector.Reader, error) {
	r, err := b.Source.OpenReader(ctx, partition, from)
	return boundedReader{r, b.ctx}, err
}

type boundedReader struct {
	connector.Reader
	ctx context.Context
}

func (b boundedReader) Read(_ context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return b.Reader.Read(b.ctx, c, wake)
}

// rowDecoder decodes columns of messages.
type rowDecoder interface {
	Decode(data []byte, starts, ends []uint32, first int) format.Rows
}

func (in *input) decoder(cols []format.Column, level plan.Level) (rowDecoder, error) {
	if in.format.CSV {
		return format.NewCSVDecoder(cols, in.format.Delimiter)
	}
	return format.NewDecoder(cols, stream.JSONOptions(level)), nil
}

// router makes what spreads the messages over the partitions and takes the arrival
// field out; nil if there is nothing to do.
func (in *input) router(o *Options) (func(c *connector.Chunk, parts []int32) error, error) {
	drop := o.ArrivalDrop && o.ArrivalField != ""
	spread := in.PartitionField != "" && in.Partitions > 1
	if !drop && !spread {
		return nil, nil
	}
	r := &router{in: in, drop: drop, spread: spread, column: columnDropper{name: o.ArrivalField, comma: in.format.Delimiter}}
	var cols []format.Column
	if drop {
		in.arrivals.routed = true
		cols = append(cols, in.arrivals.Columns()...)
	}
	r.field = len(cols)
	if spread {
		cols = append(cols, format.Column{Path: []string{in.PartitionField}})
	}
	for range max(in.Partitions, 1) {
		r.stamps = append(r.stamps, in.arrivals.partition())
	}
	var err error
	r.decoder, err = in.decoder(cols, plan.Level12)
	return r.route, err
}

// router looks at messages before the partitions get them.
type router struct {
	in           *input
	decoder      rowDecoder
	drop, spread bool
	field        int // decoder column of the partition field
	stamps       []*partitionArrivals
	spare        []byte
	column       columnDropper // of CSV
}

func (r *router) route(c *connector.Chunk, parts []int32) error {
	for first := 0; first < c.Len(); {
		rows := r.decoder.Decode(c.Data, c.Starts, c.Ends, first)
		for i, m := range rows.Src {
			if r.spread && (i == 0 || rows.Src[i-1] != m) {
				if v, _ := column.Cast(rows.Cols[r.field].At(i), column.Int64); v.Kind == column.Int64 && v.Int() >= 0 {
					parts[m] = int32(v.Int() % int64(r.in.Partitions))
				}
			}
		}
		if r.drop {
			if err := r.stamp(c, parts, rows); err != nil {
				return err
			}
		}
		for m := first; m < rows.Next && r.drop; m++ { // a message without events arrives with the one before it
			p := 0
			if parts != nil {
				p = int(parts[m])
			}
			if c.Arrivals[m] == 0 {
				c.Arrivals[m] = r.stamps[p].last
			}
		}
		first = rows.Next
	}
	if r.drop {
		return r.rewrite(c)
	}
	return nil
}

// stamp sets the arrivals of messages: that of their first event.
func (r *router) stamp(c *connector.Chunk, parts []int32, rows format.Rows) error {
	var firsts []int32
	for i, m := range rows.Src {
		if i == 0 || rows.Src[i-1] != m {
			firsts = append(firsts, int32(i))
		}
	}
	of := make([][]int32, len(r.stamps))
	for _, i := range firsts {
		p := 0
		if parts != nil {
			p = int(parts[rows.Src[i]])
		}
		of[p] = append(of[p], i)
	}
	for p, list := range of {
		if len(list) == 0 {
			continue
		}
		cols := make([]column.Vector, r.field)
		for k := range cols {
			cols[k] = rows.Cols[k].Gather(list)
		}
		offsets, at := make([]int64, len(list)), make([]column.Ticks, len(list))
		for k, i := range list {
			offsets[k] = c.Offsets[rows.Src[i]]
		}
		if err := r.stamps[p].Stamp(cols, offsets, at); err != nil {
			return err
		}
		for k, i := range list {
			c.Arrivals[rows.Src[i]] = at[k]
		}
	}
	return nil
}

// rewrite takes the arrival field out of the messages.
func (r *router) rewrite(c *connector.Chunk) error {
	out := r.spare[:0]
	field := r.in.arrivals.o.ArrivalField
	for i := range c.Starts {
		m := c.Data[c.Starts[i]:c.Ends[i]]
		from := len(out)
		if r.in.format.CSV {
			out = r.column.append(out, m)
		} else {
			out = appendWithoutField(out, m, field)
		}
		c.Starts[i], c.Ends[i] = uint32(from), uint32(len(out))
	}
	r.spare, c.Data = c.Data, append(out, make([]byte, 16)...)
	return nil
}
