package kafka

import (
	"context"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
)

// waitFetch reads what the request asks for into c.results, waiting until there
// are MinBytes of it, something to report, or MaxWait is over. Nothing is held while it
// waits.
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
	wait := min(time.Duration(req.MaxWaitMillis)*time.Millisecond, maxWait)
	ctx, cancel := context.WithTimeout(c.ctx, wait)
	defer cancel()
	c.waitGrowth(ctx, int(req.MinBytes)-size)
	c.readAll(p)
	return nil
}

// waitGrowth waits until the partitions of c.results have got so many bytes more, one has
// an error, or ctx ends. It lets go of what was read.
func (c *conn) waitGrowth(ctx context.Context, missing int) {
	watch := eventlog.NewWatch()
	defer func() {
		for i := range c.results {
			if r := &c.results[i]; r.part != nil {
				r.part.Unwatch(watch)
			}
		}
	}()
	for i := range c.results {
		r := &c.results[i]
		c.s.buffers.put(r.data)
		if r.data = nil; r.part != nil {
			r.part.Watch(watch, i, r.end)
		}
	}
	c.s.o.Answers.Give(c.lent)
	c.lent = 0
	chunk := hub.Chunk{Room: func(n int) []byte { return make([]byte, 0, n) }} // it stays while we wait
	var grown []int
	for missing > 0 {
		select {
		case <-watch.Wake():
		case <-ctx.Done():
			return
		}
		grown = watch.Grown(grown[:0])
		for _, i := range grown {
			n, ok := c.results[i].measure(&chunk, missing)
			if !ok {
				return
			}
			missing -= n
		}
	}
}

// measureBytes is how much is read at a time to learn how much there is.
const measureBytes = 64 << 10

// measure looks for about so many bytes more of what may be sent of the partition, and
// returns what it found. Each record is looked at once, however often this is called.
func (r *fetched) measure(chunk *hub.Chunk, want int) (found int, ok bool) {
	for found < want && r.size < r.most && r.end < r.part.Bounds().Next {
		if err := r.part.Read(context.Background(), r.end, min(want-found, measureBytes), chunk, nil); err != nil {
			return found, false
		}
		for i := range chunk.Batches {
			n := chunk.Batches[i].End - chunk.Batches[i].Start
			found += n
			r.size += n
		}
		r.end = chunk.Batches[len(chunk.Batches)-1].Next()
	}
	return found, true
}
