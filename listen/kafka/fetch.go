package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/hub"
)

const (
	maxFetch     = 64 << 20 // bytes of one answer
	maxPartFetch = 8 << 20  // bytes of one partition in it
	maxFetchWait = 5 * time.Minute
)

// fetcher is what the writer keeps of a partition: its chunk, which remembers the
// place where the next read in order goes on.
type fetcher struct {
	partition *hub.Partition
	chunk     hub.Chunk
	claimed   bool // by the current request
}

// fetched is the result for one partition of a request.
type fetched struct {
	index    int32
	code     int16
	from     int64 // asked for
	first    int64
	next     int64
	f        *fetcher // when there is something to send
	waitable *hub.Partition
}

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

// waitFetch reads what the request asks for into c.results, waiting until there
// are MinBytes of it, something to report, or MaxWait is over.
func (c *conn) waitFetch(p *pending) error {
	req := p.fetch
	if req.SessionID != 0 {
		return nil // refused as a whole: sessions are not kept
	}
	size, settled := c.readAll(p)
	if settled || size >= int(req.MinBytes) || req.MaxWaitMillis <= 0 {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	wait := min(time.Duration(req.MaxWaitMillis)*time.Millisecond, maxFetchWait)
	ctx, cancel := context.WithTimeout(c.ctx, wait)
	defer cancel()
	for ctx.Err() == nil && !settled && size < int(req.MinBytes) {
		c.waitGrowth(ctx)
		size, settled = c.readAll(p)
	}
	return nil
}

// readAll reads every partition of the request. settled says that waiting is no
// use: there is an error, or the answer is full.
func (c *conn) readAll(p *pending) (size int, settled bool) {
	req := p.fetch
	budget := min(int(req.MaxBytes), maxFetch)
	for i := range c.results {
		if f := c.results[i].f; f != nil {
			f.claimed = false
		}
	}
	c.results = c.results[:0]
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			asked := &req.Topics[i].Partitions[j]
			r := fetched{index: asked.Partition, code: p.codes[i], from: asked.FetchOffset, first: -1, next: -1}
			if t := p.topics[i]; t != nil {
				size += c.readPartition(&r, t, asked, budget-size)
			}
			settled = settled || r.code != codeNone
			c.results = append(c.results, r)
		}
	}
	return size, settled || size >= budget
}

// readPartition reads at most about left bytes and returns how many it got. The
// first partition with records gets a batch even when it is larger.
func (c *conn) readPartition(r *fetched, t *topic, asked *kmsg.FetchRequestTopicPartition, left int) int {
	part, ok := t.partition(asked.Partition)
	if !ok {
		r.code = codeUnknownTopic
		return 0
	}
	if r.code = checkEpoch(part, asked.CurrentLeaderEpoch); r.code != codeNone {
		return 0
	}
	b := part.Bounds()
	r.first, r.next = b.First, b.Next
	if r.from < b.First || r.from > b.Next {
		r.code = codeOffsetOutOfRange
		return 0
	}
	r.waitable = part
	if r.from == b.Next || left <= 0 {
		return 0
	}
	f := c.readers[part]
	if f == nil {
		f = &fetcher{partition: part}
		c.readers[part] = f
	}
	if f.claimed {
		r.code = codeInvalidRequest // the same partition twice
		return 0
	}
	limit := min(max(int(asked.PartitionMaxBytes), 1), left, maxPartFetch)
	if err := part.Read(context.Background(), r.from, limit, &f.chunk, nil); err != nil {
		if r.code = codeOf(err); r.code == codeStorage || r.code == codeUnknown {
			c.log.Warn("fetch failed", "hub", t.hub.Name(), "partition", r.index, "offset", r.from, "err", err)
		}
		return 0
	}
	f.claimed, r.f = true, f
	size := 0
	for i := range f.chunk.Batches {
		size += f.chunk.Batches[i].End - f.chunk.Batches[i].Start
	}
	return size
}

// waitGrowth waits until one of the partitions in c.results grows, or ctx ends.
func (c *conn) waitGrowth(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	started := 0
	for i := range c.results {
		r := &c.results[i]
		if r.waitable == nil {
			continue
		}
		started++
		wg.Go(func() {
			var chunk hub.Chunk
			err := r.waitable.Read(ctx, r.next, 1, &chunk, nil)
			if err == nil || !errors.Is(err, ctx.Err()) {
				cancel()
			}
		})
	}
	if started == 0 {
		<-ctx.Done()
	}
	wg.Wait()
}

// appendFetch appends the answer's body to c.out.
func (c *conn) appendFetch(p *pending) error {
	req := p.fetch
	v := req.Version
	w := writer{b: c.out, flexible: v >= 12}
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
		w.tags()
		c.out = w.b
		c.s.requestsOfNone.count(codeFetchSession)
		return nil
	}
	w.length(len(req.Topics))
	at := 0
	for i := range req.Topics {
		t := &req.Topics[i]
		if v >= 13 {
			w.b = append(w.b, t.TopicID[:]...)
		} else {
			w.text([]byte(t.Topic))
		}
		w.length(len(t.Partitions))
		worst := codeNone
		for range t.Partitions {
			r := &c.results[at]
			at++
			records, ok := c.translated(r)
			worst = worse(worst, r.code)
			w.partition(v, req.IsolationLevel, r)
			switch {
			case ok:
				w.length(len(records))
				w.b = append(w.b, records...)
			case r.f != nil && r.code == codeNone:
				w.verbatim(&r.f.chunk)
			default:
				w.length(0)
			}
			w.tags()
			if r.f != nil && r.code == codeNone {
				n := 0
				for k := range r.f.chunk.Batches {
					n += r.f.chunk.Batches[k].End - r.f.chunk.Batches[k].Start
				}
				p.topics[i].hub.CountOutgoing(r.f.chunk.Len(), int64(n))
			}
		}
		w.tags()
		c.s.requests(p.topics[i]).count(worst)
	}
	w.tags()
	c.out = w.b
	for i := range c.results {
		if f := c.results[i].f; f != nil {
			f.claimed = false
		}
	}
	c.results = c.results[:0]
	return nil
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

// verbatim writes the batches as they are stored, without the log's own headers.
func (w *writer) verbatim(chunk *hub.Chunk) {
	n := 0
	for i := range chunk.Batches {
		n += chunk.Batches[i].End - chunk.Batches[i].Start
	}
	w.length(n)
	for i := range chunk.Batches {
		w.b = append(w.b, chunk.Data[chunk.Batches[i].Start:chunk.Batches[i].End]...)
	}
}

// translated returns the partition's batches for Kafka readers; false if they
// can be sent as they are. The bytes are valid until the next call.
func (c *conn) translated(r *fetched) ([]byte, bool) {
	if r.f == nil || r.code != codeNone {
		return nil, false
	}
	chunk, mapped := &r.f.chunk, false
	for i := range chunk.Batches {
		mapped = mapped || chunk.Batches[i].Mapped
	}
	if !mapped {
		return nil, false
	}
	b := c.translation.out[:0]
	for i := range chunk.Batches {
		batch := &chunk.Batches[i]
		if !batch.Mapped {
			b = append(b, chunk.Data[batch.Start:batch.End]...)
			continue
		}
		var err error
		if b, err = c.translation.appendBatch(b, chunk, i); err != nil {
			c.log.Error("events cannot be translated for Kafka readers",
				"hub", r.f.partition.Hub().Name(), "partition", r.index, "offset", batch.BaseOffset, "err", err)
			if i == 0 {
				r.code = codeStorage
			}
			break // what came before is good
		}
	}
	c.translation.out = b
	return b, true
}
