package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"spate/lake/delta"
	"spate/lake/query"
	"spate/sql/syntax"
)

// Statements carries out statements on the tables of a catalog: it implements query.Tables.
type Statements struct {
	Catalog *Catalog
	Engine  *query.Engine // for statements that change rows
	// Pinned gives which files VACUUM must not delete although no version names them: those
	// that jobs have prepared. Nil: VACUUM is refused.
	Pinned func(ctx context.Context) (func(file string) bool, error)
}

var _ query.Tables = (*Statements)(nil)

// Do implements query.Tables.
func (s *Statements) Do(ctx context.Context, a *query.Action) (*query.Result, error) {
	switch a.Kind {
	case query.ShowDatabases:
		return s.databases(ctx)
	case query.ShowTables:
		return s.tables(ctx, a.Database)
	case query.CreateDatabase:
		return nil, s.createDatabase(ctx, a)
	case query.CreateTable:
		return s.createTable(ctx, a)
	case query.Drop:
		return nil, s.drop(ctx, a)
	}
	spec, err := s.Catalog.find(ctx, a.Database, a.Table)
	if err != nil {
		return nil, err
	}
	t, err := s.Catalog.Delta(ctx, spec.Database, spec.Name)
	if err != nil {
		return nil, err
	}
	switch a.Kind {
	case query.Optimize:
		return s.optimize(ctx, spec, t, a)
	case query.Vacuum:
		return s.vacuum(ctx, spec, t, a)
	case query.Insert, query.InsertOverwrite, query.Delete, query.Update, query.Truncate:
		return s.change(ctx, spec, t, a)
	case query.AlterTable:
		return nil, s.alter(ctx, t, a.Statement.(*syntax.AlterTable))
	case query.Analyze:
		return nil, s.analyze(ctx, spec, t, a.Statement.(*syntax.Analyze))
	case query.Restore:
		return s.restore(ctx, t, a)
	case query.History:
		return history(ctx, t, a.Limit)
	}
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	switch a.Kind {
	case query.Describe, query.DescribeFull:
		e, _, err := s.Catalog.entries(ctx)
		if err != nil {
			return nil, err
		}
		return describe(spec, snap, a.Kind == query.DescribeFull, s.location(spec), e.Tables[spec.key()]), nil
	case query.Detail:
		return detail(ctx, spec, t, snap, s.location(spec))
	case query.ShowColumns:
		return columnNames(snap), nil
	case query.ShowProps:
		return properties(snap), nil
	case query.ShowParts:
		return partitions(snap)
	case query.ShowCreate:
		return createTable(spec, snap, s.location(spec))
	}
	return nil, fmt.Errorf("there is no statement %s", a.Kind)
}

// location is where the files of a table are, as far as people can go there.
func (s *Statements) location(spec TableSpec) string {
	if l, ok := s.Catalog.o.Store.(query.Local); ok {
		if p, err := l.Path(spec.Prefix); err == nil {
			return p
		}
	}
	return spec.Prefix
}

func (s *Statements) optimize(ctx context.Context, spec TableSpec, t *delta.Table, a *query.Action) (*query.Result, error) {
	o := delta.OptimizeOptions{ZOrderBy: a.ZOrderBy}
	if a.Where != nil {
		o.Where = func(f *delta.Add) bool { return a.Where(f.PartitionValues) }
	}
	if a.WhereText != "" {
		o.Predicate = []string{a.WhereText}
	}
	if s.Engine != nil {
		o.Rewrite = func(ctx context.Context, snap *delta.Snapshot, list []*delta.Add, by []string) ([]*delta.Add, error) {
			return s.pack(ctx, spec, t, snap, list, by)
		}
	}
	start := time.Now()
	res, err := t.Optimize(ctx, o)
	if errors.Is(err, delta.ErrZOrderColumn) {
		return nil, &query.Error{Number: 50000, Class: 16, Message: "DELTA_ZORDERING_ON_PARTITION_COLUMN: " + err.Error()}
	}
	if err != nil {
		return nil, err
	}
	metrics, err := json.Marshal(struct {
		FilesAdded          int   `json:"numFilesAdded"`
		FilesRemoved        int   `json:"numFilesRemoved"`
		Added               sizes `json:"filesAdded"`
		Removed             sizes `json:"filesRemoved"`
		PartitionsOptimized int   `json:"partitionsOptimized"`
		Bins                int   `json:"numBins"`
		Batches             int   `json:"numBatches"`
		Considered          int   `json:"totalConsideredFiles"`
		Skipped             int   `json:"totalFilesSkipped"`
		PreserveOrder       bool  `json:"preserveInsertionOrder"`
		Start               int64 `json:"startTimeMs"`
		End                 int64 `json:"endTimeMs"`
	}{res.FilesAdded, res.FilesRemoved, sizes{res.FilesAdded, res.BytesAdded}, sizes{res.FilesRemoved, res.BytesRemoved}, res.PartitionsOptimized,
		res.Bins, res.Bins, res.FilesConsidered, max(0, res.FilesConsidered-res.FilesRemoved), len(a.ZOrderBy) == 0, start.UnixMilli(), time.Now().UnixMilli()})
	if err != nil {
		return nil, err
	}
	return query.NewResult(texts("path", "metrics"), [][]query.Value{{query.TextValue(s.location(spec)), query.TextValue(string(metrics))}}), nil
}

