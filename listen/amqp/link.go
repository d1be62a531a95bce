package amqp

import (
	"strconv"
	"sync"

	"spate/access"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// link is one attached link; in or out is set.
type link struct {
	s       *session
	handle  uint32 // the same in both directions
	name    string
	addr    address
	right   access.Rights
	byGrant bool // a token or key allows it; the link ends with it

	in  *incoming
	out *outgoing

	held int // bytes that hold counts for the link; the reader's own
	once sync.Once

	// conn.mu guards:
	detached   bool   // by us or by the client
	unanswered int    // deliveries
	then       func() // done, once, when none is unanswered; conn.mu is held then
}

const (
	eventCredit = 1000
	nodeCredit  = 100
)

// unlimited is what a node says about the size of messages.
const unlimited = 1<<64 - 1

func (s *session) attach(fields []byte) error {
	a, err := wire.DecodeAttach(fields)
	if err != nil {
		return err
	}
	c := s.c
	if a.Handle > ourHandles {
		return fault(condFraming, "Handle %d is above %d.", a.Handle, ourHandles)
	}
	if old := s.links[a.Handle]; old != nil {
		if !old.isDetached() {
			return s.fail(fault(condHandleInUse, "Handle %d is in use by link %s.", a.Handle, limit.Name(old.name)))
		}
		old.forget()
	}
	l := &link{s: s, handle: a.Handle, name: a.Name}
	terminus := a.Target
	if a.Receiver {
		terminus = a.Source
	}
	if !c.shown && c.links >= unknownLinks {
		return fault(condLimit, "A connection without a token may have %d links.", unknownLinks)
	}
	c.links++
	if !l.hold(linkSize(&a)) {
		c.links--
		return s.fail(tooMuch())
	}
	reply := &wire.Attach{
		Name: a.Name, Handle: a.Handle, Receiver: !a.Receiver,
		SndSettle: a.SndSettle, RcvSettle: a.RcvSettle, // A6
		Properties: a.Properties,
	}
	refused := l.prepare(&a, terminus, reply)
	s.take(l)
	if refused != nil {
		l.countRefused(refused)
		l.refuse(reply, refused)
		return nil
	}
	reply.Source, reply.Target = rebuilt(a.Source), rebuilt(a.Target)
	if a.Receiver {
		return l.attachOut(&a, reply)
	}
	return l.attachIn(reply)
}

// countRefused counts an attach that is refused, as a request about its hub if there is one.
func (l *link) countRefused(e *wire.Error) {
	entity := entityNone
	if h, ok := l.s.c.s.o.Namespace.Hub(l.addr.hub); ok {
		entity = h.Name()
	}
	of := l.s.c.s.count.of(entity)
	of.count(e)
}

// linkSize is what a link counts for.
func linkSize(a *wire.Attach) int {
	n := linkBytes + len(a.Name)
	for _, t := range []*wire.Terminus{a.Source, a.Target} {
		if t != nil {
			n += len(t.Address)
		}
	}
	return n
}

func (s *session) take(l *link) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.links[l.handle] = l
}

func (l *link) isDetached() bool {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	return l.detached
}

// hold counts n bytes more for the link until forget.
func (l *link) hold(n int) bool {
	if !l.s.c.hold(n) {
		return false
	}
	l.held += n
	return true
}

// free counts n bytes less.
func (l *link) free(n int) {
	l.held -= n
	l.s.c.free(n)
}

// forget frees what the link holds inside its connection, when it goes.
func (l *link) forget() {
	l.free(l.held)
	l.s.c.links--
	if l.in != nil {
		l.in.buf = nil
	}
}

// rebuilt is a terminus with the fields that are echoed; never nil (A3).
func rebuilt(t *wire.Terminus) *wire.Terminus {
	if t == nil {
		return new(wire.Terminus)
	}
	return &wire.Terminus{HasAddress: t.HasAddress, Address: t.Address, Durable: t.Durable, Expiry: t.Expiry, Timeout: t.Timeout, Filter: t.Filter}
}

// prepare resolves and authorises what the link is for.
func (l *link) prepare(a *wire.Attach, t *wire.Terminus, reply *wire.Attach) *wire.Error {
	c := l.s.c
	switch {
	case a.Coordinator:
		return fault(condNotBuilt, "Transactions are not supported.")
	case t == nil || !t.HasAddress && !t.Dynamic:
		return fault(condInvalidField, "The link has no address.")
	case t.Dynamic:
		return fault(condNotBuilt, "Dynamic addresses are not supported.")
	}
	l.addr = parseAddress(t.Address)
	if a.Receiver {
		// A receiver that leaves the choice to us and settles first is sent
		// settled deliveries: the Go SDK asks for this, sends no dispositions,
		// and gets its credit back only for what came settled.
		l.out = &outgoing{settled: a.SndSettle == wire.SndSettled || a.SndSettle == wire.SndMixed && a.RcvSettle == 0}
		if a.Target != nil {
			l.out.target = a.Target.Address
		}
		l.right = access.Listen
	} else {
		l.in = new(incoming)
		l.right = access.Send
		reply.MaxMessage = uint64(c.s.o.MaxMessageBytes)
	}
	if l.addr.node != nodeEvents {
		reply.MaxMessage = unlimited
		return nil
	}
	var refused *wire.Error
	if l.byGrant, refused = c.authorize(l.addr.path, l.right); refused != nil {
		return refused
	}
	h, ok := c.s.o.Namespace.Hub(l.addr.hub)
	if !ok {
		return c.s.notFound(&address{hub: l.addr.hub})
	}
	partition := -1
	if p := l.addr.partition; p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n >= h.Partitions() || strconv.Itoa(n) != p {
			return badPartition(h.Partitions())
		}
		partition = n
	}
	if a.Receiver {
		return l.prepareOut(a, h, partition)
	}
	for _, s := range a.Desired {
		if s == "com.microsoft:idempotent-producer" {
			return fault(condNotBuilt, "Idempotent publishing over AMQP is not supported yet.")
		}
	}
	if l.addr.group != "" {
		return c.s.notFound(&l.addr)
	}
	l.in.hub, l.in.partition = h, partition
	l.in.publisher = l.addr.publisher
	l.in.count = c.s.count.of(h.Name())
	return nil
}

