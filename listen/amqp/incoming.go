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
	answerWithin  = 30 * time.Second // A26
	overshoot     = 100              // deliveries beyond credit that are tolerated (A25)
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

	events  []hub.Event // scratch
	scratch []byte

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
	if !in.partial {
		if !t.HasID {
			return fault(condInvalidField, "The first transfer of a delivery has no delivery-id.")
		}
		in.partial, in.id, in.format, in.settled = true, t.ID, t.Format, false
		in.buf, in.size = in.buf[:0], 0
	}
	in.settled = in.settled || t.Settled
	if t.Aborted {
		in.partial = false
		in.buf = in.buf[:0]
		l.s.c.mu.Lock()
		in.received++
		in.answered++
		l.sendCreditWhenDue()
		l.s.c.mu.Unlock()
		return nil
	}
	limit := l.s.c.s.o.MaxMessageBytes
	in.size += len(payload)
	if in.size > 2*limit {
		in.partial = false
		l.detachBehind(l.s.c.s.withTail(fault(condTooLarge, "The message is larger than twice the limit of %d bytes.", limit), &l.addr))
		in.buf = nil
		return nil
	}
	if t.More {
		if in.size <= limit {
			in.buf = append(in.buf, payload...)
		}
		return nil
	}
	in.partial = false
	msg := payload
	if len(in.buf) > 0 && in.size <= limit {
		in.buf = append(in.buf, payload...)
		msg = in.buf
	}
	return l.delivery(msg)
}

// delivery handles a whole message.
func (l *link) delivery(msg []byte) error {
	in := l.in
	c := l.s.c
	c.mu.Lock()
	in.received++
	over := int32(in.received - in.answered - in.credit)
	c.mu.Unlock()
	if over > overshoot {
		l.detachBehind(c.s.withTail(fault(condTransferLimit, "%d deliveries came beyond the credit.", over), &l.addr))
		return nil
	}
	p := pending{link: l, id: in.id, settled: in.settled, since: time.Now()}
	switch {
	case in.size > c.s.o.MaxMessageBytes:
		p.refused = fault(condTooLarge, "The received message (delivery-id:%d, size:%d bytes) exceeds the limit (%d bytes) currently allowed on the link.", in.id, in.size, c.s.o.MaxMessageBytes)
	case l.addr.node == nodeEvents:
		p.ticket, p.refused = l.store(msg)
	default:
		p.refused = l.request(msg, in.settled)
	}
	if p.refused != nil {
		p.refused = c.s.withTail(p.refused, &l.addr)
	}
	c.acks.push(p)
	return nil
}

// store appends the events of a message.
func (l *link) store(msg []byte) (*hub.Ticket, *wire.Error) {
	in := l.in
	in.events, in.scratch = in.events[:0], in.scratch[:0]
	var key []byte
	var err error
	if in.format == wire.BatchFormat {
		key, err = l.splitBatch(msg)
	} else {
		var m wire.Message
		m, in.scratch, err = wire.Split(msg, in.publisher, in.scratch)
		key = m.Key
		in.events = append(in.events, hub.Event(m))
	}
	if err != nil {
		return nil, fault(condDecode, "The message cannot be read: %s.", strings.TrimPrefix(err.Error(), "amqp: "))
	}
	if len(key) > maxKeyLetters && utf8.RuneCount(key) > maxKeyLetters {
		return nil, fault(condArgument, "The partition key has more than %d characters.", maxKeyLetters)
	}
	if len(in.events) == 0 {
		return nil, nil
	}
	part := in.partition
	switch {
	case part >= 0:
	case in.publisher != "":
		part = in.hub.PartitionForKey(in.publisher)
	case key != nil:
		part = in.hub.PartitionForKey(string(key))
	default:
		part = in.hub.NextPartition()
	}
	return in.hub.Partition(part).Append(eventlog.AMQP, in.events), nil
}

// splitBatch takes apart an Event Hubs batch: each Data section is a message.
// It returns the envelope's partition key, or the first event's.
func (l *link) splitBatch(msg []byte) (key []byte, err error) {
	in := l.in
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
			if m, in.scratch, err = wire.Split(inner, in.publisher, in.scratch); err != nil {
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

// run is a range of deliveries with the same answer.
type run struct {
	s           *session
	first, last uint32
	set         bool
}

// answer sends the dispositions, in order of arrival, each when its append is
// durable.
func (c *conn) answer() {
	var accepted run
	flush := func() {
		if accepted.set {
			c.dispose(accepted, nil)
			accepted.set = false
		}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p, ok := c.acks.pop(false)
		if !ok {
			flush()
			if p, ok = c.acks.pop(true); !ok {
				return
			}
		}
		if p.do != nil {
			flush()
			p.do()
			continue
		}
		refused := p.refused
		if p.ticket != nil {
			select {
			case <-p.ticket.Done():
				refused = c.outcome(&p)
			default:
				flush()
				timer.Reset(answerWithin - time.Since(p.since))
				select {
				case <-p.ticket.Done():
					refused = c.outcome(&p)
				case <-timer.C:
					refused = c.s.withTail(fault(condTimeout, "The message could not be stored in time."), &p.link.addr)
				case <-c.killed:
				}
			}
		}
		l := p.link
		if l.addr.node == nodeEvents {
			l.in.count.count(refused)
		} else {
			c.s.count.node.count(refused)
		}
		switch {
		case p.settled:
			if refused != nil {
				c.log.Warn("lost a settled delivery", "hub", l.addr.hub, "err", refused.Description)
			}
		case refused != nil:
			flush()
			c.dispose(run{l.s, p.id, p.id, true}, refused)
		case accepted.set && accepted.s == l.s && p.id == accepted.last+1:
			accepted.last = p.id
		default:
			flush()
			accepted = run{l.s, p.id, p.id, true}
		}
		c.mu.Lock()
		l.in.answered++
		l.sendCreditWhenDue()
		c.mu.Unlock()
	}
}

// outcome is what a finished append means to the client.
func (c *conn) outcome(p *pending) *wire.Error {
	err := p.ticket.Err()
	if err == nil {
		return nil
	}
	e := c.s.withTail(ofHub(err), &p.link.addr)
	c.log.Warn("append refused", "hub", p.link.addr.hub, "condition", string(e.Condition), "err", err)
	return e
}

// dispose settles a range: accepted, or rejected with e. Nothing else is ever
// sent (A22).
func (c *conn) dispose(r run, e *wire.Error) {
	var state [64]byte
	s := wire.AppendAccepted(state[:0])
	if e != nil {
		s = wire.AppendRejected(state[:0], e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[r.s.channel] != r.s || r.s.ended {
		return
	}
	c.sendLocked(r.s.channel, func(dst []byte) []byte {
		return wire.AppendDisposition(dst, &wire.Disposition{Receiver: true, First: r.first, Last: r.last, Settled: true, State: s})
	})
}
