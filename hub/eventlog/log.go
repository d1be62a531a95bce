// Package eventlog is a durable, partitioned log of Kafka record batches: what
// producers send is kept byte for byte, behind a header of 32 bytes that gives
// each batch its place, its append time and a check.
//
// An append is acknowledged when it is on the disk (policy Sync): the syncer
// writes and syncs what gathered while it was busy in one go. Readers see only
// what is durable. Closing in order leaves marks that make the next Open quick;
// without them Open scans the newest segment, cuts a torn tail, and tells it
// from damage to acknowledged data, which it never repairs by itself.
//
// Bytes on disk: format version 1, event-hubs.md 14.
//
// Lock order: Log.mu, Partition.appendMu, Partition.tailMu, segment.fileMu.
//
// Stability: importable, not promised before 1.0.
package eventlog

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"spate/metric"
)

// Options say where a log lives and what it shares with others.
type Options struct {
	Dir             string // of this log alone
	Hub             string // name, for the manifest and for errors
	ID              [16]byte
	Created         time.Time
	Syncer          *Syncer          // shared by all logs of the process
	Clock           func() time.Time // default time.Now
	Log             *slog.Logger     // default: nothing is logged
	Messages, Bytes *metric.Counter  // count what became durable; may be nil
	Files           *Files           // shared by all logs of the process; default one of its own
	AcceptLoss      bool             // cut partitions at damage to acknowledged data, giving up what lies behind it

	fs fileSystem // of tests
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.fs == nil {
		o.fs = disk{}
	}
	if o.Files == nil {
		o.Files = NewFiles(0, 0)
	}
	o.fs = frugal{o.fs, o.Files}
	return o
}

// Settings of a log that may change while it is open.
type Settings struct {
	SegmentBytes   int64         // 1 MiB..1 GiB; default 64 MiB
	Retention      time.Duration // 0 keeps everything
	RetentionBytes int64         // per partition; 0: no limit
	Policy         Policy
	MaxBatchBytes  int // limit of AppendBatch; default 1 MiB and 64 KiB
}

func (s Settings) withDefaults() (Settings, error) {
	s.SegmentBytes = cmp.Or(s.SegmentBytes, 64<<20)
	s.MaxBatchBytes = cmp.Or(s.MaxBatchBytes, 1<<20+64<<10)
	switch {
	case s.SegmentBytes < 1<<20 || s.SegmentBytes > 1<<30:
		return s, fmt.Errorf("segments of %d bytes: want 1 MiB to 1 GiB", s.SegmentBytes)
	case s.Retention < 0 || s.RetentionBytes < 0:
		return s, errors.New("retention is negative")
	case s.MaxBatchBytes < 0 || s.MaxBatchBytes > maxEntry-entryHead:
		return s, fmt.Errorf("batch limit of %d bytes: want 1 to %d", s.MaxBatchBytes, maxEntry-entryHead)
	case s.Policy > Interval:
		return s, fmt.Errorf("policy %d is unknown", s.Policy)
	}
	return s, nil
}

// Log is the log of one hub.
type Log struct {
	o        Options
	fs       fileSystem
	settings atomic.Pointer[Settings]

	mu     sync.Mutex // orders changes of the manifest; guards the fields below
	parts  atomic.Pointer[[]*Partition]
	closed bool
}

// Create makes a new log.
func Create(o Options, s Settings, partitions int) (*Log, error) {
	l := &Log{o: o.withDefaults()}
	l.fs = l.o.fs
	s, err := s.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("create log of %s: %w", o.Hub, err)
	}
	l.settings.Store(&s)
	l.parts.Store(new([]*Partition))
	if err = l.fs.MkdirAll(o.Dir); err == nil {
		err = l.fs.SyncDir(filepath.Dir(o.Dir))
	}
	if err == nil {
		err = l.grow(partitions)
	}
	if err != nil {
		return nil, fmt.Errorf("create log of %s: %w", o.Hub, errors.Join(err, l.release()))
	}
	return l, nil
}

// Open opens a log and repairs what a crash left behind. A partition with
// damage opens read-only up to it; its Err says so.
func Open(o Options) (*Log, error) {
	l := &Log{o: o.withDefaults()}
	l.fs = l.o.fs
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open log of %s: %w", o.Hub, errors.Join(err, l.release()))
	}
	return l, nil
}

func (l *Log) open() error {
	parts := []*Partition{}
	l.parts.Store(&parts)
	if err := removeTemporary(l.fs, l.o.Dir); err != nil {
		return err
	}
	m, err := readManifest(l.fs, l.o.Dir, l.o.ID)
	if err != nil {
		return err
	}
	s, err := m.Options.settings()
	if err == nil {
		s, err = s.withDefaults()
	}
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	l.settings.Store(&s)
	for i := range m.Partitions {
		p := l.newPartition(i)
		parts = append(parts, p)
		l.parts.Store(&parts)
		mp := &m.Partitions[i]
		p.epoch, p.epochs = mp.Epoch, mp.Epochs
		r, err := p.recover(mp, m.Clean)
		if err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
		if !m.Clean || r.cut > 0 || r.damaged != nil {
			p.epoch++
			p.epochs = append(p.epochs, epochStart{Epoch: p.epoch, Start: p.next})
			p.epochs = p.epochs[max(0, len(p.epochs)-64):]
		}
		if r.cut > 0 {
			l.o.Log.Info("torn tail cut", "partition", i, "offset", p.next, "bytes", r.cut)
		}
		if r.damaged != nil && l.o.AcceptLoss {
			l.o.Log.Warn("damaged data given up", "partition", i, "offset", p.next, "err", r.damaged)
			if err := p.giveUp(); err != nil {
				return fmt.Errorf("partition %d: %w", i, err)
			}
		} else if r.damaged != nil {
			l.o.Log.Error("acknowledged data is damaged; the partition is read-only", "partition", i, "offset", p.next, "err", r.damaged)
			p.refuse(fmt.Errorf("%w: %w", ErrOffline, r.damaged))
		}
		if err := p.makeTail(); err != nil {
			return err
		}
	}
	return l.save(false)
}

