package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// giveUp cuts a damaged partition at its readable end: the rest of the newest
// readable segment, all later segments, and the marks that say they were there.
func (p *Partition) giveUp() error {
	names, err := p.log.fs.ReadDir(p.dir)
	if err != nil {
		return err
	}
	remove := func(path string) error {
		if err := p.log.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	var errs []error
	for _, base := range numbered(names, segSuffix) {
		if base <= p.active.base {
			continue
		}
		path := segmentPath(p.dir, base)
		errs = append(errs, remove(companion(path, idxSuffix)), remove(path))
	}
	for _, offset := range numbered(names, pidSuffix) {
		if offset > p.next {
			errs = append(errs, remove(snapshotPath(p.dir, offset)))
		}
	}
	errs = append(errs, remove(companion(p.active.path, idxSuffix)), remove(filepath.Join(p.dir, tailName)))
	f, err := p.active.use()
	if err == nil {
		if err = f.Truncate(p.tail.length); err == nil {
			err = f.Sync()
		}
		p.active.fileMu.RUnlock()
	}
	errs = append(errs, err, p.log.fs.SyncDir(p.dir))
	p.check = checkpoint{}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("give up what lies behind offset %d: %w", p.next, err)
	}
	return nil
}

// Damage is a place where the bytes on disk fail their checks.
type Damage struct {
	Partition int
	Path      string
	Position  int64 // in the file
	Offset    int64 // first that is hurt
	Err       error
}

// Verify checks every readable byte of the log and changes nothing.
func (l *Log) Verify(ctx context.Context) ([]Damage, error) {
	var found []Damage
	for _, p := range *l.parts.Load() {
		p.tailMu.Lock()
		segs := slices.Clone(p.segs)
		p.tailMu.Unlock()
		for _, s := range segs {
			if err := ctx.Err(); err != nil {
				return found, err
			}
			p.tailMu.Lock()
			x := s.extent
			p.tailMu.Unlock()
			sc, bad, err := p.rescan(s, x)
			if errors.Is(err, ErrOffsetOutOfRange) {
				continue // retention was faster
			}
			if err != nil {
				return found, err
			}
			if bad != nil {
				found = append(found, Damage{Partition: p.id, Path: s.path, Position: sc.x.length, Offset: sc.x.end, Err: bad})
			}
		}
	}
	return found, nil
}
