package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"spate/metric"
)

// target takes events of one receiver: a webhook or a file.
type target interface {
	// limit is how many events one send takes.
	limit() int
	// recover says how many of the events that come next were delivered before a
	// crash kept the outbox from knowing.
	recover(ms []message) (done int, size int64, err error)
	// send delivers ms and returns the file's new size, or -1.
	send(ctx context.Context, n *Notifier, ms []message) (size int64, err error)
}

// deadError is an answer that no repetition changes.
type deadError struct{ err error }

func (e deadError) Error() string { return e.err.Error() }
func (e deadError) Unwrap() error { return e.err }

// laterError is an answer that names a time to try again.
type laterError struct {
	err   error
	after time.Duration
}

func (e laterError) Error() string { return e.err.Error() }
func (e laterError) Unwrap() error { return e.err }

// ladder is the delays between attempts; suspended is the pause behind the last.
// Source: Azure Monitor action groups, webhook retry (monitoring.md 3.2).
func ladder() []time.Duration {
	return []time.Duration{5 * time.Second, 20 * time.Second, 5 * time.Second, 40 * time.Second, 5 * time.Second}
}

const suspended = 15 * time.Minute

// worker delivers to one receiver, in order.
type worker struct {
	n        *Notifier
	receiver int
	name     string
	kind     string
	to       target

	delivered, failed *metric.Counter
	pending           *metric.Gauge
}

func (w *worker) run(ctx context.Context) error {
	if err := w.recover(); err != nil {
		return err
	}
	for {
		w.pending.Set(float64(w.n.box.waitingFor(w.receiver)))
		ms, err := w.n.box.take(ctx, w.receiver, w.to.limit())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("delivering to %s: %w", w.name, err)
		}
		size, delivered := w.deliver(ctx, ms)
		if ctx.Err() != nil && !delivered {
			return nil // it stays in the outbox
		}
		for {
			err := w.n.box.advance(w.receiver, ms[len(ms)-1].number+1, size)
			w.n.troubles.set("marking what receiver "+w.name+" got", err)
			if err == nil {
				break
			}
			w.n.o.Log.Error("marking a delivery", "receiver", w.name, "err", err)
			if !pause(ctx, retryRead) {
				return nil
			}
		}
	}
}

func (w *worker) recover() error {
	// A send before the crash began at the same cursor and took no more than this.
	ms, _, err := w.n.box.unsent(w.receiver, w.to.limit())
	if err != nil || len(ms) == 0 {
		return err
	}
	done, size, err := w.to.recover(ms)
	if err != nil || done == 0 {
		return err
	}
	return w.n.box.advance(w.receiver, ms[done-1].number+1, size)
}

// deliver tries until the events are delivered (true) or dead. False with a ctx
// that has ended: neither.
func (w *worker) deliver(ctx context.Context, ms []message) (int64, bool) {
	last := ms[len(ms)-1]
	log := w.n.o.Log.With("receiver", w.name, "hub", w.n.o.Hub.Name(), "partition", last.partition, "offset", last.offset)
	steps := ladder()
	what := "receiver " + w.name + " takes nothing"
	defer w.n.troubles.set(what, nil)
	for attempt := 0; ; attempt++ {
		start := w.n.o.Clock()
		size, err := w.to.send(ctx, w.n, ms)
		if err == nil {
			w.delivered.Add(int64(len(ms)))
			log.Debug("delivered", "attempt", attempt+1, "took", w.n.o.Clock().Sub(start))
			return size, true
		}
		wait := suspended
		if step := attempt % (len(steps) + 1); step < len(steps) {
			wait = steps[step]
		}
		var later laterError
		if errors.As(err, &later) {
			wait = min(max(wait, later.after), suspended)
		}
		age := w.n.o.Clock().Sub(time.UnixMilli(ms[0].put))
		var dead deadError
		if errors.As(err, &dead) || age+wait > w.n.o.MaxAge {
			w.failed.Add(int64(len(ms)))
			log.Error("event is dead: not delivered", "attempt", attempt+1, "age", age, "err", err)
			return w.n.box.cursor(w.receiver).size, false
		}
		if attempt > 0 { // one failure is soon made good
			w.n.troubles.set(what, err)
		}
		log.Warn("not delivered, trying again", "attempt", attempt+1, "wait", wait, "err", err)
		if !pause(ctx, wait) {
			return 0, false
		}
	}
}
