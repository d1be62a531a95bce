package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"spate/stream"
)

// Explain looks into a job: its steps, where they run and what they did, with at most so
// many of the newest rows of each.
func (r *Room) Explain(ctx context.Context, name string, sample int) (*stream.Explanation, error) {
	j, err := r.find(name)
	if err != nil {
		return nil, err
	}
	e, err := j.current().Explain(ctx, sample)
	if err != nil {
		return nil, fmt.Errorf("explaining job %s: %w", j.name, err)
	}
	e.State, e.Error = j.state()
	return e, nil
}

// Event names an event of a hub.
type Event struct {
	Hub       string
	Partition int
	Sequence  int64
}

func (e Event) String() string { return fmt.Sprintf("%s/%d/%d", e.Hub, e.Partition, e.Sequence) }

// ErrNoEvent: there is no such event, or the job does not read it.
var ErrNoEvent = errors.New("there is no such event")

// Why says what became of an event in a job. One that was read since the newest checkpoint
// of a running job has it take another.
func (r *Room) Why(ctx context.Context, name string, e Event) (*stream.Trace, error) {
	j, err := r.find(name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("looking for event %s in job %s: %w", e, j.name, err) }
	msg, err := r.message(j.made(), e)
	if err != nil {
		return nil, fail(err)
	}
	job := j.current()
	t, err := job.Trace(ctx, msg)
	if err == nil && t.Unread && j.alive() {
		if err := job.Checkpoint(ctx); err != nil && !errors.Is(err, stream.ErrStopped) {
			return nil, fail(err)
		}
		t, err = job.Trace(ctx, msg)
	}
	switch {
	case errors.Is(err, stream.ErrNoMessage):
		return nil, fail(fmt.Errorf("%w: %w", ErrNoEvent, err))
	case err != nil:
		return nil, fail(err)
	}
	return t, nil
}

// message is an event as the engine names it.
func (r *Room) message(s *spec, e Event) (stream.Message, error) {
	msg := stream.Message{Partition: e.Partition, Offset: e.Sequence}
	h, ok := r.o.Hubs.Hub(e.Hub)
	if !ok {
		return msg, fmt.Errorf("there is no hub %s: %w", e.Hub, ErrNoEvent)
	}
	if e.Partition < 0 || e.Partition >= h.Partitions() {
		return msg, fmt.Errorf("hub %s has the partitions 0 to %d: %w", h.Name(), h.Partitions()-1, ErrNoEvent)
	}
	b := h.Partition(e.Partition).Bounds()
	if b.First == b.Next {
		return msg, fmt.Errorf("partition %d of hub %s is empty: %w", e.Partition, h.Name(), ErrNoEvent)
	}
	if e.Sequence < b.First || e.Sequence >= b.Next {
		return msg, fmt.Errorf("partition %d of hub %s holds the sequence numbers %d to %d: %w", e.Partition, h.Name(), b.First, b.Next-1, ErrNoEvent)
	}
	if s.capture != nil {
		if strings.EqualFold(s.capture.Hub, e.Hub) {
			msg.Inputs = []string{s.capture.Hub}
		}
	} else if compiled, err := compile(s.job); err == nil {
		for _, in := range compiled.Inputs {
			if strings.EqualFold(s.job.Input(in.Name).Hub, e.Hub) {
				msg.Inputs = append(msg.Inputs, in.Name)
			}
		}
	}
	if msg.Inputs == nil {
		return msg, fmt.Errorf("it does not read hub %s: %w", h.Name(), ErrNoEvent)
	}
	return msg, nil
}
