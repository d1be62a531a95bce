package spate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"spate/access"
	"spate/console"
	"spate/listen/amqp"
	"spate/listen/kafka"
	"spate/monitor"
	"spate/pipeline"
)

// Endpoints are where a running pipeline is reached.
type Endpoints struct {
	AMQP, AMQPS, Kafka, HTTP string // addresses; empty: closed

	ConnectionString    string // with UseDevelopmentEmulator=true, for the plain port
	TLSConnectionString string // for the TLS port; empty if that is closed
	CAFile              string
	DataDir             string
	TablesDir           string
}

// Endpoints returns the addresses that were bound.
func (p *Pipeline) Endpoints() Endpoints { return p.endpoints }

type listeners struct {
	p     *Pipeline
	amqp  *amqp.Server
	kafka *kafka.Server
	open  []bound
}

type bound struct {
	name string
	ln   net.Listener
	run  func(ctx context.Context, ln net.Listener) error
}

// openListeners binds every address before anything is served.
func openListeners(p *Pipeline) (_ *listeners, err error) {
	o := p.opts
	l := &listeners{p: p}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	var secure *tls.Config
	certs := filepath.Join(o.Dir, "certs")
	if o.Listen.AMQPS != "" {
		if secure, err = serverTLS(o, certs); err != nil {
			return nil, err
		}
	}
	if l.amqp, err = amqp.New(amqp.Options{
		Namespace: p.namespace, Rules: p.rules, TLS: secure, Log: o.Log, Metrics: p.metrics, Host: o.Namespace, RequireAuth: true, Clock: o.Clock,
	}); err != nil {
		return nil, fmt.Errorf("starting the AMQP listener: %w", err)
	}
	kafkaOptions := kafka.Options{Namespace: p.namespace, Rules: p.rules, RequireAuth: !o.Listen.KafkaAnonymous, Log: o.Log, Metrics: p.metrics}
	for _, a := range []struct {
		name, addr string
		run        func(context.Context, net.Listener) error
		to         *string
	}{
		{"AMQP", o.Listen.AMQP, func(_ context.Context, ln net.Listener) error { return l.amqp.Serve(ln) }, &p.endpoints.AMQP},
		{"AMQPS", o.Listen.AMQPS, func(_ context.Context, ln net.Listener) error { return l.amqp.ServeTLS(ln) }, &p.endpoints.AMQPS},
		{"Kafka", o.Listen.Kafka, func(_ context.Context, ln net.Listener) error { return l.kafka.Serve(ln) }, &p.endpoints.Kafka},
		{"HTTP", o.Listen.HTTP, l.console, &p.endpoints.HTTP},
	} {
		if a.addr == "" {
			continue
		}
		if a.name != "AMQPS" && !loopback(a.addr) {
			return nil, fmt.Errorf("opening the %s listener on %s: only loopback is served without TLS; use the TLS listener beyond this machine", a.name, a.addr)
		}
		ln, err := listen(a.addr, o.Listen.NextFree)
		if err != nil {
			return nil, fmt.Errorf("opening the %s listener: %w", a.name, err)
		}
		*a.to = ln.Addr().String()
		l.open = append(l.open, bound{a.name, ln, a.run})
	}
	if o.Listen.Advertised != "" && p.endpoints.Kafka != "" {
		_, port, _ := net.SplitHostPort(p.endpoints.Kafka)
		kafkaOptions.Advertise = net.JoinHostPort(o.Listen.Advertised, port)
	}
	if l.kafka, err = kafka.New(kafkaOptions); err != nil {
		return nil, fmt.Errorf("starting the Kafka listener: %w", err)
	}
	return l, p.nameEndpoints(certs)
}

func serverTLS(o pipeline.Options, dir string) (*tls.Config, error) {
	if o.Listen.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(o.Listen.CertFile, o.Listen.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	}
	if _, err := access.ReadCerts(dir); errors.Is(err, os.ErrNotExist) {
		var hosts []string
		if o.Listen.Advertised != "" {
			hosts = append(hosts, o.Listen.Advertised)
		}
		if _, err := access.InitCerts(dir, hosts); err != nil {
			return nil, fmt.Errorf("making the certificates: %w", err)
		}
	}
	c, err := access.LoadTLS(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the certificates: %w", err)
	}
	return c, nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// listen binds addr, or with next the first free port behind it.
func listen(addr string, next bool) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil || !next || !errors.Is(err, syscall.EADDRINUSE) {
		return ln, err
	}
	host, text, splitErr := net.SplitHostPort(addr)
	port, numErr := strconv.Atoi(text)
	if splitErr != nil || numErr != nil {
		return nil, err
	}
	for k := port + 1; k < port+100; k++ {
		if ln, e := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(k))); e == nil {
			return ln, nil
		}
	}
	return nil, err
}

func (p *Pipeline) nameEndpoints(certs string) error {
	key, err := rootKey(p.opts)
	if err != nil {
		return err
	}
	e := &p.endpoints
	e.DataDir = p.opts.Dir
	e.TablesDir = filepath.Join(p.opts.Dir, "lake", p.opts.Storage.Account, p.opts.Storage.Container)
	if e.AMQP != "" {
		c := access.ConnectionString{Endpoint: p.endpointOf(e.AMQP, "5672"), KeyName: access.RootRule, Key: key, Emulator: true}
		e.ConnectionString = c.Print()
	}
	if e.AMQPS != "" {
		c := access.ConnectionString{Endpoint: p.endpointOf(e.AMQPS, "5671"), KeyName: access.RootRule, Key: key}
		e.TLSConnectionString = c.Print()
		if p.opts.Listen.CertFile == "" {
			e.CAFile = filepath.Join(certs, "ca.pem")
			if c, err := access.ReadCerts(certs); err == nil {
				e.CAFile = c.CA
			}
		}
	}
	return nil
}

