// Package maintain keeps tables small, fast and open while jobs write them: it writes their
// checkpoints beside the commits, cleans up their logs, packs their small files and deletes
// the files that no version needs.
//
// One goroutine does it all, one thing at a time, and rests three times as long as each pack
// of files took. It takes no lock that a commit needs: what it does are commits of their own,
// to which appends are no conflict. Breaking it off at any point costs work, and no row.
//
// Stability: importable, not promised before 1.0.
package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"spate/blob"
	"spate/lake/delta"
	"spate/metric"
)

// Table is a table that is maintained.
type Table struct {
	Name     string // as people know it
	Prefix   string // in the store
	Optimize Optimize
	Vacuum   Vacuum
}

// Same reports whether two are kept up in the same way.
func (t Table) Same(o Table) bool {
	a, b := t.Optimize, o.Optimize
	return t.Name == o.Name && t.Prefix == o.Prefix && t.Vacuum == o.Vacuum && slices.Equal(a.ZOrderBy, b.ZOrderBy) &&
		a.Off == b.Off && a.TargetBytes == b.TargetBytes && a.Interval == b.Interval && a.Age == b.Age
}

// Optimize says how files are packed.
type Optimize struct {
	Off         bool
	TargetBytes int64         // default: delta.targetFileSize of the table, else 128 MiB
	Interval    time.Duration // between two looks at the table, default a minute
	Age         time.Duration // a partition that got no file for so long is packed whole, default an hour
	ZOrderBy    []string      // clusters such a partition, once
}

// Vacuum says how long files stay that no version names any more.
type Vacuum struct {
	Retain   time.Duration // default: delta.deletedFileRetentionDuration of the table, else a week
	Interval time.Duration // between two runs, default a day
	Force    bool          // allows less than the table's retention
}

// Options are what a Room works with. Store is required.
type Options struct {
	Store   blob.Store
	Clock   func() time.Time
	Log     *slog.Logger
	Metrics *metric.Recorder
	// Pinned gives which files, by their paths below a table, must not be deleted although no
	// version names them: those of rows that a job has prepared. Nil: there are none.
	Pinned func(ctx context.Context) (func(file string) bool, error)
	// Held gives which files of the table below a prefix readers of this process hold. Nil:
	// there are none.
	Held func(prefix string) func(file string) bool
	// Open gives the open table of the process below a prefix. Nil: the room opens its own.
	Open func(ctx context.Context, prefix string) (*delta.Table, error)
}

const (
	rest        = 3                // times as long as a pack took
	firstVacuum = 10 * time.Minute // behind the start, so that a process that is restarted each day gets there
	troubled    = 3                // failures behind each other that are a problem
	cleanUp     = 24 * time.Hour
)

// Room maintains tables.
type Room struct {
	o      Options
	wake   chan struct{}     // something is due
	tables map[string]*table // by prefix; Step's own

	mu       sync.Mutex // guards the fields below
	wanted   []Table    // that Step has not taken over; nil: there are none
	since    time.Time  // when they were set
	due      map[string]point
	problems map[string]error // by name, of the tables that have failed too often
}

// point is a version that gets a checkpoint.
type point struct {
	table *delta.Table
	snap  *delta.Snapshot
}

// table is a table and when it is looked at.
type table struct {
	Table
	open     *delta.Table // nil: not yet
	optimize time.Time
	vacuum   time.Time
	cleaned  time.Time // when the log was cleaned up; zero: not by this process
	failures int       // behind each other
	said     string    // of them, in the log

	packs, bytes, deleted *metric.Counter
}

// New makes a room without tables.
func New(o Options) *Room {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Room{o: o, wake: make(chan struct{}, 1), due: make(map[string]point)}
}

// Set says which tables are maintained from now on.
func (r *Room) Set(tables []Table) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted, r.since = append([]Table{}, tables...), r.o.Clock()
	r.notify()
}

// take takes over what Set said.
func (r *Room) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wanted == nil {
		return
	}
	now := r.since
	next, problems := make(map[string]*table), make(map[string]error)
	for _, t := range r.wanted {
		t.Optimize.Interval = cmp.Or(t.Optimize.Interval, time.Minute)
		t.Vacuum.Interval = cmp.Or(t.Vacuum.Interval, 24*time.Hour)
		x := r.tables[t.Prefix]
		if x == nil {
			x = &table{vacuum: now.Add(firstVacuum),
				packs:   r.o.Metrics.Counter("CompactionRuns", "Table", t.Name),
				bytes:   r.o.Metrics.Counter("CompactionBytes", "Table", t.Name),
				deleted: r.o.Metrics.Counter("VacuumedFiles", "Table", t.Name)}
		}
		x.Table, x.optimize = t, now.Add(t.Optimize.Interval)
		next[t.Prefix] = x
		if err := r.problems[t.Name]; err != nil {
			problems[t.Name] = err
		}
	}
	r.tables, r.problems, r.wanted = next, problems, nil
}

// CheckpointDue is for delta.Options: the newest version that is due is written, whoever
// made it.
func (r *Room) CheckpointDue(t *delta.Table, s *delta.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.due[t.Prefix()]; !ok || old.snap.Version < s.Version {
		r.due[t.Prefix()] = point{t, s}
	}
	r.notify()
}

