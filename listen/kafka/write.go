package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// write answers the requests of the queue in order.
func (c *conn) write() {
	defer c.Close()
	for {
		p := c.queue.pop(false)
		if p == nil {
			if c.flush() != nil {
				return
			}
			if p = c.queue.pop(true); p == nil {
				return
			}
		}
		closing := p.closing
		err := c.answer(p)
		if err == nil && closing {
			err = c.flush()
		}
		if err != nil || closing {
			return
		}
	}
}

// answer responds to p and gives back what it held.
func (c *conn) answer(p *pending) error {
	defer func() {
		c.s.o.Answers.Give(p.lent)
		c.queue.done(p)
		c.letGo()
	}()
	return c.respond(p)
}

// flush writes what is gathered.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.send(c.out)
	if c.out = c.out[:0]; cap(c.out) > smallBytes {
		c.out = nil
	}
	return err
}

// send writes b. A client that does not take the next MiB within the write timeout is
// dropped; earlier if others wait for the memory.
func (c *conn) send(b []byte) error {
	wait := c.s.o.WriteTimeout
	if c.s.o.TLS == nil { // whose connections end with the first deadline
		wait = min(wait, memoryWait)
	}
	for len(b) > 0 {
		step := b[:min(len(b), stepBytes)]
		b = b[len(step):]
		for begun := time.Now(); len(step) > 0; {
			c.nc.SetWriteDeadline(time.Now().Add(wait))
			n, err := c.nc.Write(step)
			step = step[n:]
			if err == nil {
				break
			}
			late := errors.Is(err, os.ErrDeadlineExceeded)
			took := time.Since(begun)
			if late && c.s.o.TLS == nil && took < c.s.o.WriteTimeout && c.s.o.Answers.TryTake(0) {
				continue
			}
			if late {
				c.log.Warn("connection closed: answers are not read", "bytes", len(step)+len(b), "after", took.Round(time.Millisecond))
			}
			return fmt.Errorf("write answers: %w", err)
		}
	}
	return nil
}

// emit adds b to what is gathered, or writes it at once if it is large.
func (c *conn) emit(b []byte) error {
	if len(b) > directBytes {
		if err := c.flush(); err != nil {
			return err
		}
		return c.send(b)
	}
	c.out = append(c.out, b...)
	if len(c.out) < flushBytes {
		return nil
	}
	return c.flush()
}

// respond writes p's answer, waiting for what it depends on.
func (c *conn) respond(p *pending) error {
	switch {
	case p.produce.active:
		if err := p.produce.wait(c); err != nil {
			return err
		}
		c.countProduce(&p.produce)
		if p.produce.acks == 0 {
			return nil
		}
		at := len(c.out)
		c.out = append(c.out, 0, 0, 0, 0)
		c.out = p.produce.appendTo(p.appendHead(c.out))
		binary.BigEndian.PutUint32(c.out[at:], uint32(len(c.out)-at-4))
		return c.emit(nil)
	case p.fetch != nil:
		if err := c.waitFetch(p); err != nil {
			return err
		}
		return c.sendFetch(p)
	case p.ready:
		if p.counted {
			c.s.requestsOfNone.count(p.code)
		}
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(p.frame)))
		return c.emit(p.frame)
	}
	return nil
}

// appendHead appends the header of p's answer.
func (p *pending) appendHead(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.correlation))
	if p.flexible {
		b = append(b, 0)
	}
	return b
}
