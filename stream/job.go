package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"spate/column"
	"spate/connector"
	"spate/stream/checkpoint"
	"spate/stream/deadletter"
	"spate/stream/exec"
)

// Job is one running Stream Analytics job.
type Job struct {
	opts        Options
	graph       *graph
	parts       []*partition
	packets     chan packet
	log         *checkpoint.Log
	manifest    *checkpoint.Manifest // the newest; nil without a store
	incarnation string
	first       column.Ticks
	counts      *counts
	letters     *deadletter.Log // nil: what is dropped is not kept
	swept       time.Time       // when old letters were last deleted
	watermark   atomic.Int64
	draining    atomic.Bool
	asked       chan chan error
	over        chan struct{} // closed when Run returns
}

// New compiles a job and, where it has a store, loads its newest checkpoint or
// saves manifest 0. Once New has returned, no event that its inputs accept is
// missed.
func New(ctx context.Context, o Options) (*Job, error) {
	o = o.withDefaults()
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
	}
	j := &Job{
		opts: o, incarnation: hex.EncodeToString(id), counts: newCounts(o.Metrics, o.Name),
		packets: make(chan packet, 4), asked: make(chan chan error), over: make(chan struct{}),
	}
	var err error
	if j.graph, err = buildGraph(o.Plan); err != nil {
		return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
	}
	for _, s := range j.graph.sources() {
		in, ok := o.Inputs[s.name]
		if !ok {
			return nil, fmt.Errorf("starting job %s: input %s is bound to no source", o.Name, s.name)
		}
		n, err := in.Source.Partitions(ctx)
		if err != nil {
			return nil, fmt.Errorf("starting job %s: counting the partitions of input %s: %w", o.Name, s.name, err)
		}
		for k := range n {
			p, err := newPartition(j, s, k)
			if err != nil {
				return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
			}
			j.parts = append(j.parts, p)
		}
	}
	if o.Store != nil {
		j.log = checkpoint.NewLog(o.Store, o.Prefix)
		if d := o.DeadLetters; d != nil {
			j.letters = deadletter.NewLog(o.Store, o.Prefix+"/dead-letter", d.Retain, d.MaxBytes)
		}
		return j, j.load(ctx)
	}
	if !o.Start.Oldest {
		j.first = o.Start.First
	}
	return j, nil
}

// Run runs the job until the context ends or, with bounded inputs, everything is
// read. Either way what was read is checkpointed and committed before Run
// returns nil.
func (j *Job) Run(ctx context.Context) error {
	defer close(j.over)
	state, err := j.recover(ctx)
	if err != nil {
		return err
	}
	// The tail outlives the context: after it ends the last epoch is still taken.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	t, err := newTail(inner, j)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.restore(state); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, p := range j.parts {
		wg.Go(func() { p.run(inner, j.startOf(p)) })
	}
	if j.opts.IdleTick > 0 {
		wg.Go(func() { j.ticks(inner) })
	}
	err = j.loop(ctx, inner, t)
	if failed := new(exec.Error); errors.As(err, &failed) {
		j.counts.errors.Add(1)
	}
	return err
}

// startOf says where a partition begins to read.
func (j *Job) startOf(p *partition) connector.Start {
	switch {
	case len(p.position) > 0:
		return connector.Start{Mode: connector.AtPosition, Position: p.position}
	case j.manifest != nil && j.manifest.StartFrom > 0:
		return connector.Start{Mode: connector.AtTime, Time: j.manifest.StartFrom}
	}
	return connector.Start{Mode: connector.Oldest}
}

// ticks wakes the partitions from time to time.
func (j *Job) ticks(ctx context.Context) {
	tick := time.NewTicker(j.opts.IdleTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, p := range j.parts {
				p.rouse()
			}
		}
	}
}

func (p *partition) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// loop is the tail's goroutine: packets, and the epochs.
func (j *Job) loop(ctx, inner context.Context, t *tail) error {
	e := &epochs{job: j, tail: t, ctx: inner, done: make(chan error, 1)}
	var timer <-chan time.Time
	if j.log != nil {
		tick := time.NewTicker(j.opts.Interval)
		defer tick.Stop()
		timer = tick.C
	}
	stopping := ctx.Done()
	var patience <-chan time.Time
	for {
		if t.ended == len(j.parts) && !e.busy() {
			return e.last()
		}
		select {
		case k := <-j.packets:
			if err := t.take(&k); err != nil {
				e.wait()
				return err
			}
			if t.full && !e.busy() && !e.final {
				t.full, e.rest = false, time.Time{}
				e.begin(nil)
			}
			if t.seen == len(j.parts) {
				if err := e.cut(); err != nil {
					return err
				}
			}
		case <-timer:
			j.measure()
			if !e.final {
				e.begin(nil)
			}
		case ack := <-j.asked:
			e.begin(ack)
		case err := <-e.done:
			if err := e.finished(err); err != nil {
				return err
			}
		case <-stopping:
			stopping = nil
			patience = time.After(j.opts.Drain)
			j.draining.Store(true)
			for _, p := range j.parts {
				p.rouse()
			}
		case <-patience:
			patience = nil
			j.opts.Log.Warn("stopping before everything was read", "job", j.opts.Name, "took", j.opts.Drain)
			e.stop()
		}
		if patience != nil && t.drained == len(j.parts) {
			patience = nil
			e.stop()
		}
		if e.stopped {
			return nil
		}
	}
}

// Checkpoint takes a checkpoint now and returns when it is committed. The job
// must be running.
func (j *Job) Checkpoint(ctx context.Context) error {
	ack := make(chan error, 1)
	select {
	case j.asked <- ack:
	case <-j.over:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-ack:
		return err
	case <-j.over:
		select {
		case err := <-ack:
			return err
		default:
			return ErrStopped
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watermark is how far the job's outputs are in event time; 0 before the first.
func (j *Job) Watermark() column.Ticks { return column.Ticks(j.watermark.Load()) }

// ErrStopped is returned to those who wait for a checkpoint of a job that stops.
var ErrStopped = errors.New("the job has stopped")
