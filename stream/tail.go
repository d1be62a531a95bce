package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
)

// tail is the part of a job that runs once: it takes the packets of all partitions
// and shards, merges partial aggregates, runs the steps that need everything in one
// place, and writes to the sinks.
type tail struct {
	site
	outputs map[string]*outputWriter
	ended   int
	drained int
	full    bool         // an output asks for an epoch
	barrier []*partState // of the epoch under way, by partition
	frozen  []frozenStep // since the last saved epoch, in order
	seen    int          // barriers
}

// outputWriter writes one output of the job; several statements may share it.
type outputWriter struct {
	name   string
	sink   connector.Sink
	writer connector.Writer
	taken  taken // since the last barrier
	count  *outputCounts
	reads  []plan.Node // by statement

	ordered *orderedOutput // nil: rows may come as they like
}

// taken are rows that an output took, and those that it could not hold.
type taken struct{ rows, refused int64 }

// add counts them as what the job has done. It is called once for each row: when an epoch is
// saved, behind which no row comes again, or at once where there are no epochs.
func (c *outputCounts) add(n taken) {
	c.rows.Add(n.rows)
	c.conversion.Add(n.refused)
}

func (w *outputWriter) failed(err error) error {
	return fmt.Errorf("writing to output %s: %w", w.name, err)
}

func newTail(ctx context.Context, j *Job) (*tail, error) {
	t := &tail{site: *newSite(j, inTail, -1), outputs: make(map[string]*outputWriter), barrier: make([]*partState, len(j.parts))}
	t.output = func(c *consumer) (exec.Emit, error) { return t.write(ctx, c) }
	for _, e := range j.graph.edges {
		if e.at == inTail {
			if err := t.enter(e); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// producers is how many sites send to the tail.
func (t *tail) producers() int {
	n := len(t.job.parts)
	if t.job.graph.sharded() {
		n += t.job.graph.shards
	}
	return n
}

// write is an output as a consumer of rows.
func (t *tail) write(ctx context.Context, c *consumer) (exec.Emit, error) {
	o := c.output
	w := t.outputs[o.Name]
	if w == nil {
		sink, ok := t.job.opts.Outputs[o.Name]
		if !ok {
			return nil, fmt.Errorf("starting job %s: output %s is bound to no target", t.job.opts.Name, o.Name)
		}
		writer, err := sink.OpenWriter(ctx, connector.Shard{Job: t.job.identity(), Number: 0, Of: 1})
		if err != nil {
			return nil, fmt.Errorf("opening output %s of job %s: %w", o.Name, t.job.opts.Name, err)
		}
		w = &outputWriter{name: o.Name, sink: sink, writer: writer, count: t.job.counts.output(o.Name)}
		t.outputs[o.Name] = w
		if _, ok := sink.(connector.ImmediateSink); ok {
			if w.ordered, err = t.orderedOutput(ctx, w, writer); err != nil {
				return nil, err
			}
		}
	}
	w.reads = append(w.reads, o.In)
	if w.ordered != nil {
		l := &orderedLink{t: t, to: w.ordered, source: w.ordered.sources[c.statement], number: w.count.statement()}
		if t.job.graph.inPlace(o.In) {
			t.ends = append(t.ends, l)
		}
		return l, nil
	}
	return &outputLink{t: t, w: w, ctx: ctx, statement: c.statement, number: w.count.statement()}, nil
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
	if l.t.job.abandoned.Load() {
		return ErrUnfinished
	}
	b = l.t.job.suppress(b)
	if b.LiveRows() == 0 {
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
		return l.w.failed(err)
	}
	if err := l.t.wrote(l.w, b, bad); err != nil {
		return err
	}
	if f, ok := l.w.writer.(connector.FullWriter); ok && f.Full() {
		l.t.full = true
	}
	return nil
}

// wrote counts the rows that an output has taken.
func (t *tail) wrote(w *outputWriter, b *column.Batch, bad []connector.BadRow) error {
	if err := t.dropRows(w, b, bad); err != nil {
		return err
	}
	n := taken{int64(b.LiveRows() - len(bad)), int64(len(bad))}
	w.count.handed += n.rows
	if t.job.log == nil {
		w.count.add(n)
	}
	w.taken.rows += n.rows
	w.taken.refused += n.refused
	return nil
}

// ErrHeld: an output cannot hold a row, and its error policy is not to drop it.
var ErrHeld = errors.New("the row is held")

// dropRows reports rows that an output cannot hold.
func (t *tail) dropRows(w *outputWriter, b *column.Batch, bad []connector.BadRow) error {
	for _, r := range bad {
		if t.job.opts.Hold[w.name] {
			w.count.conversion.Add(1) // no epoch comes behind it
			return fmt.Errorf("output %s cannot hold the row of %s, %.200s: %s: %w", w.name, b.Time[r.Row], format.AppendRow(nil, b, r.Row), r.Reason, ErrHeld)
		}
		d := Diagnostic{Kind: "conversion", Type: conversionError, Output: w.name, Dropped: true, Reason: r.Reason}
		if !slices.ContainsFunc(w.reads, func(n plan.Node) bool { return !t.job.graph.exact(n) }) {
			d.Input, d.Part, d.Offset = t.job.originOf(w.reads[:1], b, r.Row)
		}
		t.job.diagnose(d)
		if t.job.letters == nil {
			continue
		}
		t.job.counts.deadLetter(w.name, d.Type)
		l := letterOf(d, b, r.Row)
		t.letters.add(&l)
	}
	return nil
}

// late takes the bad rows that writers found when they prepared. took is what they took.
func (t *tail) late(took map[*outputCounts]taken) error {
	for _, w := range t.outputs {
		lw, ok := w.writer.(connector.LateWriter)
		if !ok {
			continue
		}
		for _, r := range lw.Late() {
			n := took[w.count]
			n.rows -= int64(len(r.Bad))
			n.refused += int64(len(r.Bad))
			took[w.count] = n
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

// packet runs one packet through the tail.
func (t *tail) packet(k *packet) error {
	t.letters.join(k.letters)
	if k.missed {
		if err := t.missed(t.job.parts[k.from]); err != nil {
			return err
		}
	}
	if err := t.take(k); err != nil {
		return err
	}
	if err := t.showNow(); err != nil {
		return err
	}
	if k.err != nil { // behind what came before it
		return k.err
	}
	t.owe()
	t.hurry()
	if k.end {
		t.ended++
	}
	if k.drained {
		t.drained++
	}
	if b := k.barrier; b != nil {
		if b.part != nil {
			t.barrier[k.from] = b.part
		}
		t.frozen = append(t.frozen, b.frozen...)
		t.seen++
	}
	return nil
}

// cut takes the state of the tail behind all barriers.
func (t *tail) cut() error {
	for _, en := range t.order {
		if en.order == nil || t.job.graph.place[en.edge.from] != inShard {
			continue
		}
		for src := range en.marks {
			if n := en.order.Held(src); n != 0 {
				return fmt.Errorf("cutting an epoch: %d bytes of rows of a shard wait behind its barrier", n)
			}
		}
	}
	frozen, err := t.freeze()
	if err != nil {
		return err
	}
	t.frozen = append(t.frozen, frozen...)
	return nil
}

// close closes the writers.
func (t *tail) close() {
	for _, w := range t.outputs {
		w.writer.Close()
	}
}
