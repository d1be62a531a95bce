package stream

import (
	"context"

	"spate/column"
	"spate/stream/exec"
	"spate/stream/state"
)

// packet is what a partition or a shard hands on: the outcome of one batch, or of
// what a packet brought.
type packet struct {
	from     int // the producer: partitions first, by index, then shards
	rows     []edgeRows
	partials []edgePartial
	marks    []mark
	letters  letters
	barrier  *barrier
	end      bool
	drained  bool // the partition had read everything when the job was asked to stop
	missed   bool // of what follows the partition does not know that it is everything there was
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

// mark says that a producer sends no later row on the edge that stands before at.
type mark struct {
	edge *edge
	at   column.Position
}

// barrier separates two epochs. It carries what the producer has frozen.
type barrier struct {
	part   *partState // of a partition
	frozen []frozenStep
}

// frozenStep is the state of one step, ready to be written beside the running job.
type frozenStep struct {
	id, name string
	from, to int // key groups
	write    state.Frozen
}

// outlet is the way to a shard or to the tail.
type outlet struct {
	to      chan packet
	pending packet
}

// send hands on what is pending.
func (o *outlet) send(ctx context.Context, from int) error {
	k := &o.pending
	if k.rows == nil && k.partials == nil && k.marks == nil && k.barrier == nil && len(k.letters.lines) == 0 && k.letters.lost == 0 && !k.end && !k.drained && !k.missed && k.err == nil {
		return nil
	}
	out := *k
	out.from = from
	o.pending = packet{}
	select {
	case o.to <- out:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// link feeds one operator.
type link struct {
	job   *Job
	count *stepCount
	op    exec.Operator
	in    int
	next  exec.Emit
	local bool // op emits all rows of a batch or fails, and remembers nothing
}

func (l *link) Rows(b *column.Batch) error {
	if l.job.abandoned.Load() {
		return ErrUnfinished
	}
	l.count.in.Add(int64(b.LiveRows()))
	if !l.local {
		return l.op.Process(l.in, b, l.next)
	}
	below := watched{Emit: l.next}
	err := l.op.Process(l.in, b, &below)
	if failed, ok := err.(*exec.Error); ok && !below.failed {
		return l.upTo(b, failed)
	}
	return err
}

func (l *link) Advance(w column.Ticks) error { return l.op.Advance(w, l.next) }

// fan feeds all readers of a shared step.
type fan []exec.Emit

func (f fan) Rows(b *column.Batch) error {
	for _, e := range f {
		if err := e.Rows(b); err != nil {
			return err
		}
	}
	return nil
}

func (f fan) Advance(w column.Ticks) error {
	for _, e := range f {
		if err := e.Advance(w); err != nil {
			return err
		}
	}
	return nil
}

func fanOf(es []exec.Emit) exec.Emit {
	if len(es) == 1 {
		return es[0]
	}
	return fan(es)
}

// joint is one input of an operator that has several: it forwards the least
// watermark of those that come to this place.
type joint struct {
	link
	shared *watermarks
}

type watermarks struct {
	of   []column.Ticks // the end of time where no rows come from
	sent column.Ticks
}

func (j *joint) Advance(w column.Ticks) error {
	s := j.shared
	s.of[j.in] = max(s.of[j.in], w)
	least := s.of[0]
	for _, v := range s.of[1:] {
		least = min(least, v)
	}
	if least <= s.sent {
		return nil
	}
	s.sent = least
	return j.op.Advance(least, j.next)
}

// rowsLink sends the rows of an edge to the tail or, split by key, to the shards.
type rowsLink struct {
	s      *site
	edge   *edge
	router *exec.Router // nil: to the tail
	groups []uint8
}

func (l *rowsLink) Rows(b *column.Batch) error {
	if l.router == nil {
		l.s.tell(0, edgeRows{l.edge, b})
		return nil
	}
	l.groups = l.router.Groups(b, l.groups)
	for k, part := range l.router.Split(b, l.groups, len(l.s.outlets)-1) {
		if part != nil {
			l.s.tell(1+k, edgeRows{l.edge, part})
		}
	}
	return nil
}

// Advance marks an edge whose producer makes new rows; the places of others are
// marked by the site, which knows them better.
func (l *rowsLink) Advance(w column.Ticks) error {
	if !l.edge.exact {
		l.s.mark(l.edge, column.Position{Time: w})
	}
	return nil
}

// partialLink aggregates where the rows are and sends what is complete there.
type partialLink struct {
	s     *site
	edge  *edge
	add   *exec.Aggregator
	count *stepCount
}

func (l *partialLink) Rows(b *column.Batch) error {
	l.count.in.Add(int64(b.LiveRows()))
	return l.add.Add(b)
}

func (l *partialLink) Advance(w column.Ticks) error {
	l.take(w)
	if !l.edge.exact {
		l.s.mark(l.edge, column.Position{Time: w})
	}
	return nil
}

// take hands over the panes that end before w, the end of time: all of them.
func (l *partialLink) take(w column.Ticks) {
	to := &l.s.outlets[0].pending
	for _, p := range l.add.Take(w) {
		to.partials = append(to.partials, edgePartial{l.edge, p})
	}
}
