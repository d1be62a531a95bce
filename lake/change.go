package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"spate/lake/delta"
	"spate/lake/query"
)

// How often, and for how long, a statement is tried anew because somebody else has changed what
// it has read: the upkeep has packed a file, or another statement has deleted rows of it.
// Appends of jobs are in no statement's way.
const (
	mostTries   = 100
	longestTime = 2 * time.Minute
)

// change carries out DELETE, UPDATE, TRUNCATE and INSERT.
func (s *Statements) change(ctx context.Context, spec TableSpec, t *delta.Table, a *query.Action) (*query.Result, error) {
	if s.Engine == nil {
		return nil, fmt.Errorf("%s needs the query engine, and there is none", a.Kind)
	}
	began := time.Now()
	for try := 1; ; try++ {
		n, err := s.tryChange(ctx, spec, t, a)
		if err == nil {
			return query.NewResult(numbers("num_affected_rows"), [][]query.Value{{query.IntValue(n)}}), nil
		}
		if !overtaken(err) || try == mostTries || time.Since(began) > longestTime || ctx.Err() != nil {
			return nil, err
		}
	}
}

// errShifted says that what was written is not what was to be left.
var errShifted = errors.New("the rows that were written are not those that were to be left")

// overtaken reports whether an error means that somebody else has changed what was read.
func overtaken(err error) bool {
	for _, e := range []error{delta.ErrDeleteConflict, delta.ErrAppendConflict, delta.ErrMetadataChanged, delta.ErrProtocolChanged, delta.ErrBehind} {
		if errors.Is(err, e) {
			return true
		}
	}
	return query.IsFileGone(err)
}

func (s *Statements) tryChange(ctx context.Context, spec TableSpec, t *delta.Table, a *query.Action) (int64, error) {
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	if err := snap.CanWrite(); err != nil {
		return 0, err
	}
	if err := allows(snap, a.Kind); err != nil {
		return 0, err
	}
	release := s.Catalog.o.Open.Pin(spec.Prefix, snap)
	defer release()
	view, err := query.TableOf(spec.Database, spec.Name, snap, s.Catalog.o.Store)
	if err != nil {
		return 0, err
	}
	w := &files{engine: s.Engine, store: s.Catalog.o.Store, prefix: t.Prefix(), snap: snap, target: targetOf(snap)}
	if a.Kind == query.Insert || a.Kind == query.InsertOverwrite {
		return s.insert(ctx, t, snap, view, w, a)
	}
	return s.rewrite(ctx, t, snap, view, w, a)
}

// targetOf is how large data files of a table get.
func targetOf(s *delta.Snapshot) int64 {
	if n, ok := delta.ParseSize(s.Property("delta.targetFileSize", "")); ok {
		return n
	}
	return fileBytes
}

