package delta

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"spate/blob"
)

// ErrRetentionTooShort is returned by Vacuum for less than the table's retention.
var ErrRetentionTooShort = errors.New("DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT")

// VacuumOptions are the settings of Vacuum.
type VacuumOptions struct {
	Retain time.Duration // 0: the table's own retention, a week unless it says otherwise
	Now    bool          // instead of Retain: nothing that was removed is kept
	Force  bool          // allows less than the table's retention
	DryRun bool          // deletes nothing
	Lite   bool          // looks only at files that the log says were removed, and lists no folder
	// Pinned names files, relative to the table, that readers of this process
	// hold. Nil: none.
	Pinned func(file string) bool
}

// VacuumResult says what was, or with DryRun would be, deleted.
type VacuumResult struct {
	Files []string // relative to the table
	Bytes int64
}

// onItsWay is how long a file stays in any case that the log says nothing of: whoever wrote it
// may be about to commit it. Jobs commit every hour at the latest.
const onItsWay = 2 * time.Hour

// Vacuum deletes files under the table that no version younger than the
// retention names. Files younger than that stay in any case, and those that the log never
// named for two hours at least: they may belong to a commit that is on its way.
func (t *Table) Vacuum(ctx context.Context, o VacuumOptions) (VacuumResult, error) {
	var res VacuumResult
	s, err := t.Snapshot(ctx)
	if err != nil {
		return res, err
	}
	if err := s.checkWrite(); err != nil {
		return res, fmt.Errorf("vacuum %s: %w", t.prefix, err)
	}
	retention := s.deletedFileRetention()
	keep := retention
	if o.Retain > 0 || o.Now {
		keep = o.Retain
	}
	if keep < retention && !o.Force {
		return res, fmt.Errorf("vacuum %s: retain %v, the table keeps removed files for %v: %w", t.prefix, keep, retention, ErrRetentionTooShort)
	}
	cut := t.opts.Clock().Add(-keep)
	orphan := t.opts.Clock().Add(-max(keep, onItsWay))
	valid, removed := make(map[string]bool), make(map[string]bool)
	for _, a := range s.Files() {
		for _, file := range s.filesOf(a.Path, a.DeletionVector) {
			valid[file] = true
		}
	}
	err = s.Tombstones(ctx, func(r *Remove) error {
		for _, file := range s.filesOf(r.Path, r.DeletionVector) {
			if r.DeletionTimestamp >= cut.UnixMilli() {
				valid[file] = true
			} else {
				removed[file] = true
			}
		}
		return nil
	})
	if err != nil {
		return res, fmt.Errorf("vacuum %s: %w", t.prefix, err)
	}
	var keys []string
	var sizes []int64
	take := func(info blob.Info, file string) {
		young := !info.Modified.Before(cut) || !removed[file] && !info.Modified.Before(orphan)
		if hidden(file, s.Metadata.PartitionColumns) || valid[file] || young || o.Pinned != nil && o.Pinned(file) {
			return
		}
		keys = append(keys, info.Key)
		res.Files, sizes = append(res.Files, file), append(sizes, info.Size)
		res.Bytes += info.Size
	}
	if o.Lite {
		looked := map[string]bool{} // a vector file may serve several data files
		err = s.Tombstones(ctx, func(r *Remove) error {
			for _, file := range s.filesOf(r.Path, r.DeletionVector) {
				if !belowTable(file) || looked[file] {
					continue
				}
				looked[file] = true
				info, err := t.store.Stat(ctx, path.Join(t.prefix, file))
				if errors.Is(err, blob.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				take(info, file)
			}
			return nil
		})
		if err != nil {
			return res, fmt.Errorf("vacuum %s: %w", t.prefix, err)
		}
	} else {
		for info, err := range t.store.List(ctx, t.prefix+"/", "") {
			if err != nil {
				return res, fmt.Errorf("vacuum %s: %w", t.prefix, err)
			}
			take(info, strings.TrimPrefix(info.Key, t.prefix+"/"))
		}
	}
	if o.DryRun || len(keys) == 0 {
		return res, nil
	}
	start := map[string]any{"retentionCheckEnabled": !o.Force, "defaultRetentionMillis": retention.Milliseconds()}
	if o.Retain > 0 || o.Now {
		start["specifiedRetentionMillis"] = keep.Milliseconds()
	}
	now, err := t.Commit(ctx, &Transaction{Operation: "VACUUM START", Parameters: start,
		Metrics: map[string]string{"numFilesToDelete": strconv.Itoa(len(keys)), "sizeOfDataToDelete": strconv.FormatInt(res.Bytes, 10)}})
	if err != nil {
		return VacuumResult{}, err
	}
	// A RESTORE that came meanwhile may have made files live again.
	for i := len(keys) - 1; i >= 0; i-- {
		if now.Uses(res.Files[i]) {
			keys, res.Files = slices.Delete(keys, i, i+1), slices.Delete(res.Files, i, i+1)
			res.Bytes -= sizes[i]
		}
	}
	status, done := "COMPLETED", error(nil)
	const batch = 1000
	for part := range slices.Chunk(keys, batch) {
		if done = t.store.Delete(ctx, part...); done != nil {
			break
		}
	}
	if done != nil {
		status = "FAILED"
	}
	_, err = t.Commit(ctx, &Transaction{Operation: "VACUUM END", Parameters: map[string]any{"status": status},
		Metrics: map[string]string{"numDeletedFiles": strconv.Itoa(len(keys)), "numVacuumedDirectories": "0"}})
	return res, errors.Join(done, err)
}

// filesOf are the files that an action needs: the data, and that of its deletion vector.
func (s *Snapshot) filesOf(actionPath string, dv *DeletionVector) []string {
	out := []string{filePath(s.root, actionPath)}
	if dv != nil {
		if file := dv.file(s.root); file != "" {
			out = append(out, file)
		}
	}
	return out
}

// belowTable reports whether a path of an action is that of a file below its table.
func belowTable(file string) bool {
	return file != "" && file[0] != '/' && !strings.Contains(file, "://") && path.Clean(file) == file && !strings.HasPrefix(file, "../")
}

// hidden reports whether a file is none of the table's data: in the log or under
// another name that begins with _ or a dot, partition folders excepted.
func hidden(file string, partitions []string) bool {
	dir, name := path.Split(file)
	if name == "" || name[0] == '_' || name[0] == '.' {
		return true
	}
	for seg := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
		if seg == "" || seg[0] != '_' && seg[0] != '.' || seg == "_change_data" {
			continue
		}
		column, _, ok := strings.Cut(seg, "=")
		if !ok || !slices.Contains(partitions, column) {
			return true
		}
	}
	return false
}
