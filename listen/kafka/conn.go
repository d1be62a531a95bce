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
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/access"
	"spate/hub"
	"spate/listen/limit"
)

// conn is one client.
type conn struct {
	s      *Server
	nc     net.Conn
	log    *slog.Logger
	opened time.Time

	life  context.Context // ends when no answer can be written any more
	end   context.CancelFunc
	ctx   context.Context // of waiting fetches; ends when the client has gone, or at shutdown
	stop  context.CancelFunc
	queue queue

	draining atomic.Bool
	stale    atomic.Bool // a hub that the reader knows has gone

	// Of the reader.
	in      []byte // current request
	asked   bool   // there was a request
	auth    authState
	claims  access.Claims
	hubs    map[string]*topic // by name
	ids     map[[16]byte]*topic
	refused uint64 // keys of requests that were refused, as bits: each is logged once

	// Of the writer.
	out         []byte
	head        []byte // of an answer to a fetch: what is around the records
	parts       []part
	readers     map[*hub.Partition]*fetcher
	pass        uint64    // over the partitions of a fetch
	turn        int       // place of the partition that the next answer begins with
	results     []fetched // of the fetch in hand
	lent        int64     // bytes taken from Answers for them
	short       bool      // there was no more
	buf         []byte    // that the log reads into
	batches     []hub.Batch
	translation translation
}

// pending is a request on its way through the queue.
type pending struct {
	correlation int32
	flexible    bool // response header with tags

	produce produceReply       // when produce.active
	fetch   *kmsg.FetchRequest // when not nil
	answer  kmsg.Response      // while the request is handled
	frame   []byte             // an encoded answer without its length, when ready
	ready   bool
	counted bool     // as a request about no hub
	code    int16    // with which it is counted
	topics  []*topic // of the topics of a fetch, nil where unknown or forbidden
	codes   []int16  // their errors
	closing bool     // the connection ends after this answer
	cost    int      // bytes that it holds
	lent    int64    // of them taken from Answers
}

func (p *pending) reset() {
	produce := p.produce
	produce.reset()
	if cap(p.frame) > smallBytes {
		p.frame = nil
	}
	clear(p.topics)
	*p = pending{produce: produce, frame: p.frame[:0], topics: p.topics[:0], codes: p.codes[:0]}
	if cap(p.topics) > keptBatches {
		p.topics, p.codes = nil, nil
	}
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, opened: time.Now(), log: s.o.ClientLog.For(nc.RemoteAddr().String())}
	c.queue.change.L = &c.queue.mu
	c.life, c.end = context.WithCancel(context.Background())
	c.ctx, c.stop = context.WithCancel(c.life)
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
		limit.Guard(c.log, c, c.write)
	}()
	var err error
	limit.Guard(c.log, c, func() { err = c.read() })
	if !c.draining.Load() {
		c.stop() // nobody waits for a fetch any more
	}
	c.queue.end()
	<-written
	c.Close()
	c.letGo()
	c.explain(err)
}

// explain logs why the connection ended, if its client did not end it.
func (c *conn) explain(err error) {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), c.draining.Load():
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.log.Warn("connection closed", "err", err)
	case c.auth != authDone:
		c.log.Warn("connection closed: no key was shown", "after", c.s.o.KeyTimeout)
	case !c.asked:
		c.log.Warn("connection closed: nothing was asked", "after", c.s.o.KeyTimeout)
	default:
		c.log.Info("idle connection closed", "after", c.s.o.IdleTimeout)
	}
}

// drain stops reading; what was read is answered.
func (c *conn) drain() {
	c.draining.Store(true)
	c.nc.SetReadDeadline(time.Unix(1, 0))
	c.stop() // waiting fetches answer with what there is
}

// Close cuts the connection.
func (c *conn) Close() error {
	c.end()
	for _, p := range c.queue.abandon() {
		c.s.o.Answers.Give(p.lent)
	}
	return c.nc.Close()
}

// errEnd ends a connection whose last answer is in the queue.
var errEnd = errors.New("end of connection")

