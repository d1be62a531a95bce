package stream

import (
	"context"
	"fmt"
	"sync"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// lookup makes the tables of one Lookup, each when the first row asks for it.
type lookup struct {
	all    *lookups
	node   *plan.Lookup
	inputs []*plan.Input

	mu   sync.Mutex // guards made; held while a table is made, for which all wait
	made []madeTable
}

// mostTables is how many tables of one Lookup are remembered. Partitions may be at
// different times.
const mostTables = 4

type madeTable struct {
	key   string
	table *exec.Table
}

// At implements exec.Tables.
func (l *lookup) At(t column.Ticks) (table *exec.Table, from, until column.Ticks, err error) {
	versions := make([]*checkpoint.Snapshot, len(l.inputs))
	refs := l.all.refs
	until = column.EndOfTime
	for i, in := range l.inputs {
		f := refs.named(in.Name)
		v, first, next := refs.inEffect(f, t)
		versions[i], from, until = v, max(from, first), min(until, next)
		if v == nil && refs.once(f, "before") {
			l.all.job.opts.Log.Warn("rows come before the first snapshot of reference data and join none of it", "job", l.all.job.opts.Name, "input", f.name, "time", t, "first", next)
		}
	}
	key := versionKey(versions)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, m := range l.made {
		if m.key == key {
			copy(l.made[1:i+1], l.made[:i])
			l.made[0] = m
			return m.table, from, until, nil
		}
	}
	if table, err = l.make(versions, t); err != nil {
		return nil, 0, 0, err
	}
	l.made = append([]madeTable{{key, table}}, l.made[:min(len(l.made), mostTables-1)]...)
	return table, from, until, nil
}

// make makes the table of some versions. A version that is nil has no rows.
func (l *lookup) make(versions []*checkpoint.Snapshot, t column.Ticks) (*exec.Table, error) {
	e := &evaluation{job: l.all.job, all: l.all, at: t, versions: make(map[*plan.Input]*checkpoint.Snapshot), done: make(map[plan.Node]*column.Batch)}
	for i, in := range l.inputs {
		e.versions[in] = versions[i]
	}
	b, err := e.rows(l.node.Ref)
	if err != nil {
		return nil, err
	}
	table, err := exec.NewTable(l.node, b, e.skip(l.node))
	if err != nil {
		return nil, fmt.Errorf("reference data: %w", err)
	}
	return table, nil
}

// evaluation computes the rows of a graph over reference data.
type evaluation struct {
	job      *Job
	all      *lookups
	at       column.Ticks
	versions map[*plan.Input]*checkpoint.Snapshot
	done     map[plan.Node]*column.Batch
}

// skip is where rows go that a step over reference data cannot compute; nil: they end the
// job.
func (e *evaluation) skip(n plan.Node) exec.Skip {
	j := e.job
	if !j.opts.SkipErrors {
		return nil
	}
	part := j.graph.parts[n]
	return func(b *column.Batch, row int, err *exec.Error) {
		j.counts.errors.Add(1)
		j.diagnose(Diagnostic{
			Kind: "runtime", Type: runtimeError, Dropped: true, Step: part.Step, Output: part.Output, Line: part.Line,
			Reason: "row of reference data: " + err.Error(),
		})
	}
}

// rows are all rows of a node.
func (e *evaluation) rows(n plan.Node) (*column.Batch, error) {
	if b := e.done[n]; b != nil {
		return b, nil
	}
	b, err := e.compute(n)
	if err == nil {
		e.done[n] = b
	}
	return b, err
}

func (e *evaluation) compute(n plan.Node) (*column.Batch, error) {
	if in, ok := n.(*plan.Input); ok {
		return e.input(in)
	}
	step, err := exec.Compile(n)
	if err != nil {
		return nil, err
	}
	op, err := step.New()
	if err != nil {
		return nil, err
	}
	if l, ok := op.(*exec.Lookup); ok {
		l.Tables = fixedTime{e.all.tables(n.(*plan.Lookup)), e.at}
	}
	if s, ok := op.(exec.Skipper); ok {
		if skip := e.skip(n); skip != nil {
			s.SkipTo(skip)
		}
	}
	out := newCollected(exec.SchemaOf(n.Columns()))
	for i, in := range n.Inputs() {
		b, err := e.rows(in)
		if err != nil {
			return nil, err
		}
		if b.Rows == 0 {
			continue
		}
		if err := op.Process(i, b, out); err != nil {
			return nil, fmt.Errorf("reference data: %w", err)
		}
	}
	return out.batch(), nil
}

// fixedTime are the tables of a Lookup below another: at the time of that.
type fixedTime struct {
	*lookup
	at column.Ticks
}

func (f fixedTime) At(column.Ticks) (*exec.Table, column.Ticks, column.Ticks, error) {
	table, _, _, err := f.lookup.At(f.at)
	return table, 0, column.EndOfTime, err
}

// input decodes the rows of a version.
func (e *evaluation) input(in *plan.Input) (*column.Batch, error) {
	out := newCollected(exec.SchemaOf(in.Columns()))
	v, f := e.versions[in], e.all.refs.named(in.Name)
	if v == nil {
		return out.batch(), nil
	}
	data, err := e.all.refs.content(context.Background(), f, v)
	if err != nil {
		return nil, fmt.Errorf("reading %s, reference data of input %s: %w", v.Name, in.Name, err)
	}
	c, err := f.Source.Cut(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s, reference data of input %s: %w", v.Name, in.Name, err)
	}
	d := &referenceDecoder{in: in, format: f.Format, level: e.job.opts.Plan.Level}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("reading %s, reference data of input %s: %w", v.Name, in.Name, err)
	}
	told := !e.all.refs.once(f, "bad "+versionKey([]*checkpoint.Snapshot{v}))
	bad, first := int64(0), ""
	d.bad = func(message int, g Diagnostic) {
		if bad++; bad == 1 {
			first = fmt.Sprintf("row %d: %s", c.Offsets[message], g.Reason)
		}
		if !told {
			g.Input, g.Snapshot, g.Offset, g.Dropped = in.Name, v.Name, c.Offsets[message], true
			e.job.counts.input(in.Name, 0).deserialization.Add(1)
			e.job.diagnose(g)
		}
	}
	for at := 0; at < c.Len(); {
		var b *column.Batch
		b, at = d.next(c, at)
		if err := out.Rows(b); err != nil {
			return nil, err
		}
	}
	b := out.batch()
	if bad > 0 && !told {
		e.job.opts.Log.Warn("rows of reference data cannot be read and are left out", "job", e.job.opts.Name, "input", in.Name, "snapshot", v.Name, "rows", bad, "first", first)
	}
	return b, nil
}

