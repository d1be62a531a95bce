package spate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"spate/jobs"
	"spate/pipeline"
)

// ErrNotRunning: the pipeline does not run, or is about to stop.
var ErrNotRunning = jobs.ErrNotRunning

// Reload takes over what has changed in the options of a running pipeline: hubs, tables,
// jobs and captures. It says what it did. What cannot be taken over while the pipeline runs
// is an error, and so is a mistake that can be seen before; nothing has changed then. A
// part that cannot be changed goes on as it was, and the next Reload tries again.
func (p *Pipeline) Reload(ctx context.Context, o pipeline.Options) (did []string, err error) {
	o.Clock, o.Log, o.Drain = p.opts.Clock, p.log, p.opts.Drain
	if o, err = o.WithDefaults(); err != nil {
		return nil, err
	}
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if !p.jobs.Running() {
		return nil, ErrNotRunning
	}
	if fixed := fixedChanges(p.opts, o); len(fixed) > 0 {
		return nil, fmt.Errorf("%s cannot change while the pipeline runs: it goes on as it was; stop it and start it again", strings.Join(fixed, ", "))
	}
	if err := errors.Join(p.hubs.check(o.Hubs), p.jobs.Check(o)); err != nil {
		return nil, err
	}
	var errs []error
	for _, part := range []func() ([]string, error){
		func() ([]string, error) { return p.hubs.reload(ctx, o.Hubs) },
		func() ([]string, error) { return p.jobs.Reload(ctx, o) },
		func() ([]string, error) { return nil, p.history.Rename(p.site(o)) },
	} {
		done, err := part()
		did, errs = append(did, done...), append(errs, err)
	}
	p.mu.Lock()
	p.now = o
	p.mu.Unlock()
	return did, errors.Join(errs...)
}

// fixedChanges names the parts of a pipeline that differ and are read at a start only.
func fixedChanges(a, b pipeline.Options) []string {
	var out []string
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"the data folder", a.Dir, b.Dir}, {"the name", a.Name, b.Name}, {"the namespace", a.Namespace, b.Namespace},
		{"subscription and location", [2]string{a.Subscription, a.Location}, [2]string{b.Subscription, b.Location}},
		{"the listeners", a.Listen, b.Listen}, {"the authorization rules", a.Auth, b.Auth}, {"the storage", a.Storage, b.Storage},
		{"the action groups", a.ActionGroups, b.ActionGroups}, {"notify", a.Notify, b.Notify},
		{"the retention of metrics", a.MetricsRetention, b.MetricsRetention}, {"the simulator", a.Simulate, b.Simulate},
	} {
		if !reflect.DeepEqual(f.a, f.b) {
			out = append(out, f.name)
		}
	}
	return out
}
