package amqp

import (
	"errors"
	"os"
	"time"

	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// output is what waits to be written. conn.mu guards its fields.
type output struct {
	out       []byte
	spare     []byte    // the buffer before out, to be used again
	flying    int       // bytes that the writer writes now
	since     time.Time // when it began to
	writing   bool      // the writer runs
	lent      int64     // bytes taken from Answers for out
	lastWrite time.Time
	dead      bool // nothing can be written any more
}

// wake starts the writer if there is something to write and it does not run. c.mu is held.
func (c *conn) wake() {
	if c.writing || c.dead || len(c.out) == 0 {
		return
	}
	c.writing = true
	go limit.Guard(c.log, c, c.write)
}

// write writes until nothing waits.
func (c *conn) write() {
	for b := c.takeOut(); b != nil; b = c.takeOut() {
		_, err := c.raw.Write(b)
		c.wrote(b, err)
	}
}

// takeOut returns what is to be written; nil ends the writer.
func (c *conn) takeOut() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || len(c.out) == 0 {
		c.writing = false
		c.repay()
		c.space.Broadcast()
		return nil
	}
	b := c.out
	c.out, c.spare = c.spare[:0], nil
	c.flying, c.since = len(b), time.Now()
	c.raw.SetWriteDeadline(c.since.Add(c.s.o.WriteTimeout))
	return b
}

// wrote notes that b was written.
func (c *conn) wrote(b []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flying = 0
	c.lastWrite = time.Now()
	if cap(b) <= 2*softOut {
		c.spare = b
		c.bulky.Store(cap(b) > smallBuffer)
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.log.Warn("dropped a client that takes nothing", "err", err)
		} else {
			c.log.Debug("connection lost while writing", "err", err) // A31: clients close and go
		}
		c.dead = true
		c.cancel()
		c.raw.Close() // the reader may wait for a client that is there and does not read
	}
	c.space.Broadcast()
}

// room is how many of the n bytes of a frame a pump may add to out; 0: none now. A
// connection has a little room of its own; what it needs beyond that, because its client
// reads slowly, comes out of what all connections share. c.mu is held.
func (c *conn) room(n int) int {
	waiting := len(c.out) + c.flying
	switch {
	case waiting > 0 && waiting+n > softOut:
		return 0
	case waiting+n <= ownOut+int(c.lent):
		return n
	case c.s.o.Answers.TryTake(outStep):
		c.lent += outStep
		return n
	case waiting == 0:
		return min(n, ownOut)
	}
	return 0
}

// repay gives back what was taken for out. c.mu is held.
func (c *conn) repay() {
	if c.lent > 0 {
		c.s.o.Answers.Give(c.lent)
		c.lent = 0
	}
}

// raws sends bytes that are no frame.
func (c *conn) raws(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, b...)
	c.wake()
}

// send appends one performative frame and wakes the writer.
func (c *conn) send(channel uint16, f func(dst []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(channel, f)
}

func (c *conn) sendLocked(channel uint16, f func(dst []byte) []byte) {
	if c.dead {
		return
	}
	out, at := wire.OpenFrame(c.out, wire.FrameAMQP, channel)
	c.out = wire.CloseFrame(f(out), at)
	c.wake()
}

// waitForReader waits while a client has asked for much and not read it. It returns
// false when nothing can be written any more.
func (c *conn) waitForReader() bool {
	limit := unknownOut
	if c.shown {
		limit = knownOut
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > limit && !c.dead {
		c.space.Wait()
	}
	return !c.dead
}

// finish waits until everything is written.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake()
	for c.writing && !c.dead {
		c.space.Wait()
	}
	c.repay()
}
