package delta

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/lake/parquetfile"
)

var readings = Definition{Columns: []Column{{Name: "DeviceId", Type: String, Nullable: true}, {Name: "Value", Type: Double, Nullable: true},
	{Name: "Timestamp", Type: Timestamp, Nullable: true}, {Name: "n", Type: Integer, Nullable: true}, {Name: "ok", Type: Boolean, Nullable: true},
	{Name: "dec", Type: Decimal(10, 2), Nullable: true}, {Name: "da", Type: Date, Nullable: true}}, PartitionBy: []Partition{{DateOf: "Timestamp"}}}

// dataFile writes rows i of a day into the store.
func dataFile(t *testing.T, table *Table, day int, rows []int) *Add {
	t.Helper()
	at := column.DateTicks(2026, 3, day)
	b := make([]*column.Builder, 7)
	for i := range b {
		b[i] = column.NewBuilder(nil)
	}
	for _, i := range rows {
		vals := []column.Value{column.TextOf(fmt.Sprintf("device-%03d", i%20)), column.FloatOf(float64(i) / 8), column.TimeOf(at + column.Ticks(i)*column.Second),
			column.IntOf(int64(i)), column.BoolOf(i%3 == 0), column.IntOf(int64(-i)), column.TimeOf(at)}
		if i%11 == 0 {
			vals[i%7] = column.Value{}
		}
		for c, v := range vals {
			b[c].Append(v)
		}
	}
	var vecs []*column.Vector
	for _, x := range b {
		v := x.Vector()
		vecs = append(vecs, &v)
	}
	r := &rewriter{table: table, snap: table.Known(), target: 1 << 30}
	if err := r.plan(nil, nil); err != nil {
		t.Fatal(err)
	}
	w := &fileWriter{rewriter: r, values: map[string]*string{"TimestampDate": text(DateText(at))}}
	if err := w.append(t.Context(), vecs, nil, len(rows)); err != nil {
		t.Fatal(err)
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	w.adds[0].DataChange = true
	return w.adds[0]
}

// content returns the rows of a snapshot as sorted texts.
func content(t *testing.T, table *Table, s *Snapshot) []string {
	t.Helper()
	var out []string
	for _, a := range s.Files() {
		data, err := table.read(t.Context(), s.Key(a))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := parquetfile.ReadRows(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			out = append(out, fmt.Sprint(r, *a.PartitionValues["TimestampDate"]))
		}
	}
	slices.Sort(out)
	return out
}

func smallFiles(t *testing.T, table *Table) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(8, 9))
	for day := 1; day <= 2; day++ {
		order := rnd.Perm(2000)
		for f := range 10 {
			commitFiles(t, table, dataFile(t, table, day, order[f*200:(f+1)*200]))
		}
	}
}

