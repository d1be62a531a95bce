package eventlog

import (
	"fmt"
	"time"
)

// OffsetAt is the first offset whose append time is t or later, the end if
// there is none.
func (p *Partition) OffsetAt(t time.Time) (int64, error) {
	ms := t.UnixMilli()
	if t.Nanosecond()%1e6 != 0 {
		ms++ // times are kept in milliseconds: nothing between two is at t or later but the second
	}
	s, start, next := p.firstSegment(func(x *extent) bool { return x.lastTime >= ms })
	if s == nil {
		return next, nil
	}
	offset := next
	err := p.walk(s, func(ix *indexEntry) bool { return ix.time >= ms }, func(e *entry, _ int64) bool {
		if e.appendTime >= ms {
			offset = e.base
			return false
		}
		return true
	})
	return max(offset, start), err
}

// OffsetAtRecordTime is the first offset whose record timestamp is ms (Unix
// milliseconds) or later, and that timestamp; -1 and -1 if there is none.
func (p *Partition) OffsetAtRecordTime(ms int64) (offset, recordMs int64, err error) {
	p.tailMu.Lock()
	segs, start := p.segs, p.start
	p.tailMu.Unlock()
	for _, s := range segs {
		p.tailMu.Lock()
		hit := s.entries > 0 && s.maxTime >= ms && s.end > start
		p.tailMu.Unlock()
		if !hit {
			continue
		}
		offset, recordMs = -1, -1
		var c Chunk
		var inner error
		err = p.walk(s, func(ix *indexEntry) bool { return ix.maxBefore >= ms }, func(e *entry, pos int64) bool {
			if e.maxTime < ms || e.next() <= start {
				return true
			}
			inner = p.eachRecord(s, e, pos, &c, func(r *Record) bool {
				if r.Offset >= start && r.Time >= ms {
					offset, recordMs = r.Offset, r.Time
				}
				return offset < 0
			})
			return inner == nil && offset < 0
		})
		if err == nil {
			err = inner
		}
		if err != nil || offset >= 0 {
			return offset, recordMs, err
		}
	}
	return -1, -1, nil
}

// MaxRecordTime is the highest record timestamp and the first offset that has
// it; -1 and -1 if the log is empty.
func (p *Partition) MaxRecordTime() (offset, recordMs int64, err error) {
	top := int64(-1)
	p.tailMu.Lock()
	for _, s := range p.segs {
		if s.entries > 0 && s.end > p.start {
			top = max(top, s.maxTime)
		}
	}
	p.tailMu.Unlock()
	if top < 0 {
		return -1, -1, nil
	}
	return p.OffsetAtRecordTime(top)
}

// firstSegment returns the first segment with entries that fits, and the log's
// bounds.
func (p *Partition) firstSegment(fits func(x *extent) bool) (s *segment, start, next int64) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	for _, s := range p.segs {
		if s.entries > 0 && s.end > p.start && fits(&s.extent) {
			return s, p.start, p.next
		}
	}
	return nil, p.start, p.next
}

// walk calls visit for the heads of a segment's entries, from the last index
// entry on that beyond is false for, until it returns false.
func (p *Partition) walk(s *segment, beyond func(ix *indexEntry) bool, visit func(e *entry, pos int64) bool) error {
	p.tailMu.Lock()
	x, index, unloaded := s.extent, s.index, s.unloaded
	p.tailMu.Unlock()
	if unloaded {
		var err error
		if index, err = p.loadIndex(s, x); err != nil {
			return err
		}
	}
	var head [minEntry]byte
	for pos := before(index, beyond); pos < x.length; {
		if err := s.readAt(head[:], pos); err != nil {
			return fmt.Errorf("%s: %w", p.where(), err)
		}
		e, err := parseHead(head[:])
		if err != nil {
			return fmt.Errorf("%s: read at %d of %s: %w", p.where(), pos, s.path, err)
		}
		if !visit(&e, pos) {
			return nil
		}
		pos += int64(e.length)
	}
	return nil
}

// eachRecord calls yield for the records of one entry until it returns false.
func (p *Partition) eachRecord(s *segment, e *entry, pos int64, c *Chunk, yield func(r *Record) bool) error {
	c.Reset()
	c.Data = append(c.Data[:0], make([]byte, e.length)...)
	if err := s.readAt(c.Data, pos); err != nil {
		return fmt.Errorf("%s: %w", p.where(), err)
	}
	if _, _, err := c.take(e.length, e.base); err != nil {
		return fmt.Errorf("%s: read at %d of %s: %w", p.where(), pos, s.path, err)
	}
	it := c.Records(0)
	for it.Next() {
		if !yield(&it.Record) {
			return nil
		}
	}
	if e.codec != 0 {
		return nil // stored before anybody looked into it: what cannot be read has no time
	}
	return it.Err()
}
