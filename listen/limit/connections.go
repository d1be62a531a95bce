package limit

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"spate/metric"
)

// ConnectionOptions say how many connections there may be.
type ConnectionOptions struct {
	Max     int    // over all listeners
	Setting string // what Max follows from, for the log
	Log     *Log
	Metrics *metric.Recorder // may be nil
}

// Connections counts the connections of all listeners.
type Connections struct {
	o       ConnectionOptions
	open    atomic.Int64
	refused *metric.Counter

	mu     sync.Mutex // guards the field below
	failed map[*listener]failure
}

// failure is why a listener does not accept.
type failure struct {
	err   error
	until time.Time // unless it fails again
}

// NewConnections counts from zero.
func NewConnections(o ConnectionOptions) *Connections {
	return &Connections{o: o, failed: make(map[*listener]failure),
		refused: o.Metrics.Counter("ConnectionsRefused")}
}

// Open is how many connections there are.
func (c *Connections) Open() int { return int(c.open.Load()) }

// Listen counts what ln accepts. A connection too many is closed at once. An error of ln
// is survived, after a pause that grows: Accept returns when ln is closed and not before.
func (c *Connections) Listen(ln net.Listener) net.Listener {
	return &listener{Listener: ln, all: c, closed: make(chan struct{})}
}

// ErrDescriptors says that the process may open no more files.
var ErrDescriptors = errors.New("out of file descriptors: connections wait")

// Problem is why connections wait; nil: none does.
func (c *Connections) Problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ln, f := range c.failed {
		switch {
		case time.Now().After(f.until):
			delete(c.failed, ln)
		case OutOfDescriptors(f.err):
			return ErrDescriptors
		default:
			return fmt.Errorf("accepting connections on %s: %w", ln.Addr(), f.err)
		}
	}
	return nil
}

// OutOfDescriptors reports whether err says that the process, or the machine, has no file
// descriptor left.
func OutOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second
)

type listener struct {
	net.Listener
	all    *Connections
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	pause := firstPause
	for {
		nc, err := l.Listener.Accept()
		if err == nil {
			pause = firstPause
			if c := l.all.admit(nc); c != nil {
				return c, nil
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		l.all.fail(l, err, pause)
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// fail notes that a listener rests. An accept without a free descriptor fails at once,
// whether a client waits or not: if it has not failed again soon after the pause, it will
// not.
func (c *Connections) fail(l *listener, err error, pause time.Duration) {
	c.mu.Lock()
	c.failed[l] = failure{err, time.Now().Add(pause + longPause)}
	c.mu.Unlock()
	c.o.Log.For(l.Addr().String()).Warn("connections wait", "err", err, "pause", pause)
}

// admit counts a connection; nil: it is one too many and was closed.
func (c *Connections) admit(nc net.Conn) net.Conn {
	if n := c.open.Add(1); n > int64(c.o.Max) {
		c.open.Add(-1)
		c.refused.Add(1)
		nc.Close()
		c.o.Log.For(nc.RemoteAddr().String()).Warn("refused: too many connections are open", "open", n-1, "limit", c.o.Setting)
		return nil
	}
	return &counted{Conn: nc, all: c}
}

// counted is one connection.
type counted struct {
	net.Conn
	all  *Connections
	once sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.all.open.Add(-1) })
	return err
}

// CloseWrite ends what is sent and goes on reading, where the connection can.
func (c *counted) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
