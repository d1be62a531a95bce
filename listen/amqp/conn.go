package amqp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"spate/listen/limit"
	wire "spate/wire/amqp"
)

const (
	ourMaxFrame  = 65536
	ourChannels  = 4999 // highest channel
	ourHandles   = 255  // highest handle
	ourWindow    = 5000 // frames
	readBuffer   = 2 * ourMaxFrame
	softOut      = 1 << 20 // bytes waiting to be written at which pumps stop
	hardOut      = 8 << 20 // and at which the reader stops
	writeTimeout = 30 * time.Second
	openTimeout  = 30 * time.Second // from the first byte to open
)

// conn is one connection.
type conn struct {
	s      *Server
	raw    net.Conn
	id     string
	log    *slog.Logger
	ctx    context.Context // ends when the connection stops reading
	cancel context.CancelFunc
	acks   queue
	killed chan struct{} // closed by kill
	pumps  sync.WaitGroup
	once   sync.Once // of kill

	lastRead atomic.Int64 // Unix nanoseconds
	forced   atomic.Bool  // Shutdown was called

	// The reader's own.
	buf      []byte
	at, end  int
	begun    [(ourChannels + 64) / 64]uint64 // channels that were begun once
	opened   bool
	maxFrame uint32 // the largest we send

	mu        sync.Mutex // guards the fields below
	space     sync.Cond  // credit, window or room in out has grown, or a link is gone
	toWrite   sync.Cond  // out has grown, or ending
	out       []byte
	spare     []byte
	lastWrite time.Time
	peerIdle  time.Duration // 0: the client announced none
	ending    bool          // the writer stops when out is empty
	dead      bool          // nothing can be written any more
	sessions  map[uint16]*session
	grants    grants
}

func newConn(s *Server, raw net.Conn) *conn {
	var id [8]byte
	rand.Read(id[:])
	c := &conn{s: s, raw: raw, id: hex.EncodeToString(id[:]), sessions: make(map[uint16]*session), maxFrame: 512, killed: make(chan struct{})}
	c.log = s.o.Log.With("conn", c.id, "client", raw.RemoteAddr().String())
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.space.L = &c.mu
	c.toWrite.L = &c.mu
	c.acks.init()
	c.lastRead.Store(time.Now().UnixNano())
	c.lastWrite = time.Now()
	return c
}

// errPeerClosed says that the client sent close.
var errPeerClosed = errors.New("the client closed the connection")

// run serves the connection to its end.
func (c *conn) run() {
	var workers sync.WaitGroup
	writer := make(chan struct{})
	go func() { c.write(); close(writer) }()
	answerer := make(chan struct{})
	go func() { c.answer(); close(answerer) }()
	workers.Add(1)
	go func() { defer workers.Done(); c.keep() }()

	err := c.read()
	c.cancel()
	c.mu.Lock()
	var all []*session
	for _, s := range c.sessions {
		all = append(all, s)
	}
	c.space.Broadcast()
	c.mu.Unlock()
	for _, s := range all {
		s.release()
	}
	c.pumps.Wait()
	c.acks.close()
	<-answerer // dispositions that are due go out before the close (A30)

	c.mu.Lock()
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
		c.log.Info("refused connection", "err", err)
	default:
		c.log.Debug("connection lost", "err", err)
	}
	c.ending = true
	c.toWrite.Broadcast()
	c.space.Broadcast()
	c.mu.Unlock()
	<-writer
	workers.Wait()
}

// sendClose appends a close if the connection was opened. c.mu is held.
func (c *conn) sendClose(e *wire.Error) {
	if !c.opened {
		return
	}
	out, at := wire.OpenFrame(c.out, wire.FrameAMQP, 0)
	c.out = wire.CloseFrame(wire.AppendClose(out, e), at)
}

// shutdown makes the reader stop.
func (c *conn) shutdown() {
	c.forced.Store(true)
	c.raw.SetReadDeadline(time.Unix(1, 0))
	c.mu.Lock()
	c.space.Broadcast()
	c.mu.Unlock()
}

// kill closes the socket as it is.
func (c *conn) kill() {
	c.once.Do(func() { close(c.killed) })
	c.cancel()
	c.raw.Close()
	c.acks.close()
	c.mu.Lock()
	c.dead = true
	c.space.Broadcast()
	c.toWrite.Broadcast()
	c.mu.Unlock()
}

// write sends what the others appended to out.
func (c *conn) write() {
	defer c.raw.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.out) == 0 && !c.ending && !c.dead {
			c.toWrite.Wait()
		}
		if c.dead || len(c.out) == 0 {
			return
		}
		b := c.out
		c.out = c.spare[:0]
		c.space.Broadcast()
		c.mu.Unlock()
		c.raw.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := c.raw.Write(b)
		c.mu.Lock()
		c.lastWrite = time.Now()
		if c.spare = b; cap(b) > 2*softOut {
			c.spare = nil
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.log.Warn("dropped a client that takes nothing", "err", err)
			} else {
				c.log.Debug("connection lost while writing", "err", err) // A31: clients close and go
			}
			c.dead = true
			c.cancel()
			c.space.Broadcast()
			return
		}
	}
}

