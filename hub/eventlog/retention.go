package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Trim applies retention: whole segments go whose records are all older than
// the retention at now, and the oldest ones while a partition is over its
// bytes. Readers in the middle of one finish their read.
// Source: event-hubs.md 14.11.
func (l *Log) Trim(now time.Time) error {
	s := l.Settings()
	if s.Retention == 0 && s.RetentionBytes == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	var errs []error
	for _, p := range *l.parts.Load() {
		old := func(x *extent) bool {
			return s.Retention > 0 && x.entries > 0 && now.UnixMilli()-x.lastTime > s.Retention.Milliseconds()
		}
		p.tailMu.Lock()
		all := old(&p.segs[len(p.segs)-1].extent)
		p.tailMu.Unlock()
		if all {
			if err := p.roll(); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		p.tailMu.Lock()
		total, start := p.bytes, p.start
		for _, g := range p.segs[:len(p.segs)-1] {
			over := s.RetentionBytes > 0 && total > s.RetentionBytes
			if !old(&g.extent) && !over {
				break
			}
			total -= g.length
			start = max(start, g.end)
		}
		p.tailMu.Unlock()
		errs = append(errs, p.trimTo(start))
	}
	return errors.Join(errs...)
}

// TrimTo moves the log's start up to offset; whole segments below it go.
func (p *Partition) TrimTo(offset int64) error {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if p.log.closed {
		return fmt.Errorf("%s: %w", p.where(), ErrClosed)
	}
	return p.trimTo(offset)
}

// trimTo needs Log.mu. The order is: start durable in the manifest, then the
// files.
func (p *Partition) trimTo(offset int64) error {
	p.tailMu.Lock()
	was := p.start
	if offset > p.next {
		next := p.next
		p.tailMu.Unlock()
		return fmt.Errorf("%s: %w: trim to %d, the log ends at %d", p.where(), ErrOffsetOutOfRange, offset, next)
	}
	p.start = max(p.start, offset)
	moved := p.start != was
	p.tailMu.Unlock()
	if !moved {
		return nil
	}
	if err := p.log.save(false); err != nil {
		p.tailMu.Lock()
		p.start = was
		p.tailMu.Unlock()
		return err
	}
	return p.unlink()
}

// unlink removes the segments below the log's start.
func (p *Partition) unlink() error {
	p.tailMu.Lock()
	n := 0
	for n < len(p.segs)-1 && p.segs[n].end <= p.start {
		n++
	}
	gone := p.segs[:n]
	for _, s := range gone {
		p.bytes -= s.length
	}
	p.segs = append([]*segment(nil), p.segs[n:]...)
	first := p.segs[0].base
	p.tailMu.Unlock()
	var errs []error
	for _, s := range gone {
		errs = append(errs, s.release())
		if err := p.log.fs.Remove(companion(s.path, idxSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		errs = append(errs, p.log.fs.Remove(s.path))
	}
	if n > 0 {
		errs = append(errs, p.log.fs.SyncDir(p.dir))
		p.log.o.Log.Debug("segments removed", "partition", p.id, "segments", n, "offset", first)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: remove segments below offset %d: %w", p.where(), first, err)
	}
	return nil
}
