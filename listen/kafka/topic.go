package kafka

import (
	"spate/access"
	"spate/hub"
)

// topic is a hub as this connection may use it.
type topic struct {
	hub          *hub.Hub
	send, listen bool
	requests     requestCounters
}

// topicByName finds a hub and what this client may do with it. name may alias the request.
func (c *conn) topicByName(name []byte) *topic {
	if t, ok := c.hubs[string(name)]; ok {
		return t
	}
	h, ok := c.s.o.Namespace.Hub(string(name))
	if !ok {
		return nil
	}
	if t, ok := c.hubs[h.Name()]; ok { // spelled in another way
		return t
	}
	if c.hubs == nil {
		c.hubs = make(map[string]*topic)
	}
	t := c.newTopic(h)
	c.hubs[h.Name()] = t
	return t
}

func (c *conn) topicByID(id [16]byte) *topic {
	if t, ok := c.ids[id]; ok {
		return t
	}
	h, ok := c.s.o.Namespace.HubByID(id)
	if !ok {
		return nil
	}
	if c.ids == nil {
		c.ids = make(map[[16]byte]*topic)
	}
	t := c.newTopic(h)
	c.ids[id] = t
	return t
}

func (c *conn) newTopic(h *hub.Hub) *topic {
	return &topic{hub: h, send: c.claims.Allows(h.Name(), access.Send), listen: c.claims.Allows(h.Name(), access.Listen),
		requests: newRequestCounters(c.s.o.Metrics, h.Name())}
}

// forgetTopics is called when the claims change or a hub has gone.
func (c *conn) forgetTopics() {
	clear(c.hubs)
	clear(c.ids)
}

// partition returns partition i of t's hub.
func (t *topic) partition(i int32) (*hub.Partition, bool) {
	if i < 0 || int(i) >= t.hub.Partitions() {
		return nil, false
	}
	return t.hub.Partition(int(i)), true
}
