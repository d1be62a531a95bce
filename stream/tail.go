package stream

import (
	"context"
	"errors"
	"fmt"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/deadletter"
	"spate/stream/exec"
	"spate/stream/state"
)

// tail is the part of a job that runs once: it takes the packets of all
// partitions, merges partial aggregates, runs the steps that need total order,
// and writes to the sinks.
type tail struct {
	job     *Job
	ops     []namedOperator  // in topological order: the order of their snapshots
	entries []*entry         // by edge id
	marks   [][]column.Ticks // per Input and partition of its source
	outputs map[string]*outputWriter
	ended   int
	drained int
	full    bool         // an output asks for an epoch
	barrier []*partState // of the epoch under way, by partition
	seen    int
	letters letters // since the last barrier
}

type namedOperator struct {
	name string
	op   snapshotter
}

type snapshotter interface {
	Freeze() (state.Frozen, error)
	Load(e state.Entry) error
}

// entry is where an edge ends in the tail.
type entry struct {
	edge   *edge
	finish *exec.Finisher // edges of partial aggregates
	merge  *exec.Merge    // edges into a step that needs order
	next   exec.Emit
	sent   column.Ticks
}

// outputWriter writes one output of the job; several statements may share it.
type outputWriter struct {
	name   string
	sink   connector.Sink
	writer connector.Writer
	rows   int64 // since the last barrier
	count  *outputCounts
}

func newTail(ctx context.Context, j *Job) (*tail, error) {
	t := &tail{job: j, outputs: make(map[string]*outputWriter), barrier: make([]*partState, len(j.parts))}
	for range j.graph.inputs {
		t.marks = append(t.marks, make([]column.Ticks, len(j.parts)))
	}
	t.entries = make([]*entry, len(j.graph.edges))
	built := make(map[plan.Node]exec.Emit)
	shared := make(map[plan.Node]*shared)
	// Backwards, so that every step finds its readers.
	for i := len(j.graph.nodes) - 1; i >= 0; i-- {
		n := j.graph.nodes[i]
		if j.graph.local[n] {
			continue
		}
		var readers []exec.Emit
		for _, c := range j.graph.consumers[n] {
			e, err := t.reader(ctx, n, c, built, shared)
			if err != nil {
				return nil, err
			}
			readers = append(readers, e)
		}
		if err := t.operator(i, n, fanOf(readers), shared); err != nil {
			return nil, err
		}
	}
	for _, e := range j.graph.edges {
		if err := t.entry(ctx, e, built, shared); err != nil {
			return nil, err
		}
	}
	for a, b := 0, len(t.ops)-1; a < b; a, b = a+1, b-1 {
		t.ops[a], t.ops[b] = t.ops[b], t.ops[a]
	}
	return t, nil
}

// shared is an operator of the tail and what follows it.
type shared struct {
	op     exec.Operator
	finish *exec.Finisher
	next   exec.Emit
	marks  *watermarks

	stateless bool
}

func (t *tail) operator(i int, n plan.Node, next exec.Emit, all map[plan.Node]*shared) error {
	s := &shared{next: next}
	var err error
	switch n := n.(type) {
	case *plan.Filter, *plan.Project:
		s.stateless = true
		s.op, err = statelessOperator(n)
	case *plan.Analytic:
		s.op, err = exec.NewAnalytic(n)
	case *plan.Union:
		s.op = exec.NewUnion(n)
	case *plan.Aggregate:
		if t.job.graph.local[n.In] && exec.OrderFree(n) {
			s.finish, err = exec.NewFinisher(n)
			break
		}
		s.op, err = exec.NewAggregate(n)
	default:
		err = fmt.Errorf("compiling the plan: step %T is not supported yet", n)
	}
	if err != nil {
		return err
	}
	if n := len(n.Inputs()); n > 1 {
		s.marks = &watermarks{of: make([]column.Ticks, n)}
	}
	all[n] = s
	name := fmt.Sprintf("step-%03d", i)
	if s.finish != nil {
		t.ops = append(t.ops, namedOperator{name, s.finish})
	} else {
		t.ops = append(t.ops, namedOperator{name, s.op})
	}
	return nil
}