func (l *Log) newPartition(i int) *Partition {
	p := &Partition{log: l, id: i, dir: filepath.Join(l.o.Dir, fmt.Sprintf("%04d", i)),
		stamp: newStamper(l.o.Clock), known: producers{}, claims: claims{}}
	p.room = sync.NewCond(&p.appendMu)
	return p
}

// Grow adds partitions until there are n.
func (l *Log) Grow(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.grow(n)
}

func (l *Log) grow(n int) error {
	old := *l.parts.Load()
	parts := append([]*Partition(nil), old...)
	for i := len(old); i < n; i++ {
		p := l.newPartition(i)
		if err := l.fs.MkdirAll(p.dir); err != nil {
			return fmt.Errorf("create partition %d: %w", i, err)
		}
		x := emptyExtent(0, p.stamp.millis(), 0)
		s := p.newSegment(0)
		s.extent = x
		if err := s.create(appendSegmentHeader(nil, l.o.ID, i, 0, 0, &x)); err != nil {
			return err
		}
		p.segs, p.active, p.tail, p.bytes = []*segment{s}, s, x, x.length
		p.epochs = []epochStart{{Epoch: 0, Start: 0}}
		if err := p.makeTail(); err != nil {
			return err
		}
		if err := l.fs.SyncDir(p.dir); err != nil {
			return fmt.Errorf("create partition %d: %w", i, err)
		}
		parts = append(parts, p)
	}
	l.parts.Store(&parts)
	if err := l.fs.SyncDir(l.o.Dir); err != nil {
		return err
	}
	return l.save(false)
}

// save writes the manifest. The caller holds l.mu or is the only one.
func (l *Log) save(clean bool) error {
	m := &manifest{Hub: l.o.Hub, ID: hex.EncodeToString(l.o.ID[:]), Created: l.o.Created.UTC().Format(manifestTime),
		Options: l.Settings().options(), Clean: clean}
	for i, p := range *l.parts.Load() {
		epoch := p.Epoch()
		p.tailMu.Lock()
		mp := manifestPartition{ID: i, Epoch: epoch, Start: p.start, Epochs: p.epochs}
		if clean {
			s := p.segs[len(p.segs)-1]
			mp.Tail = &manifestTail{Segment: s.base, Length: s.length, Next: p.next, Time: p.last}
		}
		p.tailMu.Unlock()
		m.Partitions = append(m.Partitions, mp)
	}
	return writeManifest(l.fs, l.o.Dir, m)
}

// Settings returns the settings in force.
func (l *Log) Settings() Settings { return *l.settings.Load() }

// SetSettings changes the settings, durably.
func (l *Log) SetSettings(s Settings) error {
	s, err := s.withDefaults()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.Settings()
	if l.closed || s == old {
		return nil
	}
	l.settings.Store(&s)
	if err := l.save(false); err != nil {
		l.settings.Store(&old)
		return err
	}
	return nil
}

// Partitions is the number of partitions.
func (l *Log) Partitions() int { return len(*l.parts.Load()) }

// Partition returns partition i.
func (l *Log) Partition(i int) *Partition { return (*l.parts.Load())[i] }

// Close refuses appends, waits for those under way, and leaves the marks of an
// orderly end.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	clean := true
	var errs []error
	for _, p := range *l.parts.Load() {
		ok, err := p.close()
		clean = clean && ok
		errs = append(errs, err)
	}
	if clean {
		errs = append(errs, l.save(true))
	}
	errs = append(errs, l.release())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close log of %s: %w", l.o.Hub, err)
	}
	return nil
}

// Delete ends all use of the log: appends and reads get ErrDeleted. The files
// are the caller's to remove.
func (l *Log) Delete() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, p := range *l.parts.Load() {
		p.drain(ErrDeleted)
		p.refuseReaders(ErrDeleted)
	}
	if err := l.release(); err != nil {
		l.o.Log.Warn("closing the files of a deleted hub", "err", err)
	}
}

// release closes all files.
func (l *Log) release() error {
	var errs []error
	for _, p := range *l.parts.Load() {
		for _, s := range p.segs {
			errs = append(errs, s.release())
		}
	}
	return errors.Join(errs...)
}

// drain refuses appends and waits for the flushes under way.
func (p *Partition) drain(why error) (ok bool) {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	ok = p.err == nil
	p.refuse(why)
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.stopProbing()
	for p.queued || p.probing {
		p.room.Wait()
	}
	return ok && !errors.Is(p.err, ErrOffline)
}

// close brings everything to disk. ok: the partition's tail may be trusted.
func (p *Partition) close() (ok bool, err error) {
	ok = p.drain(ErrClosed)
	p.refuseReaders(ErrClosed)
	if !ok {
		return false, nil
	}
	if p.unsynced != nil {
		if err := p.syncFile(p.unsynced); err != nil {
			return false, err
		}
	}
	s := p.segs[len(p.segs)-1]
	b := encodeIndex(p.log.o.ID, p.id, s.base, &s.extent, s.index)
	if err := replace(p.log.fs, companion(s.path, idxSuffix), b); err != nil {
		return false, err
	}
	if err := p.saveProducers(p.known.snapshot(p.next, p.id, p.log.o.ID), p.next); err != nil {
		return false, err
	}
	p.saveTail(true)
	return true, nil
}
