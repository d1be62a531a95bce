package amqp

import (
	"context"
	"encoding/binary"
	"errors"

	"spate/hub"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

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
	watch   *hub.Watch
	wake    chan struct{} // fires for a drain

	// conn.mu guards:
	credit    uint32
	delivered uint32 // the link's delivery-count
	drain     bool
	tag       [4]byte
	queued    [][]byte // answers of a node that wait for credit
}

// pump sends events as they become durable, within credit and window.
func (l *link) pump(ctx context.Context) {
	o := l.out
	c := l.s.c
	o.part.Watch(o.watch, 0, o.next)
	defer o.part.Unwatch(o.watch)
	for l.waitForCredit() {
		if l.drained() {
			continue
		}
		err := l.waitForEvents(ctx)
		if err == nil {
			err = l.sendSome(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil, errors.Is(err, hub.ErrOffsetOutOfRange) && o.next < o.part.Bounds().First:
		default:
			c.log.Warn("read for a receiver", "hub", limit.Name(l.addr.hub), "partition", l.addr.partition, "offset", o.next, "err", err)
			l.detach(c.s.withTail(ofHub(err), &l.addr))
			return
		}
	}
}

// waitForCredit waits until the client takes more. False: the link is gone.
func (l *link) waitForCredit() bool {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for l.alive() && (l.out.credit == 0 || l.s.window == 0 || c.room(1) == 0) {
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

// waitForEvents waits until there is something to send, a drain, or an error.
func (l *link) waitForEvents(ctx context.Context) error {
	o := l.out
	if b := o.part.Bounds(); o.next < b.First {
		o.next = b.First // trimmed: go on at the start of the log
	} else if o.next < b.Next {
		return nil
	}
	select {
	case <-o.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-o.watch.Wake():
	}
	o.watch.Grown(nil)
	if o.next < o.part.Bounds().Next {
		return nil
	}
	now := make(chan struct{}) // this read tells an error and does not wait
	close(now)
	var none hub.Chunk
	return o.part.Read(ctx, o.next, 1, &none, now)
}

// sendSome sends what one read of the log brings.
func (l *link) sendSome(ctx context.Context) error {
	o := l.out
	if b := o.part.Bounds(); o.next < b.First || o.next >= b.Next { // woken for a drain, or trimmed
		return nil
	}
	s := l.takeSlot(ctx)
	if s == nil {
		return nil
	}
	defer l.s.c.giveSlot(s)
	if err := o.part.Read(ctx, o.next, readBytes, &s.chunk, o.wake); err != nil {
		return err
	}
	l.sendChunk(ctx, s)
	return nil
}

// sendChunk sends the events of a chunk as far as the client takes them.
func (l *link) sendChunk(ctx context.Context, sl *slot) {
	o := l.out
	c := l.s.c
	sl.enc.metric = sl.enc.metric[:0]
	if o.runtime {
		b := o.part.Bounds()
		sl.enc.runtime(&b, c.s.o.Clock().UnixMilli())
	}
	events, size := 0, int64(0)
	defer func() {
		o.hub.CountOutgoing(events, size)
		c.push()
	}()
	for i := range sl.chunk.Batches {
		b := &sl.chunk.Batches[i]
		if b.Next() <= o.next {
			continue
		}
		if b.AppendTime < o.minTime {
			o.next = b.Next()
			continue
		}
		if b.Codec != 0 && !c.s.slots.unpack(ctx, sl) {
			return
		}
		it := sl.chunk.Records(i)
		for it.Next() {
			if it.Record.Offset < o.next {
				continue
			}
			msg, err := sl.enc.message(&it.Record, b)
			if err != nil {
				l.skip(it.Record.Offset, 1, err)
				o.next = it.Record.Offset + 1
				continue
			}
			if !l.deliver(msg) {
				return
			}
			o.next = it.Record.Offset + 1
			events++
			size += int64(len(it.Record.Key) + len(it.Record.Value))
		}
		if err := it.Err(); err != nil {
			l.skip(max(o.next, b.BaseOffset), b.Next()-max(o.next, b.BaseOffset), err)
		}
		o.next = max(o.next, b.Next())
	}
}

// skip notes that events cannot be read and are left out: a receiver that stopped at them
// would never see what lies behind.
func (l *link) skip(offset, events int64, err error) {
	l.out.hub.CountSkipped(int(events))
	l.s.c.log.Error("skipped events that cannot be read", "hub", l.out.hub.Name(), "partition", l.out.part.ID(), "offset", offset, "events", events, "err", err)
}

// push lets the writer run.
func (c *conn) push() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake()
}

// deliver sends one message, in as many frames as it takes, waiting for credit,
// window and room. False: the link is gone, or does not get on and another wants its slot.
func (l *link) deliver(msg []byte) bool {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	n := l.room(msg)
	for ; l.alive() && (l.out.credit == 0 || n == 0); n = l.room(msg) {
		if c.yields() {
			return false
		}
		c.wake()
		c.space.Wait()
	}
	if !l.alive() {
		return false
	}
	for t := l.transferOf(); ; {
		if msg = l.appendFrame(&t, msg, n); len(msg) == 0 {
			break
		}
		for n = l.room(msg); n == 0 && l.alive(); n = l.room(msg) {
			c.wake()
			c.space.Wait()
		}
		if !l.alive() {
			return false
		}
	}
	l.delivered()
	return true
}

// room is how large the next frame of a message may be; 0: none may be sent now. conn.mu
// is held.
func (l *link) room(msg []byte) int {
	if l.s.window == 0 {
		return 0
	}
	return l.s.c.room(l.frameSize(msg))
}

// transferOf begins a delivery. conn.mu is held.
func (l *link) transferOf() wire.Transfer {
	l.out.credit--
	l.out.delivered++
	id := l.s.nextDelivery
	l.s.nextDelivery++
	tag := binary.BigEndian.AppendUint32(l.out.tag[:0], id)
	return wire.Transfer{Handle: l.handle, HasID: true, ID: id, Tag: tag, Settled: l.out.settled}
}

const overhead = 64 // a frame's head and its transfer

// frameSize is how large the next frame of a message is, at most.
func (l *link) frameSize(msg []byte) int { return min(len(msg)+overhead, int(l.s.c.maxFrame)) }

// appendFrame sends the next frame of a message, of size bytes at most, and returns what
// is left of it. conn.mu is held.
func (l *link) appendFrame(t *wire.Transfer, msg []byte, size int) []byte {
	c, s := l.s.c, l.s
	n := min(len(msg), size-overhead)
	t.More = n < len(msg)
	out, at := wire.OpenFrame(c.out, wire.FrameAMQP, s.channel)
	out = append(wire.AppendTransfer(out, t), msg[:n]...)
	c.out = wire.CloseFrame(out, at)
	t.HasID = false
	s.nextOutgoing++
	if s.window > 0 {
		s.window--
	}
	return msg[n:]
}

// delivered ends a delivery. conn.mu is held.
func (l *link) delivered() {
	if l.out.drain && l.out.credit == 0 {
		l.finishDrain()
	}
	if len(l.s.c.out) > 64<<10 {
		l.s.c.wake()
	}
}

// sendQueued sends the answers of a node that credit allows (A15). conn.mu is
// held.
func (l *link) sendQueued() {
	c := l.s.c
	for len(l.out.queued) > 0 && l.out.credit > 0 && l.alive() {
		msg := l.out.queued[0]
		l.out.queued = l.out.queued[1:]
		l.free(len(msg))
		t := l.transferOf()
		for {
			if msg = l.appendFrame(&t, msg, int(c.maxFrame)); len(msg) == 0 {
				break
			}
		}
		l.delivered()
	}
	c.wake()
}
