package delta

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"spate/blob"
)

// checkpointSeeds are checkpoints of ours.
func checkpointSeeds(f *testing.F) [][]byte {
	f.Helper()
	var out [][]byte
	for _, c := range []map[string]string{nil, {"delta.checkpoint.writeStatsAsJson": "false"}, {"delta.checkpoint.writeStatsAsStruct": "false"}} {
		store := blob.NewMemory()
		d := telemetry
		d.Properties = c
		table, err := Create(f.Context(), store, "t", d)
		if err != nil {
			f.Fatal(err)
		}
		a := file("a", "2025-03-10")
		a.Stats = `{"numRecords":2,"minValues":{"EventId":"a","Temperature":1.5,"Timestamp":"2025-03-10T00:00:00.000Z"},"maxValues":{"EventId":"b"},"nullCount":{"EventId":1}}`
		b := file("b", "2025-03-11")
		b.Tags, b.DeletionVector = map[string]*string{"k": nil}, &DeletionVector{StorageType: "u", PathOrInlineDv: "x", SizeInBytes: 1}
		if _, err := table.Commit(f.Context(), &Transaction{Operation: "WRITE", Adds: []*Add{a, b, file("c", "2025-03-10")}, Txns: []Txn{{AppID: "x", Version: 1}}}); err != nil {
			f.Fatal(err)
		}
		s, err := table.Commit(f.Context(), &Transaction{Operation: "WRITE", Removes: []*Remove{{Path: "c", DeletionTimestamp: 1 << 50}}})
		if err != nil {
			f.Fatal(err)
		}
		if err := table.Checkpoint(f.Context(), s); err != nil {
			f.Fatal(err)
		}
		data, err := table.read(f.Context(), table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", s.Version)))
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// A damaged checkpoint gives an error or a snapshot that can be looked at, never a panic.
func FuzzCheckpoint(f *testing.F) {
	for _, data := range checkpointSeeds(f) {
		f.Add(data, uint32(0), byte(0))
		f.Add(data, uint32(100), byte(0xff))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint32, flip byte) {
		if len(data) > 1<<16 {
			return
		}
		if data = bytes.Clone(data); len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		store := blob.NewMemory()
		table := Options{}.table(store, "t")
		key := table.logKey(fmt.Sprintf("%020d.checkpoint.parquet", 2))
		if _, err := store.Create(t.Context(), key, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		s, err := table.readCheckpoint(t.Context(), 2, []string{strings.TrimPrefix(key, table.logKey("")+"/")})
		if err != nil {
			return
		}
		for _, a := range s.Files() {
			s.Key(a)
		}
		if err := s.Tombstones(t.Context(), func(*Remove) error { return nil }); err != nil {
			t.Error(err)
		}
		s.Rows()
		for ref := range s.Index().Files() {
			for _, c := range s.Columns {
				ref.Bounds(c.Name)
			}
		}
	})
}

// The path of an action leads back to the file that it was made for, and never out of the
// table's store.
func FuzzPartitionPath(f *testing.F) {
	f.Add("day", "2025-03-10", "part-00000-c000.parquet")
	f.Add("a b", "x/y=%20ü", "..")
	f.Add("", "\x00", "file:/a")
	f.Fuzz(func(t *testing.T, column, value, name string) {
		file := PartitionFolder([]string{column}, map[string]*string{column: &value}) + strings.ReplaceAll(name, "/", "_")
		if got := filePath("", EncodePath(file)); got != file {
			t.Errorf("%q became %q", file, got)
		}
		s := &Snapshot{prefix: "lake/t", root: "/data/lake/t"}
		if key, err := s.Locate(EncodePath(file)); err == nil && (strings.HasPrefix(key, "/") || strings.HasPrefix(key, "../")) {
			t.Errorf("%q lies at %q", file, key)
		}
	})
}

func TestPathsOutsideTheTable(t *testing.T) {
	s := &Snapshot{prefix: "lake/t", root: "/data/x/lake/t"}
	for path, want := range map[string]string{"s3://bucket/a": "files in another store are not supported yet",
		"/data/y/a": "files outside the folder of the tables (/data/x) are not supported yet"} {
		if _, err := s.Locate(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for path, want := range map[string]string{"a%20b": "lake/t/a b", "/data/x/lake/t/a": "lake/t/a", "file:///data/x/lake/other/a": "lake/other/a", "file:/data/x/lake/other/a": "lake/other/a",
		"/data/y/a": "", "file:///data/x/../y/a": "", "s3://bucket/a": "", "abfss://c@a.dfs.core.windows.net/a": ""} {
		got, err := s.Locate(path)
		if got != want || (err == nil) != (want != "") || err != nil && !strings.Contains(err.Error(), "not supported yet") {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
}
