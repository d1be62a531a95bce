package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
)

// partState is how far a partition is at a barrier.
type partState struct {
	position connector.Position
	last     int64 // offset of the last message
	moved    bool  // messages were read since the last barrier
}

// partition is the pipeline of one partition of one source. One goroutine owns
// it.
type partition struct {
	site
	source sourceInputs
	in     Input
	number int  // of its source
	index  int  // in job.parts
	gone   bool // the source has no such partition any more: what waits in it is let go
	came   bool // the source had no such partition when the checkpoint was taken

	decoder  rowDecoder
	facts    []connector.Fact // that the plan reads of each message
	stamps   Arrivals         // nil: the source stamps
	stampers []int            // decoder column of each of its columns
	count    *inputCounts
	refused  int       // events of the batch under way that are not as declared
	branches []*branch // one per Input of the plan
	position connector.Position
	ended    bool

	last     int64        // offset of the last message read
	moved    bool         // since the last barrier
	received column.Ticks // clock when the last events were read
	caughtUp bool
	drained  bool
	promise  column.Ticks

	owed    []atomic.Int64 // bytes of this partition that wait for others, in the tail and in each shard
	arrived atomic.Int64   // arrival of the last message; the end of time when it ended
	wake    chan struct{}
	wanted  atomic.Bool // rows wait for its promise; until it is further
	barrier atomic.Bool // an epoch is wanted
	resume  chan struct{}
}

// branch is one Input of the plan in one partition.
type branch struct {
	input    int
	node     *plan.Input
	stage    *exec.TimeStage
	schema   *column.Schema
	from     []int // of each column: decoder column of a payload, fact of metadata
	next     exec.Emit
	frontier column.Position // no later row of the branch stands before
	counted  exec.TimeCounts
}

// feeds reports whether rows of the branch come to an edge.
func (br *branch) feeds(g *graph, e *edge) bool {
	return g.place[e.from] == inPartition && slices.Contains(g.from[e.from], br.input)
}

func newPartition(j *Job, s sourceInputs, number int) (*partition, error) {
	in, ok := j.opts.Inputs[s.name]
	if !ok {
		return nil, fmt.Errorf("starting job %s: input %s is bound to no source", j.opts.Name, s.name)
	}
	if s.ordinal >= 1<<sourceBits || number >= 1<<partitionBits {
		return nil, fmt.Errorf("starting job %s: partition %d of input %d (%s): a job reads at most %d inputs of %d partitions", j.opts.Name, number, s.ordinal, s.name, 1<<sourceBits, 1<<partitionBits)
	}
	p := &partition{
		site: *newSite(j, inPartition, len(j.parts)), source: s, in: in, number: number, index: len(j.parts), count: j.counts.input(s.name, number),
		owed: make([]atomic.Int64, 1+j.graph.shards), wake: make(chan struct{}, 1), resume: make(chan struct{}, 1),
	}
	p.outlets = []*outlet{{to: j.packets}}
	for _, in := range j.shardIn {
		p.outlets = append(p.outlets, &outlet{to: in})
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
			case plan.Metadata:
				b.from[k] = p.fact(factOf(c.Path))
				continue
			default:
				continue
			}
			b.from[k] = add(format.Column{Path: c.Path, Whole: c.Kind == plan.Whole})
			if c.Declared != column.Null {
				cols[b.from[k]].Required = true
			}
		}
		for _, k := range timeColumns(node.Time) {
			if node.Cols[k].Kind == plan.Payload {
				cols[b.from[k]].Required = true
			}
		}
		if b.next, err = p.after(node); err != nil {
			return nil, err
		}
		p.keepOf(j.graph.standing(node), number, b.stage.Standing())
		p.keepOf(j.graph.waiting(node), number, b.stage)
		if keys, ok := b.stage.Substreams(); ok {
			p.keepOf(j.graph.keyed(node), number, keys)
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
	if p.decoder, err = newRowDecoder(in, p.job.opts.Plan.Level, cols); err != nil {
		return nil, fmt.Errorf("opening input %s: %w", s.name, err)
	}
	return p, nil
}

// begin gives partitions that have come since the checkpoint the time of their input:
// windows and orders have let go what stands before the least of the others, so to a
// new one that is over too. So it is to one that was gone, and let everything go. The
// partitions of a new input begin where the least of all is.
func (j *Job) begin() {
	for _, p := range j.parts {
		for b, br := range p.branches {
			if p.gone || !p.came && br.stage.Watermark() != column.EndOfTime {
				continue
			}
			var own, all least
			for _, q := range j.parts {
				if q.came || q.gone {
					continue
				}
				for k, other := range q.branches {
					all.add(other.stage.Frontier())
					if q.source.name == p.source.name && k == b {
						own.add(other.stage.Frontier())
					}
				}
			}
			switch {
			case own.some:
				br.stage.Begin(own.at)
			case all.some:
				br.stage.Begin(all.at)
			}
		}
	}
}

// least is the least of some frontiers. One at the end of time is none: nothing comes
// behind it.
type least struct {
	some bool
	at   column.Position
}

func (l *least) add(at column.Position) {
	if at.Time != column.EndOfTime && (!l.some || at.Before(l.at)) {
		l.some, l.at = true, at
	}
}

// mostOwed bounds the bytes that a job keeps waiting for partitions that are behind.
const mostOwed = 32 << 20

