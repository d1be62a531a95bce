package amqp

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"spate/hub"
	"spate/listen/limit"
)

// slot is what a receiver holds events in between the log and its connection. Slots in
// use count for Answers; a connection uses a few at a time, since all of its receivers
// feed one socket.
type slot struct {
	chunk    hub.Chunk
	enc      encoder
	unpacked bool // it counts for slots.unpacking
}

// slots are those of a server.
type slots struct {
	waiting   atomic.Int32  // receivers that wait because others hold all
	unpacking *limit.Memory // slots with compressed batches: of few bytes come up to 64 MiB

	mu   sync.Mutex // guards the fields below; no lock is taken behind it
	used map[*slot]*conn
	idle []*slot // with their memory
}

// pop returns a slot that c uses until push.
func (s *slots) pop(c *conn) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := new(slot)
	if n := len(s.idle) - 1; n >= 0 {
		sl, s.idle = s.idle[n], s.idle[:n]
	}
	if s.used == nil {
		s.used = make(map[*slot]*conn)
	}
	s.used[sl] = c
	return sl
}

func (s *slots) push(sl *slot) {
	if sl.unpacked {
		sl.unpacked = false
		s.unpacking.Give(1)
	}
	sl.chunk.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, sl)
	if len(s.idle) < idleSlots && cap(sl.chunk.Data)+cap(sl.enc.buf) <= slotBytes {
		s.idle = append(s.idle, sl)
	}
}

// clear gives up the memory of slots that are not used.
func (s *slots) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = nil
}

// users are the connections that use slots.
func (s *slots) users() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.used))
}

// takeSlot waits for a slot; nil: the link is gone.
func (l *link) takeSlot(ctx context.Context) *slot {
	s := l.s.c.s
	if !l.takePlace() {
		return nil
	}
	if !s.slots.take(ctx, s.o.Answers, slotBytes) {
		l.s.c.givePlace()
		return nil
	}
	return s.slots.pop(l.s.c)
}

// take waits for n of m; false: ctx has ended.
func (s *slots) take(ctx context.Context, m *limit.Memory, n int64) bool {
	if m.TryTake(n) {
		return true
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for _, c := range s.users() {
		c.nudge() // those that do not get on give up theirs
	}
	return m.Take(ctx, n) == nil
}

// unpack waits until the slot may hold what comes out of compressed batches.
func (s *slots) unpack(ctx context.Context, sl *slot) bool {
	sl.unpacked = sl.unpacked || s.take(ctx, s.unpacking, 1)
	return sl.unpacked
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

// nudge has whoever waits look again.
func (c *conn) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.space.Broadcast()
}

// yields reports whether a receiver that does not get on must give its slot to another.
// c.mu is held.
func (c *conn) yields() bool { return c.wanted > 0 || c.s.slots.waiting.Load() > 0 }
