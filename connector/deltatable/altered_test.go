package deltatable

import (
	"errors"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// A column that somebody else adds while the job runs is filled from the next epoch on; one that
// loses its NULLs stands in the way of files that were written before.
func TestColumnsThatOthersAddAreFilled(t *testing.T) {
	for _, mapped := range []bool{false, true} {
		store := blob.NewMemory()
		s := open(t, store, func(o *Options) {
			o.Create = &delta.Definition{Columns: []delta.Column{{Name: "id", Type: delta.String, Nullable: true}}}
		})
		other, err := delta.Open(t.Context(), store, "t")
		if err != nil {
			t.Fatal(err)
		}
		writers := []connector.Writer{writerOf(t, s, 0), writerOf(t, s, 1)}
		put(t, writers[0], batch("id,p", pair("a", column.IntOf(1))))
		commitEpoch(t, s, 1, writers...)
		if mapped {
			if _, err := other.Alter(t.Context(), func(s *delta.Snapshot) (*delta.Change, error) { return s.MapColumns() }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := other.AddColumns(t.Context(), other.Known(), []delta.Column{{Name: "p", Type: delta.Long, Nullable: true}}); err != nil {
			t.Fatal(err)
		}
		// This epoch is written for the old schema, and one of its writers goes on in it.
		put(t, writers[0], batch("id,p", pair("b", column.IntOf(2))))
		commitEpoch(t, s, 2, writers...)
		put(t, writers[0], batch("id,p", pair("c", column.IntOf(3))))
		put(t, writers[1], batch("P,id", []column.Value{column.IntOf(4), column.TextOf("d")}))
		commitEpoch(t, s, 3, writers...)
		if got := schemaOf(t, store); got != "id string, p long" {
			t.Errorf("schema %s", got)
		}
		snap := s.Table().Known()
		name := delta.FindColumn(snap.Columns, "p").FileName()
		if mapped == (name == "p") {
			t.Errorf("files call p %s", name)
		}
		filled := 0
		for f := range snap.Index().Files() {
			if b, ok := f.Bounds(name); ok && b.Min.Kind == delta.IntBound && b.Min.Int >= 3 {
				filled++
			}
		}
		if filled != 2 || snap.NumFiles() != 4 {
			t.Errorf("%d of %d files have values of p, want 2 of 4", filled, snap.NumFiles())
		}
		if mapped {
			continue
		}
		put(t, writers[0], batch("id", []column.Value{null}))
		prepared := prepare(t, writers[0], 4)
		_, err = other.Alter(t.Context(), func(s *delta.Snapshot) (*delta.Change, error) {
			cols := append([]delta.Column{}, s.Columns...)
			cols[0].Nullable = false
			m, err := s.WithColumns(cols)
			return &delta.Change{Operation: "CHANGE COLUMN", Metadata: m}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), epoch(4), []connector.Prepared{prepared}); !errors.Is(err, delta.ErrMetadataChanged) {
			t.Errorf("an epoch with NULLs in a column that takes none any more: %v", err)
		}
	}
}