// wake lets the writer run. c.mu is held.
func (c *conn) wake() { c.toWrite.Signal() }

// send appends one performative frame and wakes the writer.
func (c *conn) send(channel uint16, f func(dst []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(channel, f)
}

func (c *conn) sendLocked(channel uint16, f func(dst []byte) []byte) {
	if c.dead {
		return
	}
	out, at := wire.OpenFrame(c.out, wire.FrameAMQP, channel)
	c.out = wire.CloseFrame(f(out), at)
	c.wake()
}

// keep sends heartbeats, drops silent clients and ends what expired tokens covered.
func (c *conn) keep() {
	tick := time.NewTicker(min(time.Second, c.s.o.IdleTimeout/4))
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-tick.C:
			if now.UnixNano()-c.lastRead.Load() > int64(c.s.o.IdleTimeout) {
				c.raw.SetReadDeadline(time.Unix(1, 0)) // read tells this from Shutdown by lastRead
				continue
			}
			c.mu.Lock()
			if c.peerIdle > 0 && len(c.out) == 0 && now.Sub(c.lastWrite) >= min(c.peerIdle/2, time.Minute)-tickSlack(c.peerIdle) {
				c.out = wire.AppendHeartbeat(c.out)
				c.lastWrite = now
				c.wake()
			}
			expired := c.expired(c.s.o.Clock())
			c.mu.Unlock()
			for _, l := range expired {
				l.detachBehind(c.s.withTail(fault(condUnauthorized, "ExpiredToken: The token is expired."), &l.addr))
			}
		}
	}
}

// tickSlack makes up for the keeper looking only once a second.
func tickSlack(idle time.Duration) time.Duration { return min(time.Second, idle/4) }

// fill reads more bytes behind those that are there.
func (c *conn) fill() error {
	if c.at > 0 && (c.at == c.end || len(c.buf)-c.end < ourMaxFrame/2) {
		c.end = copy(c.buf, c.buf[c.at:c.end])
		c.at = 0
	}
	n, err := c.raw.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		c.lastRead.Store(time.Now().UnixNano())
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.forced.Load() && c.opened &&
		time.Now().UnixNano()-c.lastRead.Load() > int64(c.s.o.IdleTimeout) {
		return fault(condLimit, "The connection was idle for more than %s.%s", c.s.o.IdleTimeout, c.s.tail(nil))
	}
	return err
}

// frame returns the next frame; it is good until the next call.
func (c *conn) frame() (wire.Frame, error) {
	for {
		f, n, err := wire.ParseFrame(c.buf[c.at:c.end], ourMaxFrame)
		if err != nil {
			return f, fault(condFraming, "%v", err)
		}
		if n > 0 {
			c.at += n
			return f, nil
		}
		if err := c.fill(); err != nil {
			return f, err
		}
	}
}

// read runs the connection until it ends, and says why it did. A *wire.Error
// is told to the client.
func (c *conn) read() error {
	c.buf = make([]byte, readBuffer)
	c.raw.SetReadDeadline(time.Now().Add(openTimeout))
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
		c.mu.Lock()
		for len(c.out) > hardOut && !c.dead { // a client that asks and never reads
			c.space.Wait()
		}
		dead := c.dead
		c.mu.Unlock()
		if dead {
			return io.ErrClosedPipe
		}
	}
}

func (c *conn) open(fields []byte) error {
	o, err := wire.DecodeOpen(fields)
	if err != nil {
		return fault(condDecode, "%v", err)
	}
	c.mu.Lock()
	c.opened = true
	c.maxFrame = min(o.MaxFrameSize, ourMaxFrame)
	c.peerIdle = time.Duration(o.IdleTimeout) * time.Millisecond
	c.mu.Unlock()
	c.send(0, func(dst []byte) []byte {
		return wire.AppendOpen(dst, &wire.Open{
			ContainerID:  c.id,
			MaxFrameSize: ourMaxFrame,
			ChannelMax:   ourChannels,
			IdleTimeout:  uint32(c.s.o.IdleTimeout / time.Millisecond),
		})
	})
	if o.MaxFrameSize < 512 {
		return fault(condInvalidField, "max-frame-size is %d, at least 512 is required.", o.MaxFrameSize)
	}
	if !c.forced.Load() {
		c.raw.SetReadDeadline(time.Time{})
		if c.forced.Load() { // Shutdown came in between
			c.raw.SetReadDeadline(time.Unix(1, 0))
		}
	}
	agent, _ := wire.Text(wire.Lookup(o.Properties, "user-agent"))
	c.log.Debug("opened connection", "agent", limit.Name(string(agent)))
	return nil
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
	if s.ended {
		if code == wire.CodeEnd {
			c.forget(s)
		}
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
	case wire.CodeEnd:
		s.release()
		c.forget(s)
		c.behind(func() {
			c.send(channel, func(dst []byte) []byte { return wire.AppendEnd(dst, nil) })
		})
		return nil
	}
	return fault(condNotAllowed, "The performative %#02x is not allowed here.", code)
}

// behind does f after the answers that wait now.
func (c *conn) behind(f func()) {
	if c.acks.idle() {
		f()
		return
	}
	c.acks.push(pending{do: f})
}