func (r *Room) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Problems says of each table that cannot be maintained why.
func (r *Room) Problems() (errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.problems)) {
		errs = append(errs, fmt.Errorf("table %s is not maintained, and gets more files and slower: %w", name, r.problems[name]))
	}
	return errs
}

// Run maintains the tables until the context ends.
func (r *Room) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		r.Step(ctx)
		timer.Reset(r.next())
	}
}

// next is how long nothing is due.
func (r *Room) next() time.Duration {
	wait := time.Hour
	now := r.o.Clock()
	for _, t := range r.tables {
		if !t.Optimize.Off {
			wait = min(wait, t.optimize.Sub(now))
		}
		wait = min(wait, t.vacuum.Sub(now))
	}
	return max(wait, 0)
}

// Step does what is due.
func (r *Room) Step(ctx context.Context) {
	r.take()
	r.checkpoints(ctx)
	for _, prefix := range slices.Sorted(maps.Keys(r.tables)) {
		t := r.tables[prefix]
		if ctx.Err() != nil {
			return
		}
		if now := r.o.Clock(); !t.Optimize.Off && !now.Before(t.optimize) {
			r.try(ctx, t, "packing its files", r.compact)
			t.optimize = r.o.Clock().Add(t.Optimize.Interval)
		}
		if now := r.o.Clock(); !now.Before(t.vacuum) {
			r.try(ctx, t, "vacuum", r.clean)
			t.vacuum = r.o.Clock().Add(t.Vacuum.Interval)
		}
	}
}

// try does one thing, and notes whether it worked.
func (r *Room) try(ctx context.Context, t *table, doing string, do func(context.Context, *table, *delta.Table) error) {
	var err error
	if t.open == nil {
		if r.o.Open != nil {
			t.open, err = r.o.Open(ctx, t.Prefix)
		} else {
			t.open, err = delta.Options{Clock: r.o.Clock, Log: r.o.Log, CheckpointDue: r.CheckpointDue}.Open(ctx, r.o.Store, t.Prefix)
		}
		if errors.Is(err, delta.ErrNotATable) { // nothing was written yet
			return
		}
	}
	if err == nil {
		err = do(ctx, t, t.open)
	}
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		t.failures, t.said = 0, ""
		delete(r.problems, t.Name)
		return
	}
	if t.failures++; t.failures >= troubled {
		r.problems[t.Name] = fmt.Errorf("%s: %w", doing, err)
	}
	if t.said != err.Error() { // once: there is a run each minute
		t.said = err.Error()
		r.o.Log.Warn("a table is not maintained; the next run tries again", "table", t.Name, "doing", doing, "failures", t.failures, "err", err)
	}
}

func (r *Room) compact(ctx context.Context, t *table, d *delta.Table) error {
	res, err := d.Compact(ctx, delta.CompactOptions{TargetBytes: t.Optimize.TargetBytes, Sealed: t.Optimize.Age, ZOrderBy: t.Optimize.ZOrderBy,
		Pause: func(ctx context.Context, took time.Duration) error {
			r.checkpoints(ctx)
			timer := time.NewTimer(rest * took)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
				return nil
			}
		}})
	t.packs.Add(int64(res.Bins))
	t.bytes.Add(res.BytesAdded)
	if res.Bins > 0 {
		r.o.Log.Debug("packed files", "table", t.Name, "packs", res.Bins, "files", res.FilesRemoved, "into", res.FilesAdded, "bytes", res.BytesAdded)
	}
	return err
}

func (r *Room) clean(ctx context.Context, t *table, d *delta.Table) error {
	o := delta.VacuumOptions{Retain: t.Vacuum.Retain, Force: t.Vacuum.Force}
	if r.o.Pinned != nil {
		pinned, err := r.o.Pinned(ctx)
		if err != nil {
			return fmt.Errorf("which files the jobs have prepared: %w", err)
		}
		o.Pinned = pinned
	}
	if r.o.Held != nil {
		prepared, held := o.Pinned, r.o.Held(t.Prefix)
		o.Pinned = func(file string) bool { return held(file) || prepared != nil && prepared(file) }
	}
	res, err := d.Vacuum(ctx, o)
	t.deleted.Add(int64(len(res.Files)))
	if len(res.Files) > 0 {
		r.o.Log.Info("deleted files that no version needs", "table", t.Name, "files", len(res.Files), "bytes", res.Bytes)
	}
	return err
}

// checkpoints writes those that are due, and cleans up each log once a day.
func (r *Room) checkpoints(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		var p point
		for prefix, x := range r.due {
			p = x
			delete(r.due, prefix)
			break
		}
		r.mu.Unlock()
		if p.table == nil {
			return
		}
		t := r.tables[p.table.Prefix()]
		if err := p.table.Checkpoint(ctx, p.snap); err != nil {
			if ctx.Err() == nil { // the commits stand without it, and the next one is tried
				r.o.Log.Warn("checkpoint not written", "table", p.table.Prefix(), "version", p.snap.Version, "err", err)
			}
			continue
		}
		now := r.o.Clock()
		if t == nil || now.Sub(t.cleaned) < cleanUp {
			continue
		}
		n, err := p.table.CleanUp(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.o.Log.Warn("the log of a table was not cleaned up; the next day tries again", "table", t.Name, "err", err)
		case n > 0:
			r.o.Log.Info("cleaned up the log of a table", "table", t.Name, "files", n)
		}
		t.cleaned = now
	}
}
