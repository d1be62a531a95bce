// Package spate runs a whole telemetry pipeline in one process: event hubs with
// the wire protocols of Azure, Stream Analytics jobs, Delta tables, metrics and
// notifications. Open builds a pipeline from pipeline.Options, Run runs it, Close releases
// it; what the command does is only to fill in the options.
//
// What is done stands in the rooms below. Here stands which of them there are, and the
// order in which they are opened, changed and stopped.
//
// Stability: importable, not promised before 1.0.
package spate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"spate/blob"
	"spate/console"
	"spate/datafolder"
	"spate/hub"
	"spate/jobs"
	"spate/lake"
	"spate/listen"
	"spate/metric"
	"spate/monitor"
	"spate/monitor/notify"
	"spate/pipeline"
)

// Pipeline is an open pipeline.
type Pipeline struct {
	opts    pipeline.Options // as it was opened
	log     *slog.Logger
	started time.Time
	token   string // whoever may read the instance file may change the pipeline

	limits     limits
	lock       *datafolder.Lock
	store      *blob.Local
	tables     *lake.Tables // of store
	metrics    *metric.Recorder
	policies   *policies
	hubs       *hubs
	upkeep     *upkeep
	jobs       *jobs.Room
	history    *monitor.History
	notifiers  *notify.Set
	ports      *listen.Ports
	simulation *simulation

	phase     atomic.Int32
	reloading sync.Mutex // one reload at a time

	mu  sync.Mutex // guards the field below
	now pipeline.Options
}

// Open locks the data folder, recovers the log, creates what is missing, saves
// the first manifests of new jobs and binds the listeners. Nothing is accepted
// before Run.
func Open(ctx context.Context, o pipeline.Options) (_ *Pipeline, err error) {
	o, err = o.WithDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pipeline{opts: o, now: o, log: o.Log, metrics: new(metric.Recorder), started: o.Clock(), token: rand.Text()}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	p.setLimits(o)
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the data folder: %w", err)
	}
	take := datafolder.Take
	if o.AcceptCopy {
		take = datafolder.TakeCopy
	}
	if p.lock, err = take(o.Dir); err != nil {
		return nil, err
	}
	if err := datafolder.ClearStages(o.Dir); err != nil {
		o.Log.Warn("what an interrupted backup has left is still there", "err", err)
	}
	if p.policies, err = openPolicies(o); err != nil {
		return nil, err
	}
	if err := p.openHubs(ctx); err != nil {
		return nil, err
	}
	p.openStore(ctx)
	p.openUpkeep()
	if p.tables, err = lake.NewTables(lake.TablesOptions{Store: p.store, Clock: o.Clock, Log: o.Log, CheckpointDue: p.upkeep.CheckpointDue}); err != nil {
		return nil, err
	}
	if p.jobs, err = jobs.Open(ctx, jobs.Options{Hubs: p.hubs.namespace, Store: p.store, Tables: p.tables, Storage: o.Storage, Drain: o.Drain,
		Metrics: p.metrics, Clock: o.Clock, Log: o.Log}, o); err != nil {
		return nil, err
	}
	p.upkeep.jobs = p.jobs
	if _, err := p.upkeep.Reload(ctx, o); err != nil {
		return nil, err
	}
	if p.history, err = monitor.Open(monitor.Options{
		Dir: filepath.Join(o.Dir, "metrics"), Recorder: p.metrics, Site: p.site(o),
		Retention: o.MetricsRetention, Clock: o.Clock, Log: o.Log,
	}); err != nil {
		return nil, err
	}
	if p.notifiers, err = notify.OpenSet(ctx, notify.SetOptions{Dir: filepath.Join(o.Dir, "notify"), Hubs: p.hubs.namespace,
		Clock: o.Clock, Metrics: p.metrics, Log: o.Log}, o); err != nil {
		return nil, err
	}
	if err := p.openPorts(); err != nil {
		return nil, err
	}
	p.simulation = &simulation{hubs: p.hubs.namespace, endpoints: p.Endpoints, log: o.Log, wanted: o.Simulate}
	return p, nil
}

