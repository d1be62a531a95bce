package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"spate/pipeline"
)

// Check finds the mistakes that can be seen without changing anything.
func (r *Room) Check(p pipeline.Options) error {
	if err := distinct(p); err != nil {
		return err
	}
	for _, j := range p.Jobs {
		if _, err := compile(j); err != nil && !j.Disabled {
			return err
		}
	}
	return nil
}

// Reload makes the jobs those of p, and says what it did. A job that is another one, writes
// another table, or reads a hub with more partitions stops in order, and starts again with
// what it may keep of its state; the others are not touched. One that cannot be taken goes
// on as it was, and the next call tries again.
func (r *Room) Reload(ctx context.Context, p pipeline.Options) (did []string, err error) {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	var errs []error
	wanted := r.specs(p)
	for _, s := range wanted {
		what, err := r.take(ctx, s)
		if err != nil {
			errs = append(errs, err)
		} else if what != "" {
			did = append(did, what)
		}
	}
	for _, j := range r.all() {
		if slices.ContainsFunc(wanted, func(s *spec) bool { return strings.EqualFold(s.name(), j.name) }) {
			continue
		}
		if err := r.drop(ctx, j); err != nil {
			errs = append(errs, err)
			continue
		}
		did = append(did, "job "+j.name+" stopped")
	}
	return did, errors.Join(errs...)
}

// Rest stops the jobs that read one of the hubs, until the next Reload. Those that read a
// hub which gets more partitions rest meanwhile: their time would pass the events of a
// partition that they do not know of.
func (r *Room) Rest(ctx context.Context, hubs []string) error {
	var errs []error
	for _, j := range r.all() {
		if slices.ContainsFunc(hubs, j.reads) {
			errs = append(errs, j.pause(ctx))
		}
	}
	return errors.Join(errs...)
}

// reads says whether the job reads a hub.
func (j *job) reads(hub string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.parts[strings.ToLower(hub)]
	return ok
}

// pause stops a job that lives, until it is replaced.
func (j *job) pause(ctx context.Context) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if !j.alive() {
		return nil
	}
	if err := j.end(ctx); err != nil && j.alive() {
		return err
	}
	j.rest(true)
	return nil
}

// take makes a job what is wanted of it, and says what it did; empty: nothing.
func (r *Room) take(ctx context.Context, s *spec) (string, error) {
	j, err := r.find(s.name())
	switch known := err == nil; {
	case !known && s.job.Disabled:
		return "", nil
	case !known:
		if j, err = r.add(ctx, s); err != nil {
			return "", err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.launch == nil {
			return "", ErrNotRunning
		}
		r.launch(j)
		return "job " + s.name() + " started", nil
	case s.job.Disabled:
		return "job " + s.name() + " stopped", r.drop(ctx, j)
	case !j.differs(s):
		return "", nil
	}
	if err := j.replace(ctx, s); err != nil {
		return "", fmt.Errorf("job %s goes on as it was: %w", s.name(), err)
	}
	return "job " + s.name() + " replaced", nil
}

// differs says whether the job has to be replaced to be what s says.
func (j *job) differs(s *spec) bool {
	now := j.room.partitions(s)
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.torn || j.rests || !reflect.DeepEqual(j.spec, s) || !maps.Equal(j.parts, now)
}

// drop stops a job and forgets it. Its folder stays, and it goes on from there when it
// comes back.
func (r *Room) drop(ctx context.Context, j *job) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if j.alive() {
		if err := j.end(ctx); err != nil {
			return err
		}
	}
	close(j.gone)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = slices.DeleteFunc(r.jobs, func(x *job) bool { return x == j })
	return nil
}
