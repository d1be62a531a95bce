package delta

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Snapshot is one version of a table.
type Snapshot struct {
	Version  int64
	Protocol Protocol
	Metadata Metadata // its maps and slices must not be changed
	Columns  []Column // of Metadata.SchemaString

	prefix, root string
	info         json.RawMessage // commitInfo of Version, if its commit was read
	txns         map[string]Txn
	domains      map[string]DomainMetadata
	files        *fileSet
	stats        []statColumn // of Columns
	clock        func() time.Time

	once      sync.Once // fills live
	live      []*Add
	indexOnce sync.Once // fills index
	index     *Index
}

// bare is the snapshot without its files.
func (s *Snapshot) bare() *Snapshot {
	return &Snapshot{Version: s.Version, Protocol: s.Protocol, Metadata: s.Metadata, Columns: s.Columns, prefix: s.prefix, root: s.root,
		info: s.info, txns: s.txns, domains: s.domains, stats: s.stats, clock: s.clock}
}

// apply returns the snapshot after the next commit.
func (s *Snapshot) apply(c *commit) (*Snapshot, error) {
	if !c.compacted { // a range may remove a file with one vector after the other
		if err := c.checkPaths(s.root); err != nil {
			return nil, err
		}
	}
	next := s.bare()
	next.Version, next.info = c.version, c.info
	if c.protocol != nil {
		next.Protocol = *c.protocol
	}
	m := c.metadata
	if m == nil && c.protocol != nil && next.Metadata.SchemaString != "" {
		m = &next.Metadata // the protocol says what of it counts
	}
	if m != nil {
		if err := next.setMetadata(m); err != nil {
			return nil, fmt.Errorf("version %d: %w: %w", c.version, ErrDamaged, err)
		}
	}
	if len(c.txns) > 0 {
		next.txns = maps.Clone(s.txns)
		for _, t := range c.txns {
			next.txns[t.AppID] = *t
		}
	}
	if len(c.domains) > 0 {
		next.domains = maps.Clone(s.domains)
		for _, d := range c.domains {
			if next.domains[d.Domain] = *d; d.Removed {
				delete(next.domains, d.Domain)
			}
		}
	}
	next.files = s.files.with(s.root, next.stats, c.adds, c.removes, s.clock().Add(-next.deletedFileRetention()).UnixMilli())
	return next, nil
}

func (s *Snapshot) setMetadata(m *Metadata) error {
	cols, err := ParseSchema(m.SchemaString)
	if err != nil {
		return err
	}
	for _, p := range m.PartitionColumns {
		if !slices.ContainsFunc(cols, func(c Column) bool { return c.Name == p }) {
			return fmt.Errorf("partition column %s is not in the schema", p)
		}
	}
	s.Metadata, s.Columns = *m, cols
	if s.Mapping() != MapNone {
		for i := range cols {
			f := Field{Name: cols[i].Name}
			if err := f.mapped(cols[i].Metadata); err != nil {
				return err
			}
			cols[i].Physical, cols[i].ID = f.Physical, f.ID
		}
	}
	s.stats = statColumnsOf(cols)
	return nil
}

// partitionNames are the partition columns as partition values name them.
func (s *Snapshot) partitionNames() []string {
	if s.Mapping() == MapNone {
		return s.Metadata.PartitionColumns
	}
	out := make([]string, len(s.Metadata.PartitionColumns))
	for i, name := range s.Metadata.PartitionColumns {
		out[i] = FindColumn(s.Columns, name).FileName()
	}
	return out
}

// Folder is the folder of new files of a partition, ending in a slash if there is one. By
// convention only: readers go by partition values. Names of mapped columns mean nothing, so
// there such a table has none.
func (s *Snapshot) Folder(values map[string]*string) string {
	if s.Mapping() != MapNone {
		return ""
	}
	return PartitionFolder(s.Metadata.PartitionColumns, values)
}

// Files returns the live data files, those committed first first. The slice and
// the actions must not be changed. It makes an action for every file: who looks at
// many of them and needs few asks Index.
func (s *Snapshot) Files() []*Add {
	s.once.Do(func() {
		s.live = make([]*Add, 0, s.files.live.n)
		s.files.live.each(func(a *Add) bool {
			s.live = append(s.live, a)
			return true
		})
	})
	return s.live
}

// NumFiles is the number of live files.
func (s *Snapshot) NumFiles() int { return s.files.live.n }