// allows refuses statements whose result would break what the table promises.
func allows(s *delta.Snapshot, kind query.ActionKind) error {
	if kind == query.Insert {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return &query.Error{Number: 50000, Class: 16, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.AppendOnly():
		return refuse("%s: the table has delta.appendOnly, so rows may only be added.", kind)
	case s.Property("delta.enableChangeDataFeed", "") == "true":
		return refuse("%s of a table with delta.enableChangeDataFeed is not supported yet: its change files are not written.", kind)
	case kind == query.Update || kind == query.Delete:
		if s.Property("delta.enableRowTracking", "") == "true" {
			return refuse("%s of a table with delta.enableRowTracking is not supported yet: rows would lose their ids.", kind)
		}
	}
	return nil
}

// insert adds rows; of INSERT OVERWRITE those that are there go.
func (s *Statements) insert(ctx context.Context, t *delta.Table, snap *delta.Snapshot, view *query.Table, w *files, a *query.Action) (int64, error) {
	rows, err := a.Change.Added(ctx, view)
	if err != nil {
		return 0, err
	}
	adds, n, err := w.write(ctx, rows)
	if err != nil {
		t.Discard(adds)
		return 0, err
	}
	tx := &delta.Transaction{Operation: "WRITE", Base: snap, WrittenFor: snap, Adds: adds}
	mode := "Append"
	if a.Kind == query.InsertOverwrite {
		mode, tx.ReadsTable = "Overwrite", true
		tx.Removes = removals(snap.Files())
	}
	tx.Parameters = map[string]any{"mode": mode, "partitionBy": jsonList(snap.Metadata.PartitionColumns)}
	tx.Metrics = map[string]string{"numFiles": strconv.Itoa(len(adds)), "numOutputRows": strconv.FormatInt(n, 10), "numOutputBytes": strconv.FormatInt(bytesOf(adds), 10)}
	if len(adds)+len(tx.Removes) == 0 {
		return 0, nil
	}
	_, err = t.CommitFiles(ctx, tx)
	return n, err
}

// rewrite deletes or updates rows: the files that have such rows are replaced by what is left.
func (s *Statements) rewrite(ctx context.Context, t *delta.Table, snap *delta.Snapshot, view *query.Table, w *files, a *query.Action) (int64, error) {
	began := time.Now()
	hits, n, err := s.hits(ctx, view, a)
	if err != nil || len(hits) == 0 {
		return n, err
	}
	var rest []query.File
	removed := map[string]bool{}
	left, sure := int64(0), true // rows that rest must have
	for i := range view.Files {
		f := &view.Files[i]
		k, ok := hits[f.Path]
		if !ok {
			continue
		}
		removed[f.Meta.Path()] = true
		if have, known := f.Meta.Rows(); a.Kind == query.Update || !known || have-f.DeletedRows != k {
			rest = append(rest, *f)
			if left += have - f.DeletedRows; a.Kind == query.Delete {
				left -= k
			}
			sure = sure && known
		}
	}
	tx := &delta.Transaction{Operation: string(a.Kind), Base: snap, WrittenFor: snap, ReadsTable: true}
	copied := int64(0)
	if len(rest) > 0 {
		w.kept = true
		rows, err := a.Change.Rest(ctx, view, rest)
		if err != nil {
			return 0, err
		}
		tx.Adds, copied, err = w.write(ctx, rows)
		if err == nil && sure && copied != left {
			err = fmt.Errorf("%s of %s: %d rows instead of %d: %w", a.Kind, t.Prefix(), copied, left, errShifted)
		}
		if err != nil {
			t.Discard(tx.Adds)
			return 0, err
		}
	}
	tx.Removes = removals(slices.DeleteFunc(slices.Clone(snap.Files()), func(f *delta.Add) bool { return !removed[f.Path] }))
	predicate := "[]"
	if a.WhereText != "" {
		predicate = jsonList([]string{a.WhereText})
	}
	tx.Parameters = map[string]any{"predicate": predicate}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	tx.Metrics = map[string]string{"numRemovedFiles": strconv.Itoa(len(tx.Removes)), "numAddedFiles": strconv.Itoa(len(tx.Adds)),
		"numRemovedBytes": number(bytesOfRemoves(tx.Removes)), "numAddedBytes": number(bytesOf(tx.Adds)), "executionTimeMs": number(time.Since(began).Milliseconds())}
	switch a.Kind {
	case query.Update:
		tx.Metrics["numUpdatedRows"], tx.Metrics["numCopiedRows"] = number(n), number(copied-n)
	case query.Delete:
		tx.Metrics["numDeletedRows"], tx.Metrics["numCopiedRows"] = number(n), number(copied)
	}
	if a.Kind == query.Truncate {
		tx.Parameters = map[string]any{}
	}
	_, err = t.CommitFiles(ctx, tx)
	return n, err
}

// hits are the files with rows that are changed, and how many each has.
func (s *Statements) hits(ctx context.Context, view *query.Table, a *query.Action) (map[string]int64, int64, error) {
	out, total := map[string]int64{}, int64(0)
	if a.Change.All {
		known := true
		for i := range view.Files {
			f := &view.Files[i]
			n, ok := f.Meta.Rows()
			out[f.Path] = n - f.DeletedRows
			total, known = total+n-f.DeletedRows, known && ok
		}
		if known {
			return out, total, nil
		}
		clear(out)
		total = 0
	}
	hits, err := a.Change.Hits(ctx, view)
	if err != nil {
		return nil, 0, err
	}
	for _, h := range hits {
		out[h.Path] = h.Rows
		total += h.Rows
	}
	return out, total, nil
}

// removals take files out of a table.
func removals(files []*delta.Add) []*delta.Remove {
	now := time.Now().UnixMilli()
	out := make([]*delta.Remove, len(files))
	for i, a := range files {
		out[i] = a.Removal(now)
	}
	return out
}

func bytesOf(adds []*delta.Add) (n int64) {
	for _, a := range adds {
		n += a.Size
	}
	return n
}

func bytesOfRemoves(list []*delta.Remove) (n int64) {
	for _, r := range list {
		n += r.Size
	}
	return n
}

// jsonList is a list of texts as the history has it.
func jsonList(list []string) string { return jsonText(append([]string{}, list...)) }

// jsonText is a value of texts, numbers and bits as JSON, which always can be.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}
