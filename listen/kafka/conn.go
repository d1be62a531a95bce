package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/access"
	"spate/hub"
)

const (
	maxRequest        = 100 << 20 // bytes of a produce request
	maxSmallRequest   = 1 << 20   // of any other: decoding makes up to 100 bytes of each
	maxUnknownRequest = 64 << 10  // before authentication
	queueLength       = 64        // requests of one connection under way
	flushBytes        = 256 << 10 // of answers gathered before a write
	keepBytes         = 4 << 20   // larger buffers are given up after use
)

// conn is one client.
type conn struct {
	s   *Server
	nc  net.Conn
	log *slog.Logger

	ctx    context.Context // of waiting fetches; ends when the client has gone, or at shutdown
	cancel context.CancelFunc
	gone   chan struct{} // closed when no answer can be written any more
	once   sync.Once     // closes gone
	queue  chan *pending
	free   chan *pending // used ones, for the reader

	draining atomic.Bool
	stale    atomic.Bool // a hub that the reader knows has gone

	// Of the reader.
	in     []byte // current request
	auth   authState
	claims access.Claims
	hubs   map[string]*topic // by the name a client uses
	ids    map[[16]byte]*topic

	// Of the writer.
	out         []byte
	readers     map[*hub.Partition]*fetcher
	results     []fetched // of the fetch in hand
	translation translation
}

// pending is a request on its way through the queue.
type pending struct {
	correlation int32
	flexible    bool // response header with tags

	produce produceReply       // when produce.active
	fetch   *kmsg.FetchRequest // when not nil
	answer  kmsg.Response      // when not nil
	raw     []byte             // a frame without any header, when rawSet
	rawSet  bool
	topics  []*topic // of the topics of a fetch, nil where unknown or forbidden
	codes   []int16  // their errors
	closing bool     // the connection ends after this answer
}

func (p *pending) reset() {
	produce := p.produce
	produce.reset()
	*p = pending{produce: produce, topics: p.topics[:0], codes: p.codes[:0]}
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		s: s, nc: nc, log: s.o.Log.With("client", nc.RemoteAddr().String()),
		queue: make(chan *pending, queueLength), free: make(chan *pending, queueLength),
		hubs: make(map[string]*topic), ids: make(map[[16]byte]*topic),
		readers: make(map[*hub.Partition]*fetcher), gone: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if !s.o.RequireAuth {
		c.auth = authDone
		c.claims = access.Claims{Rights: access.Manage}
	}
	return c
}

// run serves the connection to its end.
func (c *conn) run() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	err := c.read()
	if !c.draining.Load() {
		c.cancel() // nobody waits for a fetch any more
	}
	close(c.queue)
	<-written
	c.cancel()
	c.nc.Close()
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), c.draining.Load():
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.log.Debug("idle connection closed")
	default:
		c.log.Warn("connection closed", "err", err)
	}
}

// drain stops reading; what was read is answered.
func (c *conn) drain() {
	c.draining.Store(true)
	c.nc.SetReadDeadline(time.Unix(1, 0))
	c.cancel() // waiting fetches answer with what there is
}

// abort cuts the connection.
func (c *conn) abort() {
	c.once.Do(func() { close(c.gone) })
	c.cancel()
	c.nc.Close()
}

// errEnd ends a connection whose last answer is in the queue.
var errEnd = errors.New("end of connection")

