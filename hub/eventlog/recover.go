package eventlog

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recovered is what opening a partition found.
type recovered struct {
	cut     int64 // bytes of torn tail removed
	damaged error // acknowledged data is missing or bad from the end on
}

// recover reads what is on disk and leaves the partition ready. clean: the log
// was closed in order with its tail at m.Tail.
// Source: event-hubs.md 14.10.
func (p *Partition) recover(m *manifestPartition, clean bool) (r recovered, err error) {
	if err := removeTemporary(p.log.fs, p.dir); err != nil {
		return r, err
	}
	names, err := p.log.fs.ReadDir(p.dir)
	if err != nil {
		return r, err
	}
	bases := numbered(names, segSuffix)
	if len(bases) == 0 {
		return r, fmt.Errorf("no segment in %s: %w", p.dir, ErrDamaged)
	}
	check, hasCheck, err := readTail(p.log.fs, filepath.Join(p.dir, tailName))
	if err != nil {
		return r, err
	}
	p.check = check
	if !clean {
		m = &manifestPartition{Start: m.Start}
	}
	for i, base := range bases {
		last := i == len(bases)-1
		if r.damaged != nil {
			break
		}
		if n := len(p.segs); n > 0 && p.segs[n-1].end != base {
			r.damaged = fmt.Errorf("offsets %d to %d are missing before %s: %w", p.segs[n-1].end, base-1, segmentPath(p.dir, base), ErrDamaged)
			break
		}
		s := p.newSegment(base)
		removed, err := p.openSegment(s, last, m, check, hasCheck, &r)
		if err != nil {
			return r, errors.Join(err, s.release())
		}
		if removed {
			continue
		}
		p.segs = append(p.segs, s)
	}
	return r, p.settle(m, check, hasCheck, numbered(names, pidSuffix), &r)
}

// settle sets the partition's state once its segments are known.
func (p *Partition) settle(m *manifestPartition, check checkpoint, hasCheck bool, snapshots []int64, r *recovered) error {
	if len(p.segs) == 0 {
		return fmt.Errorf("no segment with a whole header in %s: %w", p.dir, ErrDamaged)
	}
	p.active = p.segs[len(p.segs)-1]
	if p.active.unloaded { // the one behind it was not finished: it grows again, and so does its index
		if _, err := p.loadIndex(p.active, p.active.extent); err != nil {
			return err
		}
	}
	p.tail = p.active.extent
	for _, s := range p.segs {
		p.bytes += s.length
	}
	p.next, p.last, p.lastTime, p.start = p.tail.end, p.tail.lastTime, p.tail.lastTime, m.Start
	if r.damaged == nil && hasCheck && check.next > p.next {
		r.damaged = fmt.Errorf("offsets %d to %d were durable and are missing: %w", p.next, check.next-1, ErrDamaged)
	}
	if r.damaged == nil && m.Tail != nil && m.Tail.Next > p.next {
		r.damaged = fmt.Errorf("offsets %d to %d were there at the last close and are missing: %w", p.next, m.Tail.Next-1, ErrDamaged)
	}
	if r.damaged == nil && p.start > p.next {
		r.damaged = fmt.Errorf("the log begins at %d and ends at %d: %w", p.start, p.next, ErrDamaged)
	}
	p.start = min(max(p.start, p.segs[0].base), p.next)
	p.durable.Store(p.next)
	err := p.recoverProducers(snapshots)
	if errors.Is(err, ErrDamaged) {
		// What checks stays readable; appends could store a repeat.
		r.damaged, err = cmp.Or(r.damaged, err), nil
	}
	return err
}

// openSegment finds out how far a segment goes. removed: it was one whose
// creation did not finish.
func (p *Partition) openSegment(s *segment, last bool, m *manifestPartition, check checkpoint, hasCheck bool, r *recovered) (removed bool, err error) {
	f, err := s.use()
	if err != nil {
		return false, err
	}
	defer s.fileMu.RUnlock()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("open segment %s: %w", s.path, err)
	}
	w := window{f: f, size: size}
	head, err := w.bytes(0, segHeader)
	if err != nil {
		return false, fmt.Errorf("open segment %s: %w", s.path, err)
	}
	x, headErr := parseSegmentHeader(head, p.log.o.ID, p.id, s.base)
	if headErr != nil {
		unfinished := len(head) < segHeader || allZero(head)
		if !unfinished || !last || len(p.segs) == 0 && s.base != 0 {
			return false, fmt.Errorf("open segment %s: %w", s.path, headErr)
		}
		if hasCheck && check.segment == s.base && check.length >= segHeader {
			return false, fmt.Errorf("open segment %s: it was durable up to byte %d: %w", s.path, check.length, headErr)
		}
		return true, p.dropUnfinished(s)
	}
	s.extent = x
	closed := m.Tail // where an orderly close left this segment
	if closed != nil && closed.Segment != s.base {
		closed = nil
	}
	if !last || closed != nil && closed.Length == size {
		if p.trustIndex(s, size, x) {
			if !last {
				s.index, s.unloaded = nil, true // read again when asked for
			}
			return false, nil
		}
	}
	sc := scan{p: p, window: w, base: s.base, x: x}
	bad, err := sc.run()
	if err != nil {
		return false, fmt.Errorf("scan %s: %w", s.path, err)
	}
	s.extent, s.index = sc.x, sc.index
	if bad == nil && !last {
		b := encodeIndex(p.log.o.ID, p.id, s.base, &s.extent, s.index)
		return false, replace(p.log.fs, companion(s.path, idxSuffix), b)
	}
	if bad == nil {
		// What a killed process left in the page cache is served from now on: it
		// has to be on the disk first.
		if err = f.Sync(); err == nil {
			err = p.log.fs.SyncDir(p.dir)
		}
		if err != nil {
			return false, fmt.Errorf("sync %s: %w", s.path, err)
		}
		return false, nil
	}
	proven := !last || hasCheck && check.segment == s.base && sc.x.length < check.length ||
		closed != nil && sc.x.length < closed.Length
	if !proven {
		if proven, err = sc.provesLoss(sc.x.end); err != nil {
			return false, fmt.Errorf("scan %s: %w", s.path, err)
		}
	}
	if proven {
		r.damaged = fmt.Errorf("offset %d in %s: %w", sc.x.end, s.path, bad)
		return false, nil
	}
	if err = f.Truncate(sc.x.length); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return false, fmt.Errorf("cut the torn tail of %s: %w", s.path, err)
	}
	r.cut = size - sc.x.length
	return false, nil
}

