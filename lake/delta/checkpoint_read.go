package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"spate/blob"
	"spate/lake/parquetfile"
)

// checkpoint is one of the checkpoints of a version: a classic file, a named one of the
// second format, or a set of parts.
type checkpoint struct {
	table    *Table
	version  int64
	names    []string
	sidecars []string // of its top file; known when that was read
}

func (t *Table) checkpointOf(version int64, names []string) *checkpoint {
	switch {
	case slices.Contains(names, checkpointName(version)):
		names = []string{checkpointName(version)}
	case len(strings.Split(names[0], ".")) == 4: // <version>.checkpoint.<uuid>.<ext>
		names = names[:1]
	}
	return &checkpoint{table: t, version: version, names: names}
}

func checkpointName(version int64) string { return fmt.Sprintf("%020d.checkpoint.parquet", version) }

// keys are where its files lie.
func (c *checkpoint) keys() []string {
	var out []string
	for _, n := range c.names {
		out = append(out, c.table.logKey(n))
	}
	for _, s := range c.sidecars {
		out = append(out, path.Join(c.table.logKey("_sidecars"), filePath("", s)))
	}
	return out
}

// readCheckpoint loads a snapshot. Tombstones, which only those need who delete files or
// write the next checkpoint, stay where they are.
func (t *Table) readCheckpoint(ctx context.Context, version int64, names []string) (*Snapshot, error) {
	c := &checkpointReader{checkpoint: t.checkpointOf(version, names), state: t.empty(), parsed: make(map[int]map[string]any)}
	c.state.Version = version
	for i := 0; i < len(c.keys()); i++ { // sidecars come while the first are read
		if err := c.file(ctx, c.keys()[i]); err != nil {
			return nil, err
		}
	}
	for i, a := range c.adds {
		if p := c.parsed[i]; p != nil && a.Stats == "" {
			a.Stats = c.state.statsOfStruct(p)
		}
	}
	if c.state.Protocol.MinReaderVersion == 0 || c.state.Metadata.SchemaString == "" {
		return nil, fmt.Errorf("%w: it holds no protocol or no metaData action", ErrDamaged)
	}
	c.state.files = newBase(t.root, c.adds, map[string]*Remove{}, c.checkpoint)
	return c.state, nil
}

// tombstones gives the remove actions of a checkpoint.
func (c *checkpoint) tombstones(ctx context.Context, use func(*Remove) error) error {
	for _, key := range c.keys() {
		err := c.table.eachAction(ctx, key, func(path string) bool { return strings.HasPrefix(path, "remove.") }, func(l *line) error {
			if l.Remove == nil {
				return nil
			}
			return use(l.Remove)
		})
		if err != nil {
			return fmt.Errorf("table %s: tombstones of checkpoint %d: %w", c.table.prefix, c.version, err)
		}
	}
	return nil
}

// eachAction gives the actions of a file of a checkpoint, of which only those parts are read
// that keep takes.
func (t *Table) eachAction(ctx context.Context, key string, keep func(path string) bool, use func(*line) error) error {
	if strings.HasSuffix(key, ".json") {
		data, err := t.read(ctx, key)
		if err != nil {
			return err
		}
		for raw := range bytes.Lines(data) {
			if raw = bytes.TrimSpace(raw); len(raw) == 0 {
				continue
			}
			var l line
			if err := json.Unmarshal(raw, &l); err != nil {
				return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
			}
			if err := use(&l); err != nil {
				return err
			}
		}
		return nil
	}
	return t.eachRow(ctx, key, keep, func(row map[string]any) error {
		l, err := lineOf(row)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
		}
		return use(l)
	})
}

// errUse is an error of what rows were given to, not of their file.
type errUse struct{ error }

func (e errUse) Unwrap() error { return e.error }

func (t *Table) eachRow(ctx context.Context, key string, keep func(path string) bool, use func(row map[string]any) error) error {
	info, err := t.store.Stat(ctx, key)
	if err != nil {
		return err
	}
	at := &blobAt{ctx: ctx, store: t.store, key: key, size: info.Size}
	err = parquetfile.EachRow(at, keep, func(row map[string]any) error {
		if err := use(row); err != nil {
			return errUse{err}
		}
		return nil
	})
	var of errUse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &of):
		return of.error
	case at.err != nil:
		return at.err
	}
	return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
}

// blobAt reads parts of a blob.
type blobAt struct {
	ctx   context.Context
	store blob.Store
	key   string
	size  int64
	at    int64
	err   error // of the store
}

func (b *blobAt) ReadAt(p []byte, off int64) (int, error) {
	r, err := b.store.Open(b.ctx, b.key, off, int64(len(p)))
	if err != nil {
		b.err = err
		return 0, err
	}
	defer r.Close()
	n, err := io.ReadFull(r, p)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return n, io.EOF
	case err != nil:
		b.err = fmt.Errorf("read %s: %w", b.key, err)
	}
	return n, err
}

