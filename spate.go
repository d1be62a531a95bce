// Package spate runs a whole telemetry pipeline in one process: event hubs with
// the wire protocols of Azure, Stream Analytics jobs, Delta tables, metrics and
// notifications. Open builds a pipeline from Options, Run runs it, Close releases
// it; what the command does is only to fill in Options.
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
	"strings"
	"sync"
	"time"

	"spate/access"
	"spate/blob"
	"spate/column"
	"spate/console"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/metric"
	"spate/monitor"
	"spate/monitor/notify"
	"spate/pipeline"
)

// Pipeline is an open pipeline.
type Pipeline struct {
	opts      pipeline.Options
	log       *slog.Logger
	lock      *os.File
	metrics   *metric.Recorder
	namespace *hub.Namespace
	rules     *access.Rules
	store     blob.Store // of the data folder

	reloading sync.Mutex // one reload at a time

	mu     sync.Mutex // guards what a reload changes: the fields below, and Hubs, Tables, Jobs and Captures of opts
	tables *tables
	jobs   []*runningJob
	launch func(*runningJob) // runs the lives of a job; nil: the pipeline does not run

	history   *monitor.History
	notifiers []*notify.Notifier
	listeners *listeners
	endpoints Endpoints
	started   time.Time
	token     string // whoever may read the instance file may change the pipeline
}

// Open locks the data folder, recovers the log, creates what is missing, saves
// the first manifests of new jobs and binds the listeners. Nothing is accepted
// before Run.
func Open(ctx context.Context, o pipeline.Options) (_ *Pipeline, err error) {
	o, err = o.WithDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pipeline{opts: o, log: o.Log, metrics: new(metric.Recorder), started: o.Clock(), token: rand.Text()}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the data folder: %w", err)
	}
	if p.lock, err = lockFolder(o.Dir); err != nil {
		return nil, err
	}
	if p.rules, err = openRules(o); err != nil {
		return nil, err
	}
	if p.namespace, err = hub.Open(ctx, hub.Options{Dir: filepath.Join(o.Dir, "log"), Clock: o.Clock, Metrics: p.metrics, Log: o.Log}); err != nil {
		return nil, err
	}
	for _, h := range o.Hubs {
		if err := p.createHub(ctx, h); err != nil {
			return nil, err
		}
	}
	local := blob.NewLocal(o.Dir)
	if n, err := local.RemoveUnfinished(ctx, time.Now().Add(-24*time.Hour)); err != nil {
		o.Log.Warn("files of interrupted writes are still there", "err", err)
	} else if n > 0 {
		o.Log.Info("removed files of interrupted writes", "files", n)
	}
	p.store = local
	p.tables = openTables(p.store, o, p.metrics)
	if err := p.openJobs(ctx); err != nil {
		return nil, err
	}
	if p.history, err = monitor.Open(monitor.Options{
		Dir: filepath.Join(o.Dir, "metrics"), Recorder: p.metrics, Site: p.site(),
		Retention: o.MetricsRetention, Clock: o.Clock, Log: o.Log,
	}); err != nil {
		return nil, err
	}
	if err := p.openNotifiers(); err != nil {
		return nil, err
	}
	if p.listeners, err = openListeners(p); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Pipeline) site() monitor.Site {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := monitor.Site{
		Subscription: p.opts.Subscription, Group: p.opts.Name, Pipeline: p.opts.Name,
		Location: p.opts.Location, Namespace: p.opts.Namespace,
	}
	for _, h := range p.opts.Hubs {
		s.Hubs = append(s.Hubs, h.Name)
	}
	for _, j := range p.opts.Jobs {
		s.Jobs = append(s.Jobs, j.Name)
	}
	for _, c := range p.opts.Captures {
		s.Captures = append(s.Captures, c.JobName())
	}
	return s
}

func (p *Pipeline) createHub(ctx context.Context, h pipeline.Hub) error {
	spec := hub.Spec{Name: h.Name, Partitions: h.Partitions, Retention: h.Retention, ConsumerGroups: h.ConsumerGroups, Policy: eventlog.Sync}
	if h.Acknowledge == pipeline.AckOS {
		spec.Policy = eventlog.OS
	}
	if spec.Partitions == 0 {
		spec.Partitions = 4
	}
	switch h.Retention {
	case 0:
		spec.Retention = 24 * time.Hour
	case pipeline.Forever:
		spec.Retention = 0 // a hub's word for it
	}
	if _, err := p.namespace.Create(ctx, spec); err != nil {
		return fmt.Errorf("creating hub %s: %w", h.Name, err)
	}
	return nil
}

// Run accepts events and runs the jobs until the context ends; then it stops the
// listeners, checkpoints the jobs and returns nil.
func (p *Pipeline) Run(ctx context.Context) error {
	// What people see outlives the context, so that the end of the jobs is seen too.
	outer, stopOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOuter()
	jobs, stopJobs := context.WithCancel(outer)
	defer stopJobs()
	var around, running sync.WaitGroup
	fatal := make(chan error, 8)
	launch := func(j *runningJob) { running.Go(func() { p.runJob(jobs, j) }) }
	p.mu.Lock()
	p.launch = launch
	p.mu.Unlock()
	for _, j := range p.running() {
		launch(j)
	}
	around.Go(func() { p.report("metric history", p.history.Run(outer)) })
	for _, n := range p.notifiers {
		around.Go(func() { p.report("notifications", n.Run(outer)) })
	}
	p.listeners.serve(outer, &around, fatal)
	if err := p.announce(); err != nil {
		return err
	}
	if p.opts.Simulate != nil {
		around.Go(func() { p.simulate(ctx) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-fatal:
	}
	p.listeners.shutdown()
	p.mu.Lock()
	p.launch = nil // a reload under way comes too late
	p.mu.Unlock()
	stopJobs()
	running.Wait()
	stopOuter()
	around.Wait()
	if e := console.RemoveInstance(p.opts.Dir); err == nil && e != nil {
		err = fmt.Errorf("removing the instance file: %w", e)
	}
	return err
}

func (p *Pipeline) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		p.log.Error(what+" stopped", "err", err)
	}
}