func (c *conn) read() error {
	r := bufio.NewReaderSize(c.nc, readerBytes)
	for {
		if err := c.readFrame(r); err != nil {
			return err
		}
		p := c.queue.fresh()
		err := c.handle(p)
		c.asked = true
		c.s.buffers.put(c.in)
		c.in = nil
		if err != nil && !errors.Is(err, errEnd) {
			return err
		}
		if err := c.enqueue(p); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

// enqueue hands p to the writer.
func (c *conn) enqueue(p *pending) error {
	if p.cost = pendingCost + len(p.frame) + p.produce.size(); p.fetch != nil {
		p.cost += fetchCost(p.fetch)
	}
	if p.cost > freeCost || !p.produce.active && c.queue.busy() {
		if err := c.take(c.life, int64(p.cost), c.s.o.WriteTimeout); c.life.Err() != nil {
			return net.ErrClosed
		} else if err != nil {
			return fmt.Errorf("no memory for an answer of %d bytes: %w", p.cost, err)
		}
		p.lent = int64(p.cost)
	}
	if !c.queue.push(p) {
		c.s.o.Answers.Give(p.lent)
		return net.ErrClosed
	}
	return nil
}

// take takes n bytes from Answers, waiting for a while.
func (c *conn) take(ctx context.Context, n int64, wait time.Duration) error {
	if c.s.o.Answers.TryTake(n) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNoMemory)
	defer cancel()
	if c.s.o.Answers.Take(ctx, n) != nil {
		return context.Cause(ctx)
	}
	return nil
}

var errNoMemory = errors.New("slow readers hold all there is")

// await sets the deadline of the next read. False: the server stops.
func (c *conn) await(until time.Time) bool {
	c.nc.SetReadDeadline(until)
	return !c.draining.Load() // whose deadline may have been overwritten
}

// nextRequest is until when one has to come.
func (c *conn) nextRequest() time.Time {
	if c.auth != authDone || !c.asked {
		return c.opened.Add(c.s.o.KeyTimeout)
	}
	return time.Now().Add(c.s.o.IdleTimeout)
}

// readFrame reads the next request into c.in. Memory for a large one grows as its
// bytes arrive, so that a length alone costs nothing.
func (c *conn) readFrame(r *bufio.Reader) error {
	var head [4]byte
	if !c.await(c.nextRequest()) {
		return net.ErrClosed
	}
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if !c.asked {
		if err := c.s.foreign(head); err != nil {
			return err
		}
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	most := maxUnknownRequest
	if c.auth == authDone {
		most = maxSmallRequest
		if size > most && size <= maxRequest { // large ones have to be produce requests
			if key, err := r.Peek(2); err != nil {
				return noEOF(err)
			} else if int16(binary.BigEndian.Uint16(key)) == keyProduce {
				most = maxRequest
			}
		}
	}
	if size < 0 || size > most {
		return fmt.Errorf("request of %d bytes, at most %d are read", size, most)
	}
	c.in = c.in[:0]
	for len(c.in) < size {
		if cap(c.in) < size {
			c.grow(size)
		}
		if c.auth == authDone && !c.await(time.Now().Add(c.s.o.WriteTimeout)) {
			return net.ErrClosed
		}
		part := c.in[len(c.in):min(size, cap(c.in), len(c.in)+stepBytes)]
		if _, err := io.ReadFull(r, part); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && c.auth == authDone {
				return fmt.Errorf("request of %d bytes stopped behind %d for %v", size, len(c.in), c.s.o.WriteTimeout)
			}
			return fmt.Errorf("read a request of %d bytes: %w", size, noEOF(err))
		}
		c.in = c.in[:len(c.in)+len(part)]
	}
	return nil
}

// grow makes room in c.in for more of a request of size bytes: 1 MiB, then eight times
// what has come.
func (c *conn) grow(size int) {
	if len(c.in) < cap(c.in) {
		return
	}
	b := c.s.buffers.get(min(size, max(1<<20, 8*len(c.in))))
	b = append(b, c.in...)
	c.s.buffers.put(c.in)
	c.in = b
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
	err := c.begin(p)
	if p.answer != nil && (err == nil || errors.Is(err, errEnd)) {
		p.encode()
	}
	return err
}

func (c *conn) begin(p *pending) error {
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
		return fmt.Errorf("%s request has version %d, want %d to %d", kmsg.NameForKey(key), version, a.min, a.max)
	}
	if key != keyAPIVersions && key != keySASLHandshake && key != keySASLAuth {
		if c.auth != authDone {
			return c.unauthorized(fmt.Errorf("%s request before a key was shown", kmsg.NameForKey(key)))
		}
		if c.claims.Expired(time.Now()) {
			return c.unauthorized(fmt.Errorf("%s request after the token of %s expired", kmsg.NameForKey(key), c.claims.Rule))
		}
		if !c.s.o.Rules.Holds(c.claims) {
			return c.unauthorized(fmt.Errorf("%s request after the policy %s changed or went", kmsg.NameForKey(key), c.claims.Rule))
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
		return fmt.Errorf("%s request of version %d: %w", kmsg.NameForKey(key), version, err)
	}
	if n := names(req); n > maxNames {
		return fmt.Errorf("%s request about %d topics and partitions, at most %d are answered", kmsg.NameForKey(key), n, maxNames)
	}
	return c.dispatch(p, req)
}

// encode makes the frame of the answer, in whose form it waits for its turn.
func (p *pending) encode() {
	p.frame = binary.BigEndian.AppendUint32(p.frame[:0], uint32(p.correlation))
	if p.flexible {
		p.frame = append(p.frame, 0)
	}
	p.frame = p.answer.AppendTo(p.frame)
	p.answer, p.ready, p.counted = nil, true, true
}

func (c *conn) dispatch(p *pending, req kmsg.Request) error {
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		c.startFetch(p, req)
	case *kmsg.ApiVersionsRequest:
		p.answer = c.apiVersions(req)
	case *kmsg.SASLHandshakeRequest:
		p.answer = c.saslHandshake(p, req)
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
		c.logRefusal(req)
		p.answer = refuse(req)
	}
	return nil
}
