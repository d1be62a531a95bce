package amqp

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"unicode/utf8"

	"spate/hub"
	wire "spate/wire/amqp"
)

// readBytes is how much a receiver takes from the log at once.
const readBytes = 256 << 10

// outgoing is the half of a link that the client receives on.
type outgoing struct {
	settled bool // send pre-settled
	target  string

	// Receivers of events; the pump's own behind attach.
	hub     *hub.Hub
	part    *hub.Partition
	next    int64 // offset
	minTime int64 // append time in milliseconds below which nothing is sent
	runtime bool  // the client wants the runtime metric
	seat    *reader
	cancel  context.CancelFunc
	wake    chan struct{}

	// conn.mu guards:
	credit    uint32
	delivered uint32 // the link's delivery-count
	drain     bool
	queued    [][]byte // answers of a node that wait for credit
}

// pump sends events as they become durable, within credit and window.
func (l *link) pump(ctx context.Context) {
	o := l.out
	c := l.s.c
	var chunk hub.Chunk
	var enc encoder
	for l.waitForCredit() {
		if l.drained() {
			continue
		}
		if b := o.part.Bounds(); o.next < b.First {
			o.next = b.First // trimmed: go on at the start of the log
		}
		err := o.part.Read(ctx, o.next, readBytes, &chunk, o.wake)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, hub.ErrOffsetOutOfRange) && o.next < o.part.Bounds().First:
			continue
		case err != nil:
			c.log.Warn("read for a receiver", "hub", l.addr.hub, "partition", l.addr.partition, "offset", o.next, "err", err)
			l.detach(c.s.withTail(ofHub(err), &l.addr))
			return
		}
		if !l.sendChunk(&chunk, &enc) {
			return
		}
	}
}

// waitForCredit waits until the client takes more. False: the link is gone.
func (l *link) waitForCredit() bool {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for l.alive() && (l.out.credit == 0 || l.s.window == 0 || len(c.out) > softOut) {
		c.wake()
		c.space.Wait()
	}
	return l.alive()
}

// alive reports whether frames may be sent on the link. conn.mu is held.
func (l *link) alive() bool {
	return !l.detached && !l.s.ended && !l.s.c.dead && !l.s.c.ending && l.s.c.ctx.Err() == nil
}

// drained ends a drain if the client has all there is.
func (l *link) drained() bool {
	next := l.out.part.Bounds().Next
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	if !l.out.drain || l.out.next < next {
		return false
	}
	l.finishDrain()
	return true
}

// sendChunk sends the events of a chunk. False: the link is gone or damaged.
func (l *link) sendChunk(chunk *hub.Chunk, enc *encoder) bool {
	o := l.out
	c := l.s.c
	if o.runtime {
		b := o.part.Bounds()
		enc.runtime(&b, c.s.o.Clock().UnixMilli())
	}
	events, size := 0, int64(0)
	defer func() {
		o.hub.CountOutgoing(events, size)
		c.mu.Lock()
		c.wake()
		c.mu.Unlock()
	}()
	for i := range chunk.Batches {
		b := &chunk.Batches[i]
		if b.Next() <= o.next {
			continue
		}
		if b.AppendTime < o.minTime {
			o.next = b.Next()
			continue
		}
		it := chunk.Records(i)
		for it.Next() {
			if it.Record.Offset < o.next {
				continue
			}
			msg, err := enc.message(&it.Record, b)
			if err != nil {
				c.log.Error("an event cannot be sent", "hub", l.addr.hub, "partition", l.addr.partition, "offset", it.Record.Offset, "err", err)
				l.detach(c.s.withTail(fault(condInternal, "The event at offset %d is damaged.", it.Record.Offset), &l.addr))
				return false
			}
			if !l.deliver(msg) {
				return false
			}
			o.next = it.Record.Offset + 1
			events++
			size += int64(len(it.Record.Key) + len(it.Record.Value))
		}
		if err := it.Err(); err != nil {
			c.log.Error("read for a receiver", "hub", l.addr.hub, "partition", l.addr.partition, "offset", b.BaseOffset, "err", err)
			l.detach(c.s.withTail(ofHub(err), &l.addr))
			return false
		}
		o.next = max(o.next, b.Next())
	}
	return true
}

// deliver sends one message, in as many frames as it takes, waiting for credit,
// window and room. False: the link is gone.
func (l *link) deliver(msg []byte) bool {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	return l.deliverLocked(msg, true)
}

