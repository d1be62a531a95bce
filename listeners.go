package spate

import (
	"fmt"
	"os"

	"spate/console"
	"spate/listen"
	"spate/listen/amqp"
	"spate/listen/kafka"
)

// openPorts binds all addresses. This table is all that knows which protocols there are.
func (p *Pipeline) openPorts() (err error) {
	o, at := p.opts, p.opts.Listen
	p.ports, err = listen.Open(listen.Options{Listen: at, CertsDir: listen.CertsDir(o.Dir), Log: p.log,
		Connections: p.limits.connections, Watchers: p.limits.watched}, []listen.Service{
		{
			Name:  "AMQP",
			Ports: []listen.Port{{Key: "amqp", Name: "AMQP", At: at.AMQP}, {Key: "amqps", Name: "AMQPS", At: at.AMQPS, TLS: true}},
			New: func(bound listen.Addresses) (listen.Server, error) {
				return amqp.New(amqp.Options{Namespace: p.hubs.namespace, Rules: p.policies.access, Log: p.log, Metrics: p.metrics, Host: o.Namespace, RequireAuth: true, Clock: o.Clock,
					ClientLog: p.limits.log, Answers: p.limits.memory, Ports: bound})
			},
		},
		{
			Name:  "Kafka",
			Ports: []listen.Port{{Key: "kafka", Name: "Kafka", At: at.Kafka}},
			New: func(bound listen.Addresses) (listen.Server, error) {
				return kafka.New(kafka.Options{Namespace: p.hubs.namespace, Rules: p.policies.access, Log: p.log, Metrics: p.metrics, RequireAuth: !at.KafkaAnonymous,
					Advertise: listen.Advertised(at, bound["kafka"]), ClientLog: p.limits.log, Answers: p.limits.memory, Ports: bound})
			},
		},
		{
			Name:  "HTTP",
			Ports: []listen.Port{{Key: "console", Name: "HTTP", At: at.HTTP, Keyless: true}},
			New: func(listen.Addresses) (listen.Server, error) {
				return console.New(console.Options{Namespace: o.Namespace, Recorder: p.metrics, History: p.history, Log: p.log,
					Health: p.health, Ready: p.ready, Status: func() any { return p.Status() }, Token: p.token, Jobs: p.jobs, Hubs: p}), nil
			},
			Late: true,
		},
		{
			Name:  "health",
			Ports: []listen.Port{{Key: "health", Name: "health", At: at.Health, IfFree: at.HealthIfFree}},
			New: func(listen.Addresses) (listen.Server, error) {
				return console.NewHealth(console.Options{Health: p.health, Ready: p.ready, Log: p.log, Anybody: at.AllowPlaintext}), nil
			},
			Late: true,
		},
	})
	return err
}

// Endpoints returns the addresses that were bound, and how clients reach them.
func (p *Pipeline) Endpoints() Endpoints {
	return listen.EndpointsOf(p.opts, p.ports.Bound(), p.policies.rootKey())
}

// Endpoints are where a running pipeline is reached.
type Endpoints = listen.Endpoints

// announce writes the instance file: what other processes need to find this one.
func (p *Pipeline) announce() error {
	e := p.Endpoints()
	i := console.Instance{PID: os.Getpid(), Token: p.token, StartedAt: p.started.UTC(), CAFile: e.CAFile,
		Addresses: p.ports.Bound(), ConnectionStrings: make(map[string]string)}
	for k, v := range map[string]string{"emulator": e.ConnectionString, "tls": e.TLSConnectionString} {
		if v != "" {
			i.ConnectionStrings[k] = v
		}
	}
	if err := console.WriteInstance(p.opts.Dir, i); err != nil {
		return fmt.Errorf("writing the instance file: %w", err)
	}
	return nil
}
