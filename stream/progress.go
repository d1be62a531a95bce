package stream

import (
	"sync/atomic"
	"time"
)

// progress is what others see of a job's checkpoints.
type progress struct {
	begun atomic.Int64 // Unix nanoseconds: the one under way began then; 0: none is
	saved atomic.Bool  // one was saved and committed
}

// Saved reports whether the job has saved a checkpoint since it began to run, and committed
// it to its outputs. A checkpoint in which nothing has moved does not count.
func (j *Job) Saved() bool { return j.progress.saved.Load() }

// Saving is since when a checkpoint is on its way, in wall time; zero: none is.
func (j *Job) Saving() time.Time {
	if t := j.progress.begun.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Time{}
}
