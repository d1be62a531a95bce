package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// intervalSync is how long the Interval policy leaves writes in the page cache.
const intervalSync = 100 * time.Millisecond

// maxSpare is the largest buffer that is kept between groups.
const maxSpare = maxStaged

// flush makes the staged group durable and completes its tickets. The syncer
// calls it; one flush of a partition runs at a time. more: there is a next group.
func (p *Partition) flush() (more bool) {
	p.appendMu.Lock()
	g := p.staged
	p.staged, p.flushing = nil, g
	p.room.Broadcast()
	err := p.err
	p.appendMu.Unlock()
	if g != nil {
		if err == nil || errors.Is(err, ErrClosed) {
			err = p.write(g)
		}
		if err == nil {
			p.publish(g)
		} else {
			p.fail(g, err)
		}
		p.letGo(g)
	}
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	p.flushing = nil
	if g != nil && cap(g.buf) <= maxSpare && cap(g.buf) > cap(p.spare) {
		p.spare = g.buf[:0]
	}
	if g != nil {
		g.buf = nil
	}
	p.queued = p.staged != nil
	p.room.Broadcast()
	return p.queued
}

// letGo allows the files of a group to be closed. Under the policy Interval the last one
// stays until its sync.
func (p *Partition) letGo(g *group) {
	for i := range g.parts {
		if s := g.parts[i].seg; s != p.unsynced || p.log.Settings().Policy != Interval {
			s.held.Store(false)
		}
	}
}

// write brings a group to its files and, by policy, to the disk.
func (p *Partition) write(g *group) error {
	policy := p.log.Settings().Policy
	for i := range g.parts {
		q := &g.parts[i]
		if q.create {
			if err := p.seal(g, i); err != nil {
				return err
			}
			f, err := p.log.fs.Create(q.seg.path)
			if err != nil {
				return fmt.Errorf("create segment: %w", err)
			}
			q.seg.held.Store(true)
			q.seg.adopt(f)
		}
		q.seg.held.Store(true) // an error of a file that is closed before its sync could pass unseen
		f, err := q.seg.use()
		if err != nil {
			return err
		}
		q.begun = true
		_, err = f.WriteAt(g.buf[q.from:q.to], q.at)
		if err == nil && q.create {
			if err = f.Sync(); err != nil {
				err = finalError{err}
			}
		}
		q.seg.fileMu.RUnlock()
		if err == nil && q.create {
			err = p.log.fs.SyncDir(p.dir)
		}
		if err != nil {
			return fmt.Errorf("write %d bytes to %s: %w", q.to-q.from, q.seg.path, err)
		}
		p.unsynced = q.seg
		if q.create {
			p.unsynced = nil
		}
	}
	if (policy == Sync || g.sync) && p.unsynced != nil {
		return p.syncFile(p.unsynced)
	}
	return nil
}

// syncFile makes a segment durable. After an error the page cache may have lost
// the data while a second try would succeed: the error is final.
func (p *Partition) syncFile(s *segment) error {
	f, err := s.use()
	if err != nil {
		return err
	}
	defer s.fileMu.RUnlock()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.path, finalError{err})
	}
	p.unsynced = nil
	s.held.Store(false)
	return nil
}

// finalError hides its cause, so that a sync's error does not pass for a full disk.
type finalError struct{ error }

// seal completes the segment in front of part i: durable, with index and
// producer snapshot.
func (p *Partition) seal(g *group, i int) error {
	old := g.parts[i].sealed
	if err := p.syncFile(old); err != nil {
		return err
	}
	p.tailMu.Lock()
	x, index := old.extent, old.index
	p.tailMu.Unlock()
	if i > 0 {
		x = g.parts[i-1].after
		index = append(index[:len(index):len(index)], g.parts[i-1].index...)
	}
	b := encodeIndex(p.log.o.ID, p.id, old.base, &x, index)
	if err := replace(p.log.fs, companion(old.path, idxSuffix), b); err != nil {
		return err
	}
	return p.saveProducers(g.parts[i].producers, g.parts[i].seg.base)
}

// saveProducers writes a producer snapshot and leaves the two newest.
func (p *Partition) saveProducers(b []byte, offset int64) error {
	if err := replace(p.log.fs, snapshotPath(p.dir, offset), b); err != nil {
		return err
	}
	for len(p.snapshots) > 0 && p.snapshots[len(p.snapshots)-1] >= offset {
		p.snapshots = p.snapshots[:len(p.snapshots)-1]
	}
	p.snapshots = append(p.snapshots, offset)
	for len(p.snapshots) > 2 {
		if err := p.log.fs.Remove(snapshotPath(p.dir, p.snapshots[0])); err != nil {
			return fmt.Errorf("remove old producer snapshot: %w", err)
		}
		p.snapshots = p.snapshots[1:]
	}
	return nil
}

func snapshotPath(dir string, offset int64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", offset, pidSuffix))
}

