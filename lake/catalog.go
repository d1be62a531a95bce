// Package lake knows the tables of an instance: their databases, names and
// places. It reads nothing but Delta logs, so that tables can be queried while
// a pipeline writes them, and when none runs.
//
// Stability: importable, not promised before 1.0.
package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate/blob"
	"spate/lake/delta"
	"spate/lake/query"
)

// TableSpec names a table and its place.
type TableSpec struct {
	Database string // "default" if empty
	Name     string
	Prefix   string // where its blobs lie in the store; <database>.db/<name> if empty
}

// Options describe a catalog.
type Options struct {
	Store  blob.Store // required
	Tables []TableSpec
	// Discover registers every folder of the store that holds a Delta log and is in
	// no TableSpec: <database>.db/<name>, others in the database "default".
	Discover bool
	Log      *slog.Logger
	// Open are the open tables of the process, of the same store. Nil: the catalog has
	// its own.
	Open *Tables
}

// Catalog finds tables by name, without regard to case. Its methods may be
// called concurrently.
type Catalog struct {
	o     Options
	specs []TableSpec
}

// Folder is where the tables of an account's container lie in a data folder.
func Folder(data, account, container string) string {
	return filepath.Join(data, "lake", account, container)
}

// NewCatalog returns a catalog. It reads nothing yet: a table whose log does not
// exist is no error before it is asked for.
func NewCatalog(o Options) (*Catalog, error) {
	if o.Store == nil {
		return nil, errors.New("catalog: Store is required")
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Open == nil {
		var err error
		if o.Open, err = NewTables(TablesOptions{Store: o.Store, Log: o.Log}); err != nil {
			return nil, fmt.Errorf("catalog: %w", err)
		}
	}
	c := &Catalog{o: o}
	seen := map[string]bool{}
	for _, s := range o.Tables {
		s = s.complete()
		if s.Name == "" {
			return nil, errors.New("catalog: a table has no name")
		}
		if key := s.key(); seen[key] {
			return nil, fmt.Errorf("catalog: table %s.%s is named twice", s.Database, s.Name)
		} else {
			seen[key] = true
		}
		c.specs = append(c.specs, s)
	}
	return c, nil
}

func (s TableSpec) complete() TableSpec {
	s.Database = cmp.Or(s.Database, "default")
	if s.Prefix == "" {
		s.Prefix = s.Database + ".db/" + s.Name
	}
	s.Prefix = strings.Trim(s.Prefix, "/")
	return s
}

func (s TableSpec) key() string { return strings.ToLower(s.Database + "." + s.Name) }

// HasDatabase implements query.Catalog.
func (c *Catalog) HasDatabase(name string) bool {
	if strings.EqualFold(name, "default") || strings.EqualFold(name, "master") {
		return true
	}
	for _, s := range c.specs {
		if strings.EqualFold(s.Database, name) {
			return true
		}
	}
	if !c.o.Discover {
		return false
	}
	for s, err := range c.discovered(context.Background()) {
		if err == nil && strings.EqualFold(s.Database, name) {
			return true
		}
	}
	return false
}

// Tables lists the tables that are named or found, by database and name.
func (c *Catalog) Tables(ctx context.Context) ([]TableSpec, error) {
	out := slices.Clone(c.specs)
	if c.o.Discover {
		for s, err := range c.discovered(ctx) {
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b TableSpec) int { return strings.Compare(a.key(), b.key()) })
	return out, nil
}

// List implements query.Lister.
func (c *Catalog) List(ctx context.Context) ([]query.TableName, error) {
	specs, err := c.Tables(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]query.TableName, len(specs))
	for i, s := range specs {
		out[i] = query.TableName{Database: s.Database, Name: s.Name}
	}
	return out, nil
}

// discovered yields the folders with a Delta log that no spec names.
func (c *Catalog) discovered(ctx context.Context) func(yield func(TableSpec, error) bool) {
	return func(yield func(TableSpec, error) bool) {
		named := map[string]bool{}
		keys := map[string]bool{}
		for _, s := range c.specs {
			named[s.Prefix], keys[s.key()] = true, true
		}
		last := ""
		for info, err := range c.o.Store.List(ctx, "", "") {
			if err != nil {
				yield(TableSpec{}, fmt.Errorf("list tables: %w", err))
				return
			}
			prefix, _, ok := strings.Cut(info.Key, "/_delta_log/")
			if !ok || prefix == last {
				continue
			}
			last = prefix
			s := TableSpec{Database: "default", Name: strings.ToLower(path.Base(prefix)), Prefix: prefix}
			if db, ok := strings.CutSuffix(path.Base(path.Dir(prefix)), ".db"); ok && db != "" {
				s.Database = db
			}
			if named[prefix] || keys[s.key()] {
				continue
			}
			keys[s.key()] = true
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (c *Catalog) find(ctx context.Context, database, name string) (TableSpec, error) {
	want := TableSpec{Database: database, Name: name}.complete()
	for _, s := range c.specs {
		if s.key() == want.key() {
			return s, nil
		}
	}
	if c.o.Discover {
		for s, err := range c.discovered(ctx) {
			if err != nil {
				return TableSpec{}, err
			}
			if s.key() == want.key() {
				return s, nil
			}
		}
	}
	return TableSpec{}, query.ErrNoTable
}

// Delta opens the log of a table.
func (c *Catalog) Delta(ctx context.Context, database, name string) (*delta.Table, error) {
	s, err := c.find(ctx, database, name)
	if err != nil {
		return nil, err
	}
	t, err := c.o.Open.Open(ctx, s.Prefix)
	if errors.Is(err, delta.ErrNotATable) {
		return nil, fmt.Errorf("open table %s.%s: %w", s.Database, s.Name, query.ErrNotWritten)
	}
	if err != nil {
		return nil, fmt.Errorf("open table %s.%s: %w", s.Database, s.Name, err)
	}
	return t, nil
}

// Table implements query.Catalog.
func (c *Catalog) Table(ctx context.Context, database, name string, at query.AsOf) (*query.Table, error) {
	t, err := c.Delta(ctx, database, name)
	if err != nil {
		return nil, err
	}
	var snap *delta.Snapshot
	switch {
	case !at.Set:
		snap, err = t.Snapshot(ctx)
	case at.IsVersion:
		snap, err = t.SnapshotAt(ctx, at.Version)
	default:
		snap, err = t.SnapshotAsOf(ctx, time.UnixMilli(at.UnixMilli))
	}
	if err != nil {
		return nil, fmt.Errorf("read log of %s.%s: %w", database, name, err)
	}
	return query.TableOf(database, name, snap, c.o.Store)
}
