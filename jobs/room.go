// Package jobs runs the jobs of a pipeline, and its captures, which are jobs of their own:
// it makes of what a pipeline says what the engine takes, and starts, stops and replaces
// one while the others go on.
//
// # Lifetime
//
// Open makes the jobs, each from its newest checkpoint; Run gives each a life, from every
// start to the next stop or failure, until its context ends. Nothing is to be closed.
// Lock order: Room.reloading, job.turn, then Room.mu or job.mu, which are held alone.
//
// Stability: importable, not promised before 1.0.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"spate/blob"
	"spate/connector/deltatable"
	"spate/hub"
	"spate/metric"
	"spate/pipeline"
	"spate/stream"
)

// Options is what the jobs of a pipeline share. All of it is required, but for Metrics.
type Options struct {
	Hubs    *hub.Namespace
	Store   blob.Store        // of the data folder
	Tables  deltatable.Tables // of Store; nil: every job opens its own
	Storage pipeline.Storage
	Drain   time.Duration // how long a stop waits for a job to read what was accepted
	Metrics *metric.Recorder
	Clock   func() time.Time // that the hubs stamp events with
	Log     *slog.Logger
}

// Room is the jobs of a pipeline.
type Room struct {
	o         Options
	reloading sync.Mutex // one reload at a time

	mu     sync.Mutex // guards the fields below
	jobs   []*job
	launch func(*job) // runs the lives of a job; nil: the room does not run
}

// ErrNotRunning: the pipeline does not run, or is about to stop.
var ErrNotRunning = errors.New("the pipeline does not run")

// ErrNoJob: the pipeline has no job of that name.
var ErrNoJob = errors.New("there is no such job")

// ErrJobState: a job cannot be started or stopped in the state that it is in.
var ErrJobState = errors.New("not in this state")

// Open makes the jobs and captures of a pipeline. A new one saves its first manifest here:
// no event of its hubs may come before.
func Open(ctx context.Context, o Options, p pipeline.Options) (*Room, error) {
	r := &Room{o: o}
	if err := distinct(p); err != nil {
		return nil, err
	}
	for _, s := range r.specs(p) {
		if s.job.Disabled {
			continue
		}
		if _, err := r.add(ctx, s); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// add makes a job.
func (r *Room) add(ctx context.Context, s *spec) (*job, error) {
	j := &job{room: r, name: s.name(), now: "Starting", spec: s, start: make(chan struct{}, 1), gone: make(chan struct{}),
		dropped: newDiagnostics(r.o.Log.With("job", s.name()), r.o.Clock)}
	if err := j.open(ctx, nil); err != nil {
		return nil, err
	}
	j.want()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, j)
	return j, nil
}

// Run runs the jobs until ctx ends; then it stops them in order: they read what was
// accepted and save a checkpoint.
func (r *Room) Run(ctx context.Context) {
	var running sync.WaitGroup
	launch := func(j *job) { running.Go(func() { j.run(ctx) }) }
	r.mu.Lock()
	r.launch = launch
	for _, j := range r.jobs {
		launch(j)
	}
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.launch = nil // a reload under way comes too late
	r.mu.Unlock()
	running.Wait()
}

// Running says whether jobs can be started: false before Run and when its context has ended.
func (r *Room) Running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.launch != nil
}

// all are the jobs and captures there are now.
func (r *Room) all() []*job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.jobs)
}

// find is the job of a name.
func (r *Room) find(name string) (*job, error) {
	var names []string
	for _, j := range r.all() {
		if strings.EqualFold(j.name, name) {
			return j, nil
		}
		names = append(names, j.name)
	}
	return nil, fmt.Errorf("job %s: %w (jobs: %s)", name, ErrNoJob, strings.Join(names, ", "))
}

// inTurn is the job of a name with its turn, which the caller ends.
func (r *Room) inTurn(name string) (*job, error) {
	j, err := r.find(name)
	if err != nil {
		return nil, err
	}
	j.turn.Lock()
	select {
	case <-j.gone: // while it was waited for
		j.turn.Unlock()
		return nil, fmt.Errorf("job %s: %w", name, ErrNoJob)
	default:
		return j, nil
	}
}

// Has says whether there is a job of that name.
func (r *Room) Has(name string) bool {
	_, err := r.find(name)
	return err == nil
}

// Stop stops a job as an orderly stop of the pipeline does, and returns when it has
// stopped. Without drain it does not wait until what has come is read.
func (r *Room) Stop(ctx context.Context, name string, drain bool) error {
	j, err := r.inTurn(name)
	if err != nil {
		return err
	}
	defer j.turn.Unlock()
	if !j.alive() {
		now, _ := j.state()
		return fmt.Errorf("stopping job %s: it is %s: %w", j.name, now, ErrJobState)
	}
	if !drain {
		j.current().Hasten()
	}
	return j.end(ctx)
}

// Start starts a job that has stopped or failed, and returns when it runs. Without a
// mode, and with StartLastOutputEventTime, it goes on where it stopped. With another it
// begins anew there: what it remembers is gone, what it has written stays.
func (r *Room) Start(ctx context.Context, name string, start pipeline.JobStart) error {
	var anew func(*stream.Options)
	switch start.Mode {
	case "", pipeline.StartLastOutputEventTime:
	case pipeline.StartJobStartTime, pipeline.StartCustomTime:
		first := r.firstOutput(start)
		anew = func(o *stream.Options) { o.Anew, o.Start = true, first }
	default:
		return fmt.Errorf("starting job %s: there is no start mode %s: %w", name, start.Mode, ErrJobState)
	}
	j, err := r.inTurn(name)
	if err != nil {
		return err
	}
	defer j.turn.Unlock()
	if j.alive() {
		now, _ := j.state()
		return fmt.Errorf("starting job %s: it is %s: %w", j.name, now, ErrJobState)
	}
	if err := j.open(ctx, anew); err != nil {
		return err
	}
	j.want()
	select {
	case <-j.begun:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
