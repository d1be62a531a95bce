package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"spate/blob"
	"spate/lake/parquetfile"
)

var (
	stringType = parquetfile.Type{Kind: parquetfile.String}
	longType   = parquetfile.Type{Kind: parquetfile.Long}
	intType    = parquetfile.Type{Kind: parquetfile.Integer}
	boolType   = parquetfile.Type{Kind: parquetfile.Boolean}
)

func structOf(name string, fields ...parquetfile.Field) parquetfile.Field {
	return parquetfile.Field{Name: name, Type: parquetfile.Type{Kind: parquetfile.Struct}, Fields: fields}
}

func leafOf(name string, t parquetfile.Type) parquetfile.Field {
	return parquetfile.Field{Name: name, Type: t}
}

func mapOf(name string) parquetfile.Field {
	return parquetfile.Field{Name: name, Type: parquetfile.Type{Kind: parquetfile.Map},
		Fields: []parquetfile.Field{leafOf("key", stringType), leafOf("value", stringType)}}
}

func listOf(name string) parquetfile.Field {
	return parquetfile.Field{Name: name, Type: parquetfile.Type{Kind: parquetfile.List}, Fields: []parquetfile.Field{leafOf("element", stringType)}}
}

func deletionVectorField() parquetfile.Field {
	return structOf("deletionVector", leafOf("storageType", stringType), leafOf("pathOrInlineDv", stringType), leafOf("offset", intType),
		leafOf("sizeInBytes", intType), leafOf("cardinality", longType))
}

// checkpointFields is the schema of our classic checkpoints.
func checkpointFields() []parquetfile.Field {
	return []parquetfile.Field{
		structOf("txn", leafOf("appId", stringType), leafOf("version", longType), leafOf("lastUpdated", longType)),
		structOf("add", leafOf("path", stringType), mapOf("partitionValues"), leafOf("size", longType), leafOf("modificationTime", longType),
			leafOf("dataChange", boolType), mapOf("tags"), deletionVectorField(), leafOf("baseRowId", longType),
			leafOf("defaultRowCommitVersion", longType), leafOf("clusteringProvider", stringType), leafOf("stats", stringType)),
		structOf("remove", leafOf("path", stringType), leafOf("deletionTimestamp", longType), leafOf("dataChange", boolType),
			leafOf("extendedFileMetadata", boolType), mapOf("partitionValues"), leafOf("size", longType), deletionVectorField(),
			leafOf("baseRowId", longType), leafOf("defaultRowCommitVersion", longType)),
		structOf("metaData", leafOf("id", stringType), leafOf("name", stringType), leafOf("description", stringType),
			structOf("format", leafOf("provider", stringType), mapOf("options")), leafOf("schemaString", stringType),
			listOf("partitionColumns"), mapOf("configuration"), leafOf("createdTime", longType)),
		structOf("protocol", leafOf("minReaderVersion", intType), leafOf("minWriterVersion", intType), listOf("readerFeatures"), listOf("writerFeatures")),
		structOf("domainMetadata", leafOf("domain", stringType), leafOf("configuration", stringType), leafOf("removed", boolType)),
	}
}

// Checkpoint writes the classic checkpoint of a snapshot, unless there is one,
// and then the hint that names it.
func (t *Table) Checkpoint(ctx context.Context, s *Snapshot) error {
	rows, adds, err := s.checkpointRows(t.opts.Clock())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := parquetfile.WriteRows(&b, checkpointFields(), rows, parquetfile.Options{CreatedBy: t.opts.EngineInfo}); err != nil {
		return fmt.Errorf("checkpoint %d of %s: %w", s.Version, t.prefix, err)
	}
	size := int64(b.Len())
	_, err = t.store.Create(ctx, t.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version)), &b)
	if errors.Is(err, blob.ErrExists) { // a foreign one: overwriting breaks Spark on local paths
		return nil
	}
	if err != nil {
		return fmt.Errorf("checkpoint %d of %s: %w", s.Version, t.prefix, err)
	}
	if h, ok := t.readHint(ctx); ok && h.Version > s.Version {
		return nil
	}
	if err := t.writeHint(ctx, hint{Version: s.Version, Size: int64(len(rows)), SizeInBytes: size, NumAddFiles: int64(adds)}); err != nil {
		return fmt.Errorf("checkpoint hint %d of %s: %w", s.Version, t.prefix, err)
	}
	return nil
}

func (s *Snapshot) checkpointRows(now time.Time) (rows []map[string]any, adds int, err error) {
	put := func(kind string, v any) error {
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(marshal(v)))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			return fmt.Errorf("checkpoint row: %w", err)
		}
		rows = append(rows, map[string]any{kind: plainNumbers(m)})
		return nil
	}
	if err := put("protocol", s.Protocol); err != nil {
		return nil, 0, err
	}
	if err := put("metaData", s.Metadata); err != nil {
		return nil, 0, err
	}
	for _, t := range s.Txns() {
		if err := put("txn", t); err != nil {
			return nil, 0, err
		}
	}
	for _, d := range s.DomainMetadata() {
		if err := put("domainMetadata", d); err != nil {
			return nil, 0, err
		}
	}
	keepFrom := now.Add(-s.deletedFileRetention()).UnixMilli()
	removes := s.Tombstones()
	slices.SortFunc(removes, func(a, b *Remove) int { return strings.Compare(a.Path, b.Path) })
	for _, r := range removes {
		if r.DeletionTimestamp <= keepFrom {
			continue
		}
		c := *r
		c.DataChange, c.Tags = false, nil
		if err := put("remove", c); err != nil {
			return nil, 0, err
		}
	}
	asJSON := s.Property("delta.checkpoint.writeStatsAsJson", "true") != "false"
	for _, a := range s.Files() {
		rows = append(rows, map[string]any{"add": addRow(a, asJSON)})
	}
	return rows, len(s.Files()), nil
}