// reader is what a tail node emits to for one of its consumers.
func (t *tail) reader(ctx context.Context, from plan.Node, c consumer, built map[plan.Node]exec.Emit, all map[plan.Node]*shared) (exec.Emit, error) {
	if c.output != nil {
		return t.output(ctx, c.output)
	}
	s := all[c.node]
	to := t.into(s, c.in)
	if needsOrder(c.node) && !t.job.graph.ordered(from) {
		op := exec.NewSort(exec.SchemaOf(from.Columns()))
		t.ops = append(t.ops, namedOperator{fmt.Sprintf("sort-%03d", len(t.ops)), op})
		return &link{op: op, next: to}, nil
	}
	return to, nil
}

func (t *tail) into(s *shared, in int) exec.Emit {
	l := link{op: s.op, in: in, next: s.next, stateless: s.stateless}
	if s.marks != nil {
		return &joint{l, s.marks}
	}
	return &l
}

// entry builds the tail's end of an edge.
func (t *tail) entry(ctx context.Context, e *edge, built map[plan.Node]exec.Emit, all map[plan.Node]*shared) error {
	en := &entry{edge: e}
	t.entries[e.id] = en
	if e.to.output != nil {
		next, err := t.output(ctx, e.to.output)
		en.next = next
		return err
	}
	s := all[e.to.node]
	if e.partial != nil {
		en.finish, en.next = s.finish, s.next
		return nil
	}
	en.next = t.into(s, e.to.in)
	// One partition sends its rows in order. A job that keeps state merges all the same,
	// so that its state does not depend on the number of partitions.
	if needsOrder(e.to.node) && (t.job.log != nil || t.job.partitionsOf(e.input) > 1) {
		en.merge = exec.NewMerge(exec.SchemaOf(e.from.Columns()), len(t.job.parts))
		t.ops = append(t.ops, namedOperator{fmt.Sprintf("merge-%03d", e.id), en.merge})
	}
	return nil
}

func (t *tail) output(ctx context.Context, o *plan.Output) (exec.Emit, error) {
	w := t.outputs[o.Name]
	if w == nil {
		sink, ok := t.job.opts.Outputs[o.Name]
		if !ok {
			return nil, fmt.Errorf("starting job %s: output %s is bound to no target", t.job.opts.Name, o.Name)
		}
		writer, err := sink.OpenWriter(ctx, 0, 1)
		if err != nil {
			return nil, fmt.Errorf("opening output %s of job %s: %w", o.Name, t.job.opts.Name, err)
		}
		w = &outputWriter{name: o.Name, sink: sink, writer: writer, count: t.job.counts.output(o.Name)}
		t.outputs[o.Name] = w
	}
	statement := 0
	for i := range t.job.graph.outputs {
		if t.job.graph.outputs[i] == o {
			statement = i
		}
	}
	return &outputLink{t: t, w: w, ctx: ctx, statement: statement, number: w.count.statement()}, nil
}

// outputLink writes the rows of one statement.
type outputLink struct {
	t         *tail
	w         *outputWriter
	ctx       context.Context
	statement int // of the script
	number    int // of the output's statements
}

func (l *outputLink) Rows(b *column.Batch) error {
	b = l.t.job.suppress(b)
	n := b.LiveRows()
	if n == 0 {
		return nil
	}
	var bad []connector.BadRow
	var err error
	if sw, ok := l.w.writer.(connector.StatementWriter); ok {
		bad, err = sw.WriteStatement(l.ctx, l.statement, b)
	} else {
		bad, err = l.w.writer.Write(l.ctx, b)
	}
	if err != nil {
		return fmt.Errorf("writing to output %s: %w", l.w.name, err)
	}
	if err := l.t.dropRows(l.w, b, bad); err != nil {
		return err
	}
	if f, ok := l.w.writer.(connector.FullWriter); ok && f.Full() {
		l.t.full = true
	}
	l.w.rows += int64(n - len(bad))
	l.w.count.rows.Add(int64(n - len(bad)))
	return nil
}

// ErrHeld: an output cannot hold a row, and its error policy is not to drop it.
var ErrHeld = errors.New("the row is held")

