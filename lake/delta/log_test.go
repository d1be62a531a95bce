package delta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
)

func logNames(t *testing.T, table *Table) (out []string) {
	t.Helper()
	prefix := table.logKey("") + "/"
	for info, err := range table.store.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimPrefix(info.Key, prefix))
	}
	return out
}

func count(names []string, suffix string) (n int) {
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			n++
		}
	}
	return n
}

// grow commits n versions with adds, compactions, txns and a schema change.
func grow(t *testing.T, table *Table, n int, states map[int64]string) *Snapshot {
	t.Helper()
	var s *Snapshot
	for i := range n {
		v := table.Known().Version + 1
		tx := &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprint("f", v), "2025-03-10")}, Txns: []Txn{{AppID: fmt.Sprint("a", v%3), Version: v}}}
		if i%5 == 4 {
			for _, a := range table.Known().Files()[:1+i%2] {
				tx.Removes = append(tx.Removes, &Remove{Path: a.Path, DeletionTimestamp: table.opts.Clock().UnixMilli(), ExtendedFileMetadata: true, PartitionValues: a.PartitionValues, Size: a.Size})
			}
		}
		if i == 30 {
			m := table.Known().Metadata
			m.Description = "changed"
			tx.Metadata = &m
		}
		var err error
		if s, err = table.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		states[s.Version] = state(s)
	}
	return s
}

func TestCompactedPartsOfTheLog(t *testing.T) {
	store := blob.NewMemory()
	d := telemetry
	d.Properties = map[string]string{"delta.checkpointInterval": "1000"}
	table := create(t, store, d)
	states := map[int64]string{}
	s := grow(t, table, 130, states)
	names := logNames(t, table)
	if n := count(names, ".compacted.json"); n != 2 {
		t.Fatalf("%d compacted files, want 2: %v", n, names)
	}
	if n := count(names, ".crc"); n != 130 {
		t.Errorf("%d checksums, want 130", n)
	}
	open := func() (*Snapshot, string) {
		t.Helper()
		var log bytes.Buffer
		fresh, err := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}.Open(t.Context(), store, "lake/t")
		if err != nil {
			t.Fatal(err)
		}
		return fresh.Known(), log.String()
	}
	// Readers take the file and not its commits: one of them is not even looked at.
	key := table.commitKey(70)
	commit70, err := table.read(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"nonsense", string(commit70)} {
		if _, err := store.Replace(t.Context(), key, strings.NewReader(to)); err != nil {
			t.Fatal(err)
		}
		if got, log := open(); state(got) != states[s.Version] || log != "" || got.Time().IsZero() {
			t.Errorf("state differs or log: %s", log)
		}
	}
	for _, v := range []int64{59, 60, 61, 100, 120, 121} {
		old, err := table.SnapshotAt(t.Context(), v)
		if err != nil || state(old) != states[v] {
			t.Errorf("version %d: %v", v, err)
		}
	}
	// A damaged one is passed over.
	if _, err := store.Replace(t.Context(), table.logKey("00000000000000000061.00000000000000000120.compacted.json"), strings.NewReader(`{"add":`)); err != nil {
		t.Fatal(err)
	}
	if got, log := open(); state(got) != states[s.Version] || !strings.Contains(log, "compacted part") {
		t.Errorf("state differs or log: %s", log)
	}
	// And one of a foreign writer that does not end where the log does is read as well.
	if err := store.Delete(t.Context(), table.logKey("00000000000000000061.00000000000000000120.compacted.json")); err != nil {
		t.Fatal(err)
	}
	if err := table.compactLog(t.Context(), 61, 129); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Replace(t.Context(), key, strings.NewReader("nonsense")); err != nil {
		t.Fatal(err)
	}
	if got, log := open(); state(got) != states[s.Version] || log != "" {
		t.Errorf("state differs or log: %s", log)
	}
}

