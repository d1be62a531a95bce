package amqp

import (
	"context"
	"sync"
	"sync/atomic"

	"spate/hub"
)

// slot is what a receiver holds events in between the log and its connection. Slots in
// use count for Answers; a connection uses a few at a time, since all of its receivers
// feed one socket.
type slot struct {
	chunk hub.Chunk
	enc   encoder
}

// slots are those of a server.
type slots struct {
	waiting atomic.Int32 // receivers that wait for one because others hold all

	mu   sync.Mutex // guards the field below
	idle []*slot    // with their memory
}

func (s *slots) pop() *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle) - 1
	if n < 0 {
		return new(slot)
	}
	sl := s.idle[n]
	s.idle = s.idle[:n]
	return sl
}

func (s *slots) push(sl *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < idleSlots && cap(sl.chunk.Data)+cap(sl.enc.buf) <= slotBytes {
		s.idle = append(s.idle, sl)
	}
}

// takeSlot waits for a slot; nil: the link is gone.
func (l *link) takeSlot(ctx context.Context) *slot {
	s := l.s.c.s
	if !l.takePlace() {
		return nil
	}
	if !s.o.Answers.TryTake(slotBytes) {
		s.slots.waiting.Add(1)
		err := s.o.Answers.Take(ctx, slotBytes)
		s.slots.waiting.Add(-1)
		if err != nil {
			l.s.c.givePlace()
			return nil
		}
	}
	return s.slots.pop()
}

// giveSlot takes a slot back.
func (c *conn) giveSlot(sl *slot) {
	c.s.slots.push(sl)
	c.s.o.Answers.Give(slotBytes)
	c.givePlace()
}

// takePlace waits until the connection uses few slots; false: the link is gone.
func (l *link) takePlace() bool {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.places == maxSlots {
		c.wanted++
		c.space.Broadcast() // whoever holds one and does not get on
		for l.alive() && c.places == maxSlots {
			c.space.Wait()
		}
		c.wanted--
	}
	if !l.alive() {
		return false
	}
	c.places++
	return true
}

func (c *conn) givePlace() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places--
	c.space.Broadcast()
}

// yields reports whether a receiver that does not get on must give its slot to another.
// c.mu is held.
func (c *conn) yields() bool { return c.wanted > 0 || c.s.slots.waiting.Load() > 0 }