// dropRows reports rows that an output cannot hold.
func (t *tail) dropRows(w *outputWriter, b *column.Batch, bad []connector.BadRow) error {
	for _, r := range bad {
		w.count.conversion.Add(1)
		if t.job.opts.Hold[w.name] {
			return fmt.Errorf("output %s cannot hold the row of %s, %.200s: %s: %w", w.name, b.Time[r.Row], format.AppendRow(nil, b, r.Row), r.Reason, ErrHeld)
		}
		d := Diagnostic{Kind: "conversion", Type: conversionError, Output: w.name, Dropped: true, Reason: r.Reason}
		t.job.diagnose(d)
		if t.job.letters == nil {
			continue
		}
		t.job.counts.deadLetter(w.name, d.Type)
		t.letters.add(&deadletter.Letter{Kind: d.Kind, Reason: d.Type + ": " + d.Reason, Output: w.name, Time: b.Time[r.Row], Row: format.AppendRow(nil, b, r.Row)})
	}
	return nil
}

// late takes the bad rows that writers found when they prepared.
func (t *tail) late() error {
	for _, w := range t.outputs {
		lw, ok := w.writer.(connector.LateWriter)
		if !ok {
			continue
		}
		for _, r := range lw.Late() {
			w.count.rows.Add(-int64(len(r.Bad)))
			if err := t.dropRows(w, r.Batch, r.Bad); err != nil {
				return err
			}
		}
	}
	return nil
}

const conversionError = "OutputDataConversionError.TypeConversionError"

func (l *outputLink) Advance(w column.Ticks) error {
	l.t.job.reached(l.w.count, l.number, w)
	if ww, ok := l.w.writer.(connector.WatermarkWriter); ok {
		if err := ww.AdvanceStatement(l.statement, w); err != nil {
			return fmt.Errorf("writing to output %s: %w", l.w.name, err)
		}
	}
	return nil
}

// take runs one packet through the tail.
func (t *tail) take(k *packet) error {
	t.letters.join(k.letters)
	for _, p := range k.partials {
		if err := t.entries[p.edge.id].finish.Merge(p.p); err != nil {
			return err
		}
	}
	for _, r := range k.rows {
		e := t.entries[r.edge.id]
		if e.merge != nil {
			if err := e.merge.Process(k.part.index, r.b, nil); err != nil {
				return err
			}
			continue
		}
		if err := e.next.Rows(r.b); err != nil {
			return err
		}
	}
	for _, m := range k.marks {
		t.marks[m.input][k.part.index] = m.w
		if err := t.advance(m.input); err != nil {
			return err
		}
	}
	t.holdBack()
	if k.err != nil { // behind what came before it
		return k.err
	}
	if k.end {
		t.ended++
	}
	if k.drained {
		t.drained++
	}
	if k.barrier != nil {
		t.barrier[k.part.index] = k.barrier
		t.seen++
	}
	return nil
}

// holdBack tells every partition how many of its rows wait here for another one, and
// wakes those that may go on.
func (t *tail) holdBack() {
	for i, p := range t.job.parts {
		n := int64(0)
		for _, e := range t.entries {
			// Rows that wait for their own partition, with equal times, must not stop it.
			if e.merge != nil && t.marks[e.edge.input][i] > e.sent {
				n += int64(e.merge.Held(i))
			}
		}
		if old := p.held.Swap(n); old > maxHeld && n <= maxHeld {
			p.rouse()
		}
	}
}

// partitionsOf is the number of partitions of the source of an Input.
func (j *Job) partitionsOf(input int) (n int) {
	for _, p := range j.parts {
		if p.source.name == j.graph.inputs[input].Name {
			n++
		}
	}
	return n
}

// advance moves the edges of an Input to the least watermark of its partitions.
func (t *tail) advance(input int) error {
	name := t.job.graph.inputs[input].Name
	least := column.EndOfTime
	for i, p := range t.job.parts {
		if p.source.name == name {
			least = min(least, t.marks[input][i])
		}
	}
	for _, e := range t.entries {
		if e.edge.input != input || least <= e.sent {
			continue
		}
		e.sent = least
		var err error
		switch {
		case e.finish != nil:
			err = e.finish.Advance(least, e.next)
		case e.merge != nil:
			err = e.merge.Advance(least, e.next)
		default:
			err = e.next.Advance(least)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close closes the writers.
func (t *tail) close() {
	for _, w := range t.outputs {
		w.writer.Close()
	}
}