func TestOptimizePacksFilesAndKeepsRows(t *testing.T) {
	table := create(t, blob.NewMemory(), readings)
	smallFiles(t, table)
	before := content(t, table, table.Known())
	res, err := table.Optimize(t.Context(), OptimizeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if res.FilesRemoved != 20 || res.FilesAdded != 2 || res.PartitionsOptimized != 2 || res.Version != 22 {
		t.Errorf("result %+v", res)
	}
	s := table.Known()
	if got := content(t, table, s); !slices.Equal(got, before) {
		t.Errorf("%d rows, want the %d from before", len(got), len(before))
	}
	h, err := table.History(t.Context(), 1)
	if err != nil || h[0].Operation != "OPTIMIZE" || h[0].IsolationLevel != "SnapshotIsolation" || *h[0].IsBlindAppend || h[0].OperationMetrics["numRemovedFiles"] != "10" {
		t.Errorf("history %+v, %v", h, err)
	}
	if res, err := table.Optimize(t.Context(), OptimizeOptions{}); err != nil || res.Version != -1 || table.Known().Version != 22 {
		t.Errorf("second run %+v, %v", res, err)
	}
}

func TestZOrderNarrowsTheFilesOfADevice(t *testing.T) {
	table := create(t, blob.NewMemory(), readings)
	smallFiles(t, table)
	before := content(t, table, table.Known())
	res, err := table.Optimize(t.Context(), OptimizeOptions{ZOrderBy: []string{"deviceid", "Timestamp"}, TargetBytes: 6000})
	if err != nil {
		t.Fatal(err)
	}
	if res.FilesAdded < 6 || res.FilesRemoved != 20 {
		t.Errorf("result %+v", res)
	}
	s := table.Known()
	if got := content(t, table, s); !slices.Equal(got, before) {
		t.Errorf("%d rows, want the %d from before", len(got), len(before))
	}
	hit := 0
	for _, a := range s.Files() {
		st, err := ParseStats(a.Stats)
		if err != nil {
			t.Fatal(err)
		}
		if lo, hi := string(st.MinValues["DeviceId"]), string(st.MaxValues["DeviceId"]); lo <= `"device-003"` && `"device-003"` <= hi {
			hit++
		}
	}
	if hit*2 > len(s.Files()) {
		t.Errorf("device-003 may be in %d of %d files", hit, len(s.Files()))
	}
	if res, err := table.Optimize(t.Context(), OptimizeOptions{ZOrderBy: []string{"DeviceId", "Timestamp"}, TargetBytes: 6000}); err != nil || res.Version != -1 {
		t.Errorf("second run %+v, %v", res, err)
	}
	for _, name := range []string{"TimestampDate", "none"} {
		if _, err := table.Optimize(t.Context(), OptimizeOptions{ZOrderBy: []string{name}}); !errors.Is(err, ErrZOrderColumn) {
			t.Errorf("by %s: %v", name, err)
		}
	}
}

func TestOptimizeBesideAppends(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, readings)
	smallFiles(t, table)
	other, err := Open(t.Context(), store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := table.Optimize(t.Context(), OptimizeOptions{})
		done <- err
	}()
	for i := range 5 {
		commitFiles(t, other, dataFile(t, other, 1, []int{10_000 + i}))
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, table, s); len(got) != 4005 {
		t.Errorf("%d rows, want 4005", len(got))
	}
}

func TestVacuumKeepsWhatVersionsName(t *testing.T) {
	dir := t.TempDir()
	store := blob.NewLocal(dir)
	now := time.Now()
	table, err := Options{Clock: func() time.Time { return now }}.Create(t.Context(), store, "t", readings)
	if err != nil {
		t.Fatal(err)
	}
	smallFiles(t, table)
	before := content(t, table, table.Known())
	for _, name := range []string{"t/orphan.parquet", "t/_other/x", "t/.hidden", "t/TimestampDate=2026-03-01/orphan"} {
		if _, err := store.Create(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := table.Optimize(t.Context(), OptimizeOptions{}); err != nil {
		t.Fatal(err)
	}
	vacuum := func(o VacuumOptions, want int) {
		t.Helper()
		res, err := table.Vacuum(t.Context(), o)
		if err != nil || len(res.Files) != want {
			t.Errorf("%+v: %d files %v, want %d", o, len(res.Files), err, want)
		}
	}
	vacuum(VacuumOptions{}, 0) // all is young
	if _, err := table.Vacuum(t.Context(), VacuumOptions{Retain: time.Hour}); !errors.Is(err, ErrRetentionTooShort) {
		t.Errorf("one hour: %v", err)
	}
	now = now.Add(8 * 24 * time.Hour) // the files are a week old
	commitFiles(t, table, dataFile(t, table, 1, []int{5000}))
	fresh := filepath.Join(dir, "t", "fresh.parquet")
	if err := os.WriteFile(fresh, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(fresh, now, now); err != nil {
		t.Fatal(err)
	}
	vacuum(VacuumOptions{Retain: 168 * time.Hour, DryRun: true}, 22)
	vacuum(VacuumOptions{Retain: 168 * time.Hour, Pinned: func(f string) bool { return f == "orphan.parquet" }}, 21)
	vacuum(VacuumOptions{Retain: 168 * time.Hour}, 1)
	if got := content(t, table, table.Known()); len(got) != len(before)+1 {
		t.Errorf("%d rows, want %d", len(got), len(before)+1)
	}
	for _, name := range []string{"t/_other/x", "t/.hidden", "t/fresh.parquet"} {
		r, err := store.Open(t.Context(), name, 0, -1)
		if err != nil {
			t.Error(err)
			continue
		}
		io.Copy(io.Discard, r)
		r.Close()
	}
	h, err := table.History(t.Context(), 2)
	if err != nil || h[0].Operation != "VACUUM END" || h[1].Operation != "VACUUM START" || h[1].OperationMetrics["numFilesToDelete"] != "1" {
		t.Errorf("history %+v, %v", h, err)
	}
}
