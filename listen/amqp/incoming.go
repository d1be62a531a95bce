package amqp

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"spate/hub"
	"spate/hub/eventlog"
	wire "spate/wire/amqp"
)

const (
	overshoot     = 100 // deliveries beyond credit that are tolerated (A25)
	maxKeyLetters = 128
)

// incoming is the half of a link that the client sends on. The reader owns it
// but for what conn.mu guards.
type incoming struct {
	hub       *hub.Hub
	partition int // -1: any
	publisher string
	count     requestCounters

	// the delivery that is arriving
	partial bool
	id      uint32
	format  uint32
	settled bool
	buf     []byte
	size    int // bytes so far, kept or not

	// conn.mu guards:
	credit   uint32 // how many unanswered deliveries are allowed
	received uint32 // deliveries; the link's delivery-count
	answered uint32
	limit    uint32 // deliveries allowed so far in all
}

// transfer takes a part of a delivery. Payload is the read buffer's; a delivery
// in one frame is not copied before the append does.
func (l *link) transfer(t *wire.Transfer, payload []byte) error {
	in := l.in
	c := l.s.c
	if !in.partial {
		if !t.HasID {
			return fault(condInvalidField, "The first transfer of a delivery has no delivery-id.")
		}
		in.partial, in.id, in.format, in.settled = true, t.ID, t.Format, false
		in.size = 0
	}
	in.settled = in.settled || t.Settled
	if t.Aborted {
		l.drop()
		l.countAborted()
		return nil
	}
	limit := l.limit()
	in.size += len(payload)
	switch {
	case in.size > 2*limit:
		l.drop()
		l.detachBehind(c.s.withTail(fault(condTooLarge, "The message is larger than twice the limit of %d bytes.", limit), &l.addr))
		return nil
	case in.size > limit:
		l.giveBuffer() // it will be refused
	case t.More || len(in.buf) > 0:
		if !l.keep(payload) {
			l.drop()
			l.detachBehind(c.s.withTail(tooMuch(), &l.addr))
			return nil
		}
		payload = in.buf
	}
	if t.More {
		return nil
	}
	l.delivery(payload)
	l.drop()
	return nil
}

// limit is the size of the largest message.
func (l *link) limit() int {
	if l.addr.node != nodeEvents {
		return min(maxRequest, l.s.c.s.o.MaxMessageBytes)
	}
	return l.s.c.s.o.MaxMessageBytes
}

// keep adds a part to the delivery that is arriving; false: the connection holds too much.
func (l *link) keep(part []byte) bool {
	in, c := l.in, l.s.c
	if in.buf == nil && c.in.spare != nil && l.hold(cap(c.in.spare)) {
		in.buf, c.in.spare = c.in.spare[:0], nil
	}
	need := len(in.buf) + len(part)
	if need > cap(in.buf) {
		size := min(max(need, 2*cap(in.buf), 2*smallBuffer), max(need, l.limit()))
		if !l.hold(size - cap(in.buf)) {
			return false
		}
		in.buf = append(make([]byte, 0, size), in.buf...)
	}
	in.buf = append(in.buf, part...)
	return true
}

// drop ends the delivery that is arriving.
func (l *link) drop() {
	l.in.partial = false
	l.giveBuffer()
}

// giveBuffer hands the buffer of a delivery to the next that needs one.
func (l *link) giveBuffer() {
	in, c := l.in, l.s.c
	l.free(cap(in.buf))
	if cap(in.buf) > cap(c.in.spare) {
		c.in.spare = in.buf
		c.bulky.Store(true)
	}
	in.buf = nil
}

func (l *link) countAborted() {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	l.in.received++
	l.in.answered++
	l.sendCreditWhenDue()
}

// countReceived counts a delivery and returns by how many the client has gone beyond its
// credit.
func (l *link) countReceived() int32 {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	in := l.in
	in.received++
	return int32(in.received - in.answered - in.credit)
}