// Tombstones gives the removed files that the log still names, in no order, until use fails.
func (s *Snapshot) Tombstones(ctx context.Context, use func(*Remove) error) error {
	var err error
	s.files.gone.each(func(a *Add) bool {
		if err = ctx.Err(); err == nil {
			err = use(a.asRemove())
		}
		return err == nil
	})
	return err
}

// Knows reports whether the file of this add path is live or a tombstone.
func (s *Snapshot) Knows(ctx context.Context, path string) (bool, error) {
	return s.files.live.has(s.root, path) || s.files.gone.has(s.root, path), ctx.Err()
}

// Uses reports whether a file, named relative to the table and not encoded, belongs to
// the snapshot: as data, or as the file of a deletion vector.
func (s *Snapshot) Uses(file string) bool {
	if s.files.live.has(s.root, EncodePath(file)) {
		return true
	}
	return s.files.live.vectorFile(s.root, file)
}

// Key returns the key of a data file in the store. See Locate for one that may lie outside
// the table.
func (s *Snapshot) Key(a *Add) string {
	if key, err := s.Locate(a.Path); err == nil {
		return key
	}
	return path.Join(s.prefix, filePath(s.root, a.Path))
}

// Locate returns the key in the store of the path of an action. A path outside the table,
// which shallow clones have, is found where the store holds it too.
func (s *Snapshot) Locate(actionPath string) (string, error) {
	p := filePath(s.root, actionPath)
	scheme, _, found := strings.Cut(p, "://")
	switch {
	case found && !strings.ContainsAny(scheme, "/=%"):
		return "", fmt.Errorf("data file %s: files in another store are not supported yet", actionPath)
	case !strings.HasPrefix(p, "/") || s.root == "":
		return path.Join(s.prefix, p), nil
	}
	base, ok := strings.CutSuffix(s.root, "/"+s.prefix)
	if key, below := strings.CutPrefix(path.Clean(p), base+"/"); ok && below {
		return key, nil
	}
	return "", fmt.Errorf("data file %s: files outside the folder of the tables (%s) are not supported yet", actionPath, base)
}

// TxnVersion returns the version that the newest txn action of the application
// carries.
func (s *Snapshot) TxnVersion(appID string) (version int64, ok bool) {
	t, ok := s.txns[appID]
	return t.Version, ok
}

// Txns returns all applications, ordered by id.
func (s *Snapshot) Txns() []Txn {
	out := make([]Txn, 0, len(s.txns))
	for _, id := range slices.Sorted(maps.Keys(s.txns)) {
		out = append(out, s.txns[id])
	}
	return out
}

// DomainMetadata returns the domains of the table, ordered by name.
func (s *Snapshot) DomainMetadata() []DomainMetadata {
	out := make([]DomainMetadata, 0, len(s.domains))
	for _, id := range slices.Sorted(maps.Keys(s.domains)) {
		out = append(out, s.domains[id])
	}
	return out
}

// Rows is the number of rows by the statistics; ok is false when a file has none.
func (s *Snapshot) Rows() (rows int64, ok bool) {
	ok = true
	for f := range s.Index().Files() {
		n, known := f.Rows()
		if !known {
			ok = false
			continue
		}
		rows += n
	}
	return rows, ok
}

// Size is the number of bytes of the live files.
func (s *Snapshot) Size() int64 { return s.files.bytes }

// Time is when the version was committed, by its commitInfo; zero if that is
// not known.
func (s *Snapshot) Time() time.Time {
	var ci struct {
		Timestamp int64 `json:"timestamp"`
	}
	if json.Unmarshal(s.info, &ci) != nil || ci.Timestamp == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ci.Timestamp).UTC()
}

// Property returns a table property, or the value given when it is not set.
func (s *Snapshot) Property(name, otherwise string) string {
	if v, ok := s.Metadata.Configuration[name]; ok {
		return v
	}
	return otherwise
}

func (s *Snapshot) intProperty(name string, otherwise int) int {
	if n, err := strconv.Atoi(s.Metadata.Configuration[name]); err == nil {
		return n
	}
	return otherwise
}

// AppendOnly reports whether rows may only be added.
func (s *Snapshot) AppendOnly() bool { return s.Metadata.Configuration["delta.appendOnly"] == "true" }

// CanWrite reports why this version of the program must not write to the table,
// or nil.
func (s *Snapshot) CanWrite() error { return s.checkWrite() }