// publish lets readers see a group and completes its tickets.
func (p *Partition) publish(g *group) {
	p.appendMu.Lock()
	p.flushing = nil // before readers wake: they ask for a promise
	p.tailMu.Lock()
	for i := range g.parts {
		q := &g.parts[i]
		p.bytes += q.after.length - q.seg.length
		q.seg.extent = q.after
		q.seg.index = append(q.seg.index, q.index...)
		if q.create {
			p.segs = append(p.segs, q.seg)
		}
		p.next = q.after.end
	}
	if g.count > 0 {
		p.last = g.lastTime
	}
	next := p.next
	if p.unsynced == nil {
		p.durable.Store(next)
	}
	if len(g.parts) > 0 {
		p.refusal = nil
	}
	p.wake()
	p.tailMu.Unlock()
	p.appendMu.Unlock()
	p.log.o.Messages.Add(int64(g.count))
	p.log.o.Bytes.Add(g.bytes)
	close(g.done)
	if p.unsynced != nil {
		p.syncLater()
	} else if len(g.parts) > 0 {
		p.saveTail(false)
	}
}

// syncLater has the Interval policy's writes synced in time.
func (p *Partition) syncLater() {
	if p.log.Settings().Policy != Interval {
		return
	}
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	if p.timer != nil {
		return
	}
	p.timer = time.AfterFunc(intervalSync, func() {
		p.appendMu.Lock()
		defer p.appendMu.Unlock()
		p.timer = nil
		if p.err == nil {
			p.stage().sync = true
			p.schedule()
		}
	})
}

// saveTail writes the tail checkpoint, at most once a second unless it must.
// It only helps recovery: an error is logged and no more.
func (p *Partition) saveTail(must bool) {
	now := time.Now()
	if !must && now.Sub(p.checkTime) < time.Second {
		return
	}
	p.checkTime = now
	p.tailMu.Lock()
	s := p.segs[len(p.segs)-1]
	p.check = checkpoint{sequence: p.check.sequence + 1, segment: s.base, length: s.length, next: p.next, time: p.last}
	p.tailMu.Unlock()
	f, err := p.tailFile()
	if err == nil {
		err = p.check.write(f)
	}
	if err != nil {
		p.log.o.Log.Warn("tail checkpoint not written", "partition", p.id, "err", err)
	}
}

// fail refuses a group and everything behind it. Where the disk was full or no
// file could be opened, what was written is cut back and the partition goes on; after
// any other error it is offline.
func (p *Partition) fail(g *group, err error) {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	lost := p.err != nil && !errors.Is(p.err, ErrClosed) // offline or deleted already
	why := passing(err)
	if lost {
		why = nil
	} else if why != nil {
		if cut := p.cutBack(g); cut != nil {
			why, err = nil, fmt.Errorf("%w; cut back: %w", err, cut)
		}
	}
	switch {
	case lost:
		err = p.err
	case why != nil:
		err = fmt.Errorf("%s: %w: %w", p.where(), why, err)
		p.refuseForNow(err, len(g.buf))
	default:
		p.log.o.Log.Error("partition is offline", "partition", p.id, "err", err)
		err = fmt.Errorf("%s: %w: %w", p.where(), ErrOffline, err)
		p.err = err
	}
	for _, x := range []*group{p.staged, g} {
		if x == nil {
			continue
		}
		for i := len(x.undo) - 1; i >= 0; i-- {
			u := &x.undo[i]
			if u.known {
				was := u.was
				p.known[u.id] = &was
			} else {
				delete(p.known, u.id)
			}
		}
	}
	p.tailMu.Lock()
	p.active = p.segs[len(p.segs)-1]
	p.tail = p.active.extent
	p.tailMu.Unlock()
	for _, x := range []*group{g, p.staged} {
		if x != nil {
			x.err = err
			close(x.done)
		}
	}
	p.staged = nil
	p.room.Broadcast()
}

// cutBack removes what a group wrote before it failed. It needs no file that is not open.
func (p *Partition) cutBack(g *group) error {
	for i := len(g.parts) - 1; i >= 0; i-- {
		q := &g.parts[i]
		if q.create {
			// A snapshot of offsets that will be given out again must not stay.
			if err := p.log.fs.Remove(snapshotPath(p.dir, q.seg.base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if p.unsynced == q.seg {
				p.unsynced = nil
			}
			p.snapshots = slices.DeleteFunc(p.snapshots, func(o int64) bool { return o == q.seg.base })
			if q.seg.file == nil {
				continue // it was not reached
			}
			if err := errors.Join(q.seg.release(), p.log.fs.Remove(q.seg.path)); err != nil {
				return err
			}
			continue
		}
		if !q.begun {
			continue
		}
		f, err := q.seg.use()
		if err != nil {
			return err
		}
		err = f.Truncate(q.at)
		q.seg.fileMu.RUnlock()
		if err != nil {
			return err
		}
	}
	return nil
}