// ahead reports whether the partition is so far ahead of others that it must wait:
// the log is its buffer. What only this partition can let go does not count, and of
// all partitions the one that is least far in arrival time never waits.
func (p *partition) ahead() bool {
	owed := int64(0)
	for i := range p.owed {
		owed += p.owed[i].Load()
	}
	if owed <= max(mostOwed/int64(len(p.job.parts)), 1<<20) {
		return false
	}
	mine := p.arrived.Load()
	for _, q := range p.job.parts {
		if at := q.arrived.Load(); at < mine || at == mine && q.index < p.index {
			return true
		}
	}
	return false
}

// run reads the partition until the context ends, the source ends or something
// fails.
func (p *partition) run(ctx context.Context, from connector.Start) {
	err := p.read(ctx, from)
	if err != nil && ctx.Err() == nil {
		p.outlets[0].pending.err = err
		// The context has ended if this fails: nobody listens any more.
		_ = p.send(ctx)
	}
}

func (p *partition) read(ctx context.Context, from connector.Start) error {
	var r connector.Reader = ended{}
	if !p.gone {
		var err error
		from.Facts = p.facts
		if r, err = p.in.Source.OpenReader(ctx, p.number, from); err != nil {
			return fmt.Errorf("opening partition %d of input %s: %w", p.number, p.source.name, err)
		}
	}
	defer r.Close()
	if s := p.job.opts.shadow; s != nil {
		if err := s.begin(p); err != nil {
			return err
		}
	}
	for _, br := range p.branches { // what was restored need not wait for the next event
		if err := p.advance(br); err != nil {
			return err
		}
	}
	if err := p.send(ctx); err != nil {
		return err
	}
	var c connector.Chunk
	for {
		if p.barrier.Load() {
			if err := p.pass(ctx); err != nil {
				return err
			}
		}
		if p.ahead() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.wake:
			}
			continue
		}
		if p.ended {
			if !p.drained && p.job.draining.Load() {
				p.drained, p.outlets[0].pending.drained = true, true
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
		if c.Missed { // before anything that follows can be written
			p.outlets[0].pending.missed = true
			if err := p.send(ctx); err != nil {
				return err
			}
		}
		if c.Len() > 0 {
			if err := p.take(ctx, &c); err != nil {
				return err
			}
		}
		if n := c.Len(); n > 0 {
			p.last, p.moved = c.Offsets[n-1], true
			p.arrived.Store(int64(p.branches[0].stage.LastArrival()))
		}
		if c.Next != nil {
			p.position = append(p.position[:0:0], c.Next...)
		}
		p.caughtUp, p.promise = c.CaughtUp, c.Promise
		if err != nil {
			p.ended = true
			p.arrived.Store(int64(column.EndOfTime))
			for _, o := range p.outlets {
				o.pending.end = true
			}
			if err := p.end(); err != nil {
				return err
			}
			if err := p.send(ctx); err != nil {
				return err
			}
			continue
		}
		if c.CaughtUp && !p.drained && p.job.draining.Load() {
			p.drained, p.outlets[0].pending.drained = true, true
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

// advance tells the steps of a branch, and the sites behind them, how far its time
// is.
func (p *partition) advance(br *branch) error {
	at := br.stage.Frontier()
	if at.Time > p.job.opts.Until {
		at = column.Position{Time: p.job.opts.Until}
	}
	if !br.frontier.Before(at) {
		return nil
	}
	p.wanted.Store(false)
	later := at.Time > br.frontier.Time
	br.frontier = at
	if later {
		if err := br.next.Advance(at.Time); err != nil {
			return err
		}
	}
	for _, e := range p.out {
		if !br.feeds(p.job.graph, e) {
			continue
		}
		least := at
		for _, o := range p.branches {
			if o.feeds(p.job.graph, e) && o.frontier.Before(least) {
				least = o.frontier
			}
		}
		p.mark(e, least)
	}
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
		if p.received == 0 { // by this life of the job
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

// end is behind the last message.
func (p *partition) end() error {
	switch {
	case p.job.opts.shadow != nil:
		return p.job.opts.shadow.end(p)
	case !p.job.opts.NoFlush || p.gone:
		return p.idle(p.job.opts.Until, true)
	}
	return nil
}

func (p *partition) idle(now column.Ticks, promised bool) error {
	p.arrived.Store(max(p.arrived.Load(), int64(now)))
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

// pass puts the barrier behind everything the partition has sent, and waits until
// the epoch is cut.
func (p *partition) pass(ctx context.Context) error {
	frozen, err := p.freeze()
	if err != nil {
		return err
	}
	st := &partState{position: p.position, last: p.last, moved: p.moved}
	p.moved = false
	p.barrier.Store(false)
	for _, o := range p.outlets {
		o.pending.barrier = new(barrier)
	}
	p.outlets[0].pending.barrier = &barrier{part: st, frozen: frozen}
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

// send hands on what is pending: the shards first, so that nothing in the tail is
// ahead of them.
func (p *partition) send(ctx context.Context) error {
	tail := p.outlets[0]
	tail.pending.letters = p.letters
	p.letters = letters{}
	for i := len(p.outlets) - 1; i >= 0; i-- {
		if err := p.outlets[i].send(ctx, p.index); err != nil {
			return err
		}
	}
	return nil
}

// ended is the reader of a partition that is gone.
type ended struct{}

func (ended) Read(_ context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	c.Reset()
	return io.EOF
}

func (ended) Close() error { return nil }
