package lake

import (
	"context"
	"errors"
	"slices"
	"strings"

	"spate/lake/delta"
	"spate/lake/query"
	"spate/sql/syntax"
)

// analyze counts the rows of a table and, if it is asked to, the values of its columns, for the
// catalog. The table does not change: statistics of files are made when these are written.
func (s *Statements) analyze(ctx context.Context, spec TableSpec, t *delta.Table, st *syntax.Analyze) error {
	snap, err := t.Snapshot(ctx)
	if err != nil {
		return err
	}
	if s.Engine == nil {
		return errors.New("ANALYZE TABLE needs the query engine, and there is none")
	}
	view, err := query.TableOf(spec.Database, spec.Name, snap, s.Catalog.o.Store)
	if err != nil {
		return err
	}
	var at []int
	for i, c := range snap.Columns {
		if st.AllColumns || slices.ContainsFunc(st.Columns, func(p *syntax.Path) bool { return strings.EqualFold(p.Parts[0].Name, c.Name) }) {
			at = append(at, i)
		}
	}
	for _, p := range st.Columns {
		if _, err := columnAt(snap, p); err != nil {
			return err
		}
	}
	rows, distinct, nulls, err := query.Profile(ctx, s.Engine, view, at)
	if err != nil {
		return err
	}
	stats := &TableStatistics{Version: snap.Version, Rows: rows, Bytes: snap.Size()}
	for k, i := range at {
		stats.Columns = append(stats.Columns, ColumnDistinct{Name: snap.Columns[i].Name, Distinct: distinct[k], Nulls: nulls[k]})
	}
	return s.Catalog.edit(ctx, func(e *entries) error {
		x, ok := e.Tables[spec.key()]
		if !ok {
			x = entry{Database: spec.Database, Name: spec.Name, Prefix: spec.Prefix}
		}
		x.Statistics = stats
		e.Tables[spec.key()] = x
		return nil
	})
}
