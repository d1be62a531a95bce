// Package kafka serves a namespace to Kafka clients. Hubs are topics.
//
// # How a connection works
//
// One goroutine reads requests and starts them: a produce request's batches are
// appended at once, straight from the read buffer, and the request waits in the
// connection's queue for its tickets; other requests wait there as encoded answers. A second goroutine takes requests from the
// queue in order, waits until each is durable (or, for a fetch, until there is
// something to read), and writes the answers. So that pipelined requests share
// the log's sync rounds, while answers keep the order of the requests. The queue
// is bounded: a client that does not read its answers is not read from. What a client
// may cost is in bounds.go; a panic in the service of one ends its connection alone.
//
// Batches of Kafka producers are stored and served as they were sent. Batches of
// events that came by other protocols are translated for Kafka readers when they
// are fetched.
//
// Stability: importable, not promised before 1.0.
package kafka

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"spate/access"
	"spate/hub"
	"spate/listen/limit"
	"spate/metric"
)

// Options of a server.
type Options struct {
	Namespace *hub.Namespace
	Rules     *access.Rules

	// TLS, if set, is spoken on every connection (SASL_SSL), otherwise none is.
	TLS *tls.Config

	// Advertise is the host and port that metadata names, and so where clients
	// connect after their first request. Default: the address each client reached.
	Advertise string

	// RequireAuth refuses everything before a successful SASL exchange. Without it
	// anybody may do everything; a client that authenticates nevertheless is checked.
	RequireAuth bool

	ClusterID string // default "spate"

	Log       *slog.Logger     // default discards
	ClientLog *limit.Log       // for what clients cause; default: one over Log
	Answers   *limit.Memory    // for answers that clients have not read; default: 256 MiB
	Metrics   *metric.Recorder // may be nil

	IdleTimeout  time.Duration // a client silent for so long is dropped; default 10 min
	KeyTimeout   time.Duration // so long a client may take to show a key, or to ask anything; default 30 s
	WriteTimeout time.Duration // a client that takes nothing, or stops in a request, for so long is dropped; default 30 s

	// Ports are the addresses of the process's ports, by amqp, amqps, kafka and
	// console, for whoever speaks to the wrong one; those that are not known may be left out.
	Ports map[string]string
}

// Server answers Kafka requests on any number of listeners.
type Server struct {
	o    Options
	host string
	port int32 // host and port of Advertise; port 0: as reached

	mu        sync.Mutex // guards the fields below
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	closing   bool

	running  sync.WaitGroup // connections
	draining atomic.Bool

	buffers buffers

	connections    connectionCounters
	requestsOfNone requestCounters
}

// New builds a server. Options.Namespace is required.
func New(o Options) (*Server, error) {
	if o.Namespace == nil {
		return nil, errors.New("kafka: Namespace is required")
	}
	if o.RequireAuth && o.Rules == nil {
		return nil, errors.New("kafka: RequireAuth without Rules lets nobody in")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.ClusterID = cmp.Or(o.ClusterID, "spate")
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 10*time.Minute)
	o.KeyTimeout = cmp.Or(o.KeyTimeout, 30*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	o.ClientLog = cmp.Or(o.ClientLog, limit.NewLog(o.Log))
	o.Answers = cmp.Or(o.Answers, limit.NewMemory(256<<20))
	s := &Server{o: o, conns: make(map[*conn]struct{}), listeners: make(map[net.Listener]struct{})}
	if o.Advertise != "" {
		host, port, err := splitHostPort(o.Advertise)
		if err != nil {
			return nil, fmt.Errorf("kafka: advertised address %q: %w", o.Advertise, err)
		}
		s.host, s.port = host, port
	}
	s.connections = newConnectionCounters(o.Metrics)
	s.requestsOfNone = newRequestCounters(o.Metrics, namespaceOnly)
	return s, nil
}

func splitHostPort(address string) (string, int32, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: %w", text, err)
	}
	return host, int32(port), nil
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("kafka: server closed")

// Serve accepts connections until Shutdown or until l fails. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
		l.Close()
	}()
	delay := 5 * time.Millisecond
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.draining.Load() {
				return ErrServerClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept Kafka connections: %w", err)
			}
			// Out of file descriptors, most likely: others may close theirs.
			s.o.Log.Warn("accept failed", "err", err)
			time.Sleep(delay)
			delay = min(2*delay, time.Second)
			continue
		}
		delay = 5 * time.Millisecond
		if s.o.TLS != nil {
			nc = tls.Server(nc, s.o.TLS)
		}
		s.start(nc)
	}
}

func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.connections.active.Set(float64(len(s.conns)))
	s.running.Add(1)
	s.mu.Unlock()
	s.connections.opened.Add(1)
	go func() {
		defer s.forget(c)
		c.run()
	}()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.connections.active.Set(float64(len(s.conns)))
	s.connections.closed.Add(1)
	s.running.Done()
}

// Shutdown stops accepting and reading, lets what was read be answered, and closes
// all connections; those that are not done when ctx ends are cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
