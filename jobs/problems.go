package jobs

import (
	"fmt"
	"time"
)

// slowCheckpoint is how long a checkpoint may take before somebody should look.
const slowCheckpoint = time.Minute

// Problems says of each job that does not work why.
func (r *Room) Problems() (errs []error) {
	for _, j := range r.all() {
		if err := j.problem(time.Now()); err != nil {
			errs = append(errs, fmt.Errorf("job %s %w", j.name, err))
		}
	}
	return errs
}

// problem is why the job does not work; nil: it does. One that has started again must first
// save something, or go on for a while.
func (j *job) problem(now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch j.now {
	case "Failed":
		return fmt.Errorf("failed: %w", j.err)
	case "Degraded":
		return fmt.Errorf("starts again and again: %w", j.err)
	case "Running":
		if j.fell != nil && j.job.Saved() == 0 && now.Sub(j.began) < longRun {
			return fmt.Errorf("has started again and saved nothing yet: %w", j.fell)
		}
		if since := j.job.Saving(); !since.IsZero() && now.Sub(since) > slowCheckpoint {
			return fmt.Errorf("shows nothing new: its checkpoint is under way for %v", now.Sub(since).Truncate(time.Second))
		}
	}
	return nil
}
