package stream

import (
	"sync/atomic"
	"time"

	"spate/column"
)

// progress is what others see of a job's checkpoints.
type progress struct {
	begun atomic.Int64 // Unix nanoseconds: the one under way began then; 0: none is
	saved atomic.Int64 // when the newest was committed, by the job's clock; 0: none was
}

// Saved is when the newest checkpoint since the job began to run was saved and committed to
// its outputs; 0: none was. A checkpoint in which nothing has moved does not count.
func (j *Job) Saved() column.Ticks { return column.Ticks(j.progress.saved.Load()) }

// Saving is since when a checkpoint is on its way, in wall time; zero: none is.
func (j *Job) Saving() time.Time {
	if t := j.progress.begun.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Time{}
}
