package delta

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
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

	once  sync.Once // fills the rest
	live  []*Add
	tombs map[string]*Remove // but those of a checkpoint
}

// bare is the snapshot without its files.
func (s *Snapshot) bare() *Snapshot {
	return &Snapshot{Version: s.Version, Protocol: s.Protocol, Metadata: s.Metadata, Columns: s.Columns, prefix: s.prefix, root: s.root,
		info: s.info, txns: s.txns, domains: s.domains}
}

// apply returns the snapshot after the next commit.
func (s *Snapshot) apply(c *commit) (*Snapshot, error) {
	if err := c.checkPaths(s.root); err != nil {
		return nil, err
	}
	next := s.bare()
	next.Version, next.info = c.version, c.info
	if c.protocol != nil {
		next.Protocol = *c.protocol
	}
	if c.metadata != nil {
		if err := next.setMetadata(c.metadata); err != nil {
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
	next.files = s.files.with(s.root, c.adds, c.removes)
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
	return nil
}

func (s *Snapshot) resolve() {
	s.once.Do(func() { s.live, s.tombs = s.files.resolve(s.root) })
}

// Files returns the live data files, those committed first first. The slice and
// the actions must not be changed.
func (s *Snapshot) Files() []*Add {
	s.resolve()
	return s.live
}

// Tombstones gives the removed files that the log still names, in no order, until use fails.
// Those of a checkpoint are read from there, and are not held.
func (s *Snapshot) Tombstones(ctx context.Context, use func(*Remove) error) error {
	s.resolve()
	for _, r := range s.tombs {
		if err := use(r); err != nil {
			return err
		}
	}
	older := s.files.base().older
	if older == nil {
		return nil
	}
	live := make(map[string]bool, len(s.live))
	for _, a := range s.live {
		live[fileKey(s.root, a.Path, a.DeletionVector)] = true
	}
	return older.tombstones(ctx, func(r *Remove) error {
		k := fileKey(s.root, r.Path, r.DeletionVector)
		if s.tombs[k] != nil || live[k] {
			return nil
		}
		return use(r)
	})
}

// Knows reports whether the file of this add path is live or a tombstone.
func (s *Snapshot) Knows(ctx context.Context, path string) (bool, error) {
	s.resolve()
	want := filePath(s.root, path)
	for _, a := range s.live {
		if filePath(s.root, a.Path) == want {
			return true, nil
		}
	}
	known := false
	err := s.Tombstones(ctx, func(r *Remove) error {
		known = known || filePath(s.root, r.Path) == want
		return nil
	})
	return known, err
}

// Key returns the key of a data file in the store.
func (s *Snapshot) Key(a *Add) string { return path.Join(s.prefix, filePath(s.root, a.Path)) }

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
	for _, a := range s.Files() {
		st, err := ParseStats(a.Stats)
		if err != nil || st.NumRecords == nil {
			ok = false
			continue
		}
		rows += *st.NumRecords
	}
	return rows, ok
}

// Size is the number of bytes of the live files.
func (s *Snapshot) Size() int64 {
	n := int64(0)
	for _, a := range s.Files() {
		n += a.Size
	}
	return n
}

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
