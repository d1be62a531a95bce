package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
)

// packet is what a partition hands to the tail: the outcome of one batch.
type packet struct {
	part     *partition
	rows     []edgeRows
	partials []edgePartial
	marks    []mark
	letters  letters
	barrier  *partState
	end      bool
	drained  bool // the partition had read everything when the job was asked to stop
	err      error
}

type edgeRows struct {
	edge *edge
	b    *column.Batch
}

type edgePartial struct {
	edge *edge
	p    exec.Partial
}

// mark is a watermark of one Input of the plan.
type mark struct {
	input int
	w     column.Ticks
}

// partState is the state of a partition at a barrier.
type partState struct {
	position connector.Position
	last     int64 // offset of the last message
	moved    bool  // messages were read since the last barrier
	stages   [][]byte
}

// partition is the pipeline of one partition of one source. One goroutine owns
// it.
type partition struct {
	job    *Job
	source sourceInputs
	in     Input
	number int // of its source
	index  int // in job.parts

	decoder  rowDecoder
	stamps   Arrivals // nil: the source stamps
	stampers []int    // decoder column of each of its columns
	count    *inputCounts
	branches []*branch // one per Input of the plan
	pending  packet
	position connector.Position
	ended    bool

	last     int64        // offset of the last message read
	moved    bool         // since the last barrier
	received column.Ticks // clock when the last events were read
	caughtUp bool
	drained  bool
	promise  column.Ticks

	held    atomic.Int64 // rows of this partition that wait in the tail for other partitions
	wake    chan struct{}
	barrier atomic.Int64 // epoch wanted; 0: none
	resume  chan struct{}
}

// branch is one Input of the plan in one partition.
type branch struct {
	input   int
	node    *plan.Input
	stage   *exec.TimeStage
	schema  *column.Schema
	from    []int // decoder column of each payload column
	next    exec.Emit
	sent    column.Ticks
	flushes []*partialLink
	counted exec.TimeCounts
}

func newPartition(j *Job, s sourceInputs, number int) (*partition, error) {
	in, ok := j.opts.Inputs[s.name]
	if !ok {
		return nil, fmt.Errorf("starting job %s: input %s is bound to no source", j.opts.Name, s.name)
	}
	p := &partition{
		job: j, source: s, in: in, number: number, index: len(j.parts), count: j.counts.input(s.name, number),
		wake: make(chan struct{}, 1), resume: make(chan struct{}, 1),
	}
	var cols []format.Column
	at := make(map[string]int)
	add := func(c format.Column) int {
		key := strings.Join(c.Path, "\x00")
		if c.Whole {
			key = "\x00*"
		}
		if _, ok := at[key]; !ok {
			at[key] = len(cols)
			cols = append(cols, c)
		}
		return at[key]
	}
	for _, i := range s.inputs {
		node := j.graph.inputs[i]
		b := &branch{input: i, node: node, schema: exec.SchemaOf(node.Columns()), from: make([]int, len(node.Cols))}
		var err error
		if b.stage, err = exec.NewTimeStage(node, j.opts.Policy); err != nil {
			return nil, err
		}
		for k, c := range node.Cols {
			switch c.Kind {
			case plan.Payload, plan.Whole:
			default:
				continue
			}
			b.from[k] = add(format.Column{Path: c.Path, Whole: c.Kind == plan.Whole})
		}
		if b.next, err = p.chain(node, b); err != nil {
			return nil, err
		}
		p.branches = append(p.branches, b)
	}
	if in.Arrivals != nil {
		p.stamps = in.Arrivals(number)
		for _, c := range p.stamps.Columns() {
			p.stampers = append(p.stampers, add(c))
		}
	}
	var err error
	if p.decoder, err = newRowDecoder(in, cols); err != nil {
		return nil, fmt.Errorf("opening input %s: %w", s.name, err)
	}
	return p, nil
}

// chain builds the steps that run behind a local node.
func (p *partition) chain(n plan.Node, b *branch) (exec.Emit, error) {
	var out []exec.Emit
	for _, c := range p.job.graph.consumers[n] {
		switch {
		case c.edge != nil && c.edge.partial != nil:
			add, err := exec.NewAggregator(c.edge.partial)
			if err != nil {
				return nil, err
			}
			l := &partialLink{p: p, edge: c.edge, add: add}
			b.flushes = append(b.flushes, l)
			out = append(out, l)
		case c.edge != nil:
			out = append(out, &rowsLink{p, c.edge})
		default:
			op, err := statelessOperator(c.node)
			if err != nil {
				return nil, err
			}
			next, err := p.chain(c.node, b)
			if err != nil {
				return nil, err
			}
			out = append(out, &link{op: op, next: next, stateless: true})
		}
	}
	return fanOf(out), nil
}

// rowsLink sends rows to the tail.
type rowsLink struct {
	p    *partition
	edge *edge
}

func (l *rowsLink) Rows(b *column.Batch) error {
	l.p.pending.rows = append(l.p.pending.rows, edgeRows{l.edge, b})
	return nil
}

func (l *rowsLink) Advance(column.Ticks) error { return nil }

// partialLink aggregates in the partition and sends what is complete here.
type partialLink struct {
	p    *partition
	edge *edge
	add  *exec.Aggregator
}

func (l *partialLink) Rows(b *column.Batch) error { return l.add.Add(b) }

func (l *partialLink) Advance(w column.Ticks) error {
	for _, p := range l.add.Take(w) {
		l.p.pending.partials = append(l.p.pending.partials, edgePartial{l.edge, p})
	}
	return nil
}