// refuse answers an attach with a detach right behind it (A8): both termini
// null, which every SDK takes for a refusal, but for a stolen link, which one
// of them knows only as the detach of a link that was attached.
func (l *link) refuse(reply *wire.Attach, e *wire.Error) {
	e = l.s.c.s.withTail(e, &l.addr)
	l.s.c.log.Info("refused link", "link", limit.Name(l.name), "hub", limit.Name(l.addr.hub), "partition", limit.Name(l.addr.partition), "condition", string(e.Condition), "err", e.Description)
	reply.Source, reply.Target = nil, nil
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	l.detached = true
	l.s.sendAttach(reply)
	l.sendDetach(e)
}

// sendAttach sends an attach. conn.mu is held.
func (s *session) sendAttach(a *wire.Attach) {
	s.c.sendLocked(s.channel, func(dst []byte) []byte { return wire.AppendAttach(dst, a) })
}

// sendDetach sends a closing detach. conn.mu is held.
func (l *link) sendDetach(e *wire.Error) {
	l.s.c.sendLocked(l.s.channel, func(dst []byte) []byte {
		return wire.AppendDetach(dst, &wire.Detach{Handle: l.handle, Closed: true, Error: e})
	})
}

// detach ends the link with e, once.
func (l *link) detach(e *wire.Error) {
	defer l.release()
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	l.detachLocked(e)
}

// detachLocked is detach for a link that holds nothing outside its connection. conn.mu is
// held.
func (l *link) detachLocked(e *wire.Error) {
	c := l.s.c
	if !l.detached && !l.s.ended {
		l.sendDetach(e)
		c.log.Info("detached link", "link", limit.Name(l.name), "hub", limit.Name(l.addr.hub), "partition", limit.Name(l.addr.partition), "condition", string(e.Condition), "err", e.Description)
	}
	l.detached = true
	c.space.Broadcast()
}

// detachBehind is detach after the answers that wait now (A30). Until then the link takes
// nothing more.
func (l *link) detachBehind(e *wire.Error) {
	if l.in == nil {
		l.detach(e)
		return
	}
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	if !l.detached && l.then == nil {
		l.then = func() { l.detachLocked(e) }
		l.runThen()
	}
}

// runThen does what waited for the answers of the link, if none is due. conn.mu is held.
func (l *link) runThen() {
	if l.then != nil && l.unanswered == 0 {
		l.then()
		l.then = nil
	}
}

// release frees what the link holds outside its connection. It may be called
// again.
func (l *link) release() {
	l.once.Do(func() {
		if l.out != nil {
			if l.out.cancel != nil {
				l.out.cancel()
			}
			if l.out.seat != nil {
				l.s.c.s.readers.leave(l.out.seat)
			}
		}
	})
}

func (l *link) attachIn(reply *wire.Attach) error {
	c := l.s.c
	credit := uint32(eventCredit)
	if l.addr.node != nodeEvents {
		credit = nodeCredit
	}
	l.in.credit = credit
	c.mu.Lock()
	defer c.mu.Unlock()
	l.in.limit = credit
	l.s.sendAttach(reply)
	l.s.sendFlow(wire.Flow{Link: true, Handle: l.handle, Credit: credit}) // A7: behind the attach
	return nil
}

// flow takes the client's word on credit.
func (l *link) flow(f *wire.Flow) {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.detached {
		return
	}
	if l.in != nil { // A25: a sender's own idea of its credit means nothing
		if f.Echo {
			l.sendCredit()
		}
		return
	}
	o := l.out
	if f.HasCredit {
		// A12, in serial-number arithmetic.
		credit := int32(f.Count + f.Credit - o.delivered)
		o.credit = uint32(max(credit, 0))
	}
	o.drain = f.Drain
	c.space.Broadcast()
	if l.addr.node != nodeEvents {
		l.sendQueued()
		if o.drain {
			l.finishDrain()
		}
	} else if o.drain {
		if o.credit == 0 {
			l.finishDrain()
		} else {
			select {
			case o.wake <- struct{}{}:
			default:
			}
		}
	}
	if f.Echo {
		l.s.sendFlow(wire.Flow{Link: true, Handle: l.handle, Count: o.delivered, Credit: o.credit, Drain: o.drain})
	}
}

// finishDrain uses up what credit is left and says so. conn.mu is held.
func (l *link) finishDrain() {
	o := l.out
	o.delivered += o.credit
	o.credit, o.drain = 0, false
	l.s.sendFlow(wire.Flow{Link: true, Handle: l.handle, Count: o.delivered, Drain: true, HasAvailable: true})
}