func (c *conn) read() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("handle a request: panic: %v\n%s", v, debug.Stack())
		}
	}()
	r := bufio.NewReaderSize(c.nc, 64<<10)
	for {
		c.nc.SetReadDeadline(time.Now().Add(c.s.o.idle))
		if c.draining.Load() { // the deadline of drain may have been overwritten
			return nil
		}
		if err := c.readFrame(r); err != nil {
			return err
		}
		p := c.newPending()
		err := c.handle(p)
		if err != nil && !errors.Is(err, errEnd) {
			return err
		}
		select {
		case c.queue <- p:
		default: // full
			select {
			case c.queue <- p:
			case <-c.gone:
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (c *conn) newPending() *pending {
	select {
	case p := <-c.free:
		p.reset()
		return p
	default:
		return new(pending)
	}
}

// readFrame reads the next request into c.in. Memory for a large one grows as its
// bytes arrive, so that a length alone costs nothing.
func (c *conn) readFrame(r *bufio.Reader) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	limit := maxUnknownRequest
	if c.auth == authDone {
		limit = maxSmallRequest
		if size > limit && size <= maxRequest { // large ones have to be produce requests
			if key, err := r.Peek(2); err != nil {
				return noEOF(err)
			} else if int16(binary.BigEndian.Uint16(key)) == keyProduce {
				limit = maxRequest
			}
		}
	}
	if size < 0 || size > limit {
		return fmt.Errorf("request of %d bytes, at most %d are read", size, limit)
	}
	if cap(c.in) > keepBytes && size < keepBytes {
		c.in = nil
	}
	c.in = c.in[:0]
	for len(c.in) < size {
		n := min(size, max(1<<20, 2*len(c.in)))
		if cap(c.in) < n {
			c.in = append(make([]byte, 0, n), c.in...)
		}
		part := c.in[len(c.in):min(size, cap(c.in))]
		if _, err := io.ReadFull(r, part); err != nil {
			return fmt.Errorf("read a request of %d bytes: %w", size, noEOF(err))
		}
		c.in = c.in[:len(c.in)+len(part)]
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// handle parses the request in c.in and starts it. An error ends the connection
// at once; errEnd after p's answer.
func (c *conn) handle(p *pending) error {
	if c.auth == authRaw {
		return c.rawToken(p, c.in)
	}
	r := reader{b: c.in}
	key, version := r.int16(), r.int16()
	p.correlation = r.int32()
	r.text() // client id, not used
	if r.bad {
		return fmt.Errorf("request header: %w", errShort)
	}
	a, ok := supported(key)
	if !ok {
		return fmt.Errorf("request with key %d, which is not supported", key)
	}
	if version < a.min || version > a.max {
		if key == keyAPIVersions {
			p.answer = tooNewAPIVersions()
			return nil
		}
		return fmt.Errorf("request with key %d has version %d, want %d to %d", key, version, a.min, a.max)
	}
	if key != keyAPIVersions && key != keySASLHandshake && key != keySASLAuth {
		if c.auth != authDone {
			return fmt.Errorf("request with key %d before authentication", key)
		}
		if c.claims.Expired(time.Now()) {
			return fmt.Errorf("request with key %d after the token of %s expired", key, c.claims.Rule)
		}
		if !c.s.o.Rules.Holds(c.claims) {
			return fmt.Errorf("request with key %d after the policy %s changed or went", key, c.claims.Rule)
		}
	}
	if r.flexible = flexibleRequest(key, version); r.flexible {
		r.tags()
		if r.bad {
			return fmt.Errorf("request header: %w", errShort)
		}
	}
	p.flexible = r.flexible && key != keyAPIVersions // whose answers never have tags in the header
	if key == keyProduce {
		return c.produce(p, &r, version)
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	if err := req.ReadFrom(r.b); err != nil {
		return fmt.Errorf("request with key %d version %d: %w", key, version, err)
	}
	return c.dispatch(p, req)
}

func (c *conn) dispatch(p *pending, req kmsg.Request) error {
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		c.startFetch(p, req)
	case *kmsg.ApiVersionsRequest:
		p.answer = c.apiVersions(req)
	case *kmsg.SASLHandshakeRequest:
		p.answer = c.saslHandshake(req)
	case *kmsg.SASLAuthenticateRequest:
		return c.saslAuthenticate(p, req)
	case *kmsg.MetadataRequest:
		p.answer = c.metadata(req)
	case *kmsg.DescribeClusterRequest:
		p.answer = c.describeCluster(req)
	case *kmsg.ListOffsetsRequest:
		p.answer = c.listOffsets(req)
	case *kmsg.OffsetForLeaderEpochRequest:
		p.answer = c.offsetForLeaderEpoch(req)
	case *kmsg.InitProducerIDRequest:
		p.answer = c.initProducerID(req)
	default:
		p.answer = refuse(req)
	}
	return nil
}

// write answers the requests of the queue in order.
func (c *conn) write() {
	broken := false
	for {
		var p *pending
		var open bool
		select {
		case p, open = <-c.queue:
		default:
			if !broken {
				broken = c.flush() != nil
			}
			p, open = <-c.queue
		}
		if !open {
			if !broken {
				c.flush()
			}
			return
		}
		if !broken {
			broken = c.respond(p) != nil
		} else {
			c.forget(p)
		}
		if broken || p.closing {
			if !broken {
				c.flush()
				broken = true
			}
			c.abort()
		}
		select {
		case c.free <- p:
		default:
		}
	}
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.s.o.idle))
	_, err := c.nc.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > keepBytes {
		c.out = nil
	}
	return err
}

// respond appends p's answer to c.out, waiting for what it depends on.
func (c *conn) respond(p *pending) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("answer a request: panic", "err", v, "stack", string(debug.Stack()))
			err = errEnd
		}
	}()
	if p.produce.active {
		if err := p.produce.wait(c); err != nil {
			return err
		}
		c.countProduce(&p.produce)
		if p.produce.acks == 0 {
			return nil
		}
	}
	if p.fetch != nil {
		if err := c.waitFetch(p); err != nil {
			return err
		}
	}
	if len(c.out) > flushBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	at := len(c.out)
	c.out = append(c.out, 0, 0, 0, 0)
	if p.rawSet {
		c.out = append(c.out, p.raw...)
	} else {
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(p.correlation))
		if p.flexible {
			c.out = append(c.out, 0)
		}
		switch {
		case p.produce.active:
			c.out = p.produce.appendTo(c.out)
		case p.fetch != nil:
			if err := c.appendFetch(p); err != nil {
				return err
			}
		default:
			c.out = p.answer.AppendTo(c.out)
			c.s.requestsOfNone.count(codeNone)
		}
	}
	binary.BigEndian.PutUint32(c.out[at:], uint32(len(c.out)-at-4))
	return nil
}

// forget drops what a request that is not answered holds.
func (c *conn) forget(p *pending) {
	p.answer, p.fetch = nil, nil
}