// deliverLocked is deliver with conn.mu held, which it gives up while it waits;
// without wait, only credit is heeded, and by the caller.
func (l *link) deliverLocked(msg []byte, wait bool) bool {
	c := l.s.c
	s := l.s
	for wait && l.alive() && (l.out.credit == 0 || len(c.out) > softOut) {
		c.wake()
		c.space.Wait()
	}
	if !l.alive() {
		return false
	}
	l.out.credit--
	l.out.delivered++
	id := s.nextDelivery
	s.nextDelivery++
	var tag [4]byte
	binary.BigEndian.PutUint32(tag[:], id)
	t := wire.Transfer{Handle: l.handle, HasID: true, ID: id, Tag: tag[:], Settled: l.out.settled}
	for first := true; first || len(msg) > 0; first = false {
		for wait && s.window == 0 && l.alive() {
			c.wake()
			c.space.Wait()
		}
		if !l.alive() {
			return false
		}
		const overhead = 64 // a frame's head and its transfer
		n := min(len(msg), int(c.maxFrame)-overhead)
		t.More = n < len(msg)
		out, at := wire.OpenFrame(c.out, wire.FrameAMQP, s.channel)
		out = append(wire.AppendTransfer(out, &t), msg[:n]...)
		c.out = wire.CloseFrame(out, at)
		msg = msg[n:]
		t.HasID = false
		s.nextOutgoing++
		if s.window > 0 {
			s.window--
		}
	}
	if l.out.drain && l.out.credit == 0 {
		l.finishDrain()
	}
	if len(c.out) > 64<<10 {
		c.wake()
	}
	return true
}

// sendQueued sends the answers of a node that credit allows (A15). conn.mu is
// held.
func (l *link) sendQueued() {
	c := l.s.c
	for len(l.out.queued) > 0 && l.out.credit > 0 {
		msg := l.out.queued[0]
		l.out.queued = l.out.queued[1:]
		l.deliverLocked(msg, false)
	}
	c.wake()
}

// encoder builds the messages of one receiver; its results are good until the
// next.
type encoder struct {
	buf     []byte
	headers []byte
	metric  []byte // the delivery annotations, with descriptor
}

// runtime builds the delivery annotations that tell of the partition's end.
func (e *encoder) runtime(b *hub.Bounds, now int64) {
	seq, offset, at := lastOf(b)
	dst, open := wire.OpenMap(wire.AppendDescriptor(e.metric[:0], wire.SectionDeliveryAnnotations), 8)
	dst = wire.AppendLong(wire.AppendSymbol(dst, "last_enqueued_sequence_number"), seq)
	dst = wire.AppendString(wire.AppendSymbol(dst, "last_enqueued_offset"), offset)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "last_enqueued_time_utc"), at)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, "runtime_info_retrieval_time_utc"), now)
	e.metric = wire.CloseCompound(dst, open)
}

// lastOf is the last event of a partition as clients see it.
func lastOf(b *hub.Bounds) (seq int64, offset string, ms int64) {
	if b.LastSequence < 0 {
		return -1, "-1", neverTime
	}
	return b.LastSequence, strconv.FormatInt(b.LastSequence, 10), b.LastTime.UnixMilli()
}

// message encodes one event: annotations, then what is stored of the sender's
// message, verbatim.
func (e *encoder) message(r *hub.Record, b *hub.Batch) ([]byte, error) {
	var st wire.Stored
	var err error
	if b.Mapped {
		if st, err = wire.ParseStored(r.AMQP()); err != nil {
			return nil, err
		}
	} else if r.Value == nil {
		st.Kind = wire.BodyNull
	}
	dst := append(e.buf[:0], e.metric...)
	pairs := 3 + st.Annotations
	hasKey := r.Key != nil && utf8.Valid(r.Key)
	if hasKey {
		pairs++
	}
	dst, open := wire.OpenMap(wire.AppendDescriptor(dst, wire.SectionAnnotations), 2*pairs)
	dst = wire.AppendLong(wire.AppendSymbol(dst, wire.KeySequenceNumber), r.Offset)
	dst = wire.AppendSymbol(dst, wire.KeyOffset)
	dst = appendDecimal(dst, r.Offset)
	dst = wire.AppendTimestamp(wire.AppendSymbol(dst, wire.KeyEnqueuedTime), b.AppendTime)
	if hasKey {
		dst = wire.AppendString(wire.AppendSymbol(dst, wire.KeyPartitionKey), r.Key)
	}
	dst = wire.CloseCompound(append(dst, st.Pairs...), open)
	dst = append(dst, st.Properties...)
	if !b.Mapped && r.HeaderCount() > 0 {
		dst = e.kafkaHeaders(dst, r)
	}
	if dst, err = st.AppendBody(dst, r.Value); err != nil {
		return nil, err
	}
	e.buf = append(dst, st.Footer...)
	return e.buf, nil
}

func appendDecimal(dst []byte, n int64) []byte {
	var text [20]byte
	return wire.AppendString(dst, strconv.AppendInt(text[:0], n, 10))
}

// kafkaHeaders appends Kafka headers as application properties; of a name that
// occurs twice the last counts.
func (e *encoder) kafkaHeaders(dst []byte, r *hub.Record) []byte {
	n := 0
	e.headers = e.headers[:0]
	i := 0
	r.EachHeader(func(name, value []byte) bool {
		later, j := false, 0
		r.EachHeader(func(other, _ []byte) bool {
			later = j > i && string(other) == string(name)
			j++
			return !later
		})
		i++
		if later {
			return true
		}
		n++
		if value == nil {
			e.headers = wire.AppendNull(wire.AppendString(e.headers, name))
			return true
		}
		e.headers = wire.AppendTextProperty(e.headers, string(name), value)
		return true
	})
	dst, open := wire.OpenMap(wire.AppendDescriptor(dst, wire.SectionAppProperties), 2*n)
	return wire.CloseCompound(append(dst, e.headers...), open)
}
