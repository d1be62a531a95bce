package delta

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"spate/blob"
)

// BenchmarkStreamingCommits measures commits of one file, one after another.
func BenchmarkStreamingCommits(b *testing.B) {
	for name, store := range map[string]blob.Store{"local": blob.NewLocal(b.TempDir()), "memory": blob.NewMemory()} {
		b.Run(name, func(b *testing.B) {
			table, err := Create(b.Context(), store, fmt.Sprintf("t%d", b.N), telemetry)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				_, err := table.Commit(b.Context(), &Transaction{Operation: "STREAMING UPDATE", Adds: []*Add{file(fmt.Sprintf("f%07d", n), "2025-03-10")},
					Txns: []Txn{{AppID: "a", Version: int64(n)}}})
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}

// BenchmarkLargeTable measures what depends on the number of files: of a day and of a week
// at a commit a second, and of a table that is maintained. heap-MB is what an open table
// keeps.
func BenchmarkLargeTable(b *testing.B) {
	for _, files := range []int{200, 86_400, 604_800} {
		b.Run(fmt.Sprint(files), func(b *testing.B) { benchmarkTable(b, files) })
	}
}

func benchmarkTable(b *testing.B, files int) {
	store := blob.NewMemory()
	d := telemetry
	for i := range 5 {
		d.Columns = append(slices.Clone(d.Columns), Column{Name: fmt.Sprint("n", i), Type: Double, Nullable: true}, Column{Name: fmt.Sprint("s", i), Type: String, Nullable: true})
	}
	d.Properties = map[string]string{"delta.checkpointInterval": "1000000"}
	table, err := Create(b.Context(), store, "t", d)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	stats := func(i int) string {
		t := at.Add(time.Duration(i) * time.Second)
		mins, maxs, nulls := "", "", ""
		for k := range 5 {
			mins += fmt.Sprintf(`,"n%d":%d.25,"s%d":"value-%d"`, k, i%100, k, i%7)
			maxs += fmt.Sprintf(`,"n%d":%d.75,"s%d":"value-%d"`, k, i%100, k, i%7+9)
			nulls += fmt.Sprintf(`,"n%d":0,"s%d":0`, k, k)
		}
		stamp := t.Format("2006-01-02T15:04:05.000Z")
		return fmt.Sprintf(`{"numRecords":18,"minValues":{"EventId":"device-001-%d","Temperature":20.1,"Timestamp":"%s"%s},"maxValues":{"EventId":"device-020-%d","Temperature":30.1,"Timestamp":"%s"%s},"nullCount":{"EventId":0,"Temperature":0,"Timestamp":0%s}}`,
			i, stamp, mins, i, stamp, maxs, nulls)
	}
	add := func(i int) *Add {
		day := at.Add(time.Duration(i) * time.Second).Format("2006-01-02")
		a := file(fmt.Sprintf("TimestampDate=%s/part-00000-%s-c000.zstd.parquet", day, newUUID()), day)
		a.Stats = stats(i)
		return a
	}
	var adds []*Add
	for i := range files {
		adds = append(adds, add(i))
	}
	s, err := table.Commit(b.Context(), &Transaction{Operation: "WRITE", Adds: adds})
	if err != nil {
		b.Fatal(err)
	}
	adds = nil
	if err := table.Checkpoint(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	b.Run("checkpoint", func(b *testing.B) {
		for b.Loop() {
			if err := store.Delete(b.Context(), table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version))); err != nil {
				b.Fatal(err)
			}
			if err := table.Checkpoint(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var t *Table
		for b.Loop() {
			if t, err = Open(b.Context(), store, "t"); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "heap-MB")
		runtime.KeepAlive(t)
	})
	b.Run("advance", func(b *testing.B) {
		n, now := 0, s
		for b.Loop() {
			if now, err = now.apply(&commit{version: now.Version + 1, adds: []*Add{add(n)}}); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
	b.Run("plan", func(b *testing.B) { // the files of a minute, and the rows of all
		for b.Loop() {
			hit, rows := 0, int64(0)
			for f := range s.Index().Files() {
				n, _ := f.Rows()
				rows += n
				if x, _ := f.Bounds("Timestamp"); x.Max.Int >= at.UnixMicro() && x.Min.Int < at.UnixMicro()+60e6 {
					hit++
				}
			}
			if hit != 60 || rows != 18*int64(files) {
				b.Fatal(hit, rows)
			}
		}
	})
}
