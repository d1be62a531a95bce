package delta

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spate/blob"
)

// dated is a local store whose log files are as old as a test wants them.
func dated(t *testing.T) (store blob.Store, age func(table *Table, version int64, by time.Duration, now time.Time)) {
	dir := t.TempDir()
	return blob.NewLocal(dir), func(table *Table, version int64, by time.Duration, now time.Time) {
		files, err := filepath.Glob(filepath.Join(dir, "lake", "t", "_delta_log", fmt.Sprintf("%020d.*", version)))
		if err != nil || len(files) == 0 {
			t.Fatalf("version %d: %v %v", version, files, err)
		}
		for _, f := range files {
			if err := os.Chtimes(f, now.Add(-by), now.Add(-by)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheLogIsCleanedUpByItsRetention(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.UTC)
	store, age := dated(t)
	o := Options{Clock: func() time.Time { return now }}
	table, err := o.Create(ctx, store, "lake/t", withProperties(telemetry, map[string]string{"delta.logRetentionDuration": "interval 7 days", "delta.checkpointInterval": "1000"}))
	if err != nil {
		t.Fatal(err)
	}
	for v := int64(1); v <= 10; v++ {
		s := commitFiles(t, table, file(fmt.Sprint("f", v), "2025-03-10"))
		if v%3 == 0 {
			if err := table.Checkpoint(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, err := o.Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	old, err := before.SnapshotAt(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := table.CleanUp(ctx); n != 0 || err != nil {
		t.Fatalf("everything is young: %d files went, %v", n, err)
	}
	for v := int64(0); v <= 7; v++ {
		age(table, v, 8*24*time.Hour+time.Duration(7-v)*time.Hour, now)
	}
	for v := int64(8); v <= 10; v++ { // older than 7 days, younger than the day before
		age(table, v, 7*24*time.Hour+time.Hour, now)
	}
	n, err := table.CleanUp(ctx)
	if n != 12 || err != nil { // commits 0 to 5, the checksums of 1 to 5 and checkpoint 3; 6 is the newest that is old enough
		t.Fatalf("%d files went, want 12: %v", n, err)
	}
	l, err := table.list(ctx, 0)
	if err != nil || len(l.commits) != 5 || len(l.checkpoints) != 2 {
		t.Fatalf("left are the commits %v and the checkpoints %v, %v", l.commits, l.checkpoints, err)
	}
	for v := int64(6); v <= 10; v++ {
		if s, err := table.SnapshotAt(ctx, v); err != nil || len(s.Files()) != int(v) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if _, err := table.SnapshotAt(ctx, 5); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("version 5: %v", err)
	}
	if fresh, err := o.Open(ctx, store, "lake/t"); err != nil || len(fresh.Known().Files()) != 10 {
		t.Errorf("opened: %v", err)
	}
	if n, err := table.CleanUp(ctx); n != 0 || err != nil {
		t.Errorf("again: %d files went, %v", n, err)
	}

	// A process that slept while the log went on and was cleaned up is led on.
	asleep := o.table(store, "lake/t")
	asleep.head = old
	if s, err := asleep.Snapshot(ctx); err != nil || s.Version != 10 || len(s.Files()) != 10 {
		t.Errorf("behind the cleaned log: %v", err)
	}
	if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{file("late", "2025-03-10")}, Base: old}); !errors.Is(err, ErrBehind) {
		t.Errorf("a commit on what it saw before: %v", err)
	}
}

func TestTheLogStaysWhereItMust(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		properties map[string]string
		spoil      func(t *testing.T, store blob.Store, table *Table)
		fails      bool
	}{
		"it is off": {properties: map[string]string{"delta.enableExpiredLogCleanup": "false"}},
		"30 days":   {properties: map[string]string{"delta.logRetentionDuration": "interval 30 days"}},
		"no hint":   {spoil: func(t *testing.T, store blob.Store, table *Table) { remove(t, store, table.logKey(hintName)) }},
		"damaged checkpoint": {fails: true, spoil: func(t *testing.T, store blob.Store, table *Table) {
			if _, err := store.Replace(ctx, table.logKey(checkpointName(6)), bytes.NewReader([]byte("PAR1"))); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store, age := dated(t)
			o := Options{Clock: func() time.Time { return now }}
			table, err := o.Create(ctx, store, "lake/t", withProperties(withProperties(telemetry, map[string]string{"delta.logRetentionDuration": "interval 7 days"}), c.properties))
			if err != nil {
				t.Fatal(err)
			}
			for v := int64(1); v <= 6; v++ {
				s := commitFiles(t, table, file(fmt.Sprint("f", v), "2025-03-10"))
				if v%3 == 0 {
					if err := table.Checkpoint(ctx, s); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.spoil != nil {
				c.spoil(t, store, table)
			}
			for v := int64(0); v <= 6; v++ {
				age(table, v, 20*24*time.Hour, now)
			}
			if n, err := table.CleanUp(ctx); n != 0 || (err != nil) != c.fails {
				t.Errorf("%d files went, %v", n, err)
			}
			if s, err := table.SnapshotAt(ctx, 2); err != nil || len(s.Files()) != 2 {
				t.Errorf("version 2: %v", err)
			}
		})
	}
}

func remove(t *testing.T, store blob.Store, key string) {
	t.Helper()
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// Tombstones that a checkpoint holds come from there, until they expire or the file is back.
func TestTombstonesOfACheckpoint(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	now := time.Now()
	o := Options{Clock: func() time.Time { return now }}
	table, err := o.Create(ctx, store, "lake/t", withProperties(telemetry, map[string]string{"delta.checkpointInterval": "1000"}))
	if err != nil {
		t.Fatal(err)
	}
	commitFiles(t, table, file("a", "2025-03-10"), file("b", "2025-03-10"), file("c", "2025-03-10"))
	drop := func(name string) {
		t.Helper()
		if _, err := table.Commit(ctx, &Transaction{Operation: "DELETE", Removes: []*Remove{{Path: name, DeletionTimestamp: now.UnixMilli(), DataChange: true}}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, names ...string) {
		t.Helper()
		fresh, err := o.Open(ctx, store, "lake/t")
		if err != nil {
			t.Fatal(err)
		}
		for how, s := range map[string]*Snapshot{"followed": table.Known(), "opened": fresh.Known()} {
			got := map[string]bool{}
			if err := s.Tombstones(ctx, func(r *Remove) error { got[r.Path] = true; return nil }); err != nil {
				t.Fatal(err)
			}
			ok := len(got) == len(names)
			for _, n := range names {
				known, err := s.Knows(ctx, n)
				ok = ok && got[n] && known && err == nil
			}
			if !ok {
				t.Errorf("%s, %s: tombstones %v, want %v", when, how, got, names)
			}
		}
	}
	point := func() {
		t.Helper()
		if err := table.Checkpoint(ctx, table.Known()); err != nil {
			t.Fatal(err)
		}
	}
	drop("a")
	want("before", "a")
	point()
	want("in a checkpoint", "a")
	drop("b")
	want("one of each", "a", "b")
	commitFiles(t, table, file("a", "2025-03-10"))
	want("a is back", "b")
	point()
	want("after the next checkpoint", "b")
	drop("a")
	point()
	want("both", "a", "b")
	now = now.Add(8 * 24 * time.Hour)
	drop("c")
	point()
	want("expired", "c")
}