// addRow is the checkpoint row of a file; there are many, so it goes without JSON.
func addRow(a *Add, stats bool) map[string]any {
	m := map[string]any{"path": a.Path, "partitionValues": anyMap(a.PartitionValues), "size": a.Size,
		"modificationTime": a.ModificationTime, "dataChange": false}
	if a.Tags != nil {
		m["tags"] = anyMap(a.Tags)
	}
	if stats && a.Stats != "" {
		m["stats"] = a.Stats
	}
	if d := a.DeletionVector; d != nil {
		v := map[string]any{"storageType": d.StorageType, "pathOrInlineDv": d.PathOrInlineDv, "sizeInBytes": d.SizeInBytes, "cardinality": d.Cardinality}
		if d.Offset != nil {
			v["offset"] = *d.Offset
		}
		m["deletionVector"] = v
	}
	if a.BaseRowID != nil {
		m["baseRowId"] = *a.BaseRowID
	}
	if a.DefaultRowCommitVersion != nil {
		m["defaultRowCommitVersion"] = *a.DefaultRowCommitVersion
	}
	if a.ClusteringProvider != "" {
		m["clusteringProvider"] = a.ClusteringProvider
	}
	return m
}

func anyMap(m map[string]*string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = nil
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

func textMap(v any) map[string]*string {
	m, _ := v.(map[string]any)
	out := make(map[string]*string, len(m))
	for k, v := range m {
		out[k] = nil
		if s, ok := v.(string); ok {
			out[k] = &s
		}
	}
	return out
}

func plainNumbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		n, _ := x.Int64() // the structs here hold whole numbers only
		return n
	case map[string]any:
		for k := range x {
			x[k] = plainNumbers(x[k])
		}
	case []any:
		for i := range x {
			x[i] = plainNumbers(x[i])
		}
	}
	return v
}

// readCheckpoint loads one of the checkpoints of a version: a classic file, a
// named one of the second format, or a set of parts.
func (t *Table) readCheckpoint(ctx context.Context, version int64, names []string) (*Snapshot, error) {
	classic := fmt.Sprintf("%020d.checkpoint.parquet", version)
	switch {
	case slices.Contains(names, classic):
		names = []string{classic}
	case len(strings.Split(names[0], ".")) == 4: // <version>.checkpoint.<uuid>.<ext>
		names = names[:1]
	}
	c := &checkpointReader{table: t, state: t.empty(), tombs: make(map[string]*Remove), parsed: make(map[int]map[string]any)}
	c.state.Version = version
	for _, name := range names {
		if err := c.file(ctx, t.logKey(name)); err != nil {
			return nil, err
		}
	}
	for _, s := range c.sidecars {
		if err := c.file(ctx, path.Join(t.logKey("_sidecars"), filePath("", s))); err != nil {
			return nil, err
		}
	}
	for i, a := range c.adds {
		if p := c.parsed[i]; p != nil && a.Stats == "" {
			a.Stats = c.state.statsOfStruct(p)
		}
	}
	b := newSetBuilder(t.root, c.state.stats)
	for _, a := range c.adds {
		b.add(a)
	}
	for _, r := range c.tombs {
		b.remove(r)
	}
	c.state.files = b.done()
	return c.state, nil
}

type checkpointReader struct {
	table    *Table
	state    *Snapshot
	adds     []*Add
	tombs    map[string]*Remove
	sidecars []string
	parsed   map[int]map[string]any // stats_parsed of adds without stats
}

func (c *checkpointReader) file(ctx context.Context, key string) error {
	data, err := c.table.read(ctx, key)
	if err != nil {
		return err
	}
	if strings.HasSuffix(key, ".json") {
		for raw := range bytes.Lines(data) {
			if raw = bytes.TrimSpace(raw); len(raw) == 0 {
				continue
			}
			var l line
			if err := json.Unmarshal(raw, &l); err != nil {
				return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
			}
			if err := c.take(&l); err != nil {
				return err
			}
		}
		return nil
	}
	rows, err := parquetfile.ReadRows(data, func(path string) bool {
		kind, member, _ := strings.Cut(path, ".")
		return !strings.HasPrefix(member, "stats_parsed") && !strings.HasPrefix(member, "partitionValues_parsed") && kind != "checkpointMetadata" && kind != "cdc" && (kind != "sidecar" || member == "path")
	})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
	}
	first, bare := len(c.adds), false
	for _, row := range rows {
		l, err := lineOf(row)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", path.Base(key), ErrDamaged, err)
		}
		if err := c.take(l); err != nil {
			return err
		}
		bare = bare || l.Add != nil && l.Add.Stats == ""
	}
	if !bare {
		return nil
	}
	// The writer may have kept the statistics as columns only.
	structs, err := parquetfile.ReadRows(data, func(path string) bool {
		return path == "add.path" || strings.HasPrefix(path, "add.stats_parsed.")
	})
	if err != nil { // statistics are a help, not part of the table
		return nil
	}
	for _, row := range structs {
		if m, ok := row["add"].(map[string]any); ok && m["path"] != nil {
			if p, ok := m["stats_parsed"].(map[string]any); ok {
				c.parsed[first] = p
			}
			first++
		}
	}
	return nil
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
	case l.Remove != nil:
		c.tombs[fileKey(c.table.root, l.Remove.Path, l.Remove.DeletionVector)] = l.Remove
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
