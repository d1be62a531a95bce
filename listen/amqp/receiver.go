package amqp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// prepareOut checks a receiver of events and finds where it begins.
func (l *link) prepareOut(a *wire.Attach, h *hub.Hub, partition int) *wire.Error {
	c := l.s.c
	if l.addr.group == "" || partition < 0 {
		return fault(condInvalidField, "A receiver needs an address of the form hub/ConsumerGroups/group/Partitions/0.")
	}
	if !h.HasConsumerGroup(l.addr.group) {
		return c.s.notFound(&l.addr)
	}
	st, refused := parseFilter(a.Source.Filter)
	if refused != nil {
		return refused
	}
	if !l.hold(receiverBytes) {
		return tooMuch()
	}
	o := l.out
	o.hub, o.part = h, h.Partition(partition)
	offsetAt := func(ms int64) (int64, error) { return o.part.OffsetAt(time.UnixMilli(ms)) }
	if o.next, o.minTime, refused = st.resolve(o.part.Bounds().Next, offsetAt); refused != nil {
		return refused
	}
	for _, s := range a.Desired {
		o.runtime = o.runtime || s == "com.microsoft:enable-receiver-runtime-metric"
	}
	o.seat = &reader{seat: seatOf(h.Name(), l.addr.group, partition), link: l}
	name, err := wire.Lookup(a.Properties, "com.microsoft:receiver-name")
	if err != nil {
		return fault(condDecode, "The properties of attach cannot be read: %v", err)
	}
	if text, ok := wire.Text(name); ok {
		o.seat.name = limit.Name(string(text))
	}
	o.seat.epoch, err = epochIn(a.Properties)
	if err != nil {
		return fault(condInvalidField, "The property com.microsoft:epoch cannot be read: %v", err)
	}
	return nil
}

// epochIn is the epoch that the properties of an attach ask for; nil: none.
func epochIn(properties []byte) (*int64, error) {
	v, err := wire.Lookup(properties, "com.microsoft:epoch")
	if v == nil || err != nil {
		return nil, err
	}
	value, _, err := wire.Decode(v)
	if err != nil {
		return nil, err
	}
	epoch := int64(0)
	switch value := value.(type) {
	case nil:
		return nil, nil
	case int64:
		epoch = value
	case int32:
		epoch = int64(value)
	case uint64:
		epoch = int64(value)
	case uint32:
		epoch = int64(value)
	default:
		return nil, fmt.Errorf("%T is no long", value)
	}
	return &epoch, nil
}

func (l *link) attachOut(a *wire.Attach, reply *wire.Attach) error {
	c := l.s.c
	for _, s := range a.Desired {
		if strings.HasPrefix(string(s), "com.microsoft:enable-receiver") {
			reply.Offered = append(reply.Offered, s)
		}
	}
	if l.addr.node != nodeEvents {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.s.sendAttach(reply)
		return nil
	}
	ctx, cancel := context.WithCancel(c.ctx)
	l.out.cancel = cancel
	l.out.wake = make(chan struct{}, 1)
	l.out.watch = eventlog.NewWatch()
	losers, refused := l.admit(reply)
	switch {
	case refused != nil && refused.Condition == condStolen:
		l.detach(c.s.withTail(refused, &l.addr))
		return nil
	case refused != nil:
		cancel()
		l.refuse(reply, refused)
		return nil
	}
	for loser, why := range losers {
		loser.link.detach(c.s.withTail(why, &loser.link.addr))
	}
	c.workers.Go(func() { limit.Guard(c.log, c, func() { l.pump(ctx) }) })
	return nil
}

// admit takes the place of a receiver and sends the attach: under conn.mu, so that who
// takes the place from us at once sends its detach behind our attach.
func (l *link) admit(reply *wire.Attach) (losers map[*reader]*wire.Error, refused *wire.Error) {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	losers, refused = c.s.readers.admit(l.out.seat)
	if refused == nil || refused.Condition == condStolen {
		l.s.sendAttach(reply)
	}
	return losers, refused
}
