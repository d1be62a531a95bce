package delta

import (
	"fmt"
	"testing"

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

// BenchmarkLargeTable measures what depends on the number of files.
func BenchmarkLargeTable(b *testing.B) {
	const files = 100_000
	store := blob.NewMemory()
	table, err := Create(b.Context(), store, "t", telemetry)
	if err != nil {
		b.Fatal(err)
	}
	var adds []*Add
	for i := range files {
		a := file(fmt.Sprintf("TimestampDate=2025-03-10/part-00000-%032x-c000.zstd.parquet", i), "2025-03-10")
		a.Stats = `{"numRecords":1000,"minValues":{"EventId":"device-001-1","Temperature":20.1,"Timestamp":"2025-03-10T00:00:00.000Z"},"maxValues":{"EventId":"device-020-1","Temperature":30.1,"Timestamp":"2025-03-10T00:00:01.000Z"},"nullCount":{"EventId":0,"Temperature":0,"Timestamp":0}}`
		adds = append(adds, a)
	}
	s, err := table.Commit(b.Context(), &Transaction{Operation: "WRITE", Adds: adds})
	if err != nil {
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
		for b.Loop() {
			if _, err := Open(b.Context(), store, "t"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("commit and list", func(b *testing.B) {
		n := 0
		for b.Loop() {
			s, err := table.Commit(b.Context(), &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprintf("f%d-%d", b.N, n), "2025-03-10")}})
			if err != nil {
				b.Fatal(err)
			}
			if len(s.Files()) < files {
				b.Fatal("files are missing")
			}
			n++
		}
	})
}
