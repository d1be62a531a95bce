package delta

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"spate/blob"
)

// RestoreResult says what Restore did.
type RestoreResult struct {
	Version                     int64 // of the commit, -1 if the table was like that already
	Files                       int   // of the table afterwards
	Bytes                       int64
	FilesRemoved, FilesRestored int
	BytesRemoved, BytesRestored int64
}

// ErrFilesGone: VACUUM has deleted files of the version that was asked for.
var ErrFilesGone = errors.New("its files are gone")

// Restore makes the table what it was at a version: a new version with its schema, properties
// and files. How far applications are stays as it is, so a job that writes the table goes on
// behind what it has written, and writes nothing twice.
func (t *Table) Restore(ctx context.Context, version int64) (RestoreResult, error) {
	for attempt := 0; ; attempt++ {
		res, err := t.restore(ctx, version)
		// Another one changed the table: what is to be done is another now.
		if attempt < 10 && (errors.Is(err, ErrDeleteConflict) || errors.Is(err, ErrAppendConflict) || errors.Is(err, ErrMetadataChanged) || errors.Is(err, ErrProtocolChanged)) {
			continue
		}
		return res, err
	}
}

func (t *Table) restore(ctx context.Context, version int64) (RestoreResult, error) {
	res := RestoreResult{Version: -1}
	s, err := t.Snapshot(ctx)
	if err != nil {
		return res, err
	}
	fail := func(err error) (RestoreResult, error) {
		return RestoreResult{Version: -1}, fmt.Errorf("restore %s: %w", t.prefix, err)
	}
	if err := s.checkWrite(); err != nil {
		return fail(err)
	}
	old, err := t.SnapshotAt(ctx, version)
	if err != nil {
		return fail(err)
	}
	now := make(map[string]bool)
	for _, a := range s.Files() {
		now[fileKey(s.root, a.Path, a.DeletionVector)] = true
	}
	tx := &Transaction{Operation: "RESTORE", Base: s, ReadsTable: true, Parameters: map[string]any{"version": version, "timestamp": nil}}
	then := make(map[string]bool)
	for _, a := range old.Files() {
		k := fileKey(s.root, a.Path, a.DeletionVector)
		then[k] = true
		res.Files, res.Bytes = res.Files+1, res.Bytes+a.Size
		if now[k] {
			continue
		}
		if _, err := t.store.Stat(ctx, s.Key(a)); errors.Is(err, blob.ErrNotFound) {
			return fail(fmt.Errorf("version %d: %s: %w: VACUUM has deleted it, or somebody else", version, a.Path, ErrFilesGone))
		} else if err != nil {
			return fail(err)
		}
		again := *a
		again.DataChange = true
		tx.Adds = append(tx.Adds, &again)
		res.FilesRestored, res.BytesRestored = res.FilesRestored+1, res.BytesRestored+a.Size
	}
	removedAt := t.opts.Clock().UnixMilli()
	for _, a := range s.Files() {
		if then[fileKey(s.root, a.Path, a.DeletionVector)] {
			continue
		}
		tx.Removes = append(tx.Removes, a.Removal(removedAt))
		res.FilesRemoved, res.BytesRemoved = res.FilesRemoved+1, res.BytesRemoved+a.Size
	}
	if !reflect.DeepEqual(old.Metadata, s.Metadata) {
		tx.Metadata = &old.Metadata
	}
	// A protocol is never lowered: files of versions in between may need it.
	if len(tx.Adds)+len(tx.Removes) == 0 && tx.Metadata == nil {
		return res, nil
	}
	text := strconv.FormatInt
	tx.Metrics = map[string]string{"tableSizeAfterRestore": text(res.Bytes, 10), "numOfFilesAfterRestore": strconv.Itoa(res.Files),
		"numRemovedFiles": strconv.Itoa(res.FilesRemoved), "numRestoredFiles": strconv.Itoa(res.FilesRestored),
		"removedFilesSize": text(res.BytesRemoved, 10), "restoredFilesSize": text(res.BytesRestored, 10)}
	next, err := t.Commit(ctx, tx)
	if err != nil {
		return fail(err)
	}
	res.Version = next.Version
	return res, nil
}
