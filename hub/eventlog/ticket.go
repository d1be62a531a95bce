package eventlog

import (
	"context"
	"time"
)

// Ticket stands for an append that is on its way to the disk. Tickets of one
// partition complete in the order of their appends.
type Ticket struct {
	g      *group
	offset int64
	timeMs int64
	dup    bool
	err    error // set before the ticket is handed out, for an append that was refused
}

// Done is closed when the append is durable (by the hub's policy) or has failed.
func (t *Ticket) Done() <-chan struct{} { return t.g.done }

// Err is nil if the append is durable. Valid after Done.
func (t *Ticket) Err() error {
	if t.err != nil {
		return t.err
	}
	return t.g.err
}

// Offset is the offset of the first record; of the first append for a repeat
// that stored nothing, -1 where that one is no longer known. Valid after Done.
func (t *Ticket) Offset() int64 { return t.offset }

// Time is the append time. Valid after Done.
func (t *Ticket) Time() time.Time { return time.UnixMilli(t.timeMs).UTC() }

// Duplicate reports that the append repeated an earlier one and stored nothing.
func (t *Ticket) Duplicate() bool { return t.dup }

// Wait waits for Done or the end of ctx.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.g.done:
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refused returns a ticket that has failed already.
func refused(err error) *Ticket {
	return &Ticket{g: finished(), offset: -1, err: err}
}

// finished returns a group with nothing to wait for.
func finished() *group {
	g := &group{done: make(chan struct{})}
	close(g.done)
	return g
}
