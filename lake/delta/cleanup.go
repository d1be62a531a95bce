package delta

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logRetention is how long commits are kept (delta.logRetentionDuration).
func (s *Snapshot) logRetention() time.Duration {
	if d, ok := ParseInterval(s.Metadata.Configuration["delta.logRetentionDuration"]); ok {
		return d
	}
	return 30 * 24 * time.Hour
}

// CleanLog deletes the part of the log that is older than the table's retention, and
// returns how many files that were: what lies before the newest checkpoint that is itself
// not younger. The checkpoint, its commit and all behind it stay, so that every version
// from the checkpoint on can be read.
func (t *Table) CleanLog(ctx context.Context, s *Snapshot) (int, error) {
	if s.Property("delta.enableExpiredLogCleanup", "true") == "false" || slices.Contains(s.Protocol.WriterFeatures, "checkpointProtection") {
		return 0, nil
	}
	l, err := t.list(ctx, 0)
	if err != nil {
		return 0, err
	}
	cut := t.opts.Clock().Add(-s.logRetention()).UTC().Truncate(24 * time.Hour)
	slices.Sort(l.commits)
	newest, last := int64(-1), time.Time{}
	for _, v := range l.commits {
		// The times of files are made increasing, as for time travel.
		at := l.modified[v]
		if !at.After(last) {
			at = last.Add(time.Millisecond)
		}
		if last = at; at.After(cut) {
			break
		}
		newest = v
	}
	if newest < 0 {
		return 0, nil
	}
	keep := int64(-1)
	for _, v := range l.checkpointsUpTo(newest) {
		if l.modified[v].IsZero() { // its own commit must be there
			continue
		}
		keep = v
		break
	}
	if keep <= 0 || len(l.commits) == 0 || l.commits[0] >= keep && len(l.checkpointsUpTo(keep)) == 1 {
		return 0, nil
	}
	// What is deleted cannot be had again: the checkpoint that is left must be whole.
	if _, err := t.readCheckpoint(ctx, keep, l.checkpoints[keep]); err != nil {
		return 0, fmt.Errorf("clean the log of %s: checkpoint %d, which would be the oldest, cannot be read: %w", t.prefix, keep, err)
	}
	// A hint that names a checkpoint which is gone makes some engines fail; one that is
	// not there does no harm.
	if h, ok := t.readHint(ctx); !ok || h.Version < keep {
		if err := t.store.Delete(ctx, t.logKey(hintName), t.logKey("._last_checkpoint.crc")); err != nil {
			return 0, fmt.Errorf("clean the log of %s: %w", t.prefix, err)
		}
	}
	var keys []string
	prefix := t.logKey("") + "/"
	for info, err := range t.store.List(ctx, prefix, "") {
		if err != nil {
			return 0, fmt.Errorf("clean the log of %s: %w", t.prefix, err)
		}
		if expired(strings.TrimPrefix(info.Key, prefix), keep) {
			keys = append(keys, info.Key)
		}
	}
	for done := 0; done < len(keys); {
		n := min(1000, len(keys)-done)
		if err := ctx.Err(); err != nil {
			return done, fmt.Errorf("clean the log of %s: %w", t.prefix, err)
		}
		if err := t.store.Delete(ctx, keys[done:done+n]...); err != nil {
			return done, fmt.Errorf("clean the log of %s: %w", t.prefix, err)
		}
		done += n
	}
	t.opts.Log.Info("the log was cleaned", "table", t.prefix, "files", len(keys), "oldest", keep)
	return len(keys), nil
}

// expired reports whether a file of the log is not needed when the checkpoint of a
// version is the oldest. Hidden side files of Hadoop go with their files.
func expired(name string, keep int64) bool {
	if hidden, ok := strings.CutPrefix(name, "."); ok {
		if name, ok = strings.CutSuffix(hidden, ".crc"); !ok {
			return false
		}
	}
	if len(name) < 24 || strings.Contains(name, "/") || name[20] != '.' {
		return false
	}
	version, err := strconv.ParseInt(name[:20], 10, 64)
	if err != nil {
		return false
	}
	rest := name[21:]
	switch {
	case strings.HasSuffix(rest, ".compacted.json"):
		return version <= keep
	case rest == "json", rest == "crc", strings.HasPrefix(rest, "checkpoint."):
		return version < keep
	}
	return false
}
