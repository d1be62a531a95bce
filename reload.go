package spate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"spate/jobs"
	"spate/monitor"
	"spate/pipeline"
)

// ErrNotRunning: the pipeline does not run, or is about to stop.
var ErrNotRunning = jobs.ErrNotRunning

// room is a part of the pipeline that changes while it runs.
type room interface {
	// Check finds the mistakes that can be seen without changing anything.
	Check(o pipeline.Options) error
	// Reload makes the room what o says, and says what it did. What cannot be changed goes
	// on as it was, and the next call tries again.
	Reload(ctx context.Context, o pipeline.Options) (did []string, err error)
}

// rooms are those that change, in the order in which they do: what is read and written is
// there before who reads and writes it, and notifiers know a hub before a job fills it.
func (p *Pipeline) rooms() []room {
	return []room{p.hubs, p.policies, p.notifiers, p.jobs, p.upkeep, p.simulation, history{p.history, p.site}}
}

// Reload takes over what has changed in the options of a running pipeline, and says what it
// did. What cannot change while the pipeline runs is an error, and so is a mistake that can
// be seen before; nothing has changed then. A part that cannot be changed goes on as it was:
// the error says so, and the next Reload tries again.
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
	errs := []error{checkFixed(p.opts, o)}
	for _, r := range p.rooms() {
		errs = append(errs, r.Check(o))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	key := p.policies.rootKey()
	errs = append(errs, p.jobs.Rest(ctx, p.hubs.growing(o)))
	for _, r := range p.rooms() {
		done, err := r.Reload(ctx, o)
		did, errs = append(did, done...), append(errs, err)
	}
	p.mu.Lock()
	p.now = o
	p.mu.Unlock()
	if p.policies.rootKey() != key && p.jobs.Running() { // the key stands in the connection strings
		errs = append(errs, p.announce())
	}
	return did, errors.Join(errs...)
}

// checkFixed refuses changes of what is read at a start only, by the keys of a pipeline
// file.
func checkFixed(a, b pipeline.Options) error {
	x, y := a.Listen, b.Listen
	var keys []string
	for _, f := range []struct {
		key  string
		same bool
	}{
		{"name", a.Name == b.Name},
		{"subscription", a.Subscription == b.Subscription},
		{"location", a.Location == b.Location},
		{"namespace.name", a.Namespace == b.Namespace},
		{"storage.path", a.Dir == b.Dir},
		{"storage.account", a.Storage.Account == b.Storage.Account},
		{"storage.container", a.Storage.Container == b.Storage.Container},
		{"storage.database", a.Storage.Database == b.Storage.Database},
		{portKey("server.amqp.port", x.AMQP, y.AMQP), x.AMQP == y.AMQP},
		{portKey("server.amqp.tlsPort", x.AMQPS, y.AMQPS), x.AMQPS == y.AMQPS},
		{portKey("server.kafka.port", x.Kafka, y.Kafka), x.Kafka == y.Kafka},
		{"server.kafka.allowAnonymous", x.KafkaAnonymous == y.KafkaAnonymous},
		{portKey("server.console.port", x.HTTP, y.HTTP), x.HTTP == y.HTTP},
		{portKey("server.health.port", x.Health, y.Health), x.Health == y.Health},
		{"server.maxConnections", x.MaxConnections == y.MaxConnections},
		{"server.allowPlaintext", x.AllowPlaintext == y.AllowPlaintext},
		{"server.ports", x.NextFree == y.NextFree},
		{"server.advertisedHost", x.Advertised == y.Advertised},
		{"server.tls", x.CertFile == y.CertFile && x.KeyFile == y.KeyFile},
	} {
		if !f.same && !slices.Contains(keys, f.key) {
			keys = append(keys, f.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return fmt.Errorf("%s cannot change while the pipeline runs: it goes on as it was; stop it and start it again, or change that back", strings.Join(keys, ", "))
}

// portKey is the key by which one address becomes another.
func portKey(port, a, b string) string {
	_, p, errA := net.SplitHostPort(a)
	if _, q, errB := net.SplitHostPort(b); errA == nil && errB == nil && p == q {
		return "server.bind"
	}
	return port
}

// history is the room of the metrics, which go by the names of jobs and hubs.
type history struct {
	*monitor.History
	site func(pipeline.Options) monitor.Site
}

// Check implements room.
func (h history) Check(pipeline.Options) error { return nil }

// Reload implements room.
func (h history) Reload(_ context.Context, o pipeline.Options) (did []string, err error) {
	changed, err := h.Retain(o.MetricsRetention)
	if changed {
		did = append(did, "retention of metrics")
	}
	return did, errors.Join(err, h.Rename(h.site(o)))
}
