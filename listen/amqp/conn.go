package amqp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spate/hub"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// conn is one connection.
type conn struct {
	s       *Server
	raw     net.Conn
	id      string
	log     *slog.Logger
	began   time.Time
	ctx     context.Context // ends when the connection stops reading
	cancel  context.CancelFunc
	killed  chan struct{}  // closed by Close
	once    sync.Once      // of Close
	workers sync.WaitGroup // pumps and answerers

	forced atomic.Bool // Shutdown was called
	bulky  atomic.Bool // the writer keeps a large buffer

	// The reader's own. opened and maxFrame are written under mu.
	in       input
	begun    [(ourChannels + 64) / 64]uint64 // channels that were begun once
	shown    bool                            // a key was shown, or none is asked for
	held     int                             // bytes that hold counts
	links    int
	opened   bool
	maxFrame uint32 // the largest we send

	mu    sync.Mutex // guards the fields below
	space sync.Cond  // credit, window or room has grown, or something is gone
	output
	places     int           // slots in use
	wanted     int           // receivers that wait for one
	peerIdle   time.Duration // 0: the client announced none
	ending     bool          // nothing more is read
	sessions   map[uint16]*session
	grants     grants
	queues     map[*hub.Partition][]pending // deliveries that wait for their append
	unanswered int                          // deliveries
}

func newConn(s *Server, raw net.Conn) *conn {
	var id [8]byte
	rand.Read(id[:])
	now := time.Now()
	c := &conn{s: s, raw: raw, id: hex.EncodeToString(id[:]), began: now, maxFrame: 512, killed: make(chan struct{}), shown: !s.o.RequireAuth}
	c.log = s.o.ClientLog.For(raw.RemoteAddr().String()).With("conn", c.id)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.space.L = &c.mu
	c.in.lastRead, c.lastWrite = now, now
	return c
}

var (
	errPeerClosed = errors.New("the client closed the connection")
	errPanicked   = errors.New("a panic, which was logged")
)

// run serves the connection to its end.
func (c *conn) run() {
	err := errPanicked
	limit.Guard(c.log, c, func() { err = c.read() })
	c.cancel()
	for _, s := range c.stop() {
		s.release()
	}
	c.workers.Wait() // dispositions that are due go out before the close (A30)
	c.say(err)
	c.finish()
	c.raw.Close()
}

// stop wakes everybody who waits and returns the sessions.
func (c *conn) stop() []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	c.space.Broadcast()
	return slices.Collect(maps.Values(c.sessions))
}

// say logs why the connection ends, and tells the client.
func (c *conn) say(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var e *wire.Error
	switch {
	case errors.Is(err, errPeerClosed):
		c.sendClose(nil)
	case errors.As(err, &e):
		c.log.Info("closed connection", "err", e.Description, "condition", string(e.Condition))
		c.sendClose(e)
	case c.forced.Load():
		c.sendClose(fault(condForced, "The namespace is stopping.%s", c.s.tail(nil)))
	case errors.Is(err, io.EOF):
	case !c.opened: // TLS or AMQP did not come about
		c.log.Info("refused connection", "err", c.s.reason(err))
	default:
		c.log.Debug("connection lost", "err", err)
	}
}

// sendClose appends a close if the connection was opened. c.mu is held.
func (c *conn) sendClose(e *wire.Error) {
	if c.opened {
		c.sendLocked(0, func(dst []byte) []byte { return wire.AppendClose(dst, e) })
	}
}

// shutdown makes the reader stop.
func (c *conn) shutdown() {
	c.forced.Store(true)
	c.raw.SetReadDeadline(time.Unix(1, 0))
	c.nudge()
}

// Close ends the connection as it is.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.killed) })
	c.cancel()
	c.raw.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	c.space.Broadcast()
	return nil
}

// read runs the connection until it ends, and says why it did. A *wire.Error
// is told to the client.
func (c *conn) read() error {
	if err := c.negotiate(); err != nil {
		return err
	}
	for {
		f, err := c.frame()
		if err != nil {
			return err
		}
		if f.Type != wire.FrameAMQP {
			return fault(condFraming, "A SASL frame came after the negotiation.")
		}
		if len(f.Body) == 0 {
			continue
		}
		code, fields, payload, err := wire.Performative(f.Body)
		if err != nil {
			return fault(condDecode, "%v", err)
		}
		if !c.opened {
			if code != wire.CodeOpen {
				return fault(condNotAllowed, "The first frame is not open.")
			}
			if err := c.open(fields); err != nil {
				return err
			}
			continue
		}
		if code == wire.CodeClose {
			return errPeerClosed
		}
		if err := c.dispatch(f.Channel, code, fields, payload); err != nil {
			if errors.Is(err, wire.ErrDecode) {
				return fault(condDecode, "%v", err)
			}
			return err
		}
		if !c.waitForReader() {
			return io.ErrClosedPipe
		}
	}
}

func (c *conn) open(fields []byte) error {
	o, err := wire.DecodeOpen(fields)
	if err != nil {
		return fault(condDecode, "%v", err)
	}
	c.welcome(&o)
	if o.MaxFrameSize < 512 {
		return fault(condInvalidField, "max-frame-size is %d, at least 512 is required.", o.MaxFrameSize)
	}
	value, err := wire.Lookup(o.Properties, "user-agent")
	if err != nil {
		return fault(condDecode, "The properties of open cannot be read: %v", err)
	}
	agent, _ := wire.Text(value)
	c.log.Debug("opened connection", "agent", limit.Name(string(agent)))
	return nil
}

// welcome answers an open.
func (c *conn) welcome(o *wire.Open) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened = true
	c.maxFrame = min(max(o.MaxFrameSize, 512), ourMaxFrame)
	c.peerIdle = time.Duration(o.IdleTimeout) * time.Millisecond
	c.sendLocked(0, func(dst []byte) []byte {
		return wire.AppendOpen(dst, &wire.Open{
			ContainerID:  c.id,
			MaxFrameSize: ourMaxFrame,
			ChannelMax:   ourChannels,
			IdleTimeout:  uint32(c.s.o.IdleTimeout / time.Millisecond),
		})
	})
}

func (c *conn) dispatch(channel uint16, code byte, fields, payload []byte) error {
	if code == wire.CodeBegin {
		return c.begin(channel, fields)
	}
	s := c.sessions[channel]
	if s == nil {
		if channel <= ourChannels && c.begun[channel/64]&(1<<(channel%64)) != 0 {
			return nil // A28: late frames of a session that has ended
		}
		return fault(condNotAllowed, "A frame came on channel %d, which was not begun.", channel)
	}
	if code == wire.CodeEnd {
		s.end()
		return nil
	}
	if s.ended {
		return nil
	}
	switch code {
	case wire.CodeAttach:
		return s.attach(fields)
	case wire.CodeFlow:
		return s.flow(fields)
	case wire.CodeTransfer:
		return s.transfer(fields, payload)
	case wire.CodeDisposition:
		return s.disposition(fields)
	case wire.CodeDetach:
		return s.detach(fields)
	}
	return fault(condNotAllowed, "The performative %#02x is not allowed here.", code)
}