func (p *Pipeline) openNotifiers() error {
	groups := make(map[string]pipeline.ActionGroup)
	for _, g := range p.opts.ActionGroups {
		groups[strings.ToLower(g.Name)] = g
	}
	for _, n := range p.opts.Notify {
		h, ok := p.namespace.Hub(n.Hub)
		if !ok {
			return fmt.Errorf("opening notify %s: hub %s does not exist", n.Name, n.Hub)
		}
		o := notify.Options{
			Dir: filepath.Join(p.opts.Dir, "notify", n.Name), Name: n.Name, Hub: h,
			Clock: p.opts.Clock, Metrics: p.metrics, Log: p.log,
		}
		for _, name := range n.ActionGroups {
			g, ok := groups[strings.ToLower(name)]
			if !ok {
				return fmt.Errorf("opening notify %s: action group %s does not exist", n.Name, name)
			}
			if g.Disabled {
				continue
			}
			for _, r := range g.Receivers {
				o.Receivers = append(o.Receivers, notify.Receiver{Name: g.Name + "/" + r.Name, URL: r.Webhook, File: r.File, Headers: r.Headers, Secret: r.Secret})
			}
		}
		if len(o.Receivers) == 0 {
			continue
		}
		nt, err := notify.New(o)
		if err != nil {
			return fmt.Errorf("opening notify %s: %w", n.Name, err)
		}
		p.notifiers = append(p.notifiers, nt)
	}
	return nil
}

// Close releases everything. Run has returned.
func (p *Pipeline) Close() error {
	var errs []error
	for _, n := range p.notifiers {
		errs = append(errs, n.Close())
	}
	if p.history != nil {
		errs = append(errs, p.history.Close())
	}
	if p.listeners != nil {
		p.listeners.close()
	}
	if p.namespace != nil {
		errs = append(errs, p.namespace.Close())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}

// Status is what the pipeline is doing.
type Status struct {
	Started        time.Time     `json:"started"`
	EventsIn       int64         `json:"eventsIn"`
	RowsOut        int64         `json:"rowsOut"`
	Alerts         int64         `json:"alerts"` // events delivered to hubs that notify reads
	WatermarkDelay time.Duration `json:"watermarkDelayNanoseconds"`
	Jobs           []JobStatus   `json:"jobs"`
	Problems       []string      `json:"problems,omitempty"` // what /healthz says
}

// JobStatus is the state of one job.
type JobStatus struct {
	Name           string        `json:"name"`
	State          string        `json:"state"` // Starting, Running, Degraded, Stopping, Stopped, Failed
	Error          string        `json:"error,omitempty"`
	EventsIn       int64         `json:"eventsIn"`
	RowsOut        int64         `json:"rowsOut"`
	WatermarkDelay time.Duration `json:"watermarkDelayNanoseconds"`
}

// Status returns the state of the pipeline. It may be called while Run runs.
func (p *Pipeline) Status() Status {
	s := Status{Started: p.started}
	for _, err := range p.problems() {
		s.Problems = append(s.Problems, err.Error())
	}
	alerts, written := make(map[string]bool), make(map[string]bool)
	for _, n := range p.opts.Notify {
		alerts[strings.ToLower(n.Hub)] = true
	}
	p.mu.Lock()
	declared := p.opts.Jobs
	p.mu.Unlock()
	for _, j := range declared {
		for _, o := range j.Outputs {
			written[strings.ToLower(o.Hub)] = true
		}
	}
	for _, v := range p.metrics.Series() {
		if v.Counter == nil {
			continue
		}
		job, entity := "", ""
		for _, l := range v.Labels {
			switch l.Name {
			case "JobName":
				job = l.Value
			case "EntityName":
				entity = l.Value
			}
		}
		switch v.Name {
		case "InputEvents":
			p.addTo(&s, job, v.Counter.Value(), 0)
		case "OutputEvents":
			p.addTo(&s, job, 0, v.Counter.Value())
		case "IncomingMessages":
			switch name := strings.ToLower(entity); {
			case alerts[name]:
				s.Alerts += v.Counter.Value()
			case !written[name]: // what a job writes has been counted on its way in
				s.EventsIn += v.Counter.Value()
			}
		}
	}
	now := column.TicksOf(p.opts.Clock())
	for _, j := range p.running() {
		js := p.jobStatus(&s, j.name)
		js.State, js.Error = j.state()
		if w := j.current().Watermark(); w > 0 {
			js.WatermarkDelay = time.Duration(now-w) * 100
		}
		if !j.capture {
			s.WatermarkDelay = max(s.WatermarkDelay, js.WatermarkDelay)
			s.RowsOut += js.RowsOut
		}
	}
	return s
}

func (p *Pipeline) addTo(s *Status, job string, in, out int64) {
	js := p.jobStatus(s, job)
	js.EventsIn += in
	js.RowsOut += out
}

func (p *Pipeline) jobStatus(s *Status, name string) *JobStatus {
	for i := range s.Jobs {
		if s.Jobs[i].Name == name {
			return &s.Jobs[i]
		}
	}
	s.Jobs = append(s.Jobs, JobStatus{Name: name})
	return &s.Jobs[len(s.Jobs)-1]
}