func (b *blobAt) Read(p []byte) (int, error) {
	n, err := b.ReadAt(p[:min(int64(len(p)), max(0, b.size-b.at))], b.at)
	b.at += int64(n)
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

func (b *blobAt) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	b.at = offset
	return offset, nil
}

type checkpointReader struct {
	*checkpoint
	state  *Snapshot
	adds   []*Add
	parsed map[int]map[string]any // stats_parsed of adds without stats
}

func (c *checkpointReader) file(ctx context.Context, key string) error {
	first, bare := len(c.adds), false
	err := c.table.eachAction(ctx, key, func(path string) bool {
		kind, member, _ := strings.Cut(path, ".")
		return kind != "remove" && !strings.HasPrefix(member, "stats_parsed") && !strings.HasPrefix(member, "partitionValues_parsed") &&
			kind != "checkpointMetadata" && kind != "cdc" && (kind != "sidecar" || member == "path")
	}, func(l *line) error {
		bare = bare || l.Add != nil && l.Add.Stats == ""
		return c.take(l)
	})
	if err != nil || !bare || strings.HasSuffix(key, ".json") {
		return err
	}
	// The writer may have kept the statistics as columns only. They are a help, not part of
	// the table: without them files are read that need not be.
	err = c.table.eachRow(ctx, key, func(path string) bool {
		return path == "add.path" || strings.HasPrefix(path, "add.stats_parsed.")
	}, func(row map[string]any) error {
		if m, ok := row["add"].(map[string]any); ok && m["path"] != nil {
			if p, ok := m["stats_parsed"].(map[string]any); ok {
				c.parsed[first] = p
			}
			first++
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		c.table.opts.Log.Warn("statistics of a checkpoint cannot be read: queries open more files", "table", c.table.prefix, "file", path.Base(key), "err", err)
		return nil
	}
	return err
}

// lineOf turns a checkpoint row into an action.
func lineOf(row map[string]any) (*line, error) {
	l := &line{}
	if m, ok := row["add"].(map[string]any); ok && m["path"] != nil {
		a := &Add{}
		a.Path, _ = m["path"].(string)
		a.Stats, _ = m["stats"].(string)
		a.Size, _ = m["size"].(int64)
		a.ModificationTime, _ = m["modificationTime"].(int64)
		a.ClusteringProvider, _ = m["clusteringProvider"].(string)
		a.PartitionValues = textMap(m["partitionValues"])
		if m["tags"] != nil {
			a.Tags = textMap(m["tags"])
		}
		if v, ok := m["baseRowId"].(int64); ok {
			a.BaseRowID = &v
		}
		if v, ok := m["defaultRowCommitVersion"].(int64); ok {
			a.DefaultRowCommitVersion = &v
		}
		if dv, ok := m["deletionVector"].(map[string]any); ok && dv["storageType"] != nil {
			if err := json.Unmarshal(marshal(dv), &a.DeletionVector); err != nil {
				return nil, err
			}
		}
		l.Add = a
		return l, nil
	}
	if m, ok := row["remove"].(map[string]any); ok && m["path"] != nil {
		r := &Remove{}
		r.Path, _ = m["path"].(string)
		r.DeletionTimestamp, _ = m["deletionTimestamp"].(int64)
		r.DataChange, _ = m["dataChange"].(bool)
		r.ExtendedFileMetadata, _ = m["extendedFileMetadata"].(bool)
		r.Size, _ = m["size"].(int64)
		if m["partitionValues"] != nil {
			r.PartitionValues = textMap(m["partitionValues"])
		}
		if v, ok := m["baseRowId"].(int64); ok {
			r.BaseRowID = &v
		}
		if v, ok := m["defaultRowCommitVersion"].(int64); ok {
			r.DefaultRowCommitVersion = &v
		}
		if dv, ok := m["deletionVector"].(map[string]any); ok && dv["storageType"] != nil {
			if err := json.Unmarshal(marshal(dv), &r.DeletionVector); err != nil {
				return nil, err
			}
		}
		l.Remove = r
		return l, nil
	}
	// The other kinds are few. Members that are null are not in the row.
	rest := make(map[string]any, 1)
	for kind, v := range row {
		if m, ok := v.(map[string]any); ok && len(m) > 0 && kind != "add" {
			rest[kind] = m
		}
	}
	if len(rest) == 0 {
		return l, nil
	}
	return l, json.Unmarshal(marshal(rest), l)
}

func (c *checkpointReader) take(l *line) error {
	switch {
	case l.Add != nil:
		c.adds = append(c.adds, l.Add)
	case l.Protocol != nil:
		c.state.Protocol = *l.Protocol
	case l.Metadata != nil:
		return c.state.setMetadata(l.Metadata)
	case l.Txn != nil:
		c.state.txns[l.Txn.AppID] = *l.Txn
	case l.Domain != nil && !l.Domain.Removed:
		c.state.domains[l.Domain.Domain] = *l.Domain
	case l.Sidecar != nil:
		c.sidecars = append(c.sidecars, l.Sidecar.Path)
	}
	return nil
}
