// Package ingest is what `spate bench ingest` and the module bench measure with:
// producers with real clients, run as a process of their own beside the server that they
// load, so that the time of either is told apart.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"spate/internal/cputime"
	"spate/simulator"
)

// Target is the server that a load goes to.
type Target struct {
	Address    string // of the Kafka port; of other protocols that the caller adds
	Connection string // an Event Hubs connection string: for AMQP, and for Kafka to log in; Kafka without it does not
	Hub        string
	Partitions int
}

// Load says what producers do, or, with FetchMax, readers.
type Load struct {
	Target
	Via       string // which of the dialers; readers know kafka alone
	Producers int    // clients, each with one batch under way; or readers
	Size      int    // bytes of an event
	Batch     int    // events of a batch
	Codec     string // of record batches: none, gzip, snappy, lz4 or zstd
	Rate      float64
	Duration  time.Duration
	FetchMax  int // bytes of a partition in an answer to a fetch
	Events    int // what the log holds before it is read
}

// Codecs are the names of compressions.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// MaxEvent is the largest event that a hub takes, without room for its head.
const MaxEvent = 1 << 20

// Check says what is wrong with a load.
func (l *Load) Check() error {
	switch {
	case !slices.Contains(Codecs, l.Codec):
		return fmt.Errorf("codec %s: want one of %v", l.Codec, Codecs)
	case l.Codec != "none" && l.Via != "kafka":
		return fmt.Errorf("codec %s: clients of %s do not compress", l.Codec, l.Via)
	case l.Producers < 1 || l.Batch < 1 || l.Partitions < 1 || l.Duration <= 0:
		return errors.New("producers, batch, partitions and duration must be above 0")
	case l.Size < 1 || l.Size > MaxEvent-1024:
		return fmt.Errorf("size %d: want 1 to %d", l.Size, MaxEvent-1024)
	case l.Rate < 0 || l.FetchMax < 0:
		return errors.New("rate and fetch-max must not be below 0")
	case l.FetchMax == 0:
		return nil
	case l.Via != "kafka":
		return errors.New("fetch-max: only Kafka fetches")
	case l.Rate > 0:
		return errors.New("rate: readers read as fast as they can")
	case l.FetchMax > maxFetch:
		return fmt.Errorf("fetch-max %d: want at most %d", l.FetchMax, maxFetch)
	case l.Events < 1:
		return errors.New("events must be above 0")
	}
	return nil
}

// Result is what a load has done.
type Result struct {
	Events  int64
	Bytes   int64         // of the events
	Took    time.Duration // until the last answer
	CPU     time.Duration // of the producers' process meanwhile
	P50     time.Duration // of the time from a batch to its answer, as P99 and Max
	P99     time.Duration
	Max     time.Duration
	Batches int64
	First   int64 // events that were acknowledged before
}

// Sender is one client. Send returns when all events are acknowledged; at says which
// batch of the client it is, for clients that choose the partition.
type Sender interface {
	Send(ctx context.Context, at int, bodies [][]byte) error
	Close() error
}

// Dial connects client number k of a load.
type Dial func(ctx context.Context, l *Load, k int) (Sender, error)

// distinct is how many different events there are.
const distinct = 10_000

// payloads are telemetry events of size bytes: the fleet's, repeated and cut.
func payloads(size int) [][]byte {
	n := min(distinct, max(1, (64<<20)/size))
	all := simulator.Payloads(n, 1)
	out := make([][]byte, n)
	for i := range out {
		b := all.At(i)
		for next := i + 1; len(b) < size; next++ {
			b = append(b, all.At(next%n)...)
		}
		out[i] = b[:size:size]
	}
	return out
}

// crew are the connected clients of a load.
type crew struct {
	load    *Load
	bodies  [][]byte
	senders []Sender
}

// connect opens all clients and has each send a batch, so that what is measured later
// is not their greeting.
func connect(ctx context.Context, l *Load, dial Dial) (*crew, error) {
	c := &crew{load: l, bodies: payloads(l.Size), senders: make([]Sender, l.Producers)}
	var dialing group
	room := make(chan struct{}, 8) // as many say hello at a time
	for k := range c.senders {
		dialing.run(func() error {
			room <- struct{}{}
			defer func() { <-room }()
			s, err := dial(ctx, l, k)
			if err != nil {
				return fmt.Errorf("connecting producer %d: %w", k, err)
			}
			c.senders[k] = s
			return s.Send(ctx, k, c.batch(k, nil))
		})
	}
	if err := dialing.wait(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// batch is the events of a batch; the slice may be used again.
func (c *crew) batch(at int, into [][]byte) [][]byte {
	into = into[:0]
	for i := range c.load.Batch {
		into = append(into, c.bodies[(at*c.load.Batch+i)%len(c.bodies)])
	}
	return into
}

func (c *crew) close() error {
	var errs group
	for _, s := range c.senders {
		if s != nil {
			errs.run(s.Close)
		}
	}
	return errs.wait()
}

// run sends until the duration is over and all answers are there.
func (c *crew) run(ctx context.Context) (*Result, error) {
	all := make([][]time.Duration, len(c.senders))
	before, err := cputime.Used()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var sending group
	for k, s := range c.senders {
		sending.run(func() error {
			var err error
			all[k], err = c.produce(ctx, s, k, began)
			return err
		})
	}
	if err := sending.wait(); err != nil {
		return nil, err
	}
	r := &Result{Took: time.Since(began)}
	after, err := cputime.Used()
	if err != nil {
		return nil, err
	}
	r.CPU = after - before
	r.account(slices.Concat(all...), c.load)
	return r, nil
}

// produce is the life of one client. What comes from a beat is sent when it is due; if
// the answer before comes later than that, the wait counts as the next batch's.
func (c *crew) produce(ctx context.Context, s Sender, k int, began time.Time) (took []time.Duration, err error) {
	var beat time.Duration
	due := began
	if c.load.Rate > 0 {
		beat = time.Duration(float64(c.load.Batch*c.load.Producers) / c.load.Rate * float64(time.Second))
		due = began.Add(beat * time.Duration(k) / time.Duration(c.load.Producers))
	}
	end := began.Add(c.load.Duration)
	var bodies [][]byte
	for at := k + 1; ; at++ {
		bodies = c.batch(at, bodies)
		from := time.Now()
		if beat > 0 {
			if !due.Before(end) {
				return took, nil
			}
			if from.After(due) {
				from = due
			} else if err := wait(ctx, due); err != nil {
				return nil, err
			} else {
				from = time.Now()
			}
			due = due.Add(beat)
		} else if !from.Before(end) {
			return took, nil
		}
		if err := s.Send(ctx, at, bodies); err != nil {
			return nil, fmt.Errorf("producer %d: %w", k, err)
		}
		took = append(took, time.Since(from))
	}
}

func wait(ctx context.Context, until time.Time) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// account sums up how long each batch took.
func (r *Result) account(took []time.Duration, l *Load) {
	r.Batches = int64(len(took))
	r.Events = r.Batches * int64(l.Batch)
	r.Bytes = r.Events * int64(l.Size)
	r.First = int64(l.Producers) * int64(l.Batch)
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	r.P50, r.P99, r.Max = took[len(took)/2], took[min(len(took)*99/100, len(took)-1)], took[len(took)-1]
}

// group is goroutines and all their errors, each text once.
type group struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error // guarded by mu
}

func (g *group) run(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if len(g.errs) < 3 { // a hundred clients say the same
				g.errs = append(g.errs, err)
			}
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}
