package amqp

import (
	wire "spate/wire/amqp"
)

// session is one session. conn.mu guards its fields; only the reader changes
// links and ended, so that it may read them without.
type session struct {
	c       *conn
	channel uint16 // the same in both directions
	links   map[uint32]*link
	ended   bool // frames are ignored until the client's end
	gone    bool // an end was sent, or came: nothing is sent any more

	unanswered int    // deliveries
	then       func() // done, once, when none is unanswered; conn.mu is held then

	nextIncoming uint32 // transfer-id that comes next, counted per frame
	unreported   int    // frames since the last flow
	theirWindow  uint32 // the client's incoming-window when it began; echoed

	nextOutgoing uint32 // transfer-id of our next frame
	window       uint32 // frames the client still takes
	nextDelivery uint32 // dense over all links (A24)
}

func (c *conn) begin(channel uint16, fields []byte) error {
	b, err := wire.DecodeBegin(fields)
	if err != nil {
		return err
	}
	switch {
	case channel > ourChannels:
		return fault(condNotAllowed, "Channel %d is above %d.", channel, ourChannels)
	case c.sessions[channel] != nil:
		return fault(condNotAllowed, "Channel %d was begun already.", channel)
	case !c.shown && len(c.sessions) >= unknownSessions:
		return fault(condLimit, "A connection without a token may have %d sessions.", unknownSessions)
	case !c.hold(sessionBytes):
		return tooMuch()
	}
	s := &session{
		c: c, channel: channel, links: make(map[uint32]*link),
		nextIncoming: b.NextOutgoingID, theirWindow: b.IncomingWindow,
		nextOutgoing: 1, window: b.IncomingWindow,
	}
	c.begun[channel/64] |= 1 << (channel % 64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil {
		c.sessions = make(map[uint16]*session)
	}
	c.sessions[channel] = s
	c.sendLocked(channel, func(dst []byte) []byte {
		return wire.AppendBegin(dst, &wire.Begin{
			Remote: true, RemoteChannel: channel, NextOutgoingID: 1,
			IncomingWindow: ourWindow, OutgoingWindow: b.IncomingWindow, HandleMax: ourHandles,
		})
	})
	return nil
}

// end takes the session off the connection, at the client's end, and answers it if we
// have not ended before.
func (s *session) end() {
	s.release()
	for _, l := range s.links {
		l.forget()
	}
	c := s.c
	c.free(sessionBytes)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.gone {
		c.sendLocked(s.channel, func(dst []byte) []byte { return wire.AppendEnd(dst, nil) })
	}
	s.ended, s.gone = true, true
	delete(c.sessions, s.channel)
	c.space.Broadcast()
}

// release frees what the session's links hold outside the connection.
func (s *session) release() {
	for _, l := range s.links {
		l.release()
	}
}

// fail ends the session with e; frames are ignored until the client's end.
func (s *session) fail(e *wire.Error) error {
	s.release()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.ended = true
	s.then = func() {
		if !s.gone {
			s.c.sendLocked(s.channel, func(dst []byte) []byte { return wire.AppendEnd(dst, e) })
		}
		s.gone = true
	}
	s.runThen()
	s.c.space.Broadcast()
	return nil
}

// runThen does what waited for the answers of the session, if none is due. conn.mu is held.
func (s *session) runThen() {
	if s.then != nil && s.unanswered == 0 {
		s.then()
		s.then = nil
	}
}

// sendFlow sends a flow with the session's fields filled in. c.mu is held.
func (s *session) sendFlow(f wire.Flow) {
	f.HasNextIncoming = true
	f.NextIncomingID = s.nextIncoming
	f.IncomingWindow = ourWindow
	f.NextOutgoingID = s.nextOutgoing
	f.OutgoingWindow = s.theirWindow
	s.unreported = 0
	s.c.sendLocked(s.channel, func(dst []byte) []byte { return wire.AppendFlow(dst, &f) })
}

func (s *session) flow(fields []byte) error {
	f, err := wire.DecodeFlow(fields)
	if err != nil {
		return err
	}
	s.moveWindow(&f)
	if !f.Link {
		return nil
	}
	l := s.links[f.Handle]
	if l == nil {
		return s.fail(fault(condUnattached, "Handle %d is not attached.", f.Handle))
	}
	l.flow(&f)
	return nil
}

// moveWindow takes the client's word on how many frames it takes.
func (s *session) moveWindow(f *wire.Flow) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	next := uint32(1)
	if f.HasNextIncoming {
		next = f.NextIncomingID
	}
	s.window = next + f.IncomingWindow - s.nextOutgoing
	if int32(s.window) < 0 && f.IncomingWindow < 1<<31 { // it counts fewer than we sent
		s.window = 0
	}
	s.c.space.Broadcast()
	if !f.Link && f.Echo {
		s.sendFlow(wire.Flow{})
	}
}

// transfer takes one frame of a delivery.
func (s *session) transfer(fields, payload []byte) error {
	t, err := wire.DecodeTransfer(fields)
	if err != nil {
		return err
	}
	l := s.links[t.Handle]
	ignored := s.countFrame(l)
	switch {
	case l == nil:
		return s.fail(fault(condUnattached, "Handle %d is not attached.", t.Handle))
	case ignored:
		return nil
	case l.in == nil:
		return fault(condNotAllowed, "A transfer came on a link that receives.")
	}
	return l.transfer(&t, payload)
}

// countFrame counts a frame of a delivery, and reports whether l takes no more.
func (s *session) countFrame(l *link) (ignored bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.nextIncoming++
	// A10, A11: the window is announced again in good time and never enforced.
	if s.unreported++; s.unreported >= ourWindow/2 {
		s.sendFlow(wire.Flow{})
	}
	return l != nil && (l.detached || l.then != nil)
}

// disposition answers unsettled dispositions of receivers and ignores the rest:
// nothing is kept about what was sent.
func (s *session) disposition(fields []byte) error {
	d, err := wire.DecodeDisposition(fields)
	if err != nil {
		return err
	}
	if d.Receiver && !d.Settled {
		d.Receiver, d.Settled = false, true
		s.c.send(s.channel, func(dst []byte) []byte { return wire.AppendDisposition(dst, &d) })
	}
	return nil
}

func (s *session) detach(fields []byte) error {
	d, err := wire.DecodeDetach(fields)
	if err != nil {
		return err
	}
	l := s.links[d.Handle]
	if l == nil {
		return s.fail(fault(condUnattached, "Handle %d is not attached.", d.Handle))
	}
	l.forget()
	l.release()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	delete(s.links, d.Handle)
	answered := l.detached // A29
	l.detached = true
	if !answered {
		l.then = func() {
			if s.gone {
				return
			}
			s.c.sendLocked(s.channel, func(dst []byte) []byte {
				return wire.AppendDetach(dst, &wire.Detach{Handle: d.Handle, Closed: true}) // A9
			})
		}
		l.runThen()
	}
	s.c.space.Broadcast()
	return nil
}
