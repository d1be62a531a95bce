package delta

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"spate/blob"
)

// Each version of a table can be had again, with its schema, by a version behind the newest.
func TestRestoreMakesTheTableWhatItWas(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	now := time.Now()
	o := Options{Clock: func() time.Time { return now }}
	table, err := o.Create(ctx, store, "lake/t", readings)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		a := dataFile(t, table, 1+i%2, []int{10 * i, 10*i + 1})
		if _, err := table.Commit(ctx, &Transaction{Operation: "STREAMING UPDATE", Adds: []*Add{a}, Txns: []Txn{{AppID: "job", Version: int64(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := table.Optimize(ctx, OptimizeOptions{}); err != nil {
		t.Fatal(err)
	}
	s := table.Known()
	wider := s.Metadata
	cols := append(slices.Clone(s.Columns), Column{Name: "more", Type: String, Nullable: true})
	if wider.SchemaString, err = SchemaString(cols); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Commit(ctx, &Transaction{Operation: "ADD COLUMNS", Metadata: &wider}); err != nil {
		t.Fatal(err)
	}
	newest := table.Known().Version
	rows := make(map[int64][]string)
	columns := make(map[int64]int)
	for v := int64(0); v <= newest; v++ {
		s, err := table.SnapshotAt(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		rows[v], columns[v] = content(t, table, s), len(s.Columns)
	}
	for _, v := range []int64{2, newest, 0, 6, 7, 1} {
		res, err := table.Restore(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		s := table.Known()
		if got := content(t, table, s); !slices.Equal(got, rows[v]) || len(s.Columns) != columns[v] || res.Files != len(s.Files()) || res.Bytes != s.Size() {
			t.Errorf("version %d: %d rows, want %d; %d columns, want %d; %+v", v, len(got), len(rows[v]), len(s.Columns), columns[v], res)
		}
		// The job that writes the table is where it was: it writes nothing twice.
		if at, ok := s.TxnVersion("job"); at != 5 || !ok {
			t.Errorf("version %d: the job is at %d", v, at)
		}
		if again, err := table.Restore(ctx, v); err != nil || again.Version != -1 {
			t.Errorf("version %d, again: %+v, %v", v, again, err)
		}
	}
	if _, err := table.Restore(ctx, 1000); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	gone, err := table.SnapshotAt(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, store, gone.Key(gone.Files()[2]))
	if _, err := table.Restore(ctx, 3); !errors.Is(err, ErrFilesGone) {
		t.Errorf("a version whose file is gone: %v", err)
	}
}

// VACUUM LITE deletes what the log says was removed, and does not look for what it never named.
func TestVacuumLite(t *testing.T) {
	for _, inCheckpoint := range []bool{false, true} {
		ctx, store := t.Context(), blob.NewMemory()
		now := time.Now()
		o := Options{Clock: func() time.Time { return now }}
		table, err := o.Create(ctx, store, "lake/t", withProperties(readings, map[string]string{"delta.deletedFileRetentionDuration": "interval 30 days"}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{dataFile(t, table, 1, []int{i})}}); err != nil {
				t.Fatal(err)
			}
		}
		orphan := dataFile(t, table, 1, []int{9})
		if _, err := table.Optimize(ctx, OptimizeOptions{}); err != nil {
			t.Fatal(err)
		}
		if inCheckpoint {
			if err := table.Checkpoint(ctx, table.Known()); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(10 * 24 * time.Hour)
		if res, err := table.Vacuum(ctx, VacuumOptions{Lite: true, DryRun: true}); err != nil || len(res.Files) != 0 {
			t.Errorf("within the retention: %v, %v", res.Files, err)
		}
		res, err := table.Vacuum(ctx, VacuumOptions{Lite: true, Retain: 9 * 24 * time.Hour, Force: true})
		if err != nil || len(res.Files) != 4 {
			t.Errorf("deleted %v, %v", res.Files, err)
		}
		s := table.Known()
		if _, err := store.Stat(ctx, s.Key(orphan)); err != nil {
			t.Errorf("the file that the log does not name: %v", err)
		}
		if got := content(t, table, s); len(got) != 4 {
			t.Errorf("%d rows", len(got))
		}
		if res, err := table.Vacuum(ctx, VacuumOptions{Retain: 9 * 24 * time.Hour, Force: true}); err != nil || fmt.Sprint(res.Files) != fmt.Sprint([]string{FilePath(orphan.Path)}) {
			t.Errorf("deleted %v, %v", res.Files, err)
		}
	}
}

// However little is kept, what the log never named stays for a while: a writer may be about to
// commit it. So does what a RESTORE makes live while VACUUM runs.
func TestVacuumOfEverythingSparesWritersAndRestore(t *testing.T) {
	ctx := t.Context()
	now := time.Now()
	o := Options{Clock: func() time.Time { return now }}
	store := &between{Store: blob.NewMemory()}
	table, err := o.Create(ctx, store, "lake/t", readings)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{dataFile(t, table, 1, []int{i})}}); err != nil {
			t.Fatal(err)
		}
	}
	version := table.Known().Version
	rows := content(t, table, table.Known())
	if _, err := table.Optimize(ctx, OptimizeOptions{}); err != nil {
		t.Fatal(err)
	}
	onWay := dataFile(t, table, 1, []int{9})
	now = now.Add(time.Hour)
	all := VacuumOptions{Now: true, Force: true}
	other, err := o.Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	all.Pinned = func(string) bool { // asked between the look at the log and the deletion
		if all.Pinned = nil; other.Known().Version == version+1 {
			if _, err := other.Restore(ctx, version); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	if res, err := table.Vacuum(ctx, all); err != nil || len(res.Files) != 0 {
		t.Errorf("deleted %v, %v", res.Files, err)
	}
	s, err := table.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, table, s); !slices.Equal(got, rows) {
		t.Errorf("%d rows, want %d", len(got), len(rows))
	}
	if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{onWay}}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, table, table.Known()); len(got) != len(rows)+1 {
		t.Errorf("%d rows, want %d", len(got), len(rows)+1)
	}
}
