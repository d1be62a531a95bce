package amqp

import (
	"cmp"
	"strconv"
	"strings"

	"spate/access"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// request is a message to $cbs or $management. Its slices lie in the message.
type request struct {
	id      []byte // message-id as encoded: the answer repeats its type (A16)
	replyTo string
	props   map[string]string // application properties that are texts and that requests have
	body    []byte            // of an amqp-value, encoded
}

func (r *request) text(name string) string { return r.props[name] }

func parseRequest(msg []byte) (*request, error) {
	r := new(request)
	for rest := msg; len(rest) > 0; {
		s, after, err := wire.NextSection(rest)
		if err != nil {
			return nil, err
		}
		rest = after
		switch s.Code {
		case wire.SectionProperties:
			st := wire.Stored{Properties: s.Raw}
			err := st.Property(func(place int, value []byte) {
				switch place {
				case 0:
					r.id = value
				case 4:
					if b, ok := wire.Text(value); ok {
						r.replyTo = string(b)
					}
				}
			})
			if err != nil {
				return nil, err
			}
		case wire.SectionValue:
			r.body = s.Value
		case wire.SectionAppProperties:
			r.props = make(map[string]string)
			err := wire.Pairs(s.Value, func(k, v []byte) bool {
				switch name := string(k); name {
				case "operation", "name", "type", "partition", "security_token":
					if _, before := r.props[name]; !before {
						if text, ok := wire.Text(v); ok {
							r.props[name] = string(text)
						}
					}
				}
				return true
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// answer is what a node says to a request.
type answer struct {
	status    int32
	text      string
	condition wire.Symbol // sent if not empty
	body      any
}

// request serves a message to a node. Only a wrong operation is refused by
// rejecting the transfer; all else by a status (A20), which is failed if it says no.
func (l *link) request(msg []byte, settled bool) (refused, failed *wire.Error) {
	r, err := parseRequest(msg)
	if err != nil {
		e := fault(condDecode, "The request cannot be read.")
		if settled {
			return nil, e
		}
		return e, nil
	}
	operation := r.text("operation")
	want := "put-token"
	if l.addr.node == nodeManagement {
		want = "READ"
	}
	var a answer
	switch {
	case operation != want && !settled:
		return fault(condNotAllowed, "Invalid command '%s'.", limit.Name(operation)), nil
	case operation != want:
		a = answer{status: 400, text: "Invalid command '" + limit.Name(operation) + "'.", condition: condNotAllowed}
	case l.addr.node == nodeCBS:
		a = l.putToken(r)
	default:
		a = l.readEntity(r)
	}
	l.s.c.reply(l, r, &a)
	if a.status >= 400 {
		failed = &wire.Error{Condition: cmp.Or(a.condition, condUnauthorized), Description: a.text}
	}
	return nil, failed
}

func (l *link) putToken(r *request) answer {
	token, ok := wire.Text(r.body)
	if !ok || r.text("name") == "" {
		return answer{status: 400, text: "The request needs a name and a token as its value."}
	}
	status, text := l.s.c.putToken(string(token), r.text("name"))
	return answer{status: status, text: text}
}

// readEntity answers READ of a hub or partition.
func (l *link) readEntity(r *request) answer {
	c := l.s.c
	name := r.text("name")
	addr := address{node: nodeManagement, hub: name, path: name + "/$management"}
	fail := func(status int32, e *wire.Error) answer {
		return answer{status: status, text: e.Description + c.s.tail(&addr), condition: e.Condition}
	}
	if _, refused := c.authorize(addr.path, access.Any); refused != nil {
		token := r.text("security_token")
		if token == "" || c.s.o.Rules.Check(token, addr.path, access.Any, c.s.o.Clock()) != nil {
			return fail(401, fault(condUnauthorized, "Unauthorized access. A token for '%s' is required to perform this operation.", limit.Name(name)))
		}
		c.shown = true
	}
	h, ok := c.s.o.Namespace.Hub(name)
	if !ok {
		return fail(404, c.s.notFound(&addr))
	}
	switch kind := r.text("type"); kind {
	case "com.microsoft:eventhub":
		ids := make([]string, h.Partitions())
		for i := range ids {
			ids[i] = strconv.Itoa(i)
		}
		return answer{status: 200, text: "OK", body: wire.Map{
			{Key: "name", Value: h.Name()},
			{Key: "type", Value: kind},
			{Key: "created_at", Value: wire.Timestamp(h.Created().UnixMilli())},
			{Key: "partition_count", Value: int32(len(ids))},
			{Key: "partition_ids", Value: ids},
			{Key: "georeplication_factor", Value: int32(1)},
		}}
	case "com.microsoft:partition":
		id := r.text("partition")
		n, err := strconv.Atoi(strings.TrimSpace(id))
		if err != nil || n < 0 || n >= h.Partitions() {
			return fail(400, badPartition(h.Partitions()))
		}
		b := h.Partition(n).Bounds()
		seq, offset, at := lastOf(&b)
		return answer{status: 200, text: "OK", body: wire.Map{
			{Key: "name", Value: h.Name()},
			{Key: "type", Value: kind},
			{Key: "partition", Value: strconv.Itoa(n)},
			{Key: "begin_sequence_number", Value: b.First},
			{Key: "last_enqueued_sequence_number", Value: seq},
			{Key: "last_enqueued_offset", Value: offset},
			{Key: "last_enqueued_time_utc", Value: wire.Timestamp(at)},
			{Key: "is_partition_empty", Value: b.Empty},
		}}
	default:
		return fail(400, fault(condArgument, "The type '%s' is unknown.", limit.Name(kind)))
	}
}

// reply queues a's message on the link that the answer belongs to.
func (c *conn) reply(from *link, r *request, a *answer) {
	msg, err := encodeAnswer(r, a)
	if err != nil {
		c.log.Error("encode an answer", "node", limit.Name(from.addr.path), "err", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.replyLink(from, r.replyTo)
	switch {
	case to == nil:
		c.log.Info("dropped an answer", "node", limit.Name(from.addr.path), "err", "no link to send it on")
		return
	case len(to.out.queued) >= maxQueued || !to.hold(len(msg)):
		c.log.Warn("dropped an answer", "node", limit.Name(from.addr.path), "err", "the client gives no credit")
		return
	}
	to.out.queued = append(to.out.queued, msg)
	to.sendQueued()
}

// replyLink finds the link for an answer: in the same session the one whose
// target or name is reply-to, else one of the same node there, else anywhere
// on the connection (A17). c.mu is held.
func (c *conn) replyLink(from *link, replyTo string) *link {
	for _, l := range from.s.links {
		if l.out != nil && !l.detached && replyTo != "" && (l.out.target == replyTo || l.name == replyTo) && l.addr.node != nodeEvents {
			return l
		}
	}
	sameNode := func(s *session) *link {
		for _, l := range s.links {
			if l.out != nil && !l.detached && l.addr.node == from.addr.node {
				return l
			}
		}
		return nil
	}
	if l := sameNode(from.s); l != nil {
		return l
	}
	for _, s := range c.sessions {
		if l := sameNode(s); l != nil {
			return l
		}
	}
	return nil
}

func encodeAnswer(r *request, a *answer) ([]byte, error) {
	dst, open := wire.OpenList(wire.AppendDescriptor(nil, wire.SectionProperties), 6)
	dst = append(dst, 0x40, 0x40) // message-id, user-id
	if r.replyTo != "" {
		dst = wire.AppendString(dst, r.replyTo)
	} else {
		dst = wire.AppendNull(dst)
	}
	dst = append(dst, 0x40, 0x40) // subject, reply-to
	if r.id != nil {
		dst = append(dst, r.id...)
	} else {
		dst = wire.AppendNull(dst)
	}
	dst = wire.CloseCompound(dst, open)
	props := wire.Map{{Key: "status-code", Value: a.status}, {Key: "status-description", Value: a.text},
		{Key: "statusDescription", Value: a.text}} // what some clients read alone
	if a.condition != "" {
		props = append(props, wire.Entry{Key: "error-condition", Value: a.condition})
	}
	dst, err := wire.AppendValue(wire.AppendDescriptor(dst, wire.SectionAppProperties), props)
	if err != nil {
		return nil, err
	}
	return wire.AppendValue(wire.AppendDescriptor(dst, wire.SectionValue), a.body)
}
