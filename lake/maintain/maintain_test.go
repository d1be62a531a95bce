package maintain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/lake/delta"
	"spate/lake/parquetfile"
	"spate/metric"
)

var counts = delta.Definition{Columns: []delta.Column{{Name: "n", Type: delta.Long, Nullable: true}},
	Properties: map[string]string{"delta.checkpointInterval": "50", "delta.logRetentionDuration": "interval 7 days"}}

// yard is a table that a job writes, and a room that keeps it up, in the time of the test.
type yard struct {
	*testing.T
	store blob.Store
	now   time.Time
	room  *Room
	table *delta.Table
	rows  int
}

const prefix = "lake/t"

func newYard(t *testing.T, store blob.Store, pinned func(context.Context) (func(string) bool, error), of ...Table) *yard {
	y := &yard{T: t, store: store, now: time.Now()}
	clock := func() time.Time { return y.now }
	y.room = New(Options{Store: store, Clock: clock, Metrics: new(metric.Recorder), Pinned: pinned})
	table, err := delta.Options{Clock: clock, CheckpointDue: y.room.CheckpointDue}.Create(t.Context(), store, prefix, counts)
	if err != nil {
		t.Fatal(err)
	}
	y.table = table
	if of == nil {
		of = []Table{{Name: "default.t", Prefix: prefix}}
	}
	y.room.Set(of)
	return y
}

// file writes a data file.
func (y *yard) file(n int) *delta.Add {
	y.Helper()
	b := column.NewBuilder(nil)
	b.Append(column.IntOf(int64(n)))
	v := b.Vector()
	var body bytes.Buffer
	w, err := parquetfile.NewWriter(&body, []parquetfile.Column{{Name: "n", Type: parquetfile.Type{Kind: parquetfile.Long}, Nullable: true}}, parquetfile.Options{})
	if err == nil {
		err = w.Append([]*column.Vector{&v}, nil, 1)
	}
	if err != nil {
		y.Fatal(err)
	}
	st, err := w.Close()
	if err != nil {
		y.Fatal(err)
	}
	a := &delta.Add{Path: fmt.Sprintf("f%d.parquet", n), PartitionValues: map[string]*string{}, Size: int64(body.Len()),
		ModificationTime: y.now.UnixMilli(), DataChange: true, Stats: y.table.Known().StatsOf(y.table.Known().Columns, st)}
	if _, err := y.store.Create(y.Context(), prefix+"/"+a.Path, &body); err != nil {
		y.Fatal(err)
	}
	return a
}

// commit commits rows, a second for each.
func (y *yard) commit(n int) {
	y.Helper()
	for range n {
		y.now = y.now.Add(time.Second)
		y.rows++
		if _, err := y.table.Commit(y.Context(), &delta.Transaction{Operation: "STREAMING UPDATE", Adds: []*delta.Add{y.file(y.rows)}}); err != nil {
			y.Fatal(err)
		}
	}
}

// keys are the files of the table whose names hold a text.
func (y *yard) keys(part string) (out []string) {
	y.Helper()
	for info, err := range y.store.List(y.Context(), prefix+"/", "") {
		if err != nil {
			y.Fatal(err)
		}
		if strings.Contains(info.Key, part) {
			out = append(out, info.Key)
		}
	}
	return out
}

// check says how many files the table has, and that no row is lost.
func (y *yard) check(files int) {
	y.Helper()
	fresh, err := delta.Open(y.Context(), y.store, prefix)
	if err != nil {
		y.Fatal(err)
	}
	s := fresh.Known()
	if rows, ok := s.Rows(); rows != int64(y.rows) || !ok || len(s.Files()) != files {
		y.Errorf("%d rows in %d files, want %d in %d", rows, len(s.Files()), y.rows, files)
	}
	for _, a := range s.Files() {
		if _, err := y.store.Stat(y.Context(), s.Key(a)); err != nil {
			y.Error(err)
		}
	}
}

