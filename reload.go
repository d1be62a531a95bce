package spate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"spate/pipeline"
	"spate/stream"
)

// ErrNotRunning: the pipeline does not run, or is about to stop.
var ErrNotRunning = errors.New("the pipeline does not run")

// Reload takes over what has changed in the options of a running pipeline: jobs and
// captures that are new, gone or others, new hubs and tables, settings of hubs. It says
// what it did. A job that changes stops, and starts again with what it may keep of its
// state; the others are not touched. What cannot be taken over while the pipeline runs is
// an error, and so is a job that cannot run; nothing has changed then, but for what was
// said to be done.
func (p *Pipeline) Reload(ctx context.Context, o pipeline.Options) (did []string, err error) {
	o.Clock, o.Log = p.opts.Clock, p.log
	if o, err = o.WithDefaults(); err != nil {
		return nil, err
	}
	p.reloading.Lock()
	defer p.reloading.Unlock()
	p.mu.Lock()
	old, running := p.opts, p.launch != nil
	p.mu.Unlock()
	if !running {
		return nil, ErrNotRunning
	}
	if fixed := fixedChanges(old, o); len(fixed) > 0 {
		return nil, fmt.Errorf("%s cannot change while the pipeline runs: it goes on as it was; stop it and start it again", strings.Join(fixed, ", "))
	}
	if err := distinctJobs(o); err != nil {
		return nil, err
	}
	for _, j := range o.Jobs { // a mistake in one leaves everything as it was
		if _, err := compileJob(j); err != nil && !j.Disabled {
			return nil, err
		}
	}
	hubs, err := p.reloadHubs(ctx, old, o)
	if err != nil {
		return nil, err
	}
	for name := range hubs {
		did = append(did, "hub "+name)
	}
	slices.Sort(did)
	tables := openTables(p.store, o, p.metrics)
	p.mu.Lock()
	was := p.tables
	p.tables = tables
	p.opts.Hubs, p.opts.Tables, p.opts.Jobs, p.opts.Captures = o.Hubs, o.Tables, o.Jobs, o.Captures
	p.mu.Unlock()
	changed := func(table string) bool {
		a, errA := was.find(table)
		b, errB := tables.find(table)
		return table != "" && (errA != nil || errB != nil || !reflect.DeepEqual(a, b))
	}
	var errs []error
	for _, w := range wantedJobs(p, o) {
		before := wantedBefore(old, w)
		touched := before == nil || !reflect.DeepEqual(before, w.what) ||
			slices.ContainsFunc(w.hubs, func(h string) bool { return hubs[strings.ToLower(h)] }) || slices.ContainsFunc(w.tables, changed)
		if !touched {
			continue
		}
		what, err := p.take(ctx, w)
		if err != nil {
			errs = append(errs, err)
			p.keepBefore(w, before) // the next reload tries again
			continue
		}
		did = append(did, what)
	}
	gone, err := p.dropJobs(ctx, o)
	errs = append(errs, err, p.history.Rename(p.site()))
	return append(did, gone...), errors.Join(errs...)
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

// reloadHubs makes new hubs and changes the settings of others. It returns the names, in
// lower case, of those that are new or have more partitions: jobs that read them begin
// anew to see them.
func (p *Pipeline) reloadHubs(ctx context.Context, old, o pipeline.Options) (map[string]bool, error) {
	before := make(map[string]pipeline.Hub)
	for _, h := range old.Hubs {
		before[strings.ToLower(h.Name)] = h
	}
	for _, h := range o.Hubs { // look at all before one is changed
		if was, ok := p.namespace.Hub(h.Name); ok && h.Partitions != 0 && h.Partitions < was.Partitions() {
			return nil, fmt.Errorf("hub %s has %d partitions and cannot shrink to %d: it goes on as it was", h.Name, was.Partitions(), h.Partitions)
		}
	}
	grown := make(map[string]bool)
	for _, h := range o.Hubs {
		key := strings.ToLower(h.Name)
		was, known := before[key]
		if known && reflect.DeepEqual(was, h) {
			continue
		}
		if err := p.createHub(ctx, h); err != nil {
			return nil, err
		}
		grown[key] = !known || was.Partitions != h.Partitions
	}
	return grown, nil
}

// wantedJob is a job or a capture of the options.
type wantedJob struct {
	name         string
	capture      bool
	disabled     bool
	what         any // the Job or the Capture
	hubs, tables []string
	options      func(ctx context.Context) (stream.Options, error)
}

func wantedJobs(p *Pipeline, o pipeline.Options) []wantedJob {
	var out []wantedJob
	for _, j := range o.Jobs {
		w := wantedJob{name: j.Name, disabled: j.Disabled, what: j, options: p.bind(j)}
		if compiled, err := compileJob(j); err == nil {
			for _, in := range compiled.Inputs {
				w.hubs = append(w.hubs, j.Input(in.Name).Hub)
			}
		}
		for _, b := range j.Outputs {
			w.tables = append(w.tables, b.Table)
		}
		out = append(out, w)
	}
	for _, c := range o.Captures {
		out = append(out, wantedJob{name: c.JobName(), capture: true, what: c, hubs: []string{c.Hub}, tables: []string{c.Table}, options: p.bindCapture(c)})
	}
	return out
}

// wantedBefore is what the options before said of a job; nil: nothing.
func wantedBefore(old pipeline.Options, w wantedJob) any {
	for _, j := range old.Jobs {
		if !w.capture && strings.EqualFold(j.Name, w.name) {
			return j
		}
	}
	for _, c := range old.Captures {
		if w.capture && c.JobName() == w.name {
			return c
		}
	}
	return nil
}

// keepBefore leaves what the options said of a job before; nil: nothing.
func (p *Pipeline) keepBefore(w wantedJob, before any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	jobs := slices.DeleteFunc(slices.Clone(p.opts.Jobs), func(j pipeline.Job) bool { return !w.capture && strings.EqualFold(j.Name, w.name) })
	captures := slices.DeleteFunc(slices.Clone(p.opts.Captures), func(c pipeline.Capture) bool { return w.capture && c.JobName() == w.name })
	switch b := before.(type) {
	case pipeline.Job:
		jobs = append(jobs, b)
	case pipeline.Capture:
		captures = append(captures, b)
	}
	p.opts.Jobs, p.opts.Captures = jobs, captures
}

// take makes a job what is wanted of it.
func (p *Pipeline) take(ctx context.Context, w wantedJob) (string, error) {
	j, err := p.find(w.name)
	switch {
	case err == nil && w.disabled:
		return "job " + w.name + " stopped", p.drop(ctx, j)
	case w.disabled:
		return "job " + w.name + " stays disabled", nil
	case err == nil:
		if err := j.replace(ctx, w.options); err != nil {
			return "", fmt.Errorf("job %s goes on as it was: %w", w.name, err)
		}
		return "job " + w.name + " replaced", nil
	}
	if j, err = p.addJob(ctx, w.name, w.capture, w.options); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.launch == nil {
		return "", ErrNotRunning
	}
	p.launch(j)
	return "job " + w.name + " started", nil
}

// dropJobs stops the jobs that the options no longer have.
func (p *Pipeline) dropJobs(ctx context.Context, o pipeline.Options) (did []string, err error) {
	wanted := wantedJobs(p, o)
	for _, j := range p.running() {
		if !slices.ContainsFunc(wanted, func(w wantedJob) bool { return strings.EqualFold(w.name, j.name) }) {
			if err := p.drop(ctx, j); err != nil {
				return did, err
			}
			did = append(did, "job "+j.name+" stopped")
		}
	}
	return did, nil
}

// drop stops a job and forgets it. Its folder stays, and it goes on from there when it
// comes back.
func (p *Pipeline) drop(ctx context.Context, j *runningJob) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if now, _ := j.state(); now != "Stopped" && now != "Failed" {
		if err := j.end(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = slices.DeleteFunc(p.jobs, func(x *runningJob) bool { return x == j })
	return nil
}