// delivery handles a whole message.
func (l *link) delivery(msg []byte) {
	in := l.in
	c := l.s.c
	if over := l.countReceived(); over > overshoot {
		l.detachBehind(c.s.withTail(fault(condTransferLimit, "%d deliveries came beyond the credit.", over), &l.addr))
		return
	}
	p := pending{link: l, id: in.id, settled: in.settled, since: time.Now()}
	var part *hub.Partition
	switch {
	case in.size > l.limit():
		p.refused = fault(condTooLarge, "The received message (delivery-id:%d, size:%d bytes) exceeds the limit (%d bytes) currently allowed on the link.", in.id, in.size, l.limit())
	case l.addr.node == nodeEvents:
		var t *hub.Ticket
		if part, t, p.refused = l.store(msg); t != nil {
			p.ended, p.err = t.Done(), t.Err
		}
	default:
		p.refused, p.failed = l.request(msg, in.settled)
	}
	if p.refused != nil {
		p.refused = c.s.withTail(p.refused, &l.addr)
	}
	c.expect(p, part)
}

// store appends the events of a message.
func (l *link) store(msg []byte) (*hub.Partition, *hub.Ticket, *wire.Error) {
	in, c := l.in, &l.s.c.in
	defer func() {
		clear(c.events)
		c.events, c.scratch = c.events[:0], c.scratch[:0]
		if cap(c.events) > keptEvents {
			c.events = nil
		}
		if cap(c.scratch) > largeBuffer {
			c.scratch = nil
		}
		l.s.c.bulky.Store(true)
	}()
	var key []byte
	var err error
	if in.format == wire.BatchFormat {
		key, err = l.splitBatch(msg)
	} else {
		var m wire.Message
		m, c.scratch, err = wire.Split(msg, in.publisher, c.scratch)
		key = m.Key
		c.events = append(c.events, hub.Event(m))
	}
	if err != nil {
		return nil, nil, fault(condDecode, "The message cannot be read: %s.", strings.TrimPrefix(err.Error(), "amqp: "))
	}
	if len(key) > maxKeyLetters && utf8.RuneCount(key) > maxKeyLetters {
		return nil, nil, fault(condArgument, "The partition key has more than %d characters.", maxKeyLetters)
	}
	if len(c.events) == 0 {
		return nil, nil, nil
	}
	number := in.partition
	switch {
	case number >= 0:
	case in.publisher != "":
		number = in.hub.PartitionForKey(in.publisher)
	case key != nil:
		number = in.hub.PartitionForKey(string(key))
	default:
		number = in.hub.NextPartition()
	}
	part := in.hub.Partition(number)
	return part, part.Append(eventlog.AMQP, c.events), nil
}

// splitBatch takes apart an Event Hubs batch: each Data section is a message.
// It returns the envelope's partition key, or the first event's.
func (l *link) splitBatch(msg []byte) (key []byte, err error) {
	in := &l.s.c.in
	for rest := msg; len(rest) > 0; {
		s, after, err := wire.NextSection(rest)
		if err != nil {
			return nil, err
		}
		rest = after
		switch s.Code {
		case wire.SectionAnnotations:
			err = wire.Pairs(s.Value, func(name, value []byte) bool {
				if string(name) == wire.KeyPartitionKey {
					if k, ok := wire.Text(value); ok {
						key = k
					}
					return false
				}
				return true
			})
			if err != nil {
				return nil, err
			}
		case wire.SectionData:
			inner, isNull := s.Data()
			if isNull {
				return nil, fmt.Errorf("%w: event %d of the batch is null", wire.ErrDecode, len(in.events))
			}
			var m wire.Message
			if m, in.scratch, err = wire.Split(inner, l.in.publisher, in.scratch); err != nil {
				return nil, fmt.Errorf("event %d of the batch: %w", len(in.events), err)
			}
			in.events = append(in.events, hub.Event(m))
		case wire.SectionValue, wire.SectionSequence:
			return nil, fmt.Errorf("%w: a batch holds section %#02x", wire.ErrDecode, s.Code)
		}
	}
	if key == nil && len(in.events) > 0 {
		key = in.events[0].Key
	}
	if key != nil {
		for i := range in.events {
			if in.events[i].Key == nil {
				in.events[i].Key = key
			}
		}
	}
	return key, nil
}

// sendCredit tells the client how many more deliveries it may send. conn.mu is
// held.
func (l *link) sendCredit() {
	in := l.in
	in.limit = in.answered + in.credit
	credit := max(int32(in.limit-in.received), 0)
	l.s.sendFlow(wire.Flow{Link: true, Handle: l.handle, Count: in.received, Credit: uint32(credit)})
}

// sendCreditWhenDue tops up at half. conn.mu is held.
func (l *link) sendCreditWhenDue() {
	in := l.in
	if !l.detached && in.answered+in.credit-in.limit >= in.credit/2 {
		l.sendCredit()
	}
}