func TestATableIsKeptUp(t *testing.T) {
	y := newYard(t, blob.NewMemory(), nil)
	y.commit(120)
	if n := len(y.keys(".checkpoint.parquet")); n != 0 {
		t.Errorf("commits have written %d checkpoints", n)
	}
	y.room.Step(t.Context())
	if keys := y.keys(".checkpoint.parquet"); len(keys) != 1 || !strings.Contains(keys[0], "0000000100.") {
		t.Errorf("checkpoints %v, want the newest that was due", keys)
	}
	y.check(2)
	if n := y.room.o.Metrics.Counter("CompactionRuns", "Table", "default.t").Value(); n != 2 {
		t.Errorf("%d packs are counted", n)
	}
	if errs := y.room.Problems(); len(errs) > 0 {
		t.Error(errs)
	}
	y.room.Step(t.Context()) // nothing is due
	y.check(2)

	// The files from before go when a week is over, one that no version ever named too.
	if _, err := y.store.Create(t.Context(), prefix+"/orphan.parquet", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	y.now = y.now.Add(6 * 24 * time.Hour)
	y.room.Step(t.Context())
	if n := len(y.keys("/f")); n != 120 {
		t.Errorf("%d of 120 files are there within the week", n)
	}
	y.now = y.now.Add(2 * 24 * time.Hour)
	y.room.Step(t.Context())
	if keys := slices.Concat(y.keys("/f"), y.keys("orphan")); len(keys) != 0 {
		t.Errorf("left are %v", keys)
	}
	y.check(1) // at rest, it was packed whole
}

func TestWhatJobsHavePreparedStays(t *testing.T) {
	fails := true
	y := newYard(t, blob.NewMemory(), func(context.Context) (func(string) bool, error) {
		if fails {
			return nil, errors.New("a manifest is damaged")
		}
		return func(file string) bool { return file == "f1000.parquet" }, nil
	})
	y.commit(1)
	y.file(1000)
	y.file(1001)
	y.now = y.now.Add(10 * 24 * time.Hour)
	for range troubled {
		y.room.Step(t.Context())
		y.now = y.now.Add(25 * time.Hour)
	}
	if n := len(y.keys("/f100")); n != 2 {
		t.Errorf("%d of 2 files are there, and what is prepared is not known", n)
	}
	fails = false
	y.room.Step(t.Context())
	if keys := y.keys("/f100"); len(keys) != 1 || !strings.HasSuffix(keys[0], "f1000.parquet") {
		t.Errorf("left are %v", keys)
	}
}

// slow is a store that fails to list while it is told to.
type failing struct {
	blob.Store
	err error
}

func (f *failing) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if f.err != nil {
		return blob.Info{}, f.err
	}
	return f.Store.Create(ctx, key, body)
}

func TestWhatKeepsAFailingTableDownIsTold(t *testing.T) {
	store := &failing{Store: blob.NewMemory()}
	y := newYard(t, store, nil)
	y.commit(60)
	store.err = errors.New("the disk is full")
	for n := range troubled {
		if errs := y.room.Problems(); len(errs) > 0 {
			t.Errorf("after %d failures: %v", n, errs)
		}
		y.now = y.now.Add(time.Minute)
		y.room.Step(t.Context())
	}
	errs := y.room.Problems()
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "table default.t is not maintained") || !strings.Contains(errs[0].Error(), "the disk is full") {
		t.Errorf("problems %v", errs)
	}
	store.err = nil
	y.now = y.now.Add(time.Minute)
	y.room.Step(t.Context())
	if errs := y.room.Problems(); len(errs) > 0 {
		t.Error(errs)
	}
	y.check(1)
}

func TestSettingsAreTakenOver(t *testing.T) {
	off := Table{Name: "default.t", Prefix: prefix, Optimize: Optimize{Off: true}, Vacuum: Vacuum{Retain: time.Hour, Force: true, Interval: time.Minute}}
	y := newYard(t, blob.NewMemory(), nil, off)
	y.commit(60)
	y.now = y.now.Add(time.Hour)
	y.room.Step(t.Context())
	y.check(60)
	on := off
	on.Optimize = Optimize{Interval: 10 * time.Second}
	if off.Same(on) || !on.Same(on) {
		t.Error("which settings are the same")
	}
	y.room.Set([]Table{on})
	y.room.Step(t.Context())
	y.check(60) // in 10 seconds
	y.now = y.now.Add(10 * time.Second)
	y.room.Step(t.Context())
	y.check(1)
	y.now = y.now.Add(2 * time.Hour)
	y.room.Step(t.Context())
	if keys := y.keys("/f"); len(keys) > 0 {
		t.Errorf("left are %v", keys)
	}
	y.room.Set(nil)
	y.commit(60)
	y.now = y.now.Add(time.Hour)
	y.room.Step(t.Context())
	y.check(61)
}

// Broken off at any moment, the room leaves a table with all rows, and goes on with it.
func TestBreakingOffLosesNothing(t *testing.T) {
	for after := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		store := &cancelling{Store: blob.NewMemory(), after: -1, cancel: cancel}
		y := newYard(t, store, nil)
		y.commit(130)
		store.after = after
		y.room.Step(ctx)
		store.after = -1
		cancel()
		y.now = y.now.Add(time.Minute)
		y.room.Step(t.Context())
		y.check(12)
	}
}

// cancelling ends a context when so many things were created.
type cancelling struct {
	blob.Store
	after  int
	cancel func()
}

func (c *cancelling) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if c.after == 0 {
		c.cancel()
		return blob.Info{}, ctx.Err()
	}
	c.after--
	return c.Store.Create(ctx, key, body)
}
