package delta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"time"

	"spate/blob"
)

// Properties that say from where on commits carry their own time. They are absent when
// that is the first version.
const (
	ictOn      = "delta.enableInCommitTimestamps"
	ictVersion = "delta.inCommitTimestampEnablementVersion"
	ictTime    = "delta.inCommitTimestampEnablementTimestamp"
)

// inCommitTimestamps reports whether commits carry their own time.
func (s *Snapshot) inCommitTimestamps() bool {
	return slices.Contains(s.Protocol.WriterFeatures, "inCommitTimestamp") && s.Metadata.Configuration[ictOn] == "true"
}

func timesOf(info json.RawMessage) (timestamp int64, inCommit *int64) {
	var ci struct {
		Timestamp         int64  `json:"timestamp"`
		InCommitTimestamp *int64 `json:"inCommitTimestamp"`
	}
	if json.Unmarshal(info, &ci) != nil {
		return 0, nil
	}
	return ci.Timestamp, ci.InCommitTimestamp
}

// stamp gives a commit the time that the feature inCommitTimestamp asks for: later than
// that of the version before, whatever the clock says.
func (t *Table) stamp(ctx context.Context, c *commit, cur *Snapshot, info *CommitInfo) error {
	next := Snapshot{Protocol: cur.Protocol, Metadata: cur.Metadata}
	if c.protocol != nil {
		next.Protocol = *c.protocol
	}
	if c.metadata != nil {
		next.Metadata = *c.metadata
	}
	if !next.inCommitTimestamps() {
		return nil
	}
	at := info.Timestamp
	if cur.Version >= 0 {
		before := cur.info
		if before == nil { // loaded from a checkpoint
			last, err := t.readCommit(ctx, cur.Version)
			if err != nil && !errors.Is(err, blob.ErrNotFound) {
				return err
			}
			if err == nil {
				before = last.info
			}
		}
		stamp, inCommit := timesOf(before)
		switch {
		case cur.inCommitTimestamps() && inCommit == nil:
			return fmt.Errorf("version %d: %w: it has no inCommitTimestamp", cur.Version, ErrDamaged)
		case inCommit != nil:
			stamp = *inCommit
		}
		at = max(at, stamp+1)
		if !cur.inCommitTimestamps() {
			// The table says from where on the times in the commits count. The metadata may
			// be the caller's, and another version may be tried later.
			m := next.Metadata
			m.Configuration = maps.Clone(m.Configuration)
			m.Configuration[ictVersion], m.Configuration[ictTime] = strconv.FormatInt(c.version, 10), strconv.FormatInt(at, 10)
			c.metadata = &m
		}
	}
	info.Timestamp, info.InCommitTimestamp = at, &at
	return nil
}

// SnapshotAsOf returns the newest version that was there at the time: by the times in the
// commits as far as they carry them, before by those of the files, made increasing.
func (t *Table) SnapshotAsOf(ctx context.Context, at time.Time) (*Snapshot, error) {
	s, err := t.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	l, err := t.list(ctx, 0)
	if err != nil {
		return nil, err
	}
	slices.Sort(l.commits)
	own := len(l.commits) // place of the first commit that carries its time
	if s.inCommitTimestamps() {
		from, err := strconv.ParseInt(s.Property(ictVersion, "0"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w: %s is %q", t.prefix, ErrDamaged, ictVersion, s.Property(ictVersion, ""))
		}
		own, _ = slices.BinarySearch(l.commits, from)
	}
	best, last := int64(-1), int64(-1<<62)
	for _, v := range l.commits[:own] {
		ms := max(l.modified[v].UnixMilli(), last+1)
		last = ms
		if ms <= at.UnixMilli() {
			best = v
		}
	}
	if stamped := l.commits[own:]; len(stamped) > 0 {
		var failed error
		timeOf := func(v int64) int64 {
			c, err := t.readCommit(ctx, v)
			if err != nil {
				failed = err
				return 0
			}
			_, ms := timesOf(c.info)
			if ms == nil {
				failed = fmt.Errorf("table %s: version %d: %w: it has no inCommitTimestamp", t.prefix, v, ErrDamaged)
				return 0
			}
			return *ms
		}
		n := sort.Search(len(stamped), func(i int) bool { return timeOf(stamped[i]) > at.UnixMilli() })
		last = timeOf(stamped[len(stamped)-1])
		if failed != nil {
			return nil, failed
		}
		// Files that were copied may be younger than the times in the commits.
		if n > 0 {
			best = stamped[n-1]
		} else if first, err := strconv.ParseInt(s.Property(ictTime, "0"), 10, 64); err == nil && own > 0 && at.UnixMilli() >= first {
			best = l.commits[own-1]
		}
	}
	switch {
	case best < 0:
		return nil, fmt.Errorf("table %s at %s: the first version is younger: %w", t.prefix, at.UTC().Format(time.RFC3339Nano), ErrVersionNotFound)
	case at.UnixMilli() > last:
		return nil, fmt.Errorf("table %s at %s: the last commit is of %s: %w", t.prefix, at.UTC().Format(time.RFC3339Nano),
			time.UnixMilli(last).UTC().Format(time.RFC3339Nano), ErrVersionNotFound)
	}
	return t.SnapshotAt(ctx, best)
}
