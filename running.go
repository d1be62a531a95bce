package spate

import (
	"context"
	"errors"
	"sync"
	"time"

	"spate/stream"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// runningJob is a job of the pipeline, or a capture, which is a job of its own.
type runningJob struct {
	name    string
	capture bool
	dropped *diagnostics
	options func(ctx context.Context) (stream.Options, error) // bound anew for every start

	mu  sync.Mutex  // guards the fields below
	job *stream.Job // changes when the job is started again
	now string      // Starting, Running, Degraded, Stopped, Failed
	err error
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
func (p *Pipeline) addJob(ctx context.Context, name string, capture bool, options func(ctx context.Context) (stream.Options, error)) error {
	j := &runningJob{name: name, capture: capture, options: options, now: "Starting", dropped: newDiagnostics(p.log.With("job", name), p.opts.Clock)}
	if err := j.open(ctx); err != nil {
		return err
	}
	p.jobs = append(p.jobs, j)
	return nil
}

// open makes the job from its newest checkpoint.
func (j *runningJob) open(ctx context.Context) error {
	o, err := j.options(ctx)
	if err != nil {
		return err
	}
	o.Diagnostic = j.dropped.report
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

// runJob runs a job until the context ends. What a job could not read, write or
// commit may work later, a full disk for example: it starts again from its
// checkpoint. What would fail again ends it.
func (p *Pipeline) runJob(ctx context.Context, j *runningJob) {
	defer j.dropped.end()
	pause := firstPause
	for {
		began := time.Now()
		j.become("Running", nil)
		err := j.current().Run(ctx)
		if err == nil {
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
				err = j.open(ctx)
			}
		}
	}
}

// failsAgain says whether a job that is started again would end in the same way:
// its script fails on an event, or somebody else runs it.
func failsAgain(err error) bool {
	var script *exec.Error
	return errors.As(err, &script) || errors.Is(err, checkpoint.ErrFenced)
}
