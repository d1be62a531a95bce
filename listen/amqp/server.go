// Package amqp is the listener that Azure Event Hubs SDKs talk to: AMQP 1.0
// over TCP, with or without TLS, in front of a hub.Namespace.
//
// A delivery is accepted when its append is durable; until then the connection
// reads on. Each connection has a reader, which owns sessions and links, and a pump
// for every link that receives events; a writer while there is something to write, and
// for each partition an answerer while deliveries wait for it. One keeper looks after
// the heartbeats and tokens of all connections. Lock order: Server.mu, then conn.mu,
// then book.mu or slots.mu.
//
// What a client may cost is in bounds.go. A panic in any of its goroutines ends its
// connection alone; for that no lock is held without a deferred unlock.
//
// Letters and numbers such as A8 or P13 in comments name the traps and rows of
// the behaviour table that a piece of code answers.
//
// Stability: importable, not promised before 1.0.
package amqp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"spate/access"
	"spate/hub"
	"spate/listen/limit"
	"spate/metric"
)

// Options say what a Server serves and to whom.
type Options struct {
	Namespace *hub.Namespace   // required
	Rules     *access.Rules    // shared access policies; nil: none
	TLS       *tls.Config      // required by ServeTLS
	Log       *slog.Logger     // default: nothing is logged
	ClientLog *limit.Log       // for what clients cause; default: one over Log
	Answers   *limit.Memory    // for answers that clients have not read; default: 256 MiB
	Metrics   *metric.Recorder // may be nil
	Host      string           // name of the namespace in error texts; default "spate"

	// RequireAuth refuses links that no token or key covers. Without it a
	// client that brings no token, or one of an unknown policy, may do
	// anything; a wrong or expired token of a known policy is refused always.
	RequireAuth bool

	MaxMessageBytes int              // default 1 MiB
	IdleTimeout     time.Duration    // a peer silent for so long is dropped; default 4 min
	KeyTimeout      time.Duration    // so long a peer may take to open and show a key; default 30 s
	WriteTimeout    time.Duration    // a peer that takes nothing for so long is dropped; default 30 s
	Clock           func() time.Time // for the expiry of tokens; default time.Now

	// Ports are the addresses of the process's ports, by amqp, amqps, kafka and
	// console, for whoever speaks to the wrong one; those that are not known may be left out.
	Ports map[string]string

	rest time.Duration // of silence until large buffers go; default restAfter
}

// Server serves one namespace. It may serve several listeners.
type Server struct {
	o       Options
	readers book
	slots   slots
	count   counters

	mu        sync.Mutex // guards the fields below
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	keeper    chan struct{} // closed to end the keeper, which runs while there are connections
	stopping  bool
	wg        sync.WaitGroup // of connections and the keeper
}

// New returns a Server.
func New(o Options) (*Server, error) {
	if o.Namespace == nil {
		return nil, errors.New("listen/amqp: Namespace is required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Host == "" {
		o.Host = "spate"
	}
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = 1 << 20
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 4 * time.Minute
	}
	o.KeyTimeout = cmp.Or(o.KeyTimeout, 30*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	o.rest = cmp.Or(o.rest, restAfter)
	o.ClientLog = cmp.Or(o.ClientLog, limit.NewLog(o.Log))
	o.Answers = cmp.Or(o.Answers, limit.NewMemory(256<<20))
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{o: o, listeners: make(map[net.Listener]struct{}), conns: make(map[*conn]struct{})}
	s.slots.unpacking = limit.NewMemory(maxUnpacking)
	s.count.open(o.Metrics)
	return s, nil
}

// Serve accepts connections from l until Shutdown or an error of l. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		l.Close()
		return nil
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer l.Close()
	for {
		raw, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			stopping := s.stopping
			delete(s.listeners, l)
			s.mu.Unlock()
			if stopping {
				return nil
			}
			return fmt.Errorf("accept AMQP connections on %s: %w", l.Addr(), err)
		}
		go s.ServeConn(raw)
	}
}

// ServeTLS is Serve with Options.TLS around every connection.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.o.TLS == nil {
		l.Close()
		return errors.New("listen/amqp: ServeTLS without Options.TLS")
	}
	return s.Serve(tls.NewListener(l, s.o.TLS))
}

// ServeConn serves one connection to its end, for callers that accept
// connections themselves. It closes raw.
func (s *Server) ServeConn(raw net.Conn) {
	c := newConn(s, raw)
	if !s.add(c) {
		raw.Close()
		return
	}
	defer s.remove(c)
	limit.Guard(c.log, c, c.run)
}

// add counts a connection; false: the server stops.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if s.conns[c] = struct{}{}; s.keeper == nil {
		s.keeper = make(chan struct{})
		stop := s.keeper
		s.wg.Go(func() { s.keep(stop) })
	}
	s.wg.Add(1)
	s.count.active.Set(float64(len(s.conns)))
	s.count.opened.Add(1)
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.conns, c); len(s.conns) == 0 {
		close(s.keeper)
		s.keeper = nil
		s.slots.clear()
	}
	s.wg.Done()
	s.count.active.Set(float64(len(s.conns)))
	s.count.closed.Add(1)
}

// Shutdown stops in order: no new connections, appends finished and answered,
// then every connection closed with amqp:connection:forced. When ctx ends
// first, the sockets are closed as they are and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, c := range s.open(nil) {
		c.Close()
	}
	<-done
	return fmt.Errorf("close AMQP connections in order: %w", ctx.Err())
}

// stop ends listeners and tells connections to end.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.shutdown()
	}
}

// entityNone is the entity of requests that belong to no hub.
const entityNone = "-NamespaceOnlyMetric-"

// counters are the listener's metrics; those of a hub are looked up when a link
// is attached.
type counters struct {
	rec            *metric.Recorder
	active         *metric.Gauge
	opened, closed *metric.Counter
	node           requestCounters
}

// requestCounters count the requests of one entity by how they ended.
type requestCounters struct {
	incoming, ok, user, server, throttled, quota *metric.Counter
}

func (c *counters) open(rec *metric.Recorder) {
	c.rec = rec
	c.active = rec.Gauge("ActiveConnections", "EntityName", entityNone, "Listener", "amqp")
	c.opened = rec.Counter("ConnectionsOpened", "EntityName", entityNone)
	c.closed = rec.Counter("ConnectionsClosed", "EntityName", entityNone)
	c.node = c.of(entityNone)
}

func (c *counters) of(entity string) requestCounters {
	return requestCounters{
		incoming:  c.rec.Counter("IncomingRequests", "EntityName", entity),
		ok:        c.rec.Counter("SuccessfulRequests", "EntityName", entity, "OperationResult", "Success"),
		user:      c.rec.Counter("UserErrors", "EntityName", entity, "OperationResult", "ClientError"),
		server:    c.rec.Counter("ServerErrors", "EntityName", entity, "OperationResult", "InternalServerError"),
		throttled: c.rec.Counter("ThrottledRequests", "EntityName", entity, "OperationResult", "ServerBusy"),
		quota:     c.rec.Counter("QuotaExceededErrors", "EntityName", entity, "OperationResult", "QuotaExceeded"),
	}
}
