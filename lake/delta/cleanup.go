package delta

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/blob"
)

// defaultLogRetention is what the protocol says where the table does not.
const defaultLogRetention = 30 * 24 * time.Hour

// CleanUp deletes what the log does not need: commits and checkpoints below the newest
// checkpoint that is older than the retention of the log, by day. That checkpoint stays, so
// the table can be read as it was at any time since. It returns how many files went.
func (t *Table) CleanUp(ctx context.Context) (int, error) {
	s, err := t.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	if s.Property("delta.enableExpiredLogCleanup", "true") == "false" {
		return 0, nil
	}
	retention := defaultLogRetention
	if d, ok := ParseInterval(s.Property("delta.logRetentionDuration", "")); ok {
		retention = d
	}
	cut := t.opts.Clock().UTC().Add(-retention).Truncate(24 * time.Hour)
	fail := func(err error) error { return fmt.Errorf("clean up the log of %s: %w", t.prefix, err) }

	var files []logFile
	for info, err := range t.store.List(ctx, t.logKey("")+"/", "") {
		if err != nil {
			return 0, fail(err)
		}
		if f, ok := logFileOf(info, t.logKey("")+"/"); ok {
			files = append(files, f)
		}
	}
	last := int64(-1) // newest commit that is old enough
	for _, f := range files {
		if f.kind == "json" && !f.modified.After(cut) {
			last = max(last, f.version)
		}
	}
	keep := int64(-1) // newest checkpoint not behind it
	l, err := t.list(ctx, 0)
	if err != nil {
		return 0, fail(err)
	}
	for v := range l.checkpoints { // whole ones
		if v <= last {
			keep = max(keep, v)
		}
	}
	if s.hasFeature("checkpointProtection") {
		if n, err := strconv.ParseInt(s.Property("delta.requireCheckpointProtectionBeforeVersion", "0"), 10, 64); err != nil || keep < n {
			return 0, nil
		}
	}
	// A reader that follows the hint must not be led to what is gone.
	if h, ok := t.readHint(ctx); keep <= 0 || !ok || h.Version < keep {
		return 0, nil
	}
	if _, err := t.readCheckpoint(ctx, keep, l.checkpoints[keep]); err != nil {
		return 0, fail(fmt.Errorf("checkpoint %d, which was to stay: %w", keep, err))
	}
	var gone []string
	for _, f := range files {
		if f.version < keep || f.kind == "compacted.json" && f.version <= keep {
			gone = append(gone, f.key)
		}
	}
	slices.Sort(gone) // the oldest first: what a crash leaves has no gap
	const batch = 1000
	for part := range slices.Chunk(gone, batch) {
		if err := t.store.Delete(ctx, part...); err != nil {
			return 0, fail(err)
		}
	}
	n, err := t.cleanSidecars(ctx)
	if err != nil {
		return len(gone), fail(err)
	}
	return len(gone) + n, nil
}

// logFile is a file of the log folder that belongs to a version.
type logFile struct {
	key      string
	version  int64
	kind     string // behind the version, and without the end of a range: json, crc, compacted.json, checkpoint...
	modified time.Time
}

func logFileOf(info blob.Info, prefix string) (logFile, bool) {
	name := strings.TrimPrefix(info.Key, prefix)
	if len(name) < 24 || strings.Contains(name, "/") || name[20] != '.' {
		return logFile{}, false
	}
	version, err := strconv.ParseInt(name[:20], 10, 64)
	if err != nil {
		return logFile{}, false
	}
	kind := name[21:]
	if end, rest, ok := strings.Cut(kind, "."); ok && len(end) == 20 && rest == "compacted.json" {
		kind = rest
	}
	known := kind == "json" || kind == "crc" || kind == "compacted.json" || strings.HasPrefix(kind, "checkpoint.")
	return logFile{key: info.Key, version: version, kind: kind, modified: info.Modified}, known
}

// cleanSidecars deletes those that no checkpoint names and that are older than a day: a
// younger one may belong to a checkpoint that is on its way.
func (t *Table) cleanSidecars(ctx context.Context) (int, error) {
	old := map[string]bool{}
	cut := t.opts.Clock().UTC().Add(-24 * time.Hour).Truncate(24 * time.Hour)
	for info, err := range t.store.List(ctx, t.logKey("_sidecars")+"/", "") {
		if err != nil {
			return 0, err
		}
		if info.Modified.Before(cut) {
			old[info.Key] = true
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	l, err := t.list(ctx, 0)
	if err != nil {
		return 0, err
	}
	for _, names := range l.checkpoints {
		for _, name := range names {
			c := &checkpointReader{table: t, state: t.empty()}
			if err := c.open(ctx, t.logKey(name)); err != nil { // whatever it names may be needed
				return 0, fmt.Errorf("checkpoint %s: %w", name, err)
			}
			for _, s := range c.sidecars {
				delete(old, path.Join(t.logKey("_sidecars"), filePath("", s)))
			}
		}
	}
	gone := make([]string, 0, len(old))
	for key := range old {
		gone = append(gone, key)
	}
	if len(gone) == 0 {
		return 0, nil
	}
	return len(gone), t.store.Delete(ctx, gone...)
}

// hasFeature reports whether the protocol lists a feature.
func (s *Snapshot) hasFeature(name string) bool {
	return slices.Contains(s.Protocol.ReaderFeatures, name) || slices.Contains(s.Protocol.WriterFeatures, name)
}
