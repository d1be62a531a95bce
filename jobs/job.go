package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"spate/internal/panics"
	"spate/stream"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// job is a job of the pipeline, or a capture. It lives once from every start to the next
// stop or failure.
type job struct {
	room    *Room
	name    string
	dropped *diagnostics
	letters sync.Mutex    // guards the files of dead letters; nothing else is locked meanwhile
	turn    sync.Mutex    // one start, stop or replacement at a time
	start   chan struct{} // a life is wanted
	gone    chan struct{} // closed when the room has forgotten the job

	mu    sync.Mutex     // guards the fields below
	spec  *spec          // bound anew for every start
	parts map[string]int // partitions of the hubs that it reads, as it knows them
	torn  bool           // it could not be replaced, and not be started as it was
	rests bool           // until the next reload
	job   *stream.Job    // changes when the job is started again
	now   string         // Starting, Running, Degraded, Stopping, Stopped, Failed
	err   error
	fell  error         // why it was Degraded in this life; nil: it never was
	began time.Time     // when it began to run last
	begun chan struct{} // closed when the life that was wanted last has begun
	halt  chan struct{} // closed to end it
	over  chan struct{} // closed when it has ended
}

func (j *job) state() (string, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.now, j.err.Error()
	}
	return j.now, ""
}

// alive says whether the job has a life that can be ended.
func (j *job) alive() bool {
	now, _ := j.state()
	return now != "Stopped" && now != "Failed"
}

func (j *job) become(state string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now, j.err = state, err
	switch state {
	case "Running":
		j.began = time.Now()
	case "Degraded":
		j.fell = err
	}
}

func (j *job) current() *stream.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.job
}

// made is what the job is made of.
func (j *job) made() *spec {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.spec
}

// want asks for a life. None is under way or asked for.
func (j *job) want() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now, j.err, j.torn, j.fell = "Starting", nil, false, nil
	j.begun, j.halt, j.over = make(chan struct{}), make(chan struct{}), make(chan struct{})
	j.start <- struct{}{}
}

// open makes the job from its newest checkpoint; change, if set, has the last word on
// its options.
func (j *job) open(ctx context.Context, change func(*stream.Options)) error {
	s := j.made()
	parts := j.room.partitions(s) // before the job sees them: one too few starts it once too often
	o, err := j.room.options(ctx, s)
	if err != nil {
		return err
	}
	o.Diagnostic = j.dropped.report
	if o.DeadLetters != nil {
		o.DeadLetters.Guard = &j.letters
	}
	if change != nil {
		change(&o)
	}
	made, err := stream.New(ctx, o)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.job, j.parts = made, parts
	return nil
}

// How long a job waits before it starts again: twice as long every time, until it
// has run for a while.
const (
	firstPause = time.Second
	mostPause  = 10 * time.Second
	longRun    = time.Minute
)

// run runs the lives of the job until the context ends.
func (j *job) run(ctx context.Context) {
	defer j.dropped.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.gone:
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
		if err := panics.Caught(func() error { j.live(life); return nil }); err != nil {
			j.room.o.Log.Error("a panic ends the job", "job", j.name, "err", err, "stack", panics.StackOf(err))
			j.fails(err)
		}
		stop()
		close(over)
	}
}

// live runs the job until the context ends. What it could not read, write or
// commit may work later, a full disk for example: it starts again from its
// checkpoint. What would fail again ends it.
func (j *job) live(ctx context.Context) {
	log := j.room.o.Log.With("job", j.name)
	pause, said := firstPause, ""
	for {
		began := time.Now()
		j.become("Running", nil)
		err := j.current().Run(ctx)
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) { // it had not begun
			j.become("Stopped", nil)
			return
		}
		if time.Since(began) > longRun {
			pause, said = firstPause, ""
		}
		for err != nil {
			if ctx.Err() != nil || failsAgain(err) {
				j.fails(err)
				return
			}
			j.become("Degraded", err)
			level := slog.LevelDebug // what was said once stands in the status
			if said != err.Error() {
				level, said = slog.LevelWarn, err.Error()
			}
			log.Log(ctx, level, "job starts again from its checkpoint", "pause", pause, "err", err)
			select {
			case <-ctx.Done(): // it stands at its last checkpoint, as it would
				j.become("Stopped", nil)
				return
			case <-time.After(pause):
				pause = min(2*pause, mostPause)
				err = j.open(ctx, nil)
			}
		}
	}
}

// fails ends the life of the job for good.
func (j *job) fails(err error) {
	j.become("Failed", err)
	j.room.o.Log.Error("job failed", "job", j.name, "err", err)
}

// failsAgain says whether a job that is started again would end in the same way:
// its script fails on an event, somebody else runs it, or it panics.
func failsAgain(err error) bool {
	var script *exec.Error
	var panic *panics.Error
	return errors.As(err, &script) || errors.As(err, &panic) || errors.Is(err, checkpoint.ErrFenced)
}

// end ends the present life of a job, which has one.
func (j *job) end(ctx context.Context) error {
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

// replace starts the job made of something else. If that cannot be taken it goes on made
// of what it was.
func (j *job) replace(ctx context.Context, s *spec) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	now, _ := j.state()
	rested := j.rest(false)
	stopped := now == "Stopped" && !rested // by somebody who will start it
	if j.alive() {
		if err := j.end(ctx); err != nil && j.alive() {
			return err
		}
	}
	old := j.made()
	j.make(s, false)
	err := j.open(ctx, nil)
	if err != nil {
		j.make(old, false)
		if e := j.open(ctx, nil); e != nil {
			j.become("Failed", e)
			j.make(old, true)
			return errors.Join(err, fmt.Errorf("starting it as it was: %w", e))
		}
	}
	if !stopped {
		j.want()
	}
	return err
}

// rest says whether the job rests, and returns whether it did.
func (j *job) rest(on bool) (before bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before, j.rests = j.rests, on
	return before
}

// make says what the next start makes the job of; torn: it does not run that way.
func (j *job) make(s *spec, torn bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.spec, j.torn = s, torn
}