func (p *Pipeline) endpointOf(addr, usual string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "sb://" + addr
	}
	if p.opts.Listen.Advertised != "" {
		host = p.opts.Listen.Advertised
	} else if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	if port == usual {
		return "sb://" + host
	}
	return "sb://" + net.JoinHostPort(host, port)
}

func (l *listeners) console(ctx context.Context, ln net.Listener) error {
	p := l.p
	return console.Serve(ctx, ln, console.Options{
		Namespace: p.opts.Namespace, Recorder: p.metrics, History: p.history, Log: p.log,
		Health: p.health, Status: func() any { return p.Status() }, Token: p.token,
		JobVerbs: map[string]func(context.Context, string, url.Values) error{
			"start": answered(p.startAsked),
			"stop":  answered(func(ctx context.Context, job string, _ url.Values) error { return p.StopJob(ctx, job) }),
		},
	})
}

// answered gives the errors of a verb the statuses of answers.
func answered(do func(ctx context.Context, job string, parameters url.Values) error) func(context.Context, string, url.Values) error {
	return func(ctx context.Context, job string, parameters url.Values) error {
		err := do(ctx, job, parameters)
		var said *monitor.Error
		switch {
		case errors.As(err, &said):
			return said
		case errors.Is(err, ErrNoJob):
			return &monitor.Error{Status: 404, Code: "ResourceNotFound", Message: err.Error()}
		case errors.Is(err, ErrJobState):
			return &monitor.Error{Status: 409, Code: "Conflict", Message: err.Error()}
		case err != nil:
			return &monitor.Error{Status: 500, Code: "JobError", Message: err.Error()}
		}
		return nil
	}
}

// startAsked starts a job as the parameters of a request say.
func (p *Pipeline) startAsked(ctx context.Context, job string, v url.Values) error {
	start := pipeline.JobStart{Mode: pipeline.StartMode(v.Get("outputStartMode"))}
	at := v.Get("outputStartTime")
	if (at != "") != (start.Mode == pipeline.StartCustomTime) {
		return &monitor.Error{Status: 400, Code: "BadRequest", Message: "outputStartTime goes with outputStartMode CustomTime, and CustomTime needs it"}
	}
	if at != "" {
		var err error
		if start.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return &monitor.Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("outputStartTime %q: want a time as 2026-11-22T10:00:00Z", at)}
		}
	}
	return p.StartJob(ctx, job, start)
}

func (p *Pipeline) health() error { return errors.Join(p.problems()...) }

// problems is everything that does not work as it should.
func (p *Pipeline) problems() (errs []error) {
	for _, h := range p.namespace.Hubs() {
		for i := range h.Partitions() {
			if err := h.Partition(i).Err(); err != nil {
				errs = append(errs, fmt.Errorf("hub %s partition %d: %w", h.Name(), i, err))
			}
		}
	}
	for _, j := range p.running() {
		switch state, why := j.state(); state {
		case "Failed":
			errs = append(errs, fmt.Errorf("job %s failed: %s", j.name, why))
		case "Degraded":
			errs = append(errs, fmt.Errorf("job %s starts again and again: %s", j.name, why))
		}
	}
	return errs
}

func (l *listeners) serve(ctx context.Context, wg *sync.WaitGroup, fatal chan<- error) {
	for _, b := range l.open {
		wg.Go(func() {
			err := b.run(ctx, b.ln)
			if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, kafka.ErrServerClosed) {
				select {
				case fatal <- fmt.Errorf("serving %s on %s: %w", b.name, b.ln.Addr(), err):
				default:
				}
			}
		})
	}
}

// shutdown stops the listeners that take events; the console goes on until the
// jobs have ended.
func (l *listeners) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.amqp.Shutdown(ctx); err != nil {
		l.p.log.Warn("stopping the AMQP listener", "err", err)
	}
	if err := l.kafka.Shutdown(ctx); err != nil {
		l.p.log.Warn("stopping the Kafka listener", "err", err)
	}
}

func (l *listeners) close() {
	for _, b := range l.open {
		b.ln.Close()
	}
}

// announce writes the instance file: what other processes need to find this one.
func (p *Pipeline) announce() error {
	i := console.Instance{
		Version: 1, PID: os.Getpid(), Token: p.token, StartedAt: p.started.UTC(), CAFile: p.endpoints.CAFile,
		Addresses: make(map[string]string), ConnectionStrings: make(map[string]string),
	}
	for k, v := range map[string]string{"amqp": p.endpoints.AMQP, "amqps": p.endpoints.AMQPS, "kafka": p.endpoints.Kafka, "console": p.endpoints.HTTP} {
		if v != "" {
			i.Addresses[k] = v
		}
	}
	for k, v := range map[string]string{"emulator": p.endpoints.ConnectionString, "tls": p.endpoints.TLSConnectionString} {
		if v != "" {
			i.ConnectionStrings[k] = v
		}
	}
	if err := console.WriteInstance(p.opts.Dir, i); err != nil {
		return fmt.Errorf("writing the instance file: %w", err)
	}
	return nil
}