// referenceDecoder makes columns of the messages of a snapshot, as a partition does of those
// of a stream.
type referenceDecoder struct {
	in      *plan.Input
	format  Format
	level   plan.Level
	decoder rowDecoder
	schema  *column.Schema
	bad     func(message int, d Diagnostic)
	rows    int64
}

func (d *referenceDecoder) open() (err error) {
	cols := make([]format.Column, len(d.in.Cols))
	for i, c := range d.in.Cols {
		cols[i] = format.Column{Path: c.Path, Whole: c.Kind == plan.Whole, Required: c.Declared != column.Null}
	}
	d.schema = exec.SchemaOf(d.in.Columns())
	d.decoder, err = newRowDecoder(Input{Format: d.format}, d.level, cols)
	return err
}

// next decodes messages from first on, and returns the first that it did not.
func (d *referenceDecoder) next(c *connector.Chunk, first int) (*column.Batch, int) {
	rows := d.decoder.decode(c, first)
	for _, bad := range rows.Bad {
		d.bad(bad.Message, Diagnostic{Kind: "deserialization", Type: bad.Type, Reason: fmt.Sprintf("at byte %d: %s", bad.ByteOffset, bad.Reason), Excerpt: bad.Excerpt})
	}
	b := &column.Batch{Schema: d.schema, Rows: rows.Rows, Cols: rows.Cols, Time: make([]column.Ticks, rows.Rows), Seq: make([]int64, rows.Rows)}
	for i := range b.Seq {
		b.Seq[i] = d.rows
		d.rows++
	}
	refused := make(map[int32]bool)
	for k, s := range d.in.Cols {
		if s.Declared == column.Null || b.Cols[k].Kind == s.Declared && b.Cols[k].Whole == nil {
			continue
		}
		to := column.NewBuilder(nil)
		for i := range rows.Rows {
			x, ok := d.format.ReadAs(b.Cols[k].At(i), s.Declared, d.level)
			to.Append(x)
			if ok || refused[int32(i)] {
				continue
			}
			refused[int32(i)] = true
			d.bad(int(rows.Src[i]), Diagnostic{Kind: "declaration", Type: typeConversion, Reason: fmt.Sprintf("column %s is no %s", s.Name, s.Declared)})
		}
		b.Cols[k] = to.Vector()
	}
	declaredFields(b, d.in.Cols)
	if len(refused) > 0 {
		b.Live = make([]int32, 0, rows.Rows)
		for i := range int32(rows.Rows) {
			if !refused[i] {
				b.Live = append(b.Live, i)
			}
		}
	}
	return b, rows.Next
}

// collected takes the rows of a step in one batch.
type collected struct {
	g      *column.Gatherer
	schema *column.Schema
}

func newCollected(s *column.Schema) *collected { return &collected{column.NewGatherer(s), s} }

// Rows implements exec.Emit.
func (c *collected) Rows(b *column.Batch) error {
	if b.LiveRows() == 0 {
		return nil
	}
	n := c.g.Open(b)
	for k := range b.LiveRows() {
		c.g.Add(n, int32(b.Row(k)))
	}
	return nil
}

// Advance implements exec.Emit.
func (c *collected) Advance(column.Ticks) error { return nil }

func (c *collected) batch() *column.Batch {
	if c.g.Rows() > 0 {
		return c.g.Batch()
	}
	b := &column.Batch{Schema: c.schema}
	for range c.schema.Fields {
		b.Cols = append(b.Cols, column.Constant(column.Value{}, 0))
	}
	return b
}
