// Package deltatable is the connector.Sink that writes the output of a job into
// a Delta table, every row exactly once.
//
// Prepare writes Parquet files that no version names; Commit makes one version
// with the files of all writers and a txn action that carries the epoch. A
// repeated Commit finds that action and does nothing. Foreign writers may append
// to the table at any time.
//
// Stability: importable, not promised before 1.0.
package deltatable

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"spate/blob"
	"spate/connector"
	"spate/lake/delta"
	"spate/metric"
)

// ErrAhead: the table holds the epoch that is committed, or a later one of this
// application, and not its files. Another copy of the job writes to the table,
// or the manifests of the job were lost; a new start needs another AppID.
var ErrAhead = errors.New("the table is ahead of the job")

// Options are the settings of a Sink.
type Options struct {
	Store blob.Store // required
	Path  string     // required: where the table lies in the store
	// Tables are the open tables of the process, of Store. Nil: the sink opens its own,
	// and its commits do themselves what follows them.
	Tables Tables
	// Output is the name of the job's output: the table remembers the epoch under
	// <job>/<output>/#state, with the stable id of the job. Default Path.
	Output string
	// Create describes the table if it does not exist yet. Nil: it must exist,
	// unless Infer says how its schema is made.
	Create *delta.Definition
	Infer  *Inference

	// Strict gives back rows whose columns are not those of the table, instead of
	// dropping the values of extra columns and writing NULL for missing ones.
	Strict bool

	// So many rows, or bytes of files, of one epoch ask for the next; 0: they do not.
	FullRows, FullBytes int64

	TargetFileBytes int64            // a data file ends at about so many bytes, default 64 MiB
	BufferBytes     int64            // memory of one writer for rows not yet in files, default 64 MiB
	MaxOpen         int              // partitions with an open file in one writer, default 64
	Clock           func() time.Time // default time.Now
	EngineInfo      string           // in the table's history, default "Spate"
	Metrics         *metric.Recorder // may be nil
	Name            string           // of the table in metrics, default Path
	Log             *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Store == nil || o.Path == "" {
		return o, errors.New("deltatable: Store and Path are required")
	}
	if o.TargetFileBytes <= 0 {
		o.TargetFileBytes = 64 << 20
	}
	if o.BufferBytes <= 0 {
		o.BufferBytes = 64 << 20
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = 64
	}
	if o.Name == "" {
		o.Name = o.Path
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.EngineInfo == "" {
		o.EngineInfo = "Spate"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tables == nil {
		o.Tables = own{o.Store, delta.Options{Clock: o.Clock, EngineInfo: o.EngineInfo, Log: o.Log}}
	}
	return o, nil
}

// Tables opens tables of a store, each one once in the process.
type Tables interface {
	Open(ctx context.Context, prefix string) (*delta.Table, error)
	Create(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error)
	OpenOrCreate(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error)
}

// own opens tables for one sink.
type own struct {
	store blob.Store
	o     delta.Options
}

func (t own) Open(ctx context.Context, prefix string) (*delta.Table, error) {
	return t.o.Open(ctx, t.store, prefix)
}

func (t own) Create(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error) {
	return t.o.Create(ctx, t.store, prefix, d)
}

func (t own) OpenOrCreate(ctx context.Context, prefix string, d delta.Definition) (*delta.Table, error) {
	return t.o.OpenOrCreate(ctx, t.store, prefix, d)
}

// Sink writes to one table. Its writers may run at the same time.
type Sink struct {
	opts  Options
	extra *metric.Counter // columns of rows that the table does not have
	bytes *metric.Counter // of files that versions have

	waiting, heavy atomic.Int64 // rows and bytes that writers have taken and not prepared

	mu     sync.Mutex // held while the table is made or gets columns
	table  *delta.Table
	layout *layout // the newest; nil: the schema is not known yet

	// refused: the table has a feature that another engine has switched on, and must not be
	// written. Writers say so, so that the job waits for somebody to change it.
	refused error
}

// Open opens the table, or creates it if Options.Create says how.
func Open(ctx context.Context, o Options) (*Sink, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sink{opts: o, extra: o.Metrics.Counter("TableValuesDropped", "Table", o.Name),
		bytes: o.Metrics.Counter("TableBytesWritten", "Table", o.Name)}
	var t *delta.Table
	if o.Create != nil {
		t, err = o.Tables.OpenOrCreate(ctx, o.Path, *o.Create)
	} else {
		t, err = o.Tables.Open(ctx, o.Path)
	}
	if o.Infer != nil && errors.Is(err, delta.ErrNotATable) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("output table: %w", err)
	}
	if err := t.Known().CanWrite(); errors.Is(err, delta.ErrUnsupported) {
		s.refused = fmt.Errorf("output table %s: %w", o.Path, err)
		return s, nil
	}
	return s, s.take(t)
}

// take makes t the table of the sink.
func (s *Sink) take(t *delta.Table) error {
	l, err := newLayout(t.Known(), s.opts.Infer)
	if err != nil {
		return fmt.Errorf("output table %s: %w", s.opts.Path, err)
	}
	if l.snap.Property("delta.setTransactionRetentionDuration", "") != "" {
		s.opts.Log.Warn("the table forgets transactions, exactly-once ends with them", "table", s.opts.Path, "property", "delta.setTransactionRetentionDuration")
	}
	s.table, s.layout = t, l
	return nil
}

// now is the table with its newest layout; nil as long as its schema waits for rows.
func (s *Sink) now() (*delta.Table, *layout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table, s.layout
}

// adopt takes over the columns that somebody has added to the table. What files that are on
// their way would contradict is left for the next commit to refuse.
func (s *Sink) adopt(now *delta.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.layout.snap
	if now.Metadata.SchemaString == old.Metadata.SchemaString || old.Fits(now) != nil {
		return
	}
	l, err := newLayout(now, s.opts.Infer)
	if err != nil {
		s.opts.Log.Warn("the table has changed, and is written as before", "table", s.opts.Path, "err", err)
		return
	}
	s.layout = l
	s.opts.Log.Info("the table has changed, and is written so", "table", s.opts.Path, "version", now.Version)
}

// Table is the table that is written; nil as long as its schema waits for rows.
func (s *Sink) Table() *delta.Table {
	t, _ := s.now()
	return t
}

// Columns are the columns that a row should bring: those of the table without
// the day columns that the sink fills.
func (s *Sink) Columns() []delta.Column {
	_, l := s.now()
	if l == nil {
		return nil
	}
	return l.wanted()
}

// Match compares the columns of an output with the table: missing ones will be
// NULL, extra ones are dropped. The caller warns of both.
func (s *Sink) Match(names []string) (missing, extra []string) {
	_, l := s.now()
	if l == nil {
		return nil, nil
	}
	return l.match(names)
}

// prepared is what a manifest keeps of one writer.
type prepared struct {
	Adds []*delta.Add `json:"adds"`
	Rows int64        `json:"rows"`
}

func (s *Sink) appID(e connector.Epoch) string {
	return e.Job + "/" + cmp.Or(s.opts.Output, s.opts.Path) + "/#state"
}

// Commit implements connector.Sink.
func (s *Sink) Commit(ctx context.Context, epoch connector.Epoch, shards []connector.Prepared) error {
	var all prepared
	for i, p := range shards {
		if len(p) == 0 {
			continue
		}
		var one prepared
		if err := json.Unmarshal(p, &one); err != nil {
			return fmt.Errorf("commit epoch %d to %s: what shard %d prepared: %w", epoch.Number, s.opts.Path, i, err)
		}
		all.Adds = append(all.Adds, one.Adds...)
		all.Rows += one.Rows
	}
	if len(all.Adds) == 0 {
		return nil
	}
	if s.refused != nil {
		return fmt.Errorf("commit epoch %d: %w", epoch.Number, s.refused)
	}
	table, written := s.now()
	if table == nil {
		return fmt.Errorf("commit epoch %d to %s: the table that was written is gone: %w", epoch.Number, s.opts.Path, delta.ErrNotATable)
	}
	for {
		done, err := s.commit(ctx, table, written, epoch, &all)
		if done || err != nil {
			return err
		}
	}
}

// transactions are the txn actions of an epoch: its number, which decides whether
// the epoch is in the table, and how far each input partition is, for readers.
func transactions(app string, epoch connector.Epoch, now int64) []delta.Txn {
	txns := []delta.Txn{{AppID: app, Version: epoch.Number, LastUpdated: now}}
	base := strings.TrimSuffix(app, "#state")
	for _, o := range epoch.Offsets {
		txns = append(txns, delta.Txn{AppID: base + o.Input + "/" + strconv.Itoa(o.Partition), Version: o.Last, LastUpdated: now})
	}
	return txns
}

// published reports whether the files of an epoch are in the table or once were.
// The table's newest epoch of the application is not below it.
func (s *Sink) published(ctx context.Context, snap *delta.Snapshot, app string, p *prepared) (bool, error) {
	if known, err := snap.Knows(ctx, p.Adds[0].Path); known || err != nil {
		return known, err
	}
	// The log forgets a file that was compacted away when its tombstone expires. After
	// that time files that are older than the application's last commit were in it.
	keep, ok := delta.ParseInterval(snap.Property("delta.deletedFileRetentionDuration", ""))
	if !ok {
		keep = 7 * 24 * time.Hour // Delta's default
	}
	for _, t := range snap.Txns() {
		if t.AppID == app {
			expired := t.LastUpdated > 0 && t.LastUpdated <= s.opts.Clock().Add(-keep).UnixMilli()
			return expired && p.Adds[0].ModificationTime <= t.LastUpdated, nil
		}
	}
	return false, nil
}

// commit reports false when another commit of the same application came first
// and has to be looked at.
func (s *Sink) commit(ctx context.Context, table *delta.Table, written *layout, epoch connector.Epoch, p *prepared) (bool, error) {
	app := s.appID(epoch)
	snap, err := table.Snapshot(ctx)
	if err != nil {
		return false, fmt.Errorf("commit epoch %d: %w", epoch.Number, err)
	}
	if v, ok := snap.TxnVersion(app); ok && v >= epoch.Number {
		there, err := s.published(ctx, snap, app, p)
		if err != nil {
			return false, fmt.Errorf("commit epoch %d: %w", epoch.Number, err)
		}
		if !there {
			return false, fmt.Errorf("commit epoch %d to %s: the table holds epoch %d of %q and not the files of this one: another copy of the job writes to it, "+
				"or the job's folder was lost or deleted; stop the other copy, or give the job another name to begin anew: %w", epoch.Number, s.opts.Path, v, app, ErrAhead)
		}
		return true, nil
	}
	bytes := int64(0)
	for _, a := range p.Adds {
		bytes += a.Size
	}
	number := strconv.FormatInt(epoch.Number, 10)
	next, err := table.Commit(ctx, &delta.Transaction{
		Operation:  "STREAMING UPDATE",
		Parameters: map[string]any{"outputMode": "Append", "queryId": app, "epochId": number},
		Metrics: map[string]string{"numAddedFiles": strconv.Itoa(len(p.Adds)), "numRemovedFiles": "0",
			"numOutputRows": strconv.FormatInt(p.Rows, 10), "numOutputBytes": strconv.FormatInt(bytes, 10)},
		Adds: p.Adds, Txns: transactions(app, epoch, s.opts.Clock().UnixMilli()),
		Base: snap, WrittenFor: written.snap,
	})
	if errors.Is(err, delta.ErrTransactionConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("commit epoch %d: %w", epoch.Number, err)
	}
	s.bytes.Add(bytes)
	s.adopt(next)
	s.opts.Log.Debug("committed", "table", s.opts.Path, "version", next.Version, "epoch", epoch.Number, "rows", p.Rows, "bytes", bytes)
	return true, nil
}