func TestChecksums(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	states := map[int64]string{}
	s := grow(t, table, 35, states)
	raw, err := table.read(t.Context(), table.checksumKey(s.Version))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]json.RawMessage
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, a := range s.Files() {
		size += a.Size
	}
	for name, want := range map[string]string{"numFiles": fmt.Sprint(len(s.Files())), "tableSizeBytes": fmt.Sprint(size), "numMetadata": "1", "numProtocol": "1",
		"setTransactions": string(marshal(s.Txns())), "domainMetadata": "[]", "metadata": string(marshal(s.Metadata)), "protocol": string(marshal(s.Protocol))} {
		if string(c[name]) != want {
			t.Errorf("%s is %s, want %s", name, c[name], want)
		}
	}
	for text, word := range map[string]string{`{"numFiles":1,"tableSizeBytes":2}`: "numFiles", `{`: "cannot be read", `{"tableSizeBytes":2}`: "tableSizeBytes", `{"metadata":{"id":"x"}}`: "metadata"} {
		if _, err := store.Replace(t.Context(), table.checksumKey(s.Version), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		fresh, err := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}.Open(t.Context(), store, "lake/t")
		if err != nil || state(fresh.Known()) != state(s) || !strings.Contains(log.String(), "contradicts") || !strings.Contains(log.String(), word) {
			t.Errorf("%s: %v, log %s", text, err, log.String())
		}
	}
}

func TestLogCleanup(t *testing.T) {
	dir := t.TempDir()
	store := blob.NewLocal(dir)
	clock := time.Now()
	d := telemetry
	d.Properties = map[string]string{"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 2 days"}
	table, err := Options{Clock: func() time.Time { return clock }}.Create(t.Context(), store, "lake/t", d)
	if err != nil {
		t.Fatal(err)
	}
	long, err := Options{Clock: func() time.Time { return clock }}.Open(t.Context(), store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	states := map[int64]string{}
	grow(t, table, 70, states)
	if n := count(logNames(t, table), ".checkpoint.parquet"); n != 3 {
		t.Fatalf("%d checkpoints", n)
	}
	keepAll := logNames(t, table)
	// Nothing is old enough; or nobody wants it.
	if n, err := table.CleanUp(t.Context()); n != 0 || err != nil {
		t.Errorf("cleaned %d, %v", n, err)
	}
	clock = clock.Add(72 * time.Hour)
	// Foreign names are left alone.
	for _, name := range []string{".00000000000000000005.json.crc", "_commits/00000000000000000001.json", "00000000000000000005.other"} {
		if _, err := store.Create(t.Context(), table.logKey(name), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	n, err := table.CleanUp(t.Context())
	if err != nil || n == 0 {
		t.Fatalf("cleaned %d, %v", n, err)
	}
	names := logNames(t, table)
	for _, name := range keepAll {
		gone := name < "00000000000000000060" || strings.Contains(name, ".00000000000000000060.compacted")
		if has := slices.Contains(names, name); has == gone {
			t.Errorf("%s is there: %v", name, has)
		}
	}
	if text := fmt.Sprint(names); !strings.Contains(text, "00000000000000000005.other") || !strings.Contains(text, "_commits/") {
		t.Errorf("foreign names: %s", text)
	}
	if n, err := table.CleanUp(t.Context()); n != 0 || err != nil {
		t.Errorf("cleaned again: %d, %v", n, err)
	}
	fresh, err := Open(t.Context(), store, "lake/t")
	if err != nil || state(fresh.Known()) != states[70] {
		t.Fatalf("opened again: %v", err)
	}
	for v := int64(60); v <= 70; v++ {
		if old, err := fresh.SnapshotAt(t.Context(), v); err != nil || state(old) != states[v] {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if _, err := fresh.SnapshotAt(t.Context(), 59); err == nil {
		t.Error("version 59 can still be read")
	}
	// Who had read an old version comes to the newest, whether it reads or writes.
	if s, err := long.Snapshot(t.Context()); err != nil || state(s) != states[70] {
		t.Errorf("a long-lived table: %v", err)
	}
	// The log of a checkpoint that cannot be read is not cut.
	clock = time.Now()
	grow(t, table, 30, states)
	clock = clock.Add(72 * time.Hour)
	key := table.logKey("00000000000000000100.checkpoint.parquet")
	if _, err := store.Replace(t.Context(), key, strings.NewReader("nonsense")); err != nil {
		t.Fatal(err)
	}
	if n, err := table.CleanUp(t.Context()); n != 0 || err == nil {
		t.Errorf("cleaned %d, %v", n, err)
	}
}
