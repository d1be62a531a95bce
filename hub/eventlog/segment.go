package eventlog

import (
	"container/list"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Segment file header: event-hubs.md 14.3.
const (
	segMagic   = "SPATESEG"
	segVersion = 1
	segHeader  = 64
	segSuffix  = ".seg"
)

// segment is one file of entries.
type segment struct {
	fs    fileSystem
	files *Files
	path  string
	base  int64

	// fileMu is held for reading while the file is used, for writing when it is
	// opened, closed or given up.
	fileMu sync.RWMutex
	file   file // nil: it is opened when it is wanted
	gone   bool

	place *list.Element // in files.open; guarded by files.mu
	used  atomic.Bool   // since it was last looked at, to be closed
	held  atomic.Bool   // it is being written and stays open

	// What readers see; guarded by Partition.tailMu.
	extent
	index    []indexEntry // append-only; nil with unloaded set: in the index file
	unloaded bool
}

// newSegment is the segment of p from offset base on. No file is touched.
func (p *Partition) newSegment(base int64) *segment {
	return &segment{fs: p.log.fs, files: p.log.o.Files, path: segmentPath(p.dir, base), base: base}
}

// extent is how far a segment goes and what it holds.
type extent struct {
	length    int64 // bytes of the file in use
	end       int64 // offset behind the last record
	created   int64 // Unix milliseconds
	floor     int64 // append time of the last record before the segment, 0: none
	firstTime int64 // append time of the first and the last entry; floor while empty
	lastTime  int64
	maxTime   int64 // maximum record timestamp, -1 while empty
	entries   int64
	indexAt   int64 // the first entry at or behind this place gets an index entry
}

// add takes an entry into account and returns its index entry if it gets one.
func (x *extent) add(base int64, e *entry) (ix indexEntry, ok bool) {
	if x.length >= x.indexAt {
		ix = indexEntry{rel: uint32(e.base - base), pos: uint32(x.length), time: e.appendTime, maxBefore: x.maxTime}
		ok, x.indexAt = true, x.length+indexEvery
	}
	if x.entries == 0 {
		x.firstTime = e.appendTime
	}
	x.entries++
	x.lastTime = e.appendTime
	x.maxTime = max(x.maxTime, e.maxTime)
	x.length += int64(e.length)
	x.end = e.next()
	return ix, ok
}

// emptyExtent is a segment's that holds its header only.
func emptyExtent(base, created, floor int64) extent {
	return extent{length: segHeader, end: base, created: created, floor: floor,
		firstTime: floor, lastTime: floor, maxTime: -1, indexAt: segHeader}
}

func segmentPath(dir string, base int64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", base, segSuffix))
}

// companion is the path of another file with the segment's name.
func companion(segPath, suffix string) string {
	return segPath[:len(segPath)-len(segSuffix)] + suffix
}

// appendSegmentHeader appends a segment's first bytes.
func appendSegmentHeader(dst []byte, hub [16]byte, partition int, epoch int32, base int64, x *extent) []byte {
	var h [segHeader]byte
	be := binary.BigEndian
	copy(h[:], segMagic)
	be.PutUint16(h[8:], segVersion)
	be.PutUint16(h[10:], segHeader)
	copy(h[16:], hub[:])
	be.PutUint32(h[32:], uint32(partition))
	be.PutUint32(h[36:], uint32(epoch))
	be.PutUint64(h[40:], uint64(base))
	be.PutUint64(h[48:], uint64(x.created))
	be.PutUint64(h[56:], uint64(x.floor))
	be.PutUint32(h[12:], crcOf(h[16:]))
	return append(dst, h[:]...)
}

// parseSegmentHeader checks a header against the place it was found in.
func parseSegmentHeader(h []byte, hub [16]byte, partition int, base int64) (extent, error) {
	be := binary.BigEndian
	switch {
	case len(h) < segHeader || string(h[:8]) != segMagic:
		return extent{}, fmt.Errorf("no segment header: %w", ErrDamaged)
	case be.Uint16(h[8:]) != segVersion:
		return extent{}, fmt.Errorf("segment has format version %d, this program reads %d", be.Uint16(h[8:]), segVersion)
	case be.Uint16(h[10:]) != segHeader || crcOf(h[16:segHeader]) != be.Uint32(h[12:]):
		return extent{}, fmt.Errorf("segment header does not check: %w", ErrDamaged)
	case [16]byte(h[16:32]) != hub || int(be.Uint32(h[32:])) != partition || int64(be.Uint64(h[40:])) != base:
		return extent{}, fmt.Errorf("segment is of another hub, partition or place: %w", ErrDamaged)
	}
	return emptyExtent(base, int64(be.Uint64(h[48:])), int64(be.Uint64(h[56:]))), nil
}

// readAt fills b from the segment's file.
func (s *segment) readAt(b []byte, off int64) error {
	f, err := s.use()
	if err != nil {
		return err
	}
	defer s.fileMu.RUnlock()
	if _, err := f.ReadAt(b, off); err != nil {
		return fmt.Errorf("read %d bytes at %d of %s: %w", len(b), off, s.path, err)
	}
	return nil
}

// use returns the open file with fileMu held for reading.
func (s *segment) use() (file, error) {
	for {
		s.fileMu.RLock()
		if s.gone {
			s.fileMu.RUnlock()
			return nil, fmt.Errorf("segment %s was removed: %w", s.path, ErrOffsetOutOfRange)
		}
		if s.file != nil {
			if !s.used.Load() {
				s.used.Store(true)
			}
			return s.file, nil
		}
		s.fileMu.RUnlock()
		s.fileMu.Lock()
		if s.file == nil && !s.gone {
			f, err := s.fs.Open(s.path)
			if err != nil {
				s.fileMu.Unlock()
				return nil, fmt.Errorf("open segment: %w", err)
			}
			s.file = f
			s.files.opened(s)
		}
		s.fileMu.Unlock()
	}
}

// adopt takes the file of a segment that was just made.
func (s *segment) adopt(f file) {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.file = f
	s.files.opened(s)
}

// release closes the file when nobody reads it any more; later reads fail.
func (s *segment) release() error {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.gone = true
	if s.file == nil {
		return nil
	}
	s.files.closed(s)
	err := s.file.Close()
	s.file = nil
	return err
}
