package stream

import (
	"context"

	"spate/internal/panics"
)

// Run runs the job until the context ends or, with bounded inputs, everything is
// read. Either way what was read is checkpointed and committed before Run
// returns nil. A panic in one of its goroutines ends the job, as an error whose stack
// stands in the log.
func (j *Job) Run(ctx context.Context) error {
	defer close(j.over)
	err := panics.Caught(func() error { return j.run(ctx) })
	if stack := panics.StackOf(err); stack != "" {
		j.opts.Log.Error("a panic ends the job", "job", j.opts.Name, "err", err, "stack", stack)
	}
	return err
}

// guard runs a goroutine beside the tail's; a panic in it is the tail's to return.
func (j *Job) guard(run func()) {
	err := panics.Caught(func() error { run(); return nil })
	if err != nil {
		select {
		case j.panicked <- err:
		default: // one ends the job
		}
	}
}
