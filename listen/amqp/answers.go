package amqp

import (
	"cmp"
	"time"

	"spate/hub"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

const answerWithin = 30 * time.Second // A26

// pending is a delivery that waits for its answer.
type pending struct {
	link    *link
	id      uint32
	ended   <-chan struct{} // closed when the append has ended; nil: nothing is waited for
	err     func() error    // how it ended
	refused *wire.Error
	failed  *wire.Error // of a request to a node: how it ended, where that is said by an answer
	settled bool        // the client wants no answer
	since   time.Time
}

// done reports whether the append has ended.
func (p *pending) done() bool {
	if p.ended == nil {
		return true
	}
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// expect answers p when its append has ended. Each partition has a queue of its own, so
// that one that is slow holds back no other. It waits while very many deliveries wait.
func (c *conn) expect(p pending, part *hub.Partition) {
	c.mu.Lock()
	for c.unanswered >= maxPending && !c.dead {
		c.space.Wait()
	}
	c.unanswered++
	p.link.unanswered++
	p.link.s.unanswered++
	now := p.done() && len(c.queues[part]) == 0
	if !now {
		c.queue(p, part)
	}
	c.mu.Unlock()
	if now {
		c.conclude(&p)
		c.settle([]pending{p})
	}
}

// queue puts p behind what waits for the partition and starts the answerer if none runs.
// c.mu is held.
func (c *conn) queue(p pending, part *hub.Partition) {
	if c.queues == nil {
		c.queues = make(map[*hub.Partition][]pending)
	}
	waiting, runs := c.queues[part]
	c.queues[part] = append(waiting, p)
	if !runs {
		c.workers.Go(func() { limit.Guard(c.log, c, func() { c.answer(part) }) })
	}
}

// answer answers what waits for a partition, in order of arrival, until nothing does.
func (c *conn) answer(part *hub.Partition) {
	for {
		items := c.takeQueue(part)
		if items == nil {
			return
		}
		from := 0
		for i := range items {
			if !items[i].done() {
				c.settle(items[from:i])
				from = i
			}
			c.conclude(&items[i])
		}
		c.settle(items[from:])
	}
}

// takeQueue returns what waits for a partition; nil ends the answerer.
func (c *conn) takeQueue(part *hub.Partition) []pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := c.queues[part]
	if len(items) == 0 {
		delete(c.queues, part)
		return nil
	}
	c.queues[part] = nil
	return items
}

// conclude waits for the append and notes how it ended.
func (c *conn) conclude(p *pending) {
	if !p.done() {
		timer := time.NewTimer(answerWithin - time.Since(p.since))
		defer timer.Stop()
		select {
		case <-p.ended:
		case <-timer.C:
			p.refused = c.s.withTail(fault(condTimeout, "The message could not be stored in time."), &p.link.addr)
		case <-c.killed:
		}
	}
	l := p.link
	if p.err != nil && p.done() {
		if err := p.err(); err != nil {
			p.refused = c.s.withTail(ofHub(err), &l.addr)
			c.log.Warn("append refused", "hub", limit.Name(l.addr.hub), "condition", string(p.refused.Condition), "err", err)
		}
	}
	if l.addr.node == nodeEvents {
		l.in.count.count(p.refused)
	} else {
		c.s.count.node.count(cmp.Or(p.refused, p.failed))
	}
	if p.settled && p.refused != nil {
		c.log.Warn("lost a settled delivery", "hub", limit.Name(l.addr.hub), "err", limit.Name(p.refused.Description))
	}
}

// settle sends the dispositions of deliveries whose appends have ended, one for those in
// a row that were accepted.
func (c *conn) settle(items []pending) {
	if len(items) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var accepted run
	for i := range items {
		p := &items[i]
		s := p.link.s
		switch {
		case p.settled:
		case p.refused != nil:
			c.dispose(&accepted, nil)
			c.dispose(&run{s, p.id, p.id}, p.refused)
		case accepted.s == s && p.id == accepted.last+1:
			accepted.last = p.id
		default:
			c.dispose(&accepted, nil)
			accepted = run{s, p.id, p.id}
		}
		c.unanswered--
		p.link.unanswered--
		s.unanswered--
		p.link.in.answered++
		p.link.sendCreditWhenDue()
		if p.link.then != nil && p.link.unanswered == 0 || s.then != nil && s.unanswered == 0 {
			c.dispose(&accepted, nil) // A30
			p.link.runThen()
			s.runThen()
		}
	}
	c.dispose(&accepted, nil)
	c.space.Broadcast()
}

// run is a range of deliveries with the same answer; s is nil if it is empty.
type run struct {
	s           *session
	first, last uint32
}

// dispose settles a range and empties it: accepted, or rejected with e. Nothing else is
// ever sent (A22). c.mu is held.
func (c *conn) dispose(r *run, e *wire.Error) {
	s := r.s
	r.s = nil
	if s == nil || s.gone {
		return
	}
	var state [64]byte
	b := wire.AppendAccepted(state[:0])
	if e != nil {
		b = wire.AppendRejected(state[:0], e)
	}
	c.sendLocked(s.channel, func(dst []byte) []byte {
		return wire.AppendDisposition(dst, &wire.Disposition{Receiver: true, First: r.first, Last: r.last, Settled: true, State: b})
	})
}
