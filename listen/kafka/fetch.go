package kafka

import (
	"context"
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/hub"
	"spate/listen/limit"
)

// fetcher is what the writer keeps of a partition: its chunk remembers the place where
// the next read in order goes on. Between two reads it holds no records.
type fetcher struct {
	pass  uint64 // of the last answer that had the partition
	chunk hub.Chunk
}

// fetched is the result for one partition of a request.
type fetched struct {
	index   int32
	code    int16
	from    int64 // asked for
	first   int64
	next    int64
	topic   *topic
	f       *fetcher
	part    *hub.Partition // when more may come
	most    int            // bytes that may be sent
	size    int            // bytes that are there, as far as was looked
	end     int64          // offset as far as was looked
	data    []byte         // records to send
	records int
}

// part is a place in an answer's head where records belong.
type part struct {
	at   int
	data []byte
}

// fetchCost is about what a request holds while it waits.
func fetchCost(req *kmsg.FetchRequest) int { return 128 + 160*names(req) }

// startFetch finds the topics. Reading is the writer's.
func (c *conn) startFetch(p *pending, req *kmsg.FetchRequest) {
	p.fetch = req
	for i := range req.Topics {
		t := &req.Topics[i]
		var found *topic
		code := codeNone
		if req.Version >= 13 {
			if found = c.topicByID(t.TopicID); found == nil {
				code = codeUnknownTopicID
			}
		} else if found = c.topicByName([]byte(t.Topic)); found == nil {
			code = codeUnknownTopic
		}
		if found != nil && !found.listen {
			found, code = nil, codeTopicAuth
		}
		p.topics, p.codes = append(p.topics, found), append(p.codes, code)
	}
}

// readAll reads every partition of the request into c.results. settled says that waiting
// is no use: there is an error, or the answer is full.
func (c *conn) readAll(p *pending) (size int, settled bool) {
	req := p.fetch
	left := min(int(req.MaxBytes), maxFetch)
	if c.s.o.Answers.Taken() > crowded {
		left = min(left, crowdedFetch)
	}
	c.letGo()
	c.pass++
	c.short = false
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			asked := &req.Topics[i].Partitions[j]
			r := fetched{index: asked.Partition, code: p.codes[i], from: asked.FetchOffset, first: -1, next: -1, topic: p.topics[i]}
			if r.topic != nil {
				c.find(&r, asked)
			}
			c.results = append(c.results, r)
		}
	}
	// When an answer is full, the next one begins with the partition behind: clients that
	// ask in the same order each time get something of each. The first partition with
	// records gives a batch even when it is larger than what is left.
	n, first := len(c.results), c.turn
	c.turn = 0
	for k := range n {
		i := (first + k) % n
		r := &c.results[i]
		if r.part != nil && r.from < r.next && left > 0 {
			c.readRecords(r, min(r.most, left))
			size += len(r.data)
			if left -= len(r.data); c.short {
				left = 0 // the client asks again
			}
			if left <= 0 && len(r.data) > 0 {
				c.turn = i + 1
			} else if left <= 0 {
				c.turn = i
			}
		}
		settled = settled || r.code != codeNone
	}
	return size, settled || left <= 0
}

// find looks for the partition that is asked for, and at its bounds.
func (c *conn) find(r *fetched, asked *kmsg.FetchRequestTopicPartition) {
	part, ok := r.topic.partition(asked.Partition)
	if !ok {
		r.code = codeUnknownTopic
		return
	}
	f := c.readers[part]
	if f == nil {
		if f = new(fetcher); c.readers == nil || len(c.readers) >= maxNames {
			c.readers = make(map[*hub.Partition]*fetcher)
		}
		c.readers[part] = f
	}
	if f.pass == c.pass {
		r.code = codeInvalidRequest // the same partition twice
		return
	}
	f.pass = c.pass
	if r.code = checkEpoch(part, asked.CurrentLeaderEpoch); r.code != codeNone {
		return
	}
	b := part.Bounds()
	r.first, r.next, r.end = b.First, b.Next, r.from
	if r.from < b.First || r.from > b.Next {
		r.code = codeOffsetOutOfRange
		return
	}
	r.part, r.f, r.most = part, f, min(max(int(asked.PartitionMaxBytes), 1), maxPartFetch)
}

// readRecords reads records for about so many bytes into r.data.
func (c *conn) readRecords(r *fetched, size int) {
	if size = c.borrow(size); size == 0 {
		c.short = true
		return
	}
	ch := &r.f.chunk
	ch.Batches, ch.Room = c.batches[:0], c.room
	err := r.part.Read(context.Background(), r.from, size, ch, nil)
	buf := c.buf
	c.buf = nil
	if err == nil {
		r.end, r.records = ch.Batches[len(ch.Batches)-1].Next(), ch.Len()
		if mapped(ch) {
			r.data = c.translate(r, ch)
			c.s.buffers.put(buf)
			buf = r.data
		} else {
			r.data = records(ch)
		}
		r.size = len(r.data)
	} else if r.code = codeOf(err); r.code == codeStorage || r.code == codeUnknown {
		c.log.Warn("fetch failed", "hub", limit.Name(r.topic.hub.Name()), "partition", r.index, "offset", r.from, "err", err)
	}
	ch.Data, ch.Batches, ch.Room = nil, nil, nil
	c.settle(r, int64(size+readAhead), int64(cap(buf)))
	if r.data == nil {
		c.s.buffers.put(buf)
	}
}

