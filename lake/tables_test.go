package lake

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"spate/blob"
	"spate/lake/delta"
)

var columns = []delta.Column{{Name: "n", Type: delta.Long, Nullable: true}}

func commit(t *testing.T, table *delta.Table, name string) *delta.Snapshot {
	t.Helper()
	s, err := table.Commit(t.Context(), &delta.Transaction{Operation: "WRITE", Adds: []*delta.Add{{Path: name, PartitionValues: map[string]*string{}, Size: 1, DataChange: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTablesAreOpenOnce(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	tables, err := NewTables(TablesOptions{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tables.Open(t.Context(), "a/t"); !errors.Is(err, delta.ErrNotATable) {
		t.Errorf("no table: %v", err)
	}
	got := make([]*delta.Table, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			table, err := tables.OpenOrCreate(t.Context(), []string{"a/t", "a/t/"}[i%2], delta.Definition{Columns: columns})
			if err != nil {
				t.Error(err)
			}
			got[i] = table
		})
	}
	all.Wait()
	for _, table := range got {
		if table != got[0] {
			t.Fatal("two tables are open")
		}
	}
	if _, err := tables.Create(t.Context(), "a/t", delta.Definition{Columns: columns}); !errors.Is(err, delta.ErrTableExists) {
		t.Errorf("created again: %v", err)
	}
	if _, err := tables.OpenOrCreate(t.Context(), "a/t", delta.Definition{Columns: []delta.Column{{Name: "n", Type: delta.String}}}); err == nil {
		t.Error("another definition is taken")
	}
	// A catalog, a foreign writer and a sink see the same newest version.
	c, err := NewCatalog(Options{Store: store, Open: tables, Tables: []TableSpec{{Name: "t", Prefix: "a/t"}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 { // beyond checkpoints
		commit(t, got[0], fmt.Sprint("f", i))
	}
	foreign, err := delta.Open(t.Context(), store, "a/t")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, foreign, "foreign")
	table, err := c.Delta(t.Context(), "default", "t")
	if err != nil || table != got[0] {
		t.Fatalf("the catalog opens its own: %v", err)
	}
	if s, err := table.Snapshot(t.Context()); err != nil || s.NumFiles() != 26 {
		t.Errorf("%v, %d files", err, s.NumFiles())
	}
	// Work beside commits ends with Close, and not with the files of a test.
	tables.Close()
	commit(t, got[0], "after")
}

func TestTableThatWasDeletedIsOpenedAnew(t *testing.T) {
	store := blob.NewMemory()
	tables, err := NewTables(TablesOptions{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	old, err := tables.Create(t.Context(), "t", delta.Definition{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range store.List(t.Context(), "t/", "") {
		if err == nil {
			err = store.Delete(t.Context(), info.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tables.Open(t.Context(), "t"); !errors.Is(err, delta.ErrNotATable) {
		t.Errorf("deleted: %v", err)
	}
	fresh, err := tables.Create(t.Context(), "t", delta.Definition{Columns: columns})
	if err != nil || fresh == old {
		t.Errorf("made again: %v", err)
	}
}

func TestPinnedFiles(t *testing.T) {
	tables, err := NewTables(TablesOptions{Store: blob.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	table, err := tables.Create(t.Context(), "t", delta.Definition{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	s := commit(t, table, "a%20b")
	pinned := tables.Pinned("t")
	if pinned("a b") {
		t.Error("pinned by nobody")
	}
	first, second := tables.Pin("t", s), tables.Pin("/t", s)
	commit(t, table, "later")
	if !pinned("a b") || pinned("later") || tables.Pinned("u")("a b") {
		t.Error("not what the snapshot holds is pinned")
	}
	first()
	if !pinned("a b") {
		t.Error("the other reader's pin is gone")
	}
	second()
	if pinned("a b") {
		t.Error("pinned after its release")
	}
}
