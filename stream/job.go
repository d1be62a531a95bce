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
	"spate/internal/panics"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/deadletter"
	"spate/stream/exec"
)

// Job is one running Stream Analytics job.
type Job struct {
	opts        Options
	graph       *graph
	parts       []*partition
	sites       []*site       // all that have state
	packets     chan packet   // to the tail
	shardIn     []chan packet // to each shard
	log         *checkpoint.Log
	manifest    *checkpoint.Manifest // the newest; nil without a store
	incarnation string
	first       column.Ticks
	noted       bool                      // the manifest has notes
	former      map[string]connector.Sink // of outputs that were other ones when the manifest was saved
	changed     bool                      // it is of another query
	counts      *counts
	steps       stepCounts
	lookups     *lookups
	letters     *deadletter.Log // nil: what is dropped is not kept
	swept       time.Time       // when old letters were last deleted
	watermark   atomic.Int64
	rates       rates
	hasty       atomic.Bool // a stop does not wait for the inputs
	draining    atomic.Bool
	hurry       chan struct{} // rows wait for partitions that are wanted
	abandoned   atomic.Bool   // steps make no more rows: the job has waited too long for them
	asked       chan chan error
	over        chan struct{} // closed when Run returns
	panicked    chan error    // of a goroutine beside the tail's
	progress    progress
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
		packets: make(chan packet, 8), hurry: make(chan struct{}, 1), asked: make(chan chan error), over: make(chan struct{}),
		panicked: make(chan error, 1),
	}
	var err error
	if j.graph, err = buildGraph(o.Plan, o.Parallelism, o.immediate()); err != nil {
		return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
	}
	if err := j.checkImmediate(); err != nil {
		return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
	}
	if j.graph.sharded() {
		for range j.graph.shards {
			j.shardIn = append(j.shardIn, make(chan packet, 8))
		}
	}
	j.lookups = &lookups{job: j, refs: o.refs, of: make(map[*plan.Lookup]*lookup)}
	if o.refs == nil {
		if j.lookups.refs, err = newReferences(&o); err != nil {
			return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
		}
	}
	if o.Store != nil {
		j.log = checkpoint.NewLog(o.Store, o.Prefix)
		if d := o.DeadLetters; d != nil {
			j.letters = deadletter.NewLog(o.Store, o.Prefix+"/dead-letter", d.Retain, d.MaxBytes)
			j.letters.Share(d.Guard)
		}
		if err := j.load(ctx); err != nil {
			return nil, err
		}
	} else {
		if !o.Start.Oldest {
			j.first = o.Start.First
		}
		if err := j.lookups.refs.begin(ctx, 0, 0); err != nil {
			return nil, fmt.Errorf("starting job %s: %w", o.Name, err)
		}
	}
	return j, j.openPartitions(ctx)
}

// openPartitions makes the pipelines: one per partition that a source has, and one
// per partition that it had when the checkpoint was taken.
func (j *Job) openPartitions(ctx context.Context) error {
	for _, s := range j.graph.sources() {
		in, ok := j.opts.Inputs[s.name]
		if !ok {
			return fmt.Errorf("starting job %s: input %s is bound to no source", j.opts.Name, s.name)
		}
		n, err := in.Source.Partitions(ctx)
		if err != nil {
			return fmt.Errorf("starting job %s: counting the partitions of input %s: %w", j.opts.Name, s.name, err)
		}
		var saved [][]byte
		if j.manifest != nil {
			saved = j.manifest.Positions[s.name]
		}
		for k := range max(n, len(saved)) {
			p, err := newPartition(j, s, k)
			if err != nil {
				return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
			}
			p.gone = k >= n
			p.came = k >= len(saved) && (len(saved) > 0 || j.changed || j.manifest != nil && j.manifest.Since[s.name] > 0)
			if k < len(saved) {
				p.position = saved[k]
			}
			if r, ok := in.Source.(connector.Remembering); ok && !p.gone && len(p.position) > 0 {
				if err := r.Remembers(ctx, k, p.position); err != nil {
					return fmt.Errorf("starting job %s: input %s: %w: put back the copy that goes with the job's folder %s, or give the job another name, or delete its folder to begin anew", j.opts.Name, s.name, err, j.opts.Prefix)
				}
			}
			j.parts = append(j.parts, p)
		}
	}
	return nil
}

