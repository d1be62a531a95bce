package delta

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"spate/blob"
)

// Options are the settings of a Table. The zero value is ready.
type Options struct {
	Clock         func() time.Time // for the times in the log, default time.Now
	EngineInfo    string           // in commitInfo, default "Spate"
	CommitTimeout time.Duration    // of one Commit with its retries, default 60 s
	Log           *slog.Logger     // default: nothing is logged
	// Beside starts work that follows a commit and that no committer waits for, such as
	// checkpoints. Its context ends when the work shall. Nil: Commit does it itself.
	Beside func(work func(context.Context))
	// CheckpointDue is called when a checkpoint of the version that Commit made is due, and
	// must not wait: whoever takes it calls Checkpoint, and CleanUp. Nil: both are done here.
	CheckpointDue func(*Table, *Snapshot)
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.EngineInfo == "" {
		o.EngineInfo = "Spate"
	}
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Table is a Delta table in a store.
type Table struct {
	store  blob.Store
	prefix string
	root   string // absolute path of the table, if the store has such
	opts   Options

	mu   sync.Mutex // guards head; held while the log is read
	head *Snapshot

	chores chores
}

// Open opens the table whose files lie under prefix, with default options.
func Open(ctx context.Context, store blob.Store, prefix string) (*Table, error) {
	return Options{}.Open(ctx, store, prefix)
}

// Open opens the table whose files lie under prefix.
func (o Options) Open(ctx context.Context, store blob.Store, prefix string) (*Table, error) {
	t := o.table(store, prefix)
	s, err := t.load(ctx, -1)
	if err != nil {
		return nil, err
	}
	t.head = s
	return t, nil
}

func (o Options) table(store blob.Store, prefix string) *Table {
	t := &Table{store: store, prefix: strings.Trim(path.Clean(prefix), "/"), opts: o.withDefaults()}
	if l, ok := store.(interface{ Path(string) (string, error) }); ok {
		if p, err := l.Path(t.prefix); err == nil {
			if p, err = filepath.Abs(p); err == nil {
				t.root = filepath.ToSlash(p)
			}
		}
	}
	return t
}

// Prefix is where the table lies in its store.
func (t *Table) Prefix() string { return t.prefix }

// Store is the store of the table.
func (t *Table) Store() blob.Store { return t.store }

// Snapshot returns the newest version.
func (t *Table) Snapshot(ctx context.Context) (*Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := t.newer(ctx, t.head)
	if err != nil {
		return nil, err
	}
	t.head = s
	return s, nil
}

// Known returns the newest version that this Table has seen, without a look at
// the store.
func (t *Table) Known() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// SnapshotAt returns one version.
func (t *Table) SnapshotAt(ctx context.Context, version int64) (*Snapshot, error) {
	if s := t.Known(); s.Version == version {
		return s, nil
	}
	if version < 0 {
		return nil, fmt.Errorf("version %d: %w", version, ErrVersionNotFound)
	}
	return t.load(ctx, version)
}

// Partition is one entry of a PARTITIONED BY clause: a column, or the day of a
// timestamp column.
type Partition struct {
	Column string // with DateOf: the name of the DATE column, <DateOf>Date if empty
	DateOf string
}

// Definition describes a new table.
type Definition struct {
	Columns     []Column
	PartitionBy []Partition
	Name        string
	Description string
	Properties  map[string]string
}

// resolve adds the day columns of the partitions.
func (d Definition) resolve() (cols []Column, partitions []string, props map[string]string, err error) {
	cols = slices.Clone(d.Columns)
	props = maps.Clone(d.Properties)
	if props == nil {
		props = map[string]string{}
	}
	var dates []PartitionDate
	for _, p := range d.PartitionBy {
		name := p.Column
		if p.DateOf != "" {
			source := FindColumn(cols, p.DateOf)
			if source == nil || source.Type != Timestamp && source.Type != Date {
				return nil, nil, nil, fmt.Errorf("PARTITIONED BY the day of %s: there is no such timestamp column", p.DateOf)
			}
			if name == "" {
				name = DateColumnName(cols, source.Name)
			}
			if FindColumn(cols, name) == nil {
				cols = append(cols, Column{Name: name, Type: Date, Nullable: true})
			}
			dates = append(dates, PartitionDate{name, source.Name})
		}
		c := FindColumn(cols, name)
		if c == nil {
			return nil, nil, nil, fmt.Errorf("partition column %s is not in the schema", name)
		}
		if slices.Contains(partitions, c.Name) {
			return nil, nil, nil, fmt.Errorf("partition column %s is named twice", c.Name)
		}
		if c.Type.Nested() {
			return nil, nil, nil, fmt.Errorf("partition column %s has the nested type %s", c.Name, c.Type)
		}
		partitions = append(partitions, c.Name)
	}
	if len(partitions) == len(cols) {
		return nil, nil, nil, errors.New("a table needs a column that is no partition column")
	}
	if len(dates) > 0 {
		props[PartitionDateProperty] = formatPartitionDates(dates)
	}
	if _, ok := props["delta.checkpointInterval"]; !ok {
		// A foreign writer would otherwise write a checkpoint every 10 versions,
		// which for a commit a second costs more than the data.
		props["delta.checkpointInterval"] = strconv.Itoa(streamCheckpointInterval)
	}
	return cols, partitions, props, nil
}

const (
	streamCheckpointInterval  = 600
	defaultCheckpointInterval = 10 // of the protocol, when the property is absent
)

// Create makes version 0 of a table, with reader version 1 and writer version 2,
// or writer features if a column is generated.
// It returns ErrTableExists if there is a log.
func (o Options) Create(ctx context.Context, store blob.Store, prefix string, d Definition) (*Table, error) {
	return o.CreateAs(ctx, store, prefix, d, nil)
}

// CreateAs is Create of a table that has rows from its first version on: fill writes their
// files, for the snapshot that it is given. Files that no version names are deleted.
func (o Options) CreateAs(ctx context.Context, store blob.Store, prefix string, d Definition, fill func(*Snapshot) ([]*Add, error)) (*Table, error) {
	t := o.table(store, prefix)
	fail := func(err error) (*Table, error) { return nil, fmt.Errorf("create table %s: %w", prefix, err) }
	for _, err := range store.List(ctx, t.logKey("")+"/", "") {
		if err == nil {
			err = ErrTableExists
		}
		return fail(err)
	}
	m, protocol, err := t.metadata(d)
	if err != nil {
		return fail(err)
	}
	t.head = t.empty()
	tx := &Transaction{Operation: "CREATE TABLE", Metadata: m, Protocol: protocol, Parameters: creation(m, d), Metrics: map[string]string{}}
	if fill != nil {
		if err := tx.fill(t.head, fill); err != nil {
			t.Discard(tx.Adds)
			return fail(err)
		}
		tx.Operation = "CREATE TABLE AS SELECT"
	}
	blind := true
	_, err = t.commit(ctx, tx, t.head, &blind)
	if err != nil && lost(err) {
		t.Discard(tx.Adds)
	}
	if errors.Is(err, ErrMetadataChanged) || errors.Is(err, ErrProtocolChanged) {
		err = ErrTableExists
	}
	if err != nil {
		return fail(err)
	}
	return t, nil
}

// Replace makes the table another one, with the rows of fill, in one version. Older versions can
// be read as they were.
func (t *Table) Replace(ctx context.Context, d Definition, fill func(*Snapshot) ([]*Add, error)) error {
	fail := func(err error) error { return fmt.Errorf("replace table %s: %w", t.prefix, err) }
	base, err := t.Snapshot(ctx)
	if err != nil {
		return fail(err)
	}
	m, protocol, err := t.metadata(d)
	if err != nil {
		return fail(err)
	}
	m.ID = base.Metadata.ID
	// A protocol is never lowered: files of older versions may need it.
	p := base.Protocol.with(protocol.WriterFeatures...)
	tx := &Transaction{Operation: "CREATE OR REPLACE TABLE", Metadata: m, Base: base, ReadsTable: true, Parameters: creation(m, d), Metrics: map[string]string{}}
	if !reflect.DeepEqual(p, base.Protocol) {
		tx.Protocol = &p
	}
	if err := tx.fill(base, fill); err != nil {
		t.Discard(tx.Adds)
		return fail(err)
	}
	if len(tx.Adds) > 0 {
		tx.Operation = "CREATE OR REPLACE TABLE AS SELECT"
	}
	now := t.opts.Clock().UnixMilli()
	for _, a := range base.Files() {
		tx.Removes = append(tx.Removes, a.Removal(now))
	}
	_, err = t.CommitFiles(ctx, tx)
	return err
}

// fill writes the files of a transaction that says what the table becomes.
func (tx *Transaction) fill(base *Snapshot, write func(*Snapshot) ([]*Add, error)) error {
	next, err := base.apply(&commit{version: base.Version + 1, protocol: tx.Protocol, metadata: tx.Metadata})
	if err != nil {
		return err
	}
	tx.Adds, err = write(next)
	rows, bytes := int64(0), int64(0)
	for _, a := range tx.Adds {
		if n, ok := RefOf(next.Columns, a).Rows(); ok {
			rows += n
		}
		bytes += a.Size
	}
	tx.Metrics = map[string]string{"numFiles": strconv.Itoa(len(tx.Adds)), "numOutputRows": strconv.FormatInt(rows, 10), "numOutputBytes": strconv.FormatInt(bytes, 10)}
	return err
}

// metadata is what a definition makes of a table.
func (t *Table) metadata(d Definition) (*Metadata, *Protocol, error) {
	cols, partitions, props, err := d.resolve()
	if err != nil {
		return nil, nil, err
	}
	schema, err := SchemaString(cols)
	if err != nil {
		return nil, nil, err
	}
	protocol := &Protocol{MinReaderVersion: 1, MinWriterVersion: 2}
	for i := range cols {
		c := &cols[i]
		if c.Type == TimestampNTZ || c.Type == Variant || strings.Contains(string(c.Type), `"timestamp_ntz"`) {
			return nil, nil, fmt.Errorf("column %s: %w", c.Name, unsupported("type "+string(c.Type), "a table feature"))
		}
		if _, ok := c.Generation(); ok {
			protocol = &Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: []string{"appendOnly", "invariants", "generatedColumns"}}
		}
	}
	return &Metadata{ID: newUUID(), Name: d.Name, Description: d.Description, Format: Format{Provider: "parquet", Options: map[string]string{}},
		SchemaString: schema, PartitionColumns: append([]string{}, partitions...), Configuration: props, CreatedTime: t.opts.Clock().UnixMilli()}, protocol, nil
}

