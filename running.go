package spate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"spate/pipeline"
	"spate/stream"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// runningJob is a job of the pipeline, or a capture, which is a job of its own. It
// lives once from every start to the next stop or failure.
type runningJob struct {
	name    string
	capture bool
	dropped *diagnostics
	turn    sync.Mutex    // one start, stop or replacement at a time
	start   chan struct{} // a life is wanted

	mu      sync.Mutex                                        // guards the fields below
	options func(ctx context.Context) (stream.Options, error) // bound anew for every start
	job     *stream.Job                                       // changes when the job is started again
	now     string                                            // Starting, Running, Degraded, Stopping, Stopped, Failed
	err     error
	begun   chan struct{} // closed when the life that was wanted last has begun
	halt    chan struct{} // closed to end it
	over    chan struct{} // closed when it has ended
}

func (j *runningJob) state() (string, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.now, j.err.Error()
	}
	return j.now, ""
}

func (j *runningJob) become(state string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now, j.err = state, err
}

func (j *runningJob) current() *stream.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.job
}

// addJob opens a job. A new one saves its first manifest here.
func (p *Pipeline) addJob(ctx context.Context, name string, capture bool, options func(ctx context.Context) (stream.Options, error)) (*runningJob, error) {
	j := &runningJob{name: name, capture: capture, options: options, now: "Starting", start: make(chan struct{}, 1), dropped: newDiagnostics(p.log.With("job", name), p.opts.Clock)}
	if err := j.open(ctx, nil); err != nil {
		return nil, err
	}
	j.want()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = append(p.jobs, j)
	return j, nil
}

// want asks for a life. None is under way or asked for.
func (j *runningJob) want() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now, j.err = "Starting", nil
	j.begun, j.halt, j.over = make(chan struct{}), make(chan struct{}), make(chan struct{})
	j.start <- struct{}{}
}

// open makes the job from its newest checkpoint; change, if set, has the last word on
// its options.
func (j *runningJob) open(ctx context.Context, change func(*stream.Options)) error {
	j.mu.Lock()
	options := j.options
	j.mu.Unlock()
	o, err := options(ctx)
	if err != nil {
		return err
	}
	o.Diagnostic = j.dropped.report
	if change != nil {
		change(&o)
	}
	job, err := stream.New(ctx, o)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.job = job
	return nil
}

// How long a job waits before it starts again: twice as long every time, until it
// has run for a while.
const (
	firstPause = time.Second
	mostPause  = 10 * time.Second
	longRun    = time.Minute
)

// runJob runs the lives of a job until the context ends.
func (p *Pipeline) runJob(ctx context.Context, j *runningJob) {
	defer j.dropped.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.start:
		}
		j.mu.Lock()
		halt, over := j.halt, j.over
		j.now = "Running"
		close(j.begun)
		j.mu.Unlock()
		life, stop := context.WithCancel(ctx)
		go func() {
			select {
			case <-halt:
				stop()
			case <-life.Done():
			}
		}()
		p.live(life, j)
		stop()
		close(over)
	}
}

// live runs a job until the context ends. What a job could not read, write or
// commit may work later, a full disk for example: it starts again from its
// checkpoint. What would fail again ends it.
func (p *Pipeline) live(ctx context.Context, j *runningJob) {
	pause := firstPause
	for {
		began := time.Now()
		j.become("Running", nil)
		err := j.current().Run(ctx)
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) { // it had not begun
			j.become("Stopped", nil)
			return
		}
		if time.Since(began) > longRun {
			pause = firstPause
		}
		for err != nil {
			if ctx.Err() != nil || failsAgain(err) {
				j.become("Failed", err)
				p.log.Error("job failed", "job", j.name, "err", err)
				return
			}
			j.become("Degraded", err)
			p.log.Warn("job starts again from its checkpoint", "job", j.name, "pause", pause, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
				pause = min(2*pause, mostPause)
				err = j.open(ctx, nil)
			}
		}
	}
}

