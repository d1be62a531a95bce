package delta

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"spate/blob"
)

// between does something once, when the first data file of a run is created.
type between struct {
	blob.Store
	do func()
}

func (b *between) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if do := b.do; do != nil && strings.HasSuffix(key, ".parquet") {
		b.do = nil
		do()
	}
	return b.Store.Create(ctx, key, body)
}

// Rows that somebody deletes while OPTIMIZE runs do not come back, whichever pack they were
// to be part of, and a column that comes meanwhile stays.
func TestOptimizeBringsNothingBack(t *testing.T) {
	for _, by := range [][]string{nil, {"n"}} {
		for _, day := range []string{"2026-03-01", "2026-03-02"} {
			for _, wider := range []bool{false, true} {
				ctx, store := t.Context(), &between{Store: blob.NewMemory()}
				table := create(t, store, readings)
				for i := range 6 {
					if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{dataFile(t, table, 1+i%2, []int{i})}}); err != nil {
						t.Fatal(err)
					}
				}
				other, err := Open(ctx, store, "lake/t")
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				store.do = func() {
					s := other.Known()
					for _, f := range s.Files() {
						if *f.PartitionValues["TimestampDate"] != day {
							continue
						}
						tx := &Transaction{Operation: "DELETE", ReadsTable: true, Removes: []*Remove{{Path: f.Path, DeletionTimestamp: 1, DataChange: true}}}
						if wider {
							m := s.Metadata
							if m.SchemaString, err = SchemaString(append(slices.Clone(s.Columns), Column{Name: "more", Type: Long, Nullable: true})); err != nil {
								t.Error(err)
							}
							tx.Metadata = &m
						}
						next, err := other.Commit(ctx, tx)
						if err != nil {
							t.Error(err)
							return
						}
						want = content(t, other, next)
						return
					}
				}
				res, err := table.Optimize(ctx, OptimizeOptions{ZOrderBy: by})
				if err != nil {
					t.Fatal(err)
				}
				s, err := table.Snapshot(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if got := content(t, table, s); !slices.Equal(got, want) || len(got) != 5 || s.NumFiles() != 2 {
					t.Errorf("clustered %v, deleted of %s, wider %v: %d rows in %d files, want %d in 2: %+v", by, day, wider, len(got), s.NumFiles(), len(want), res)
				}
				if FindColumn(s.Columns, "more") == nil == wider {
					t.Errorf("columns %v", s.Columns)
				}
			}
		}
	}
}

// A commit that removes what is not there is refused.
func TestARemovedFileIsNotRemovedAgain(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	table := create(t, store, telemetry)
	commitFiles(t, table, file("a", "2025-03-10"))
	drop := func() error {
		_, err := table.Commit(ctx, &Transaction{Operation: "DELETE", Removes: []*Remove{{Path: "a", DeletionTimestamp: 1, DataChange: true}}})
		return err
	}
	if err := drop(); err != nil {
		t.Fatal(err)
	}
	if err := drop(); !errors.Is(err, ErrDeleteConflict) {
		t.Errorf("again: %v", err)
	}
}