// maxHeld bounds the rows that one partition may have waiting for the others.
const maxHeld = 128 << 10

// run reads the partition until the context ends, the source ends or something
// fails.
func (p *partition) run(ctx context.Context, from connector.Start) {
	err := p.read(ctx, from)
	if err != nil && ctx.Err() == nil {
		p.pending.err = err
		p.send(ctx)
	}
}

func (p *partition) read(ctx context.Context, from connector.Start) error {
	r, err := p.in.Source.OpenReader(ctx, p.number, from)
	if err != nil {
		return fmt.Errorf("opening partition %d of input %s: %w", p.number, p.source.name, err)
	}
	defer r.Close()
	var c connector.Chunk
	for {
		if p.barrier.Load() != 0 {
			if err := p.pass(ctx); err != nil {
				return err
			}
		}
		if p.held.Load() > maxHeld {
			// This partition is far ahead of another: it waits, and the log is its buffer.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.wake:
			}
			continue
		}
		if p.ended {
			if !p.drained && p.job.draining.Load() {
				p.drained, p.pending.drained = true, true
				if err := p.send(ctx); err != nil {
					return err
				}
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.wake:
			}
			continue
		}
		err := r.Read(ctx, &c, p.wake)
		if err != nil && !errors.Is(err, io.EOF) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("reading partition %d of input %s: %w", p.number, p.source.name, err)
		}
		if c.Len() > 0 {
			if err := p.take(ctx, &c); err != nil {
				return err
			}
		}
		if n := c.Len(); n > 0 {
			p.last, p.moved = c.Offsets[n-1], true
		}
		if c.Next != nil {
			p.position = append(p.position[:0:0], c.Next...)
		}
		p.caughtUp, p.promise = c.CaughtUp, c.Promise
		if err != nil {
			p.ended = true
			p.pending.end = true
			if !p.job.opts.NoFlush {
				if err := p.idle(p.job.opts.Until, true); err != nil {
					return err
				}
			}
			if err := p.send(ctx); err != nil {
				return err
			}
			continue
		}
		if c.CaughtUp && !p.drained && p.job.draining.Load() {
			p.drained, p.pending.drained = true, true
		}
		if c.Len() == 0 || c.CaughtUp && c.Promise > 0 {
			if err := p.tick(); err != nil {
				return err
			}
		}
		if err := p.send(ctx); err != nil {
			return err
		}
	}
}

// advance tells the steps of a branch and the tail how far its time is.
func (p *partition) advance(br *branch) error {
	w := min(br.stage.Watermark(), p.job.opts.Until)
	if w <= br.sent {
		return nil
	}
	br.sent = w
	if err := br.next.Advance(w); err != nil {
		return err
	}
	p.pending.marks = append(p.pending.marks, mark{br.input, w})
	return nil
}

// tick looks at a silent partition: its watermark follows the clock.
func (p *partition) tick() error {
	if p.job.opts.IdleTick < 0 {
		return nil
	}
	switch {
	case p.promise > 0:
		return p.idle(p.promise, true)
	case p.caughtUp:
		return p.idle(p.job.opts.Clock.Now(), false)
	}
	for _, br := range p.branches {
		if br.stage.LastArrival() == 0 {
			continue
		}
		now := br.stage.LastArrival() + p.job.opts.Clock.Now() - p.received
		if err := br.stage.Idle(now, false, br.next); err != nil {
			return err
		}
		if err := p.advance(br); err != nil {
			return err
		}
	}
	return nil
}

func (p *partition) idle(now column.Ticks, promised bool) error {
	for _, br := range p.branches {
		if err := br.stage.Idle(now, promised, br.next); err != nil {
			return err
		}
		if err := p.advance(br); err != nil {
			return err
		}
	}
	return nil
}

// state is the partition's part of a checkpoint, the time stages aside.
func (p *partition) state() *partState {
	return &partState{position: p.position, last: p.last, moved: p.moved}
}

// pass puts the barrier behind everything the partition has sent: what the
// partial aggregates hold goes first, so that only the tail has their state.
func (p *partition) pass(ctx context.Context) error {
	st := p.state()
	p.moved = false
	for _, br := range p.branches {
		for _, l := range br.flushes {
			if err := l.Advance(column.EndOfTime); err != nil {
				return err
			}
		}
		b, err := encoded(br.stage)
		if err != nil {
			return err
		}
		st.stages = append(st.stages, b)
	}
	p.barrier.Store(0)
	p.pending.barrier = st
	if err := p.send(ctx); err != nil {
		return err
	}
	select {
	case <-p.resume:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restore takes the state of a barrier.
func (p *partition) restore(st *partState) error {
	if len(st.stages) != len(p.branches) {
		return fmt.Errorf("restoring partition %d of input %s: %d time stages saved, %d needed", p.number, p.source.name, len(st.stages), len(p.branches))
	}
	for i, br := range p.branches {
		if err := decoded(br.stage, st.stages[i]); err != nil {
			return fmt.Errorf("restoring the time stage of partition %d of input %s: %w", p.number, p.source.name, err)
		}
		br.counted = br.stage.Counts()
	}
	p.position = st.position
	return nil
}

// send hands what is pending to the tail.
func (p *partition) send(ctx context.Context) error {
	k := &p.pending
	if k.rows == nil && k.partials == nil && k.marks == nil && k.barrier == nil && len(k.letters.lines) == 0 && !k.end && !k.drained && k.err == nil {
		return nil
	}
	out := *k
	out.part = p
	p.pending = packet{}
	select {
	case p.job.packets <- out:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
