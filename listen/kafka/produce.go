package kafka

import (
	"encoding/binary"
	"fmt"

	"spate/hub"
	"spate/listen/limit"
)

// produceReply is a produce request under way, and becomes its answer. It is
// reused, so that a request allocates nothing here.
type produceReply struct {
	active  bool
	version int16
	acks    int16
	topics  []producedTopic
	parts   []producedPartition // of all topics, in order
	names   []byte              // of the topics, copied from the request
}

type producedTopic struct {
	name  [2]int // in names
	id    [16]byte
	parts int
	topic *topic
}

type producedPartition struct {
	index  int32
	batch  []byte // view of the request, until it is appended
	code   int16
	note   string
	ticket *hub.Ticket
	first  int64 // of the log
	p      *hub.Partition
}

func (p *produceReply) reset() {
	if cap(p.parts) > keptParts || cap(p.topics) > keptParts || cap(p.names) > smallBytes {
		*p = produceReply{}
	}
	clear(p.topics)
	clear(p.parts)
	*p = produceReply{topics: p.topics[:0], parts: p.parts[:0], names: p.names[:0]}
}

// size is about what a request under way holds.
func (p *produceReply) size() int { return 80*(len(p.parts)+len(p.topics)) + len(p.names) }

// parse reads a request behind its header. Batches alias it.
func (p *produceReply) parse(r *reader, version int16) (transactional bool, err error) {
	p.version = version
	if version >= 3 {
		transactional = r.text() != nil
	}
	p.acks = r.int16()
	r.int32() // time-out: an append ends when the disk says so
	for n := r.array(); n > 0 && !r.bad; n-- {
		var t producedTopic
		if version >= 13 {
			copy(t.id[:], r.take(16))
		} else {
			start := len(p.names)
			p.names = append(p.names, r.name()...)
			t.name = [2]int{start, len(p.names)}
		}
		t.parts = r.array()
		for range t.parts {
			p.parts = append(p.parts, producedPartition{index: r.int32(), batch: r.bytes(), first: -1})
			r.tags()
			if r.bad || len(p.parts) > maxNames {
				return false, fmt.Errorf("produce request: partition %d of at most %d: %w", len(p.parts), maxNames, errShort)
			}
		}
		r.tags()
		if p.topics = append(p.topics, t); len(p.topics) > maxNames {
			return false, fmt.Errorf("produce request about more than %d topics", maxNames)
		}
	}
	r.tags()
	if r.bad {
		return false, fmt.Errorf("produce request: %w", errShort)
	}
	return transactional, nil
}

// keptParts is how many partitions a request may have had whose memory is used again.
const keptParts = 64

// produce parses a request and appends its batches.
func (c *conn) produce(pend *pending, r *reader, version int16) error {
	p := &pend.produce
	transactional, err := p.parse(r, version)
	if err != nil {
		return err
	}
	p.active = true
	if c.stale.Swap(false) {
		c.forgetTopics()
	}
	var code int16
	var note string
	switch {
	case version < 3:
		code, note = codeUnsupportedVersion, "produce versions below 3 carry old message sets"
	case transactional:
		code, note = codeTransactionalAuth, noTransactions
	case p.acks < -1 || p.acks > 1:
		code = codeInvalidAcks
	}
	at := 0
	for i := range p.topics {
		t := &p.topics[i]
		parts := p.parts[at : at+t.parts]
		at += t.parts
		topicCode := code
		if topicCode == 0 {
			topicCode = c.producedTo(p, t)
		}
		for j := range parts {
			d := &parts[j]
			if d.code, d.note = topicCode, note; topicCode == 0 {
				d.append(t.topic)
			}
			d.batch = nil
		}
	}
	return nil
}

// producedTo finds the topic.
func (c *conn) producedTo(p *produceReply, t *producedTopic) int16 {
	if p.version >= 13 {
		if t.topic = c.topicByID(t.id); t.topic == nil {
			return codeUnknownTopicID
		}
	} else if t.topic = c.topicByName(p.names[t.name[0]:t.name[1]]); t.topic == nil {
		return codeUnknownTopic
	}
	if !t.topic.send {
		return codeTopicAuth
	}
	return codeNone
}

// Places in a record batch.
const (
	batchLength     = 8
	batchMagic      = 16
	batchCRC        = 17
	batchAttributes = 21
	batchBaseTime   = 27
	batchProducer   = 43
	batchEpoch      = 51
	batchSequence   = 53
	batchRecords    = 61

	attributeTransactional = 1 << 4
)

func (d *producedPartition) append(t *topic) {
	p, ok := t.partition(d.index)
	if !ok {
		d.code = codeUnknownTopic
		return
	}
	b := d.batch
	switch {
	case len(b) < batchRecords:
		d.code, d.note = codeCorrupt, "record batch is cut short"
		return
	case int64(binary.BigEndian.Uint32(b[batchLength:]))+12 != int64(len(b)):
		d.code, d.note = codeCorrupt, "one record batch per partition is wanted, of exactly its length"
		return
	case b[batchMagic] != 2:
		d.code, d.note = codeCorrupt, "record batches of version 2 are wanted"
		return
	case binary.BigEndian.Uint16(b[batchAttributes:])&attributeTransactional != 0:
		d.code, d.note = codeInvalidRecord, noTransactions
		return
	}
	d.p = p
	d.ticket = p.AppendBatch(b)
}

// wait waits for the tickets and fills in the results.
func (p *produceReply) wait(c *conn) error {
	for i := range p.parts {
		d := &p.parts[i]
		if d.ticket == nil {
			continue
		}
		select {
		case <-d.ticket.Done():
		default:
			if err := c.flush(); err != nil { // earlier answers do not wait
				return err
			}
			<-d.ticket.Done() // by a sync, soon, or by an error
		}
		if err := d.ticket.Err(); err != nil {
			if d.code = codeOf(err); d.code != codeSequence && d.code != codeFenced {
				c.log.Warn("produce refused", "hub", limit.Name(d.p.Hub().Name()), "partition", d.index, "err", err)
			}
			d.note = err.Error()
			if d.code == codeUnknownTopic {
				c.stale.Store(true)
			}
		} else {
			d.first = d.p.Bounds().First
		}
	}
	return nil
}

func (c *conn) countProduce(p *produceReply) {
	at := 0
	for i := range p.topics {
		t, code := &p.topics[i], codeNone
		for _, d := range p.parts[at : at+t.parts] {
			code = worse(code, d.code)
		}
		at += t.parts
		c.s.requests(t.topic).count(code)
	}
}

// appendTo appends the response body.
func (p *produceReply) appendTo(b []byte) []byte {
	v := p.version
	w := writer{b: b, flexible: v >= 9}
	w.length(len(p.topics))
	at := 0
	for i := range p.topics {
		t := &p.topics[i]
		if v >= 13 {
			w.b = append(w.b, t.id[:]...)
		} else {
			w.text(p.names[t.name[0]:t.name[1]])
		}
		w.length(t.parts)
		for _, d := range p.parts[at : at+t.parts] {
			base := int64(-1)
			if d.code == codeNone && d.ticket != nil {
				base = d.ticket.Offset()
			}
			w.int32(d.index)
			w.int16(d.code)
			w.int64(base)
			if v >= 2 {
				w.int64(-1) // append time: the records keep their producer's
			}
			if v >= 5 {
				w.int64(d.first)
			}
			if v >= 8 {
				w.length(0) // errors of single records
				w.nullableText(d.note)
			}
			w.tags()
		}
		at += t.parts
		w.tags()
	}
	if v >= 1 {
		w.int32(0) // throttle time
	}
	w.tags()
	return w.b
}
