package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"spate/hub"
	wire "spate/wire/amqp"
)

// input is what the reader alone uses.
type input struct {
	buf      []byte
	at, end  int
	full     bool      // the last read filled buf
	lastRead time.Time // or when the connection began
	armed    time.Time // the read deadline
	rested   bool      // large buffers went since lastRead

	// Scratch of deliveries, used by one at a time.
	events  []hub.Event
	scratch []byte
	spare   []byte // the buffer of the last delivery of several frames
}

// header reads the eight bytes that open a protocol.
func (c *conn) header() (string, error) {
	for c.in.end-c.in.at < 8 {
		if err := c.fill(8); err != nil {
			return "", err
		}
	}
	h := string(c.in.buf[c.in.at : c.in.at+8])
	c.in.at += 8
	return h, nil
}

// frame returns the next frame; it is good until the next call.
func (c *conn) frame() (wire.Frame, error) {
	limit := uint32(ourMaxFrame)
	if !c.opened {
		limit = openFrame
	}
	for {
		have := c.in.buf[c.in.at:c.in.end]
		f, n, err := wire.ParseFrame(have, limit)
		if err != nil {
			return f, fault(condFraming, "%v", err)
		}
		if n > 0 {
			c.in.at += n
			return f, nil
		}
		need := 8
		if len(have) >= need {
			need = int(binary.BigEndian.Uint32(have))
		}
		if err := c.fill(need); err != nil {
			return f, err
		}
	}
}

// fill reads more bytes behind those that are there, of which need are wanted.
func (c *conn) fill(need int) error {
	in := &c.in
	in.makeRoom(need)
	for {
		c.arm(time.Now())
		n, err := c.raw.Read(in.buf[in.end:])
		if n > 0 {
			in.full = n == len(in.buf)-in.end
			in.end += n
			in.lastRead, in.rested = time.Now(), false
			return nil
		}
		switch {
		case err == nil:
			return io.ErrNoProgress
		case !errors.Is(err, os.ErrDeadlineExceeded) || c.forced.Load():
			return err
		}
		in.armed = time.Time{}
		if err := c.overdue(time.Now()); err != nil {
			return err
		}
		c.rest()
	}
}

// makeRoom makes the buffer fit for need bytes from at on, and larger for a client that
// fills it.
func (in *input) makeRoom(need int) {
	if in.at == in.end {
		in.at, in.end = 0, 0
	}
	size := max(len(in.buf), smallBuffer)
	if need > size || in.full {
		size = largeBuffer
	}
	switch {
	case size > len(in.buf):
		buf := make([]byte, size)
		in.end = copy(buf, in.buf[in.at:in.end])
		in.buf, in.at = buf, 0
	case in.at > 0 && (len(in.buf)-in.at < need || len(in.buf)-in.end < size/4):
		in.end = copy(in.buf, in.buf[in.at:in.end])
		in.at = 0
	}
}

// arm sets the time at which a read that brings nothing ends. It lets a deadline stand
// that comes somewhat early, since a client that sends much is read often.
func (c *conn) arm(now time.Time) {
	in := &c.in
	at := in.lastRead.Add(c.s.o.IdleTimeout)
	if rest := in.lastRead.Add(c.s.o.rest); !in.rested && rest.Before(at) && (len(in.buf) > smallBuffer || c.bulky.Load()) {
		at = rest
	}
	if key := c.began.Add(c.s.o.KeyTimeout); !c.known() && key.Before(at) {
		at = key
	}
	if !in.armed.After(at) && at.Sub(in.armed) < at.Sub(now)/4 {
		return
	}
	in.armed = at
	c.raw.SetReadDeadline(at)
	if c.forced.Load() { // Shutdown came in between
		c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// known reports that the connection is open and its client may be trusted with more
// than a stranger.
func (c *conn) known() bool { return c.opened && c.shown }

// overdue says why the connection must end if it has brought nothing until now.
func (c *conn) overdue(now time.Time) error {
	switch o := &c.s.o; {
	case now.Sub(c.in.lastRead) >= o.IdleTimeout:
		if !c.opened {
			return fmt.Errorf("silent for %s", o.IdleTimeout)
		}
		return fault(condLimit, "The connection was idle for more than %s.%s", o.IdleTimeout, c.s.tail(nil))
	case c.known() || now.Sub(c.began) < o.KeyTimeout:
		return nil
	case !c.opened:
		return fmt.Errorf("not opened within %s", o.KeyTimeout)
	default:
		return fault(condForced, "The connection brought no token within %s.%s", o.KeyTimeout, c.s.tail(nil))
	}
}

// rest gives up what a silent client does not need.
func (c *conn) rest() {
	in := &c.in
	in.rested, in.full = true, false
	in.events, in.scratch, in.spare = nil, nil, nil
	if in.at == in.end && len(in.buf) > smallBuffer {
		in.buf, in.at, in.end = make([]byte, smallBuffer), 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulky.Store(false)
	c.spare = nil
	if len(c.out) == 0 {
		c.out = nil
	}
}
