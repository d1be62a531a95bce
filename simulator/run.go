package simulator

import (
	"context"
	"errors"
	"time"
)

// Target takes the events of a fleet.
type Target interface {
	// Send delivers events and waits until they are accepted. It returns how many
	// were; with fewer than all, an error. It keeps nothing of events.
	Send(ctx context.Context, events []Event) (sent int, err error)
	Close() error
}

// Func is a Target within the process.
type Func func(ctx context.Context, events []Event) error

// Send calls f.
func (f Func) Send(ctx context.Context, events []Event) (int, error) {
	if err := f(ctx, events); err != nil {
		return 0, err
	}
	return len(events), nil
}

// Close does nothing.
func (f Func) Close() error { return nil }

// Stats is the account of a run.
type Stats struct {
	Sent    int64 // accepted by the target
	Failed  int64 // given to the target and not accepted
	Batches int64 // beats of the whole fleet
	Bytes   int64 // of accepted bodies
	Elapsed time.Duration
	Behind  time.Duration // how far the last batch was sent after its time
}

// EventsPerSecond is the mean rate of accepted events.
func (s Stats) EventsPerSecond() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Sent) / s.Elapsed.Seconds()
}

// Progress is what a run tells after each batch.
type Progress struct {
	Stats
	Total int64 // batches of the whole run; 0: until stopped
	Err   error // why the last batch was not accepted as a whole
}

// sendEvents bounds what one Send gets.
const sendEvents = 5000

// Run sends the fleet's events to target, one batch per interval with one event of
// each device, until Duration is over or ctx ends; both are no error. A batch that
// fails is counted, told to progress and not repeated: the next one is a new try.
// When the target is slower than the fleet no beat is left out; Behind grows.
// progress may be nil; it is called on Run's goroutine.
func (f *Fleet) Run(ctx context.Context, target Target, progress func(Progress)) (Stats, error) {
	var s Stats
	if target == nil {
		return s, errors.New("simulator: run without a target")
	}
	var total int64
	if f.o.Duration > 0 {
		total = int64((f.o.Duration + f.o.Interval - 1) / f.o.Interval)
	}
	begin := f.o.Now()
	for total == 0 || s.Batches < total {
		due := time.Duration(s.Batches) * f.o.Interval
		s.Elapsed = f.o.Now().Sub(begin)
		if wait := due - s.Elapsed; wait > 0 {
			if f.o.Sleep(ctx, wait) != nil {
				break
			}
		}
		if ctx.Err() != nil {
			break
		}
		s.Behind = max(0, f.o.Now().Sub(begin)-due)
		err := f.sendBeat(ctx, target, &s)
		if ctx.Err() != nil && err != nil {
			break
		}
		s.Batches++
		s.Elapsed = f.o.Now().Sub(begin)
		if progress != nil {
			progress(Progress{Stats: s, Total: total, Err: err})
		}
		if err != nil {
			f.o.Log.Debug("batch not accepted", "err", err)
		}
	}
	s.Elapsed = f.o.Now().Sub(begin)
	return s, nil
}

// sendBeat sends one event of each device and returns the first error.
func (f *Fleet) sendBeat(ctx context.Context, target Target, s *Stats) error {
	var first error
	for more := true; more; {
		var events []Event
		events, more = f.stepBeats(sendEvents)
		if len(events) == 0 {
			continue
		}
		n, err := target.Send(ctx, events)
		s.Sent += int64(n)
		s.Failed += int64(len(events) - n)
		for _, e := range events[:n] {
			s.Bytes += int64(len(e.Body))
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
