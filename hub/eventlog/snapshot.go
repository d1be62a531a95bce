package eventlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Snapshot puts what the logs hold at one moment into folders, one for each log, on the
// same file system: a log that Open takes for one whose process was killed. Files are hard
// links and go on growing: noted is told how many bytes of one belong to the snapshot.
// Appends and reads go on; what would remove files waits.
//
// The moment is the same for all logs: whoever has read a record of one and has written
// because of it to another has done both before it, or it has the record alone.
func Snapshot(logs []*Log, dirs []string, noted func(path string, bytes int64)) error {
	shots := make([]*shot, len(logs))
	// Held by this process alone on several logs, and in the order given.
	for i, l := range logs {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed {
			return fmt.Errorf("snapshot of %s: %w", l.o.Hub, ErrClosed)
		}
		shots[i] = &shot{log: l, dir: dirs[i]}
	}
	for _, s := range shots {
		if err := s.prepare(noted); err != nil {
			return fmt.Errorf("snapshot of %s: %w", s.log.o.Hub, err)
		}
	}
	for _, s := range shots {
		for _, p := range s.parts {
			p.tailMu.Lock()
		}
	}
	for _, s := range shots {
		for i, p := range s.parts {
			s.at = append(s.at, p.stand(s.epochs[i]))
		}
	}
	for _, s := range shots {
		for _, p := range s.parts {
			p.tailMu.Unlock()
		}
	}
	for _, s := range shots {
		if err := s.take(noted); err != nil {
			return fmt.Errorf("snapshot of %s: %w", s.log.o.Hub, err)
		}
	}
	return nil
}

// shot is the snapshot of one log.
type shot struct {
	log    *Log
	dir    string
	parts  []*Partition
	epochs []int32
	at     []stand
}

// stand is where a partition is at the moment of a snapshot.
type stand struct {
	segs []extentOf
	next int64
	last int64
	mark manifestPartition
}

// extentOf is how far a segment goes.
type extentOf struct {
	path         string
	base, length int64
}

// stand needs tailMu.
func (p *Partition) stand(epoch int32) stand {
	s := stand{next: p.next, last: p.last, mark: manifestPartition{ID: p.id, Epoch: epoch, Start: p.start, Epochs: slices.Clone(p.epochs)}}
	for _, g := range p.segs {
		s.segs = append(s.segs, extentOf{g.path, g.base, g.length})
	}
	return s
}

// prepare makes the folders, and links what the log knows of its producers: that it is
// older than the moment does no harm, the batches behind it say the rest.
func (s *shot) prepare(noted func(string, int64)) error {
	s.parts = *s.log.parts.Load()
	for i, p := range s.parts {
		if err := p.Err(); err != nil {
			return err
		}
		s.epochs = append(s.epochs, p.Epoch())
		if err := os.MkdirAll(s.partDir(i), 0o755); err != nil {
			return err
		}
		if err := p.linkProducers(s.partDir(i), noted); err != nil {
			return err
		}
	}
	return nil
}

func (s *shot) partDir(i int) string { return filepath.Join(s.dir, filepath.Base(s.parts[i].dir)) }

// linkProducers links the snapshots of producers. A flush may replace the oldest one
// meanwhile: then the list is read again.
func (p *Partition) linkProducers(dir string, noted func(string, int64)) error {
	for {
		names, err := p.log.fs.ReadDir(p.dir)
		if err != nil {
			return err
		}
		missed := false
		for _, offset := range numbered(names, pidSuffix) {
			err := linkWhole(snapshotPath(p.dir, offset), snapshotPath(dir, offset), noted)
			if errors.Is(err, fs.ErrNotExist) {
				missed = true
			} else if err != nil {
				return err
			}
		}
		if !missed {
			return nil
		}
	}
}

// take links the segments as they were at the moment, and writes the files that say so.
func (s *shot) take(noted func(string, int64)) error {
	m := &manifest{Hub: s.log.o.Hub, ID: hex.EncodeToString(s.log.o.ID[:]), Created: s.log.o.Created.UTC().Format(manifestTime),
		Options: s.log.Settings().options()}
	for i := range s.parts {
		at, dir := &s.at[i], s.partDir(i)
		m.Partitions = append(m.Partitions, at.mark)
		if err := at.link(dir, noted); err != nil {
			return err
		}
		last := at.segs[len(at.segs)-1]
		tail := make([]byte, tailSize)
		copy(tail[tailSlot1:], (&checkpoint{sequence: 1, segment: last.base, length: last.length, next: at.next, time: at.last}).encode())
		if err := os.WriteFile(filepath.Join(dir, tailName), tail, 0o644); err != nil {
			return err
		}
	}
	return writeManifest(disk{}, s.dir, m)
}

// link links the segments with their indexes, and takes snapshots of producers away that
// know more than the segments do.
func (at *stand) link(dir string, noted func(string, int64)) error {
	for i, g := range at.segs {
		to := segmentPath(dir, g.base)
		if err := os.Link(g.path, to); err != nil {
			return err
		}
		noted(to, g.length)
		if i == len(at.segs)-1 {
			break // it grows, and has no index of its own yet
		}
		err := linkWhole(companion(g.path, idxSuffix), companion(to, idxSuffix), noted)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it can be made anew
			return err
		}
	}
	names, err := (disk{}).ReadDir(dir)
	if err != nil {
		return err
	}
	for _, offset := range numbered(names, pidSuffix) {
		if offset > at.next {
			if err := os.Remove(snapshotPath(dir, offset)); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkWhole links a file that is never changed; it may be there already.
func linkWhole(from, to string, noted func(string, int64)) error {
	if err := os.Link(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	st, err := os.Stat(to)
	if err != nil {
		return err
	}
	noted(to, st.Size())
	return nil
}
