package delta

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"spate/blob"
)

// A table that gets a commit a second stays a table of few files, and no row is written more
// often than there are tiers. SPATE_COMPACT_HOURS says for how long (default 2).
func TestACommitASecondLeavesFewFiles(t *testing.T) {
	hours := 2
	if text := os.Getenv("SPATE_COMPACT_HOURS"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	ctx, store := t.Context(), blob.NewMemory()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Clock: func() time.Time { return now }}
	table, err := o.Create(ctx, store, "lake/t", withProperties(readings, map[string]string{"delta.logRetentionDuration": "interval 7 days"}))
	if err != nil {
		t.Fatal(err)
	}
	written, rewritten, most := int64(0), int64(0), 0
	for second := range hours * 3600 {
		now = now.Add(time.Second)
		a := dataFile(t, table, 1+second/86400, []int{second, second + 1})
		written += a.Size
		if _, err := table.Commit(ctx, &Transaction{Operation: "STREAMING UPDATE", Adds: []*Add{a}}); err != nil {
			t.Fatal(err)
		}
		if second%60 != 59 {
			continue
		}
		res, err := table.Compact(ctx, CompactOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rewritten += res.BytesAdded
		most = max(most, len(table.Known().Files()))
	}
	t.Logf("%d hours: at most %d files, %d at the end, write amplification %.2f", hours, most, len(table.Known().Files()), 1+float64(rewritten)/float64(written))
	if most > 200 {
		t.Errorf("%d live files", most)
	}
	if rewritten > 4*written {
		t.Errorf("%d bytes rewritten for %d written", rewritten, written)
	}
	if rows, ok := table.Known().Rows(); rows != int64(2*hours*3600) || !ok {
		t.Errorf("%d rows", rows)
	}
	// When the day is over, its rows are in one file.
	now = now.Add(2 * time.Hour)
	if _, err := table.Compact(ctx, CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := len(table.Known().Files()); n > 1+hours/24 {
		t.Errorf("%d files of days that are over", n)
	}
	version := table.Known().Version
	if res, err := table.Compact(ctx, CompactOptions{}); err != nil || res.Version != -1 || table.Known().Version != version {
		t.Errorf("again: %+v, %v", res, err)
	}
	fresh, err := o.Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, fresh, fresh.Known()), content(t, table, table.Known()); !slices.Equal(got, want) || len(got) != 2*hours*3600 {
		t.Errorf("opened anew: %d rows, want %d", len(got), len(want))
	}
}

// Days that are over are clustered once, also where a run was broken off in between, and some
// late rows do not have them written anew.
func TestADayIsClusteredOnce(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Clock: func() time.Time { return now }}
	table, err := o.Create(ctx, store, "lake/t", readings)
	if err != nil {
		t.Fatal(err)
	}
	put := func(day, from, rows int) {
		t.Helper()
		var list []int
		for i := range rows {
			list = append(list, from+i)
		}
		if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{dataFile(t, table, day, list)}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		put(1+i%2, 1000*i, 1000)
	}
	before := content(t, table, table.Known())
	by := CompactOptions{ZOrderBy: []string{"DeviceId", "Timestamp"}}
	if res, err := table.Compact(ctx, by); err != nil || res.Bins != 0 {
		t.Fatalf("the days are not over: %+v, %v", res, err)
	}
	now = now.Add(2 * time.Hour)
	broken := by
	broken.Pause = func(context.Context, time.Duration) error { return fmt.Errorf("broken off") }
	if res, err := table.Compact(ctx, broken); err == nil || res.Bins != 1 {
		t.Fatalf("broken off: %+v, %v", res, err)
	}
	if res, err := table.Compact(ctx, by); err != nil || res.Bins != 1 {
		t.Fatalf("the other day: %+v, %v", res, err)
	}
	for _, a := range table.Known().Files() {
		if a.Tags[zOrderTag] == nil || *a.Tags[zOrderTag] != "DeviceId,Timestamp" {
			t.Errorf("file %s has the tags %v", a.Path, a.Tags)
		}
	}
	if got := content(t, table, table.Known()); !slices.Equal(got, before) {
		t.Errorf("%d rows, want %d", len(got), len(before))
	}
	put(1, 9000, 3)
	now = now.Add(2 * time.Hour)
	if res, err := table.Compact(ctx, by); err != nil || res.Bins != 0 {
		t.Errorf("three late rows: %+v, %v", res, err)
	}
	put(1, 20_000, 2000)
	now = now.Add(2 * time.Hour)
	if res, err := table.Compact(ctx, by); err != nil || res.Bins != 1 {
		t.Errorf("many late rows: %+v, %v", res, err)
	}
}

// What others do while a pack is written costs that pack at most, and no row.
func TestCompactBesideOthers(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	table := create(t, store, readings)
	for i := range 150 {
		if _, err := table.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{dataFile(t, table, 1+i%2, []int{i})}}); err != nil {
			t.Fatal(err)
		}
	}
	want := 150
	other, err := Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	beside := CompactOptions{Pause: func(context.Context, time.Duration) error {
		n++
		a := dataFile(t, other, 1, []int{1000 + n})
		if _, err := other.Commit(ctx, &Transaction{Operation: "WRITE", Adds: []*Add{a}}); err != nil {
			return err
		}
		want++
		// A file of a pack that is still to come is deleted.
		s, err := other.Snapshot(ctx)
		if err != nil {
			return err
		}
		for _, f := range s.Files() {
			if tier(f) == 0 && *f.PartitionValues["TimestampDate"] == "2026-03-02" {
				want--
				_, err := other.Commit(ctx, &Transaction{Operation: "DELETE", ReadsTable: true,
					Removes: []*Remove{{Path: f.Path, DeletionTimestamp: 1, DataChange: true}}})
				return err
			}
		}
		return nil
	}}
	res, err := table.Compact(ctx, beside)
	if err != nil || res.Bins != 1 { // the second lost a file
		t.Fatalf("%+v, %v", res, err)
	}
	s, err := table.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, table, s); len(got) != want {
		t.Errorf("%d rows, want %d", len(got), want)
	}
	if res, err = table.Compact(ctx, CompactOptions{}); err != nil || res.Bins != 1 {
		t.Errorf("the next run: %+v, %v", res, err)
	}
}