// pack writes the rows of files into new ones, whatever types they have.
func (s *Statements) pack(ctx context.Context, spec TableSpec, t *delta.Table, snap *delta.Snapshot, list []*delta.Add, by []string) ([]*delta.Add, error) {
	view, err := query.TableOf(spec.Database, spec.Name, snap, s.Catalog.o.Store)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, a := range list {
		wanted[a.Path] = true
	}
	var part []query.File
	have, sure := int64(0), true
	for _, f := range view.Files {
		if wanted[f.Meta.Path()] {
			part = append(part, f)
			n, known := f.Meta.Rows()
			have, sure = have+n-f.DeletedRows, sure && known
		}
	}
	rows, err := query.Packed(ctx, s.Engine, view, part, by)
	if err != nil {
		return nil, err
	}
	w := &files{engine: s.Engine, store: s.Catalog.o.Store, prefix: t.Prefix(), snap: snap, target: targetOf(snap), kept: true, ordered: true}
	adds, n, err := w.write(ctx, rows)
	if err == nil && sure && n != have {
		err = fmt.Errorf("pack files of %s: %d rows instead of %d: %w", t.Prefix(), n, have, errShifted)
	}
	return adds, err
}

type sizes struct {
	Files int   `json:"totalFiles"`
	Bytes int64 `json:"totalSize"`
}

func (s *Statements) vacuum(ctx context.Context, spec TableSpec, t *delta.Table, a *query.Action) (*query.Result, error) {
	o := delta.VacuumOptions{DryRun: a.DryRun, Lite: a.Lite, Retain: max(a.Retain, 0), Now: a.Retain == 0, Force: a.Force}
	if s.Pinned == nil {
		return nil, errors.New("which files the jobs have prepared is not known here, so none can be deleted")
	}
	pinned, err := s.Pinned(ctx)
	if err != nil {
		return nil, fmt.Errorf("which files the jobs have prepared: %w", err)
	}
	o.Pinned = pinned
	res, err := t.Vacuum(ctx, o)
	if errors.Is(err, delta.ErrRetentionTooShort) {
		return nil, &query.Error{Number: 50000, Class: 16, Message: err.Error() + ".",
			Hint: "Queries that run, and older versions, may need these files. spate table vacuum --force deletes them all the same."}
	}
	if err != nil {
		return nil, err
	}
	if !a.DryRun {
		return query.NewResult(texts("path"), [][]query.Value{{query.TextValue(s.location(spec))}}), nil
	}
	var rows [][]query.Value
	for _, f := range res.Files {
		rows = append(rows, []query.Value{query.TextValue(s.location(spec) + "/" + f)})
	}
	return query.NewResult(texts("path"), rows), nil
}

func (s *Statements) restore(ctx context.Context, t *delta.Table, a *query.Action) (*query.Result, error) {
	version := a.To.Version
	if !a.To.IsVersion {
		at, err := t.SnapshotAsOf(ctx, time.UnixMilli(a.To.UnixMilli))
		if err != nil {
			return nil, err
		}
		version = at.Version
	}
	res, err := t.Restore(ctx, version)
	if err != nil {
		return nil, err
	}
	row := []query.Value{query.IntValue(res.Bytes), query.IntValue(int64(res.Files)), query.IntValue(int64(res.FilesRemoved)),
		query.IntValue(int64(res.FilesRestored)), query.IntValue(res.BytesRemoved), query.IntValue(res.BytesRestored)}
	return query.NewResult(numbers("table_size_after_restore", "num_of_files_after_restore", "num_removed_files", "num_restored_files",
		"removed_files_size", "restored_files_size"), [][]query.Value{row}), nil
}

func texts(names ...string) []query.Column {
	return columnsOf(query.Type{ID: query.NVarChar, Size: query.Max}, names)
}

func numbers(names ...string) []query.Column { return columnsOf(query.Type{ID: query.BigInt}, names) }

func columnsOf(t query.Type, names []string) []query.Column {
	var out []query.Column
	for _, n := range names {
		out = append(out, query.Column{Name: n, Type: t})
	}
	return out
}
