package amqp

import (
	"time"

	"spate/hub"
)

// SetRest sets after what silence large buffers go.
func (o *Options) SetRest(d time.Duration) { o.rest = d }

// Stall puts a delivery on the link of the only connection that is attached at a handle,
// as if its append to part went on until the returned function is called.
func (s *Server) Stall(handle, id uint32, part *hub.Partition) (end func()) {
	for _, c := range s.open(nil) {
		c.mu.Lock()
		l := c.sessions[0].links[handle]
		l.in.received++
		c.mu.Unlock()
		ended := make(chan struct{})
		c.expect(pending{link: l, id: id, since: time.Now(), ended: ended, err: func() error { return nil }}, part)
		return func() { close(ended) }
	}
	panic("no connection")
}

// Grants is how many tokens the only connection holds.
func (s *Server) Grants() int {
	for _, c := range s.open(nil) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.grants)
	}
	return 0
}
