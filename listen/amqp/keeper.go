package amqp

import (
	"time"

	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// keep looks after all connections once a second until none is left: heartbeats, and the
// ends of tokens.
func (s *Server) keep(stop <-chan struct{}) {
	tick := time.NewTicker(min(time.Second, s.o.IdleTimeout/4))
	defer tick.Stop()
	var conns []*conn
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			conns = s.open(conns[:0])
			short := s.short()
			for _, c := range conns {
				limit.Guard(c.log, c, func() { c.tend(now, short) })
			}
			clear(conns)
		}
	}
}

// open appends the connections that there are to dst.
func (s *Server) open(dst []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		dst = append(dst, c)
	}
	return dst
}

// short reports that others want what slow readers hold of Answers.
func (s *Server) short() bool {
	if s.slots.waiting.Load() > 0 || !s.o.Answers.TryTake(slotBytes) {
		return true
	}
	s.o.Answers.Give(slotBytes)
	return false
}

// tend sends a heartbeat when it is due, ends what expired tokens covered, and does not
// wait long for a client that does not read while memory is short.
func (c *conn) tend(now time.Time, short bool) {
	for _, l := range c.beat(now, short) {
		l.detachBehind(c.s.withTail(fault(condUnauthorized, "ExpiredToken: The token is expired."), &l.addr))
	}
}

func (c *conn) beat(now time.Time, short bool) (lost []*link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peerIdle > 0 && len(c.out) == 0 && !c.writing && now.Sub(c.lastWrite) >= min(c.peerIdle/2, time.Minute)-tickSlack(c.peerIdle) {
		c.out = wire.AppendHeartbeat(c.out)
		c.lastWrite = now
		c.wake()
	}
	if short && c.flying > 0 && now.Sub(c.since) > c.s.o.WriteTimeout/6 {
		c.raw.SetWriteDeadline(now)
	}
	if len(c.grants) == 0 {
		return nil
	}
	return c.expired(c.s.o.Clock())
}

// tickSlack makes up for the keeper looking only once a second.
func tickSlack(idle time.Duration) time.Duration { return min(time.Second, idle/4) }
