package amqp

import "spate/hub"

// slots are what receivers of a connection hold events in: a few, since each holds much
// and all of them feed one socket. conn.mu guards its fields.
type slots struct {
	inUse  int
	wanted int     // receivers that wait for one
	idle   []*slot // with their memory
}

// slot is one.
type slot struct {
	chunk hub.Chunk
	enc   encoder
	lent  bool // its memory was taken from Answers
}

// size is how much may be read into the slot.
func (s *slot) size() int {
	if s.lent {
		return readBytes
	}
	return fewBytes
}

// takeSlot waits for a slot; nil: the link is gone.
func (l *link) takeSlot() *slot {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inUse == maxSlots {
		c.wanted++
		c.space.Broadcast() // whoever holds one and has no credit
		for l.alive() && c.inUse == maxSlots {
			c.space.Wait()
		}
		c.wanted--
	}
	if !l.alive() {
		return nil
	}
	c.inUse++
	if n := len(c.idle); n > 0 {
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return s
	}
	return &slot{lent: c.s.o.Answers.TryTake(slotBytes)}
}

// giveSlot takes a slot back.
func (c *conn) giveSlot(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inUse--
	c.space.Broadcast()
	if !s.lent {
		return
	}
	if cap(s.chunk.Data)+cap(s.enc.buf) > 2*readBytes { // an event of unusual size
		s.chunk, s.enc = hub.Chunk{}, encoder{}
	}
	c.idle = append(c.idle, s)
	c.bulky.Store(true)
}

// dropSlots gives up the memory of slots that are not in use. c.mu is held.
func (c *conn) dropSlots() {
	c.s.o.Answers.Give(int64(len(c.idle)) * slotBytes)
	c.idle = nil
}