// trustIndex takes a segment's extent and index from its index file, if that
// checks.
func (p *Partition) trustIndex(s *segment, size int64, x extent) bool {
	b, err := p.log.fs.ReadFile(companion(s.path, idxSuffix))
	if err != nil {
		return false
	}
	x, index, err := parseIndex(b, p.log.o.ID, p.id, s.base, size, x)
	if err != nil {
		return false
	}
	s.extent, s.index = x, index
	return true
}

// dropUnfinished removes a last segment that never became durable. The one
// before it is the active one again; without one this was the first of all, and
// it is made anew.
func (p *Partition) dropUnfinished(s *segment) error {
	s.fileMu.RUnlock()
	err := s.release()
	s.fileMu.RLock()
	if err == nil && len(p.segs) == 0 {
		x := emptyExtent(0, p.stamp.millis(), 0)
		fresh := p.newSegment(0)
		if err = fresh.create(appendSegmentHeader(nil, p.log.o.ID, p.id, p.epoch, 0, &x)); err == nil {
			fresh.extent = x
			p.segs = append(p.segs, fresh)
		}
	} else if err == nil {
		err = p.log.fs.Remove(s.path)
	}
	if err == nil {
		err = p.log.fs.SyncDir(p.dir)
	}
	if err != nil {
		return fmt.Errorf("remove unfinished segment %s: %w", s.path, err)
	}
	return nil
}

// create makes the segment's file with its header, durable but for the folder.
func (s *segment) create(header []byte) error {
	f, err := s.fs.Create(s.path)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	s.adopt(f)
	if _, err = f.WriteAt(header, 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("create segment %s: %w", s.path, err)
	}
	return nil
}

// recoverProducers takes the newest producer snapshot that checks and reads on
// from there in the batches' heads.
func (p *Partition) recoverProducers(offsets []int64) error {
	p.known, p.snapshots = producers{}, nil
	from := int64(0)
	for i := len(offsets) - 1; i >= 0; i-- {
		if offsets[i] > p.next {
			continue
		}
		b, err := p.log.fs.ReadFile(snapshotPath(p.dir, offsets[i]))
		if err != nil {
			return fmt.Errorf("read producer snapshot: %w", err)
		}
		ps, offset, err := parseProducers(b, p.id, p.log.o.ID)
		if err != nil || offset != offsets[i] {
			p.log.o.Log.Warn("producer snapshot is bad", "partition", p.id, "offset", offsets[i], "err", err)
			continue
		}
		p.known, from = ps, offset
		break
	}
	for _, o := range offsets {
		if o <= p.next {
			p.snapshots = append(p.snapshots, o)
		}
	}
	for _, s := range p.segs {
		if s.end <= from {
			continue
		}
		f, err := s.use()
		if err != nil {
			return err
		}
		err = headsOf(f, s.length, from, p.known)
		s.fileMu.RUnlock()
		if err != nil {
			return fmt.Errorf("read producers from %s: %w", s.path, err)
		}
	}
	return nil
}

// headsOf applies the batches of a segment from an offset on.
func headsOf(f file, length, from int64, known producers) error {
	w := window{f: f, size: length}
	for pos := int64(segHeader); pos < length; {
		b, err := w.bytes(pos, minEntry)
		if err != nil {
			return err
		}
		if len(b) < minEntry {
			return fmt.Errorf("%d bytes left at %d: %w", len(b), pos, ErrDamaged)
		}
		e, err := parseHead(b)
		if err != nil {
			return fmt.Errorf("at %d: %w", pos, err)
		}
		if e.base >= from && e.producer >= 0 {
			known.apply(&e)
		}
		pos += int64(e.length)
	}
	return nil
}

// numbered returns the numbers of files named <20 digits><suffix>, ascending.
func numbered(names []string, suffix string) []int64 {
	var list []int64
	for _, n := range names {
		digits, ok := strings.CutSuffix(n, suffix)
		if !ok || len(digits) != 20 {
			continue
		}
		if v, err := strconv.ParseInt(digits, 10, 64); err == nil {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