// borrow takes memory for about size bytes of records from Answers. The first part of an
// answer waits for it, and takes less if need be; 0: there is none.
func (c *conn) borrow(size int) int {
	if c.s.o.Answers.TryTake(int64(size + readAhead)) {
		return size
	}
	if c.lent > 0 || c.flush() != nil {
		return 0
	}
	size = min(size, crowdedFetch)
	if c.take(c.ctx, int64(size+readAhead), min(memoryWait, c.s.o.WriteTimeout)) != nil {
		return 0
	}
	return size
}

// settle corrects what was taken for r to what is held.
func (c *conn) settle(r *fetched, taken, held int64) {
	if r.data == nil {
		held = 0
	}
	if held > taken && !c.s.o.Answers.TryTake(held-taken) {
		held = taken // one batch, and larger than was asked for
	}
	c.s.o.Answers.Give(max(taken-held, 0))
	c.lent += held
}

// room makes memory for the log to read into.
func (c *conn) room(n int) []byte {
	c.s.buffers.put(c.buf)
	c.buf = c.s.buffers.get(n)
	return c.buf
}

// records moves the batches of a chunk together, without the log's own headers.
func records(ch *hub.Chunk) []byte {
	n := 0
	for i := range ch.Batches {
		n += copy(ch.Data[n:], ch.Data[ch.Batches[i].Start:ch.Batches[i].End])
	}
	return ch.Data[:n]
}

// letGo gives back what the results hold.
func (c *conn) letGo() {
	for i := range c.results {
		c.s.buffers.put(c.results[i].data)
	}
	c.s.o.Answers.Give(c.lent)
	c.lent = 0
	clear(c.results)
	clear(c.parts)
	c.results, c.parts = c.results[:0], c.parts[:0]
	if cap(c.results) > keptBatches/8 {
		c.results, c.parts = nil, nil
	}
	if cap(c.batches) > keptBatches {
		c.batches = nil
	}
	if cap(c.head) > smallBytes {
		c.head = nil
	}
}

// sendFetch writes the answer: the records go from where they lie.
func (c *conn) sendFetch(p *pending) error {
	req := p.fetch
	v := req.Version
	w := writer{b: p.appendHead(c.head[:0]), flexible: v >= 12}
	w.int32(0) // throttle time
	refused := req.SessionID != 0
	if v >= 7 {
		if refused {
			w.int16(codeFetchSession)
		} else {
			w.int16(codeNone)
		}
		w.int32(0) // no session: the client sends everything again each time
	}
	if refused {
		w.length(0)
		c.s.requestsOfNone.count(codeFetchSession)
	} else {
		c.appendTopics(&w, p)
	}
	w.tags()
	c.head = w.b
	size := len(c.head)
	for i := range c.parts {
		size += len(c.parts[i].data)
	}
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(size))
	from := 0
	for i := range c.parts {
		if err := c.emit(c.head[from:c.parts[i].at]); err != nil {
			return err
		}
		if err := c.emit(c.parts[i].data); err != nil {
			return err
		}
		from = c.parts[i].at
	}
	return c.emit(c.head[from:])
}

func (c *conn) appendTopics(w *writer, p *pending) {
	req := p.fetch
	w.length(len(req.Topics))
	results := c.results
	for i := range req.Topics {
		t := &req.Topics[i]
		if req.Version >= 13 {
			w.b = append(w.b, t.TopicID[:]...)
		} else {
			w.text([]byte(t.Topic))
		}
		w.length(len(t.Partitions))
		worst := codeNone
		for range t.Partitions {
			r := &results[0]
			results = results[1:]
			worst = worse(worst, r.code)
			w.partition(req.Version, req.IsolationLevel, r)
			w.length(len(r.data))
			if len(r.data) > 0 {
				c.parts = append(c.parts, part{len(w.b), r.data})
				p.topics[i].hub.CountOutgoing(r.records, int64(len(r.data)))
			}
			w.tags()
		}
		w.tags()
		c.s.requests(p.topics[i]).count(worst)
	}
}

// partition writes what comes before a partition's records.
func (w *writer) partition(version int16, isolation int8, r *fetched) {
	next, first := r.next, r.first
	if r.code != codeNone {
		next, first = -1, -1
	}
	w.int32(r.index)
	w.int16(r.code)
	w.int64(next) // high watermark: readers see durable records only
	w.int64(next) // last stable offset: there are no transactions
	if version >= 5 {
		w.int64(first)
	}
	if isolation == 0 {
		w.length(-1) // aborted transactions: not asked for
	} else {
		w.length(0)
	}
	if version >= 11 {
		w.int32(-1) // preferred replica
	}
}
