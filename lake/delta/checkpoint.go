package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
func checkpointFields(parsed *parsedFields) []parquetfile.Field {
	return []parquetfile.Field{
		structOf("txn", leafOf("appId", stringType), leafOf("version", longType), leafOf("lastUpdated", longType)),
		structOf("add", append([]parquetfile.Field{leafOf("path", stringType), mapOf("partitionValues"), leafOf("size", longType),
			leafOf("modificationTime", longType), leafOf("dataChange", boolType), mapOf("tags"), deletionVectorField(), leafOf("baseRowId", longType),
			leafOf("defaultRowCommitVersion", longType), leafOf("clusteringProvider", stringType), leafOf("stats", stringType)}, parsed.fields()...)...),
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
// and then the hint that names it. It holds a part of the rows at a time.
func (t *Table) Checkpoint(ctx context.Context, s *Snapshot) error {
	fail := func(err error) error { return fmt.Errorf("checkpoint %d of %s: %w", s.Version, t.prefix, err) }
	name := checkpointName(s.Version)
	h := hint{Version: s.Version}
	body, to := io.Pipe()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		to.CloseWithError(s.writeCheckpoint(ctx, to, t.opts, &h)) // an error of it comes back from Create
	}()
	info, err := t.store.Create(ctx, t.logKey(name), body)
	body.CloseWithError(io.ErrClosedPipe) // what the store has not read is not written any more
	<-wrote
	if errors.Is(err, blob.ErrExists) { // a foreign one: overwriting breaks Spark on local paths
		if _, err := t.readCheckpoint(ctx, s.Version, []string{name}); err == nil {
			t.settle(s, t.checkpointOf(s.Version, []string{name}))
		}
		return nil
	}
	if errors.Is(err, blob.ErrNotFound) && s.files.base().older != nil {
		// Another engine has cleaned up the checkpoint that holds the older tombstones, as
		// it may when it has written one itself: that one is there to go on from.
		t.mu.Lock()
		head, lerr := t.load(ctx, -1)
		if lerr == nil {
			t.head = head
		}
		t.mu.Unlock()
		err = errors.Join(err, lerr)
	}
	if err != nil {
		return fail(err)
	}
	t.settle(s, t.checkpointOf(s.Version, []string{name}))
	if old, ok := t.readHint(ctx); ok && old.Version > s.Version {
		return nil
	}
	h.SizeInBytes = info.Size
	if err := t.writeHint(ctx, h); err != nil {
		return fail(fmt.Errorf("hint: %w", err))
	}
	return nil
}

// settle leaves the tombstones of s to its checkpoint.
func (t *Table) settle(s *Snapshot, at *checkpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head == nil || t.head.Version < s.Version {
		return
	}
	next := t.head.bare()
	next.files = t.head.files.settled(t.root, s.files, at)
	t.head = next
}

// writeCheckpoint writes the rows of a checkpoint, and counts them in h.
func (s *Snapshot) writeCheckpoint(ctx context.Context, to io.Writer, o Options, h *hint) error {
	parsed := s.parsedFields()
	w, err := parquetfile.NewRowWriter(to, checkpointFields(parsed), parquetfile.Options{CreatedBy: o.EngineInfo})
	if err != nil {
		return err
	}
	row := func(kind string, members map[string]any) error {
		h.Size++
		return w.Append(map[string]any{kind: members})
	}
	put := func(kind string, v any) error {
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(marshal(v)))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			return fmt.Errorf("checkpoint row: %w", err)
		}
		plainNumbers(m)
		return row(kind, m)
	}
	if err := put("protocol", s.Protocol); err != nil {
		return err
	}
	if err := put("metaData", s.Metadata); err != nil {
		return err
	}
	for _, t := range s.Txns() {
		if err := put("txn", t); err != nil {
			return err
		}
	}
	for _, d := range s.DomainMetadata() {
		if err := put("domainMetadata", d); err != nil {
			return err
		}
	}
	keepFrom := o.Clock().Add(-s.deletedFileRetention()).UnixMilli()
	err = s.Tombstones(ctx, func(r *Remove) error {
		if r.DeletionTimestamp <= keepFrom {
			return nil
		}
		return row("remove", removeRow(r))
	})
	if err != nil {
		return err
	}
	asJSON := s.Property("delta.checkpoint.writeStatsAsJson", "true") != "false"
	for _, a := range s.Files() {
		h.NumAddFiles++
		m := addRow(a, asJSON)
		parsed.put(m, a)
		if err := row("add", m); err != nil {
			return err
		}
	}
	return w.Close()
}

// removeRow is the checkpoint row of a tombstone.
func removeRow(r *Remove) map[string]any {
	m := map[string]any{"path": r.Path, "dataChange": false}
	if r.DeletionTimestamp != 0 {
		m["deletionTimestamp"] = r.DeletionTimestamp
	}
	if r.ExtendedFileMetadata {
		m["extendedFileMetadata"] = true
	}
	if r.PartitionValues != nil {
		m["partitionValues"] = anyMap(r.PartitionValues)
	}
	if r.Size != 0 {
		m["size"] = r.Size
	}
	if r.DeletionVector != nil {
		m["deletionVector"] = vectorRow(r.DeletionVector)
	}
	if r.BaseRowID != nil {
		m["baseRowId"] = *r.BaseRowID
	}
	if r.DefaultRowCommitVersion != nil {
		m["defaultRowCommitVersion"] = *r.DefaultRowCommitVersion
	}
	return m
}

func vectorRow(d *DeletionVector) map[string]any {
	v := map[string]any{"storageType": d.StorageType, "pathOrInlineDv": d.PathOrInlineDv, "sizeInBytes": d.SizeInBytes, "cardinality": d.Cardinality}
	if d.Offset != nil {
		v["offset"] = *d.Offset
	}
	return v
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
	if a.DeletionVector != nil {
		m["deletionVector"] = vectorRow(a.DeletionVector)
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
