package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"spate/blob"
	"spate/internal/panics"
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

// checkpointFields is the schema of our classic checkpoints. more are further members of
// the add actions.
func checkpointFields(more ...parquetfile.Field) []parquetfile.Field {
	return []parquetfile.Field{
		structOf("txn", leafOf("appId", stringType), leafOf("version", longType), leafOf("lastUpdated", longType)),
		structOf("add", append([]parquetfile.Field{leafOf("path", stringType), mapOf("partitionValues"), leafOf("size", longType), leafOf("modificationTime", longType),
			leafOf("dataChange", boolType), mapOf("tags"), deletionVectorField(), leafOf("baseRowId", longType),
			leafOf("defaultRowCommitVersion", longType), leafOf("clusteringProvider", stringType)}, more...)...),
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

// exactNote is the key in the footer of our checkpoints that says: the columns of
// stats_parsed tell all that the statistics of the files tell.
const exactNote = "spate.statistics"

// checkpointGroup is how many rows of a checkpoint are in memory while it is written.
const checkpointGroup = 8192

// checkpointName is the name of the classic checkpoint of a version.
func checkpointName(version int64) string {
	return fmt.Sprintf("%020d.checkpoint.parquet", version)
}

// Checkpoint writes the classic checkpoint of a snapshot, unless there is one,
// and then the hint that names it.
func (t *Table) Checkpoint(ctx context.Context, s *Snapshot) error {
	key := t.logKey(checkpointName(s.Version))
	if _, err := t.store.Stat(ctx, key); err == nil { // a foreign one: overwriting breaks Spark on local paths
		return nil
	}
	pr, pw := io.Pipe()
	w := &checkpointWriter{s: s, now: t.opts.Clock(), engine: t.opts.EngineInfo}
	done := make(chan struct{})
	go func() {
		defer close(done)
		pw.CloseWithError(panics.Caught(func() error { return w.write(pw) }))
	}()
	info, err := t.store.Create(ctx, key, pr)
	pr.CloseWithError(errors.New("the checkpoint is not wanted any more"))
	<-done
	if errors.Is(err, blob.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("checkpoint %d of %s: %w", s.Version, t.prefix, err)
	}
	t.forget()
	if h, ok := t.readHint(ctx); ok && h.Version > s.Version {
		return nil
	}
	if err := t.writeHint(ctx, hint{Version: s.Version, Size: w.rows, SizeInBytes: info.Size, NumAddFiles: int64(s.NumFiles())}); err != nil {
		return fmt.Errorf("checkpoint hint %d of %s: %w", s.Version, t.prefix, err)
	}
	return nil
}

// forget leaves expired tombstones out of the newest snapshot.
func (t *Table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head == nil {
		return
	}
	files := *t.head.files
	before := files.gone.n
	files.gone = files.gone.without(t.root, t.opts.Clock().Add(-t.head.deletedFileRetention()).UnixMilli())
	if files.gone.n != before {
		t.head = t.head.bare()
		t.head.files = &files
	}
}

// checkpointWriter writes the rows of a checkpoint one by one.
type checkpointWriter struct {
	s      *Snapshot
	now    time.Time
	engine string
	out    *parquetfile.RowWriter
	rows   int64

	asJSON     bool
	stats      []parsedColumn // of stats_parsed; nil: there is none
	partitions []parsedColumn // of partitionValues_parsed; nil: there is none
	tight      bool
}

func (w *checkpointWriter) write(to io.Writer) error {
	s := w.s
	w.asJSON = s.Property("delta.checkpoint.writeStatsAsJson", "true") != "false"
	var more []parquetfile.Field
	if w.asJSON {
		more = append(more, leafOf("stats", stringType))
	}
	exact := false
	if s.Property("delta.checkpoint.writeStatsAsStruct", "true") != "false" {
		w.tight = slices.Contains(s.Protocol.WriterFeatures, "deletionVectors")
		w.stats = s.parsedStats()
		exact = w.exact()
		more = append(more, w.statsField())
		if w.partitions = s.parsedPartitions(); w.partitions != nil {
			more = append(more, structOf("partitionValues_parsed", fieldsOf(w.partitions)...))
		}
	}
	var err error
	w.out, err = parquetfile.NewRowWriter(to, checkpointFields(more...), parquetfile.Options{CreatedBy: w.engine, RowGroupRows: checkpointGroup})
	if err != nil {
		return err
	}
	if exact {
		if err := w.out.Note(exactNote, "exact"); err != nil {
			return err
		}
	}
	if err := w.state(); err != nil {
		return err
	}
	// What is not about files is small and stands in a row group of its own.
	if err := w.out.Flush(); err != nil {
		return err
	}
	keepFrom := w.now.Add(-s.deletedFileRetention()).UnixMilli()
	s.files.gone.each(func(a *Add) bool {
		r := a.asRemove()
		if r.DeletionTimestamp <= keepFrom {
			return true
		}
		r.DataChange, r.Tags = false, nil
		err = w.put("remove", r)
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	row := map[string]any{}
	for f := range s.Index().Files() {
		row["add"] = w.addRow(f)
		if err := w.out.Append(row); err != nil {
			return fmt.Errorf("file %s: %w", f.Path(), err)
		}
		w.rows++
	}
	return w.out.Close()
}

func (w *checkpointWriter) put(kind string, v any) error {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(marshal(v)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return fmt.Errorf("checkpoint row: %w", err)
	}
	w.rows++
	return w.out.Append(map[string]any{kind: plainNumbers(m)})
}

func (w *checkpointWriter) state() error {
	if err := w.put("protocol", w.s.Protocol); err != nil {
		return err
	}
	if err := w.put("metaData", w.s.Metadata); err != nil {
		return err
	}
	for _, t := range w.s.Txns() {
		if err := w.put("txn", t); err != nil {
			return err
		}
	}
	for _, d := range w.s.DomainMetadata() {
		if err := w.put("domainMetadata", d); err != nil {
			return err
		}
	}
	return nil
}

// addRow is the checkpoint row of a file.
func (w *checkpointWriter) addRow(f FileRef) map[string]any {
	c, row := f.c, int(f.row)
	m := map[string]any{"path": f.Path(), "partitionValues": anyMap(f.PartitionValues()), "size": f.Size(), "modificationTime": f.Modified(), "dataChange": false}
	if w.asJSON {
		if text := c.statsOf(row); text != "" {
			m["stats"] = text
		}
	}
	if w.stats != nil {
		m["stats_parsed"] = w.statsRow(c, row)
	}
	if w.partitions != nil {
		p := make(map[string]any, len(w.partitions))
		for _, k := range w.partitions {
			if v := f.PartitionValues()[k.name]; v != nil {
				p[k.name], _ = k.ofText(*v)
			}
		}
		m["partitionValues_parsed"] = p
	}
	x := c.extra[uint16(row)]
	if x == nil {
		return m
	}
	if x.Tags != nil {
		m["tags"] = anyMap(x.Tags)
	}
	if d := x.DeletionVector; d != nil {
		v := map[string]any{"storageType": d.StorageType, "pathOrInlineDv": d.PathOrInlineDv, "sizeInBytes": d.SizeInBytes, "cardinality": d.Cardinality}
		if d.Offset != nil {
			v["offset"] = *d.Offset
		}
		m["deletionVector"] = v
	}
	if x.BaseRowID != nil {
		m["baseRowId"] = *x.BaseRowID
	}
	if x.DefaultRowCommitVersion != nil {
		m["defaultRowCommitVersion"] = *x.DefaultRowCommitVersion
	}
	if x.ClusteringProvider != "" {
		m["clusteringProvider"] = x.ClusteringProvider
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