// ErrNoJob: the pipeline has no job of that name.
var ErrNoJob = errors.New("there is no such job")

// ErrJobState: a job cannot be started or stopped in the state that it is in.
var ErrJobState = errors.New("not in this state")

// find is the job of a name.
func (p *Pipeline) find(name string) (*runningJob, error) {
	var names []string
	for _, j := range p.running() {
		if strings.EqualFold(j.name, name) {
			return j, nil
		}
		names = append(names, j.name)
	}
	return nil, fmt.Errorf("job %s: %w (jobs: %s)", name, ErrNoJob, strings.Join(names, ", "))
}

// running are the jobs and captures there are now.
func (p *Pipeline) running() []*runningJob {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.jobs)
}

// StopJob stops a job as an orderly stop of the pipeline does, and returns when it
// has stopped.
func (p *Pipeline) StopJob(ctx context.Context, name string) error {
	j, err := p.find(name)
	if err != nil {
		return err
	}
	j.turn.Lock()
	defer j.turn.Unlock()
	if now, _ := j.state(); now == "Stopped" || now == "Failed" {
		return fmt.Errorf("stopping job %s: it is %s: %w", j.name, now, ErrJobState)
	}
	return j.end(ctx)
}

// StartJob starts a job that has stopped or failed, and returns when it runs. Without a
// mode, and with StartLastOutputEventTime, it goes on where it stopped. With another it
// begins anew there: what it remembers is gone, what it has written stays.
func (p *Pipeline) StartJob(ctx context.Context, name string, start pipeline.JobStart) error {
	var anew func(*stream.Options)
	switch start.Mode {
	case "", pipeline.StartLastOutputEventTime:
	case pipeline.StartJobStartTime, pipeline.StartCustomTime:
		first := p.firstOutput(start)
		anew = func(o *stream.Options) { o.Anew, o.Start = true, first }
	default:
		return fmt.Errorf("starting job %s: there is no start mode %s: %w", name, start.Mode, ErrJobState)
	}
	j, err := p.find(name)
	if err != nil {
		return err
	}
	j.turn.Lock()
	defer j.turn.Unlock()
	if now, _ := j.state(); now != "Stopped" && now != "Failed" {
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

// end ends the present life of a job, which has one.
func (j *runningJob) end(ctx context.Context) error {
	j.mu.Lock()
	over := j.over
	select {
	case <-j.halt: // somebody who did not wait for it has asked already
	default:
		close(j.halt)
	}
	if j.now == "Running" || j.now == "Starting" {
		j.now = "Stopping"
	}
	j.mu.Unlock()
	select {
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	if now, why := j.state(); now == "Failed" {
		return fmt.Errorf("stopping job %s: %s", j.name, why)
	}
	return nil
}

// replace starts a job with other options. If they cannot be taken it goes on with
// those that it had.
func (j *runningJob) replace(ctx context.Context, options func(ctx context.Context) (stream.Options, error)) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if now, _ := j.state(); now != "Stopped" && now != "Failed" {
		if err := j.end(ctx); err != nil {
			if now, _ := j.state(); now != "Failed" {
				return err
			}
		}
	}
	j.mu.Lock()
	old := j.options
	j.options = options
	j.mu.Unlock()
	err := j.open(ctx, nil)
	if err != nil {
		j.mu.Lock()
		j.options = old
		j.mu.Unlock()
		if e := j.open(ctx, nil); e != nil {
			j.become("Failed", e)
			return errors.Join(err, fmt.Errorf("starting it as it was: %w", e))
		}
	}
	j.want()
	return err
}

// failsAgain says whether a job that is started again would end in the same way:
// its script fails on an event, or somebody else runs it.
func failsAgain(err error) bool {
	var script *exec.Error
	return errors.As(err, &script) || errors.Is(err, checkpoint.ErrFenced)
}
