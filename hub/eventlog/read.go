package eventlog

import (
	"context"
	"fmt"
	"sort"
)

// slack is how many readable bytes follow the last batch of a chunk.
const slack = 16

// firstRead bounds what an empty chunk allocates when there is little to read.
const firstRead = 128 << 10

// place is where a read in order goes on.
type place struct {
	p    *Partition
	seg  *segment
	next int64
	pos  int64
}

// Read resets c and fills it with record batches from offset from on, about
// maxBytes of them and one at least; the first may begin before from. It waits
// while there are none, until wake fires (c is empty then) or ctx ends.
func (p *Partition) Read(ctx context.Context, from int64, maxBytes int, c *Chunk, wake <-chan struct{}) error {
	c.Reset()
	for {
		grown, err := p.readable(from)
		if err != nil {
			return err
		}
		if grown == nil {
			return p.fill(from, maxBytes, c)
		}
		select {
		case <-grown:
		case <-wake:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readable returns nil if there is something at from, else a channel that is
// closed when that may have changed.
func (p *Partition) readable(from int64) (<-chan struct{}, error) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	switch {
	case p.readErr != nil:
		return nil, p.readErr
	case from < p.start || from > p.next:
		return nil, fmt.Errorf("%s: %w: %d, the log holds %d to %d", p.where(), ErrOffsetOutOfRange, from, p.start, p.next)
	case from < p.next:
		return nil, nil
	}
	if p.grown == nil {
		p.grown = make(chan struct{})
	}
	return p.grown, nil
}

// segmentOf returns the segment that holds offset, how far it may be read, and
// its index.
func (p *Partition) segmentOf(offset int64) (*segment, extent, []indexEntry, error) {
	p.tailMu.Lock()
	i := sort.Search(len(p.segs), func(i int) bool { return p.segs[i].end > offset })
	if i == len(p.segs) || p.segs[i].base > offset {
		first, next := p.start, p.next
		p.tailMu.Unlock()
		return nil, extent{}, nil, fmt.Errorf("%s: %w: %d, the log holds %d to %d", p.where(), ErrOffsetOutOfRange, offset, first, next)
	}
	s := p.segs[i]
	x, index, unloaded := s.extent, s.index, s.unloaded
	p.tailMu.Unlock()
	if !unloaded {
		return s, x, index, nil
	}
	index, err := p.loadIndex(s, x)
	return s, x, index, err
}

// loadIndex reads a sealed segment's index, making it anew if it has gone bad.
func (p *Partition) loadIndex(s *segment, x extent) ([]indexEntry, error) {
	var index []indexEntry
	b, err := p.log.fs.ReadFile(companion(s.path, idxSuffix))
	if err == nil {
		_, index, err = parseIndex(b, p.log.o.ID, p.id, s.base, x.length, x)
	}
	if err != nil {
		sc, bad, err := p.rescan(s, x)
		if err != nil {
			return nil, err
		}
		if bad != nil { // what lies before the damage is still found
			p.log.o.Log.Error("segment is damaged", "partition", p.id, "offset", sc.x.end, "err", bad)
		}
		index = sc.index
	}
	p.tailMu.Lock()
	s.index, s.unloaded = index, false
	p.tailMu.Unlock()
	return index, nil
}

// fill reads into c. There is something at from.
func (p *Partition) fill(from int64, maxBytes int, c *Chunk) error {
	s, x, index, err := p.segmentOf(from)
	if err != nil {
		return err
	}
	pos, skip := c.hint.pos, false
	if c.hint.p != p || c.hint.seg != s || c.hint.next != from {
		rel := from - s.base
		pos, skip = before(index, func(ix *indexEntry) bool { return int64(ix.rel) > rel }), true
	}
	want := max(maxBytes, minEntry)
	for len(c.Batches) == 0 {
		n := min(x.length-pos, int64(want))
		if skip {
			n = min(x.length-pos, int64(want)+indexEvery)
		}
		if n < minEntry {
			return fmt.Errorf("%s: read offset %d at %d of %s: the segment ends at %d: %w", p.where(), from, pos, s.path, x.length, ErrDamaged)
		}
		if cap(c.Data) < int(n)+slack {
			c.Data = c.room(int(n)+slack, max(int(n), min(want, firstRead)+indexEvery)+slack)
		}
		c.Data = c.Data[:n+slack]
		if err := s.readAt(c.Data[:n], pos); err != nil {
			return fmt.Errorf("%s: %w", p.where(), err)
		}
		used, need, err := c.take(int(n), from)
		if err != nil && len(c.Batches) == 0 {
			return fmt.Errorf("%s: read at %d of %s: %w", p.where(), pos+int64(used), s.path, err)
		}
		pos += int64(used)
		if len(c.Batches) == 0 {
			want = max(want, need)
		} else {
			last := &c.Batches[len(c.Batches)-1]
			c.Data = c.Data[:last.End+slack]
			c.hint = place{p: p, seg: s, next: last.Next(), pos: pos}
		}
	}
	return nil
}

// take makes batches of the entries in Data[:n], leaving out those that end at
// or before from. used is the bytes of whole entries, need the length of the
// first one that is cut.
func (c *Chunk) take(n int, from int64) (used, need int, err error) {
	for used+minEntry <= n {
		b := c.Data[used:n]
		e, err := parseHead(b)
		if err != nil {
			return used, 0, err
		}
		if e.length > len(b) {
			return used, e.length, nil
		}
		if e.next() > from {
			if err := e.checkBody(b); err != nil {
				return used, 0, fmt.Errorf("offset %d: %w", e.base, err)
			}
			if k := len(c.Batches); k > 0 && c.Batches[k-1].Next() != e.base {
				return used, 0, fmt.Errorf("offset %d follows %d: %w", e.base, c.Batches[k-1].Next(), ErrDamaged)
			}
			c.Batches = append(c.Batches, Batch{Start: used + entryHead, End: used + e.length, BaseOffset: e.base, Count: e.count,
				AppendTime: e.appendTime, Origin: Origin(e.flags & flagOrigin), Mapped: e.flags&flagMapped != 0, Codec: e.codec})
		}
		used += e.length
	}
	return used, minEntry, nil
}
