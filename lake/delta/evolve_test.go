package delta

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"spate/blob"
)

func TestAddedColumnsKeepTheTable(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	commitFiles(t, table, file("a", "2025-03-10"))
	base := table.Known()
	add := []Column{{Name: "p", Type: Long, Nullable: true}, {Name: "EVENTID", Type: Long, Nullable: true}}
	for range 2 { // the second finds them
		s, err := table.AddColumns(t.Context(), base, add)
		if err != nil {
			t.Fatal(err)
		}
		if s.Version != base.Version+1 || !slices.EqualFunc(s.Columns, append(slices.Clone(base.Columns), add[0]), func(a, b Column) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("version %d with columns %v", s.Version, s.Columns)
		}
	}
	again, err := Open(t.Context(), store, table.Prefix())
	if err != nil {
		t.Fatal(err)
	}
	if state(again.Known()) != state(table.Known()) || len(again.Known().Files()) != 1 {
		t.Errorf("loaded %s, want %s", state(again.Known()), state(table.Known()))
	}
	m := again.Known().Metadata
	if m.SchemaString = base.Metadata.SchemaString; !reflect.DeepEqual(m, base.Metadata) {
		t.Errorf("metadata %+v, want %+v", m, base.Metadata)
	}
	h, err := table.History(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"column":{"name":"p","type":"long","nullable":true,"metadata":{}}}]`; h[0].Operation != "ADD COLUMNS" || h[0].OperationParameters["columns"] != want {
		t.Errorf("history %s %v", h[0].Operation, h[0].OperationParameters)
	}
	// What was written for the old schema is committed behind the new one.
	if _, err := table.Commit(t.Context(), &Transaction{Adds: []*Add{file("b", "2025-03-10")}, WrittenFor: base}); err != nil {
		t.Error(err)
	}
}

func TestColumnsAreAddedOnceByMany(t *testing.T) {
	store := blob.NewMemory()
	base := create(t, store, telemetry).Known()
	var wg sync.WaitGroup
	types := []Type{Long, Double, String, Boolean}
	for i := range 8 {
		table, err := Open(t.Context(), store, base.prefix)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			s, err := table.AddColumns(t.Context(), base, []Column{{Name: "p", Type: types[i%4], Nullable: true}, {Name: string(rune('a' + i)), Type: Long, Nullable: true}})
			if err != nil || FindColumn(s.Columns, "p") == nil || FindColumn(s.Columns, string(rune('a'+i))) == nil {
				t.Errorf("columns of %d: %v", i, err)
			}
		}()
	}
	wg.Wait()
	table, err := Open(t.Context(), store, base.prefix)
	if err != nil {
		t.Fatal(err)
	}
	if s := table.Known(); len(s.Columns) != len(base.Columns)+9 || s.Version != 8 {
		t.Errorf("version %d with columns %v", s.Version, s.Columns)
	}
}

func TestColumnsThatCannotBeAdded(t *testing.T) {
	table := create(t, blob.NewMemory(), telemetry)
	base := table.Known()
	if _, err := table.AddColumns(t.Context(), base, []Column{{Name: "p", Type: Long}}); err == nil {
		t.Error("a column that takes no NULL was added")
	}
	if _, err := table.AddColumns(t.Context(), base, []Column{{Name: "p", Type: TimestampNTZ, Nullable: true}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("timestamp_ntz: %v", err)
	}
	other := &Snapshot{Metadata: base.Metadata, Columns: append(slices.Clone(base.Columns), Column{Name: "gone", Type: Long, Nullable: true})}
	if _, err := table.AddColumns(t.Context(), other, []Column{{Name: "p", Type: Long, Nullable: true}}); !errors.Is(err, ErrMetadataChanged) {
		t.Errorf("for a schema that is gone: %v", err)
	}
	if v := table.Known().Version; v != 0 {
		t.Errorf("version %d, want 0", v)
	}
}