// run is Run but for panics.
func (j *Job) run(ctx context.Context) error {
	if err := j.recover(ctx); err != nil {
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
	sites := []*site{&t.site}
	var shards []*shard
	for k := range j.shardIn {
		s, err := newShard(j, k)
		if err != nil {
			return err
		}
		shards = append(shards, s)
		sites = append(sites, &s.site)
	}
	for _, p := range j.parts {
		sites = append(sites, &p.site)
	}
	j.sites = sites
	if j.changed {
		if err := j.adapt(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	if err := j.restore(ctx, sites); err != nil {
		return err
	}
	j.begin()
	if j.log != nil {
		m := *j.manifest
		j.describe(&m)
		j.manifest = &m
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, s := range shards {
		wg.Go(func() { j.guard(func() { s.run(inner) }) })
	}
	for _, p := range j.parts {
		wg.Go(func() { j.guard(func() { p.run(inner, j.startOf(p)) }) })
	}
	for _, f := range j.lookups.refs.list {
		if f.Refresh > 0 && j.log != nil {
			wg.Go(func() { j.guard(func() { f.watch(inner, j) }) })
		}
	}
	if j.opts.IdleTick > 0 {
		wg.Go(func() { j.guard(func() { j.ticks(inner) }) })
	}
	wg.Go(func() { j.abandon(ctx, inner) })
	e := &epochs{job: j, tail: t, ctx: inner, done: make(chan error, 1)}
	defer e.settle()
	defer stop()
	err = panics.Caught(func() error { return j.loop(ctx, e) })
	if panics.StackOf(err) != "" {
		e.wait()
	}
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
	case j.manifest != nil && j.manifest.Since[p.source.name] > 0:
		return connector.Start{Mode: connector.AtTime, Time: j.manifest.Since[p.source.name]}
	case j.manifest != nil && j.manifest.StartFrom > 0:
		return connector.Start{Mode: connector.AtTime, Time: j.manifest.StartFrom}
	}
	return connector.Start{Mode: connector.Oldest}
}

// abandon breaks off steps that still compute when a stop has waited for them, twice as
// long as it waits for the inputs. It has no say in how long the last epoch is saved.
func (j *Job) abandon(stopping, over context.Context) {
	select {
	case <-stopping.Done():
	case <-over.Done():
		return
	}
	patience := time.NewTimer(2*j.opts.Drain + time.Second)
	defer patience.Stop()
	select {
	case <-patience.C:
		j.abandoned.Store(true)
	case <-over.Done():
	}
}

// loop is the tail's goroutine: packets, and the epochs.
func (j *Job) loop(ctx context.Context, e *epochs) error {
	t := e.tail
	var timer <-chan time.Time
	if j.log != nil {
		tick := time.NewTicker(j.opts.Interval)
		defer tick.Stop()
		timer = tick.C
	}
	stopping := ctx.Done()
	var patience <-chan time.Time
	for {
		if t.ended == t.producers() && !e.busy() && !e.final {
			patience = nil
			e.stop()
		}
		if patience != nil && t.drained == len(j.parts) {
			patience = nil
			e.stop()
		}
		if e.stopped {
			return e.last()
		}
		packets := j.packets
		if t.full && e.saving {
			packets = nil // an output has all it can hold until the epoch that is being saved is committed
		}
		select {
		case k := <-packets:
			if err := t.packet(&k); err != nil {
				e.wait()
				return err
			}
			if t.full && !e.busy() && !e.final {
				t.full, e.rest = false, time.Time{}
				e.begin(nil)
			}
			if t.seen == t.producers() {
				if err := e.cut(); err != nil {
					e.wait()
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
		case err := <-j.panicked:
			e.wait()
			return err
		case err := <-e.done:
			if err := e.finished(err); err != nil {
				return err
			}
		case <-stopping:
			if j.opts.shadow != nil {
				return ctx.Err() // the next start makes the state
			}
			stopping = nil
			patience = time.After(j.opts.Drain)
			if j.hasty.Load() {
				patience = nil
				e.stop()
				continue
			}
			j.draining.Store(true)
			for _, p := range j.parts {
				p.rouse()
			}
		case <-patience:
			patience = nil
			j.opts.Log.Warn("stopping before everything was read", "job", j.opts.Name, "took", j.opts.Drain)
			e.stop()
		}
	}
}

// identity is the name under which outputs know the job: a job that begins anew under
// an old name is another.
func (j *Job) identity() string {
	if j.manifest == nil {
		return j.opts.Name + "@" + j.incarnation
	}
	return j.opts.Name + "@" + j.manifest.ID
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

// Hasten has the stop of the job, which may be under way, not wait for the inputs to be
// read to their ends: what has come and is not read is read at the next start.
func (j *Job) Hasten() { j.hasty.Store(true) }

// Rates are the events and rows of a second, about a second ago.
func (j *Job) Rates() (events, rows float64) {
	return float64(j.rates.in.Load()) / 3600, float64(j.rates.out.Load()) / 3600
}

// Watermark is how far the job's outputs are in event time; 0 before the first.
func (j *Job) Watermark() column.Ticks { return column.Ticks(j.watermark.Load()) }

// ErrUnfinished ends a job that was asked to stop while a step went on making rows. It
// goes on from its checkpoint when it is started again.
var ErrUnfinished = errors.New("a step still made rows long after the job was asked to stop; they are made again at the next start")

// ErrStopped is returned to those who wait for a checkpoint of a job that stops.
var ErrStopped = errors.New("the job has stopped")
