package lake

import (
	"context"
	"errors"
	"slices"
	"strings"

	"spate/lake/query"
	"spate/sql/syntax"
)

// drop takes tables, or a database, out of the catalog. The files of managed tables go; others
// are the user's.
func (s *Statements) drop(ctx context.Context, a *query.Action) error {
	st := a.Statement.(*syntax.Drop)
	if a.Drop == nil {
		return s.dropDatabase(ctx, a.Database, st)
	}
	for _, n := range a.Drop {
		spec, err := s.Catalog.find(ctx, n.Database, n.Table)
		if errors.Is(err, query.ErrNoTable) {
			if st.IfExists {
				continue
			}
			return query.Mistake(3701, n.At, "Cannot drop the table '%s', because it does not exist.", n.Database+"."+n.Table)
		}
		if err != nil {
			return err
		}
		if err := s.dropTable(ctx, spec, n.At); err != nil {
			return err
		}
	}
	return nil
}

func (s *Statements) dropTable(ctx context.Context, spec TableSpec, at syntax.Span) error {
	if slices.ContainsFunc(s.Catalog.specs, func(o TableSpec) bool { return o.key() == spec.key() }) {
		return query.Mistake(50000, at, "The table %s.%s is declared in the pipeline file: take it out there.", spec.Database, spec.Name)
	}
	if strings.EqualFold(spec.Database, "delta") {
		return query.Unsupported(at, "DROP TABLE of a path")
	}
	managed := false
	err := s.Catalog.edit(ctx, func(e *entries) error {
		managed = e.Tables[spec.key()].Managed
		delete(e.Tables, spec.key())
		e.Dropped[spec.Prefix] = true
		return nil
	})
	if err != nil || !managed {
		return err
	}
	// The log goes first: without it the other files are no table.
	for _, below := range []string{"/_delta_log/", "/"} {
		var keys []string
		for info, err := range s.Catalog.o.Store.List(ctx, spec.Prefix+below, "") {
			if err != nil {
				return err
			}
			keys = append(keys, info.Key)
		}
		for part := range slices.Chunk(keys, 1000) {
			if err := s.Catalog.o.Store.Delete(ctx, part...); err != nil {
				return err
			}
		}
	}
	return s.Catalog.edit(ctx, func(e *entries) error {
		delete(e.Dropped, spec.Prefix)
		return nil
	})
}

func (s *Statements) dropDatabase(ctx context.Context, name string, st *syntax.Drop) error {
	has, err := s.Catalog.hasDatabase(ctx, name)
	if err != nil {
		return err
	}
	at := st.Names[0].Loc()
	switch {
	case !has && st.IfExists:
		return nil
	case !has:
		return query.Mistake(911, at, "Database '%s' does not exist. Make sure that the name is entered correctly.", name)
	case strings.EqualFold(name, "default") || slices.ContainsFunc(s.Catalog.o.Databases, func(d string) bool { return strings.EqualFold(d, name) }):
		return query.Mistake(50000, at, "The database %s is the pipeline's, and stays.", name)
	}
	specs, err := s.Catalog.Tables(ctx)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		if !strings.EqualFold(spec.Database, name) {
			continue
		}
		if !st.Cascade {
			return query.Mistake(50000, at, "Cannot drop the database '%s', because it has tables, such as %s.", name, spec.Name)
		}
		if err := s.dropTable(ctx, spec, at); err != nil {
			return err
		}
	}
	return s.Catalog.edit(ctx, func(e *entries) error {
		delete(e.Databases, strings.ToLower(name))
		return nil
	})
}