// creation are the parameters of the operation that makes a table.
func creation(m *Metadata, d Definition) map[string]any {
	var description any
	if d.Description != "" {
		description = d.Description
	}
	return map[string]any{"isManaged": "false", "description": description, "partitionBy": string(marshal(m.PartitionColumns)),
		"clusterBy": "[]", "properties": string(marshal(m.Configuration))}
}

// Create makes a table with default options.
func Create(ctx context.Context, store blob.Store, prefix string, d Definition) (*Table, error) {
	return Options{}.Create(ctx, store, prefix, d)
}

// OpenOrCreate opens the table, which must then agree with d in its columns and
// partitions, or creates it.
func (o Options) OpenOrCreate(ctx context.Context, store blob.Store, prefix string, d Definition) (*Table, error) {
	t, err := o.Open(ctx, store, prefix)
	if errors.Is(err, ErrNotATable) {
		t, err = o.Create(ctx, store, prefix, d)
		if !errors.Is(err, ErrTableExists) {
			return t, err
		}
		t, err = o.Open(ctx, store, prefix)
	}
	if err != nil {
		return nil, err
	}
	return t, t.Known().Agrees(d)
}

// Agrees reports why a table is not the one that d describes, or nil.
func (s *Snapshot) Agrees(d Definition) error {
	cols, partitions, _, err := d.resolve()
	if err != nil {
		return err
	}
	for _, c := range cols {
		have := FindColumn(s.Columns, c.Name)
		if have == nil {
			return fmt.Errorf("table %s exists without the column %s", s.prefix, c.Name)
		}
		if have.Type != c.Type {
			return fmt.Errorf("table %s exists with column %s of type %s, not %s", s.prefix, c.Name, have.Type, c.Type)
		}
	}
	if !slices.EqualFunc(partitions, s.Metadata.PartitionColumns, strings.EqualFold) {
		return fmt.Errorf("table %s exists partitioned by (%s), not (%s)", s.prefix, strings.Join(s.Metadata.PartitionColumns, ", "), strings.Join(partitions, ", "))
	}
	return nil
}
