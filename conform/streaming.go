package conform

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// Streaming says how the streaming engine is run. Nothing in it may show in a
// result.
type Streaming struct {
	Batch   int  // messages of one read; 0: 1024
	Crash   bool // stop in the middle without warning and go on from the last checkpoint
	General bool // decode with the general parser only
}

// ErrUnsupported is returned for options that the streaming engine does not have.
var ErrUnsupported = errors.New("not supported by the streaming engine yet")

// Run is an Engine.
func (s Streaming) Run(ctx context.Context, job *plan.Job, events []Event, o Options) (map[string][]Row, error) {
	if o.NoEarly {
		return nil, ErrUnsupported
	}
	if o.FoldCase {
		plan.IgnoreCase(job)
	}
	r := &streamRun{how: s, job: job, options: o, sinks: make(map[string]*memorySink), store: blob.NewMemory()}
	for _, out := range job.Outputs {
		if r.sinks[out.Name] == nil {
			r.sinks[out.Name] = &memorySink{committed: make(map[int64]bool)}
		}
	}
	r.spread(events)
	if s.Crash {
		if err := r.crash(ctx); err != nil {
			return nil, err
		}
	}
	j, err := stream.New(ctx, r.jobOptions())
	if err != nil {
		return nil, err
	}
	if err := j.Run(ctx); err != nil {
		return nil, err
	}
	rows := make(map[string][]Row)
	for name, sink := range r.sinks {
		rows[name] = sink.rows
	}
	return rows, nil
}

type streamRun struct {
	how     Streaming
	job     *plan.Job
	options Options
	sources map[string]*gateSource
	sinks   map[string]*memorySink
	store   blob.Store
}

func (r *streamRun) jobOptions() stream.Options {
	o := stream.Options{
		Name: "conform", Plan: r.job, Inputs: make(map[string]stream.Input), Outputs: make(map[string]connector.Sink),
		Policy:   exec.TimePolicy{Late: r.options.Late, Disorder: r.options.Disorder, Drop: r.options.Drop},
		Start:    stream.Start{Oldest: r.options.Start == 0, First: r.options.Start},
		IdleTick: -1, Interval: 1 << 40, Store: r.store, Prefix: "job", Clock: noClock{},
	}
	for name, s := range r.sources {
		o.Inputs[name] = stream.Input{Source: s, SystemColumns: r.options.SystemColumns, General: r.how.General}
	}
	for name, s := range r.sinks {
		o.Outputs[name] = s
	}
	return o
}

type noClock struct{}

func (noClock) Now() column.Ticks { return 0 }

func (r *streamRun) spread(events []Event) {
	r.sources = make(map[string]*gateSource)
	for _, in := range r.job.Inputs {
		if r.sources[in.Name] != nil {
			continue
		}
		s := &gateSource{batch: r.how.Batch, parts: 1}
		if s.batch == 0 {
			s.batch = 1024
		}
		for i, e := range events {
			if column.EqualNames(e.Input, in.Name) {
				s.parts = max(s.parts, e.Partition+1)
				s.messages = append(s.messages, message{e, int64(i), column.AppendJSON(nil, e.Value)})
			}
		}
		r.sources[in.Name] = s
	}
}

// crash runs the job to about a third of its input, takes a checkpoint, goes on
// to about two thirds and breaks off.
func (r *streamRun) crash(ctx context.Context) error {
	for _, s := range r.sources {
		s.arm(ctx)
	}
	j, err := stream.New(ctx, r.jobOptions())
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	ended := false
	for _, s := range r.sources {
		for range s.parts {
			select {
			case <-s.reached:
			case err := <-done:
				done <- err
				ended = true
			}
			if ended {
				break
			}
		}
	}
	if !ended {
		if err := j.Checkpoint(ctx); err != nil && !errors.Is(err, stream.ErrStopped) {
			return fmt.Errorf("taking a checkpoint: %w", err)
		}
	}
	for _, s := range r.sources {
		close(s.open)
	}
	err = <-done
	for _, s := range r.sources {
		s.armed = false
	}
	if err != nil && !errors.Is(err, errCrash) {
		return err
	}
	return nil
}

var errCrash = errors.New("crash")

type message struct {
	Event
	offset int64
	body   []byte
}

// gateSource is a bounded source over messages that can be made to wait at one
// place and to break off at another.
type gateSource struct {
	messages []message
	parts    int
	batch    int
	armed    bool
	reached  chan struct{}
	open     chan struct{}
}

func (s *gateSource) arm(context.Context) {
	s.armed, s.reached, s.open = true, make(chan struct{}, s.parts), make(chan struct{})
}

func (s *gateSource) Partitions(context.Context) (int, error) { return s.parts, nil }

func (s *gateSource) OpenReader(_ context.Context, part int, from connector.Start) (connector.Reader, error) {
	r := &gateReader{s: s}
	for _, m := range s.messages {
		if m.Partition == part {
			r.messages = append(r.messages, m)
		}
	}
	r.gate, r.end = len(r.messages)/3, 2*len(r.messages)/3
	switch from.Mode {
	case connector.AtPosition:
		r.next = int(binary.BigEndian.Uint64(from.Position))
	case connector.AtTime:
		for r.next < len(r.messages) && r.messages[r.next].Arrival < from.Time {
			r.next++
		}
	}
	return r, nil
}

type gateReader struct {
	s         *gateSource
	messages  []message
	next      int
	gate, end int
	told      bool
}

func (r *gateReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	limit := len(r.messages)
	if r.s.armed {
		limit = r.gate
		opened := false
		select {
		case <-r.s.open:
			limit, opened = r.end, true
		default:
		}
		if r.next >= limit {
			if opened && r.told {
				return errCrash
			}
			if !r.told {
				r.told = true
				r.s.reached <- struct{}{}
			}
			select {
			case <-r.s.open:
			case <-wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		}
	}
	for ; r.next < limit && c.Len() < r.s.batch; r.next++ {
		m := r.messages[r.next]
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = append(c.Data, m.body...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals = append(c.Arrivals, m.Arrival)
		c.Offsets = append(c.Offsets, m.offset)
	}
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
	if !r.s.armed && r.next == len(r.messages) {
		return io.EOF
	}
	return nil
}

func (r *gateReader) Close() error { return nil }

// memorySink shows rows when they are committed, and commits an epoch once.
type memorySink struct {
	mu        sync.Mutex
	rows      []Row
	committed map[int64]bool
}

func (s *memorySink) OpenWriter(context.Context, int, int) (connector.Writer, error) {
	return new(memoryWriter), nil
}

func (s *memorySink) Commit(_ context.Context, e connector.Epoch, shards []connector.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed[e.Number] {
		return nil
	}
	s.committed[e.Number] = true
	for _, p := range shards {
		for b := []byte(p); len(b) > 0; {
			v, rest, err := column.ReadBinary(b)
			if err != nil {
				return err
			}
			b = rest
			f := v.Array()
			rec := f[1].Record()
			s.rows = append(s.rows, Row{Time: f[0].Ticks(), Names: rec.Names, Values: rec.Values})
		}
	}
	return nil
}

type memoryWriter struct{ pending []byte }

func (w *memoryWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	for _, r := range RowsOf(b) {
		rec := column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values})
		w.pending = column.AppendBinary(w.pending, column.ArrayOf([]column.Value{column.TimeOf(r.Time), rec}))
	}
	return nil, nil
}

func (w *memoryWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	p := connector.Prepared(w.pending)
	w.pending = nil
	return p, nil
}

func (w *memoryWriter) Close() error { return nil }