func (p *Pipeline) openHubs(ctx context.Context) error {
	n, err := hub.Open(ctx, hub.Options{Dir: datafolder.HubsDir(p.opts.Dir), Clock: p.opts.Clock, Files: p.limits.files, Metrics: p.metrics, Log: p.log})
	if err != nil {
		return err
	}
	p.hubs = &hubs{namespace: n, made: make(map[string]pipeline.Hub), told: make(map[string]bool), log: p.log}
	_, err = p.hubs.Reload(ctx, p.opts)
	return err
}

// openStore opens the data folder as a store of objects.
func (p *Pipeline) openStore(ctx context.Context) {
	p.store = blob.NewLocal(p.opts.Dir)
	if n, err := p.store.RemoveUnfinished(ctx, time.Now().Add(-24*time.Hour)); err != nil {
		p.log.Warn("files of interrupted writes are still there", "err", err)
	} else if n > 0 {
		p.log.Info("removed files of interrupted writes", "files", n)
	}
}

// site is the names that metrics are asked by. A job that is wanted and could not be
// made has none.
func (p *Pipeline) site(o pipeline.Options) monitor.Site {
	s := monitor.Site{Subscription: o.Subscription, Group: o.Name, Pipeline: o.Name, Location: o.Location, Namespace: o.Namespace}
	for _, h := range o.Hubs {
		s.Hubs = append(s.Hubs, h.Name)
	}
	for _, j := range o.Jobs {
		if j.Disabled || p.jobs.Has(j.Name) {
			s.Jobs = append(s.Jobs, j.Name)
		}
	}
	for _, c := range o.Captures {
		if p.jobs.Has(c.JobName()) {
			s.Captures = append(s.Captures, c.JobName())
		}
	}
	return s
}

// options are what the pipeline was told last.
func (p *Pipeline) options() pipeline.Options {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Jobs are the jobs of the pipeline, to start and stop them.
func (p *Pipeline) Jobs() *jobs.Room { return p.jobs }

// Run accepts events and runs the jobs until the context ends; then it stops the
// listeners, checkpoints the jobs and returns nil.
func (p *Pipeline) Run(ctx context.Context) error {
	// What people see outlives the context, so that the end of the jobs is seen too.
	outer, stopOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOuter()
	inner, stopJobs := context.WithCancel(outer)
	defer stopJobs()
	devices, stopDevices := context.WithCancel(ctx)
	defer stopDevices()
	var around, running sync.WaitGroup
	running.Go(func() { p.jobs.Run(inner) })
	around.Go(func() {
		if err := p.history.Run(outer); err != nil && !errors.Is(err, context.Canceled) {
			p.log.Error("metric history stopped", "err", err)
		}
	})
	around.Go(func() { p.notifiers.Run(outer) })
	around.Go(func() { p.upkeep.Run(inner) })
	fatal := make(chan error, 1)
	around.Go(func() {
		p.ports.Serve(func(err error) {
			select {
			case fatal <- err:
			default: // one ends the pipeline
				p.log.Error("a listener stopped", "err", err)
			}
		})
	})
	err := p.announce()
	if err == nil {
		p.phase.Store(runs)
		around.Go(func() { p.simulation.Run(devices) })
		select {
		case <-ctx.Done():
		case err = <-fatal:
		}
	}
	p.phase.Store(stops)
	stopDevices()
	p.ports.Shutdown()
	stopJobs()
	running.Wait()
	stopOuter()
	p.ports.Close()
	around.Wait()
	if e := console.RemoveInstance(p.opts.Dir); err == nil && e != nil {
		err = fmt.Errorf("removing the instance file: %w", e)
	}
	return err
}

// Close releases everything. Run has returned.
func (p *Pipeline) Close() error {
	p.reloading.Lock() // one that came while Run ended
	defer p.reloading.Unlock()
	var errs []error
	if p.notifiers != nil {
		errs = append(errs, p.notifiers.Close())
	}
	if p.history != nil {
		errs = append(errs, p.history.Close())
	}
	if p.ports != nil {
		p.ports.Close()
	}
	if p.tables != nil {
		p.tables.Close()
	}
	if p.hubs != nil {
		errs = append(errs, p.hubs.namespace.Close())
	}
	if p.limits.files != nil {
		p.limits.files.Close()
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}
