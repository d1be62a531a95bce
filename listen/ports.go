// Package listen is the ports of a pipeline: which addresses are bound, who is let in, and
// how clients find them. It knows no protocol; whoever opens the ports says who speaks on
// them. An error of accept ends no port and no process; package limit says how many
// connections there may be.
//
// # Lifetime
//
// Open binds every address, Serve accepts connections. Shutdown stops what takes events,
// Close the rest.
//
// Stability: importable, not promised before 1.0.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"spate/listen/limit"
	"spate/pipeline"
)

// Server speaks a protocol.
type Server interface {
	// Serve accepts connections until Shutdown or until ln fails, and closes ln. What it
	// returns after Shutdown says nothing.
	Serve(ln net.Listener) error
	// Shutdown ends the connections in order. Those that are left when ctx ends are cut.
	Shutdown(ctx context.Context) error
}

// Service is one protocol with its ports.
type Service struct {
	Name  string // in logs and errors
	Ports []Port
	New   func(bound Addresses) (Server, error)
	Late  bool // serves until Close, so that the end of the others is seen
}

// Port is an address of a service.
type Port struct {
	Key  string // in the instance file
	Name string // in errors
	At   string // host:port; empty: closed
	TLS  bool   // a plain port is open on loopback, beyond it only as the pipeline allows

	// Keyless: what it tells is for whoever asks, and so for this machine alone.
	Keyless bool

	IfFree bool // stays closed where another process has it
}

// Addresses are those that were bound, by the keys of the ports.
type Addresses map[string]string

// Options says how ports are opened.
type Options struct {
	Listen   pipeline.Listen
	CertsDir string // where the certificates are, or are made
	Log      *slog.Logger

	// Connections counts those of all ports, Watchers those of services that are Late, so
	// that who watches gets in when clients fill theirs. nil: no limit.
	Connections, Watchers *limit.Connections
}

// Ports are bound addresses and who serves them.
type Ports struct {
	log   *slog.Logger
	bound Addresses
	list  []*serving
}

type serving struct {
	Service
	server Server
	open   []open

	mu       sync.Mutex // guards the field below
	stopping bool
}

type open struct {
	Port
	ln net.Listener
}

// Open binds the addresses of all services, and makes the servers then. A service all of
// whose ports are closed is not made.
func Open(o Options, services []Service) (_ *Ports, err error) {
	p := &Ports{log: o.Log, bound: make(Addresses)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	var secure *tls.Config
	for _, s := range services {
		v := &serving{Service: s}
		p.list = append(p.list, v)
		for _, port := range s.Ports {
			if port.At == "" {
				continue
			}
			if port.TLS && secure == nil {
				if secure, err = serverTLS(o.Listen, o.CertsDir); err != nil {
					return nil, err
				}
			}
			ln, err := bind(port, o.Listen)
			if port.IfFree && errors.Is(err, syscall.EADDRINUSE) {
				p.log.Warn("the port is taken: it stays closed", "protocol", s.Name, "address", port.At)
				continue
			}
			if err != nil {
				return nil, err
			}
			p.bound[port.Key] = ln.Addr().String()
			if port.exposed() {
				p.log.Warn("a port without TLS is open beyond this machine: whoever is on the way reads keys and events", "protocol", s.Name, "address", ln.Addr().String())
			}
			counted := o.Connections
			if s.Late {
				counted = o.Watchers
			}
			if counted != nil {
				ln = counted.Listen(ln)
			}
			if port.TLS {
				ln = tls.NewListener(ln, secure)
			}
			v.open = append(v.open, open{port, ln})
		}
	}
	for _, v := range p.list {
		if len(v.open) == 0 {
			continue
		}
		if v.server, err = v.New(p.bound); err != nil {
			return nil, fmt.Errorf("starting the %s listener: %w", v.Name, err)
		}
	}
	return p, nil
}

// Bound are the addresses that were bound.
func (p *Ports) Bound() Addresses { return p.bound }

// Serve accepts connections on all ports and returns when all have ended. failed is told
// of one that ends before it was stopped; it may be called by several goroutines.
func (p *Ports) Serve(failed func(error)) {
	var wg sync.WaitGroup
	for _, v := range p.list {
		for _, o := range v.open {
			wg.Go(func() {
				if err := v.server.Serve(o.ln); err != nil && !v.stops() {
					failed(fmt.Errorf("serving %s on %s: %w", o.Name, o.ln.Addr(), err))
				}
			})
		}
	}
	wg.Wait()
}

// How long connections have to end in order.
const (
	patience     = 5 * time.Second
	latePatience = 2 * time.Second
)

// Shutdown stops the services that are not Late.
func (p *Ports) Shutdown() {
	p.stop(patience, func(v *serving) bool { return !v.Late })
}

// Close stops all services and releases the addresses. It may be called again.
func (p *Ports) Close() {
	p.stop(latePatience, func(*serving) bool { return true })
	for _, v := range p.list {
		for _, o := range v.open {
			o.ln.Close() // of a port that was never served
		}
	}
}

// stop stops those that have not been stopped, at the same time.
func (p *Ports) stop(patience time.Duration, which func(*serving) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, v := range p.list {
		if v.server == nil || !which(v) || v.stop() {
			continue
		}
		wg.Go(func() {
			if err := v.server.Shutdown(ctx); err != nil {
				p.log.Warn("stopping the listener", "protocol", v.Name, "err", err)
			}
		})
	}
	wg.Wait()
}

// stop marks the service as stopping, and says whether it was before.
func (v *serving) stop() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	was := v.stopping
	v.stopping = true
	return was
}

func (v *serving) stops() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stopping
}
