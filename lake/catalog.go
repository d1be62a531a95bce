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
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
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
	// Databases are there without a table: that of the pipeline's storage.
	Databases []string
	// Root is what a URL of a table begins with, such as
	// abfss://container@account.dfs.core.windows.net/; empty: no URLs.
	Root string
	Log  *slog.Logger
	// Open are the open tables of the process, of the same store. Nil: the catalog has
	// its own.
	Open *Tables
}

// Catalog finds tables by name, without regard to case. Its methods may be
// called concurrently.
type Catalog struct {
	o     Options
	own   bool // o.Open is
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
	c := &Catalog{own: o.Open == nil}
	if c.own {
		var err error
		if o.Open, err = NewTables(TablesOptions{Store: o.Store, Log: o.Log}); err != nil {
			return nil, fmt.Errorf("catalog: %w", err)
		}
	}
	c.o = o
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

// Close waits for what follows commits, such as checkpoints, where the open tables are the
// catalog's own.
func (c *Catalog) Close() {
	if c.own {
		c.o.Open.working.Wait()
		c.o.Open.Close()
	}
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
	has, err := c.hasDatabase(context.Background(), name)
	return has && err == nil
}

func (c *Catalog) hasDatabase(ctx context.Context, name string) (bool, error) {
	if strings.EqualFold(name, "default") || strings.EqualFold(name, "master") {
		return true, nil
	}
	if slices.ContainsFunc(c.o.Databases, func(d string) bool { return strings.EqualFold(d, name) }) {
		return true, nil
	}
	e, _, err := c.entries(ctx)
	if err != nil {
		return false, err
	}
	if _, ok := e.Databases[strings.ToLower(name)]; ok {
		return true, nil
	}
	for s, err := range c.all(ctx, e) {
		if err != nil {
			return false, err
		}
		if strings.EqualFold(s.Database, name) {
			return true, nil
		}
	}
	return false, nil
}

// Databases lists the databases, in lower case, in order.
func (c *Catalog) Databases(ctx context.Context) ([]string, error) {
	e, _, err := c.entries(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{"default": true}
	for _, d := range c.o.Databases {
		names[strings.ToLower(d)] = true
	}
	for d := range e.Databases {
		names[d] = true
	}
	for s, err := range c.all(ctx, e) {
		if err != nil {
			return nil, err
		}
		names[strings.ToLower(s.Database)] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// Tables lists the tables that are named or found, by database and name.
func (c *Catalog) Tables(ctx context.Context) ([]TableSpec, error) {
	e, _, err := c.entries(ctx)
	if err != nil {
		return nil, err
	}
	var out []TableSpec
	for s, err := range c.all(ctx, e) {
		if err != nil {
			return nil, err
		}
		out = append(out, s)
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

// all yields the tables that the pipeline names, those of statements, and folders with a
// Delta log, each name once.
func (c *Catalog) all(ctx context.Context, e *entries) func(yield func(TableSpec, error) bool) {
	return func(yield func(TableSpec, error) bool) {
		named, keys := map[string]bool{}, map[string]bool{}
		take := func(s TableSpec) bool {
			if keys[s.key()] {
				return true
			}
			named[s.Prefix], keys[s.key()] = true, true
			return yield(s, nil)
		}
		for _, s := range c.specs {
			if !take(s) {
				return
			}
		}
		for _, key := range slices.Sorted(maps.Keys(e.Tables)) {
			t := e.Tables[key]
			if !take(TableSpec{Database: t.Database, Name: t.Name, Prefix: t.Prefix}) {
				return
			}
		}
		if !c.o.Discover {
			return
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
			if named[prefix] || e.Dropped[prefix] {
				continue
			}
			s := foundTable(prefix)
			for n := 2; keys[s.key()]; n++ {
				// Another folder of the name came first: this one is named by its path.
				if s.Name = strings.ToLower(strings.NewReplacer("/", "_", ".", "_").Replace(prefix)); n > 2 {
					s.Name += "_" + strconv.Itoa(n)
				}
			}
			if !take(s) {
				return
			}
		}
	}
}

// foundTable is the name of a folder with a Delta log.
func foundTable(prefix string) TableSpec {
	s := TableSpec{Database: "default", Name: strings.ToLower(path.Base(prefix)), Prefix: prefix}
	if db, ok := strings.CutSuffix(path.Base(path.Dir(prefix)), ".db"); ok && db != "" {
		s.Database = db
	}
	return s
}

// place is the prefix of a table that is named by its place: a path below the root, or a URL
// that begins with the root. An account in angle brackets stands for the pipeline's.
func (c *Catalog) place(location string) (string, error) {
	p := location
	if scheme, rest, ok := strings.Cut(location, "://"); ok {
		root, _, _ := strings.Cut(strings.TrimPrefix(c.o.Root, "abfss://"), "/")
		container, _, _ := strings.Cut(root, "@")
		host, below, _ := strings.Cut(rest, "/")
		if at := strings.IndexByte(host, '@'); at >= 0 && strings.HasPrefix(host[at+1:], "<") && strings.EqualFold(host[:at], container) {
			host = root
		}
		if c.o.Root == "" || scheme != "abfss" && scheme != "abfs" || !strings.EqualFold(host, root) {
			return "", &query.Error{Number: 50000, Class: 16, Message: fmt.Sprintf("The location '%s' lies elsewhere, and tables elsewhere are not supported yet.", location),
				Hint: "Locations are paths below the container, or " + c.o.Root + "..."}
		}
		p = below
	}
	p = strings.Trim(p, "/")
	if p == "" || path.Clean(p) != p || strings.HasPrefix(p, "..") || strings.Contains(p, "\\") || strings.HasPrefix(p, "_") || strings.Contains("/"+p+"/", "/_delta_log/") {
		return "", &query.Error{Number: 50000, Class: 16, Message: fmt.Sprintf("'%s' is no place of a table.", location)}
	}
	return p, nil
}

func (c *Catalog) find(ctx context.Context, database, name string) (TableSpec, error) {
	want := TableSpec{Database: database, Name: name}.complete()
	for _, s := range c.specs {
		if s.key() == want.key() {
			return s, nil
		}
	}
	e, _, err := c.entries(ctx)
	if err != nil {
		return TableSpec{}, err
	}
	if t, ok := e.Tables[want.key()]; ok {
		return TableSpec{Database: t.Database, Name: t.Name, Prefix: t.Prefix}, nil
	}
	for s, err := range c.all(ctx, e) {
		if err != nil {
			return TableSpec{}, err
		}
		if s.key() == want.key() {
			return s, nil
		}
	}
	if strings.EqualFold(database, "delta") { // delta.`path`
		prefix, err := c.place(name)
		return TableSpec{Database: "delta", Name: name, Prefix: prefix}, err
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
