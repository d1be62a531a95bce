package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
)

var telemetry = Definition{Columns: []Column{{Name: "EventId", Type: String, Nullable: true}, {Name: "Temperature", Type: Double, Nullable: true},
	{Name: "Timestamp", Type: Timestamp, Nullable: true}}, PartitionBy: []Partition{{DateOf: "timestamp"}}}

func text(s string) *string { return &s }

func file(name, day string) *Add {
	return &Add{Path: name, PartitionValues: map[string]*string{"TimestampDate": &day}, Size: 10, ModificationTime: 1, DataChange: true,
		Stats: `{"numRecords":2}`}
}

func create(t *testing.T, store blob.Store, d Definition) *Table {
	t.Helper()
	table, err := Create(t.Context(), store, "lake/t", d)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func commitFiles(t *testing.T, table *Table, adds ...*Add) *Snapshot {
	t.Helper()
	s, err := table.Commit(t.Context(), &Transaction{Operation: "WRITE", Parameters: map[string]any{"mode": "Append"}, Adds: adds})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func paths(s *Snapshot) []string {
	var out []string
	for _, a := range s.Files() {
		out = append(out, a.Path)
	}
	slices.Sort(out)
	return out
}

func TestCreateGivesThePlainForm(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	create(t, store, telemetry)
	table, err := Open(t.Context(), store, "/lake/t/")
	if err != nil {
		t.Fatal(err)
	}
	s := table.Known()
	if p := s.Protocol; p.MinReaderVersion != 1 || p.MinWriterVersion != 2 || p.WriterFeatures != nil {
		t.Errorf("protocol %+v", p)
	}
	if got := s.Columns[3]; got.Name != "TimestampDate" || got.Type != Date || got.Metadata != nil {
		t.Errorf("day column %+v", got)
	}
	if got := s.Metadata.Configuration[PartitionDateProperty]; got != "TimestampDate=CAST(Timestamp AS DATE)" {
		t.Errorf("property %q", got)
	}
	if got := s.PartitionDates(); !slices.Equal(got, []PartitionDate{{"TimestampDate", "Timestamp"}}) {
		t.Errorf("PartitionDates %v", got)
	}
	if _, err := Create(t.Context(), store, "lake/t", telemetry); !errors.Is(err, ErrTableExists) {
		t.Errorf("second Create: %v", err)
	}
	if _, err := (Options{}).OpenOrCreate(t.Context(), store, "lake/t", telemetry); err != nil {
		t.Errorf("OpenOrCreate with the same definition: %v", err)
	}
	other := telemetry
	other.PartitionBy = nil
	if _, err := (Options{}).OpenOrCreate(t.Context(), store, "lake/t", other); err == nil {
		t.Error("OpenOrCreate with another partitioning succeeded")
	}
	if _, err := Open(t.Context(), store, "lake/none"); !errors.Is(err, ErrNotATable) {
		t.Errorf("Open of nothing: %v", err)
	}
}

func TestDayColumnAvoidsNamesInUse(t *testing.T) {
	cols := []Column{{Name: "ts", Type: Timestamp}, {Name: "TSDate", Type: String}, {Name: "tsDate_1", Type: String}}
	if got := DateColumnName(cols, "ts"); got != "tsDate_2" {
		t.Errorf("name %s, want tsDate_2", got)
	}
}

func TestConcurrentAppendsLoseNothing(t *testing.T) {
	for name, store := range map[string]blob.Store{"local": blob.NewLocal(t.TempDir()), "memory": blob.NewMemory()} {
		t.Run(name, func(t *testing.T) {
			d := telemetry
			d.Properties = map[string]string{"delta.checkpointInterval": "7"}
			create(t, store, d)
			var want []string
			var wg sync.WaitGroup
			for w := range 4 {
				for i := range 15 {
					want = append(want, fmt.Sprintf("w%d-%02d.parquet", w, i))
				}
				wg.Go(func() {
					table, err := Open(t.Context(), store, "lake/t")
					if err != nil {
						t.Error(err)
						return
					}
					for i := range 15 {
						_, err := table.Commit(t.Context(), &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprintf("w%d-%02d.parquet", w, i), "2025-03-10")},
							Txns: []Txn{{AppID: fmt.Sprint("app", w), Version: int64(i)}}})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			table, err := Open(t.Context(), store, "lake/t")
			if err != nil {
				t.Fatal(err)
			}
			s := table.Known()
			if s.Version != 60 {
				t.Errorf("version %d, want 60", s.Version)
			}
			if got := paths(s); !slices.Equal(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
			if rows, ok := s.Rows(); rows != 120 || !ok {
				t.Errorf("%d rows %v, want 120", rows, ok)
			}
			for w := range 4 {
				if v, _ := s.TxnVersion(fmt.Sprint("app", w)); v != 14 {
					t.Errorf("app%d is at %d, want 14", w, v)
				}
			}
		})
	}
}

// state is everything that must not depend on how a snapshot was loaded.
func state(s *Snapshot) string {
	var adds, removes []string
	for _, a := range s.Files() {
		c := *a
		c.DataChange = false // false in checkpoints
		adds = append(adds, string(marshal(c)))
	}
	err := s.Tombstones(context.Background(), func(r *Remove) error {
		c := *r
		c.DataChange, c.Tags = false, nil
		removes = append(removes, string(marshal(c)))
		return nil
	})
	if err != nil {
		panic(err)
	}
	slices.Sort(adds)
	slices.Sort(removes)
	return fmt.Sprintf("%d\n%s\n%s\n%s\n%s\n%s", s.Version, marshal(s.Protocol), marshal(s.Metadata), strings.Join(adds, "\n"), strings.Join(removes, "\n"), marshal(s.Txns()))
}

func TestEveryWayOfLoadingGivesTheSameState(t *testing.T) {
	ctx, store := t.Context(), blob.NewMemory()
	d := telemetry
	d.Properties = map[string]string{"delta.checkpointInterval": "1000", "a.b": "ü \" c"}
	d.Columns = append(slices.Clone(d.Columns), Column{Name: "nested", Type: `{"type":"array","elementType":"string","containsNull":true}`, Nullable: true, Comment: "c"})
	table := create(t, store, d)
	now := time.Now().UnixMilli()
	for i := range 150 { // more than the layers of a file set
		tx := &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprintf("TimestampDate=2025-03-10/f%%20%03d.parquet", i), "2025-03-10")}, Txns: []Txn{{AppID: "a", Version: int64(i)}}}
		switch {
		case i%10 == 7: // compaction
			tx.Removes = []*Remove{{Path: fmt.Sprintf("TimestampDate=2025-03-10/f%%20%03d.parquet", i-1), DeletionTimestamp: now, ExtendedFileMetadata: true,
				PartitionValues: map[string]*string{"TimestampDate": text("2025-03-10")}, Size: 10}}
		case i%10 == 3:
			tx.Adds[0].PartitionValues["TimestampDate"] = nil
			tx.Adds[0].Tags = map[string]*string{"k": text("v"), "n": nil}
		case i == 100: // the same file again: newer statistics
			again := file("TimestampDate=2025-03-10/f%20002.parquet", "2025-03-10")
			again.Stats = `{"numRecords":5}`
			tx.Adds = append(tx.Adds, again)
		}
		if _, err := table.Commit(ctx, tx); err != nil {
			t.Fatal(err)
		}
	}
	s := table.Known()
	want := state(s)
	fresh, err := Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	if got := state(fresh.Known()); got != want {
		t.Fatalf("from commits:\n%s\nwant\n%s", got, want)
	}
	if err := fresh.Checkpoint(ctx, fresh.Known()); err != nil {
		t.Fatal(err)
	}
	for v := range int64(151) { // the checkpoint alone must do
		if err := store.Delete(ctx, table.commitKey(v)); err != nil {
			t.Fatal(err)
		}
	}
	fresh, err = Open(ctx, store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	if got := state(fresh.Known()); got != want {
		t.Fatalf("from the checkpoint:\n%s\nwant\n%s", got, want)
	}
	for _, bad := range []string{"", "{", `{"version":99,"size":1}`, `{"version":150,"size":1,"checksum":"00"}`} {
		if _, err := store.Replace(ctx, table.logKey(hintName), strings.NewReader(bad)); err != nil {
			t.Fatal(err)
		}
		if fresh, err = Open(ctx, store, "lake/t"); err != nil {
			t.Fatalf("hint %q: %v", bad, err)
		}
		if got := state(fresh.Known()); got != want {
			t.Errorf("hint %q changed the state", bad)
		}
	}
	if _, err := fresh.SnapshotAt(ctx, 100); err == nil {
		t.Error("a version below the checkpoint was found")
	}
	commitFiles(t, fresh, file("after.parquet", "2025-03-11"))
	if _, err := table.Snapshot(ctx); err != nil || table.Known().Version != 151 {
		t.Errorf("the first table is at %d, %v", table.Known().Version, err)
	}
}

func TestConflicts(t *testing.T) {
	newCols := append(slices.Clone(telemetry.Columns), Column{Name: "TimestampDate", Type: Date, Nullable: true}, Column{Name: "z", Type: Long, Nullable: true})
	gone := newCols[1:]
	rename := func(cols []Column) func(m *Metadata) {
		return func(m *Metadata) { m.SchemaString, _ = SchemaString(cols) }
	}
	meta := func(s *Snapshot, change func(*Metadata)) *Metadata {
		m := s.Metadata
		change(&m)
		return &m
	}
	remove := func(p string, dataChange bool) []*Remove {
		return []*Remove{{Path: p, DeletionTimestamp: 1, DataChange: dataChange}}
	}
	type txFunc func(s *Snapshot) *Transaction
	appendTx := func(name string) txFunc {
		return func(*Snapshot) *Transaction { return &Transaction{Adds: []*Add{file(name, "2025-03-10")}} }
	}
	compact := func(*Snapshot) *Transaction {
		a := file("compacted", "2025-03-10")
		a.DataChange = false
		return &Transaction{Adds: []*Add{a}, Removes: remove("base", false)}
	}
	deleteTx := func(*Snapshot) *Transaction {
		return &Transaction{Removes: remove("base", true), ReadsTable: true}
	}
	cases := []struct {
		name         string
		ours, winner txFunc
		want         error
	}{
		{"X01 append, append", appendTx("a"), appendTx("b"), nil},
		{"X02 append, compaction", appendTx("a"), compact, nil},
		{"X03 append, delete", appendTx("a"), deleteTx, nil},
		{"X04 append, new column", appendTx("a"), func(s *Snapshot) *Transaction { return &Transaction{Metadata: meta(s, rename(newCols))} }, nil},
		{"X04 append, column gone", appendTx("a"), func(s *Snapshot) *Transaction { return &Transaction{Metadata: meta(s, rename(gone))} }, ErrMetadataChanged},
		{"X04 append, other partitioning", appendTx("a"), func(s *Snapshot) *Transaction {
			return &Transaction{Metadata: meta(s, func(m *Metadata) { m.PartitionColumns = nil })}
		}, ErrMetadataChanged},
		{"X04 append, protocol we know", appendTx("a"), func(*Snapshot) *Transaction {
			return &Transaction{Protocol: &Protocol{MinReaderVersion: 1, MinWriterVersion: 4}}
		}, nil},
		{"X04 append, protocol we do not know", appendTx("a"), func(*Snapshot) *Transaction {
			return &Transaction{Protocol: &Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: []string{"icebergCompatV2"}}}
		}, ErrProtocolChanged},
		{"X05 append, same application", func(s *Snapshot) *Transaction { return &Transaction{Txns: []Txn{{AppID: "x", Version: 2}}} },
			func(s *Snapshot) *Transaction { return &Transaction{Txns: []Txn{{AppID: "x", Version: 1}}} }, ErrTransactionConflict},
		{"X06 append that read, append", func(s *Snapshot) *Transaction {
			return &Transaction{Adds: []*Add{file("a", "2025-03-10")}, ReadsTable: true}
		}, appendTx("b"), nil},
		{"X07 append that read, compaction", func(s *Snapshot) *Transaction {
			return &Transaction{Adds: []*Add{file("a", "2025-03-10")}, ReadsTable: true}
		}, compact, nil},
		{"X08 compaction, append", compact, appendTx("b"), nil},
		{"X09 compaction, compaction", compact, compact, ErrDeleteConflict},
		{"X10 compaction, delete", compact, deleteTx, ErrDeleteConflict},
		{"X12 delete, append", deleteTx, appendTx("b"), nil},
		{"X13 delete, compaction", deleteTx, compact, ErrDeleteConflict},
		{"X14 delete, delete", deleteTx, deleteTx, ErrDeleteConflict},
		{"X18 metaData, metaData", func(s *Snapshot) *Transaction { return &Transaction{Metadata: meta(s, rename(newCols))} },
			func(s *Snapshot) *Transaction { return &Transaction{Metadata: meta(s, rename(newCols))} }, ErrMetadataChanged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := blob.NewMemory()
			table := create(t, store, telemetry)
			base := commitFiles(t, table, file("base", "2025-03-10"))
			ours, winner := c.ours(base), c.winner(base)
			ours.Base = base
			if _, err := table.Commit(t.Context(), winner); err != nil {
				t.Fatalf("winner: %v", err)
			}
			s, err := table.Commit(t.Context(), ours)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("Commit: %v, want %v", err, c.want)
			}
			if err == nil && s.Version != 3 {
				t.Errorf("version %d, want 3", s.Version)
			}
		})
	}
}

func TestIllegalTransactionsAreRefused(t *testing.T) {
	store := blob.NewMemory()
	d := telemetry
	d.Properties = map[string]string{"delta.appendOnly": "true"}
	table := create(t, store, d)
	for name, tx := range map[string]*Transaction{
		"same file twice":  {Adds: []*Add{file("a", "2025-03-10"), file("a", "2025-03-10")}},
		"same app twice":   {Txns: []Txn{{AppID: "x"}, {AppID: "x"}}},
		"no partition":     {Adds: []*Add{{Path: "a", PartitionValues: map[string]*string{}}}},
		"wrong partition":  {Adds: []*Add{{Path: "a", PartitionValues: map[string]*string{"day": nil}}}},
		"append only":      {Removes: []*Remove{{Path: "a", DataChange: true}}},
		"same file remove": {Removes: []*Remove{{Path: "a%20b"}, {Path: "a b"}}},
	} {
		if _, err := table.Commit(t.Context(), tx); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if s, err := table.Snapshot(t.Context()); err != nil || s.Version != 0 {
		t.Errorf("version %d, %v", s.Version, err)
	}
}

// flaky loses the answer of the first Create of a commit: before or after the
// store has it.
type flaky struct {
	blob.Store
	after bool
	hit   int
}

func (f *flaky) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if f.hit++; f.hit == 1 {
		if f.after {
			if _, err := f.Store.Create(ctx, key, body); err != nil {
				return blob.Info{}, err
			}
		}
		return blob.Info{}, errors.New("connection reset")
	}
	return f.Store.Create(ctx, key, body)
}

func TestLostAnswerOfTheStore(t *testing.T) {
	for _, after := range []bool{false, true} {
		mem := blob.NewMemory()
		create(t, mem, telemetry)
		table, err := Open(t.Context(), &flaky{Store: mem, after: after}, "lake/t")
		if err != nil {
			t.Fatal(err)
		}
		s, err := table.Commit(t.Context(), &Transaction{Adds: []*Add{file("a", "2025-03-10")}})
		if after && (err != nil || s.Version != 1) || !after && err == nil {
			t.Errorf("after=%v: %v", after, err)
		}
		fresh, err := Open(t.Context(), mem, "lake/t")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(fresh.Known().Files()); (n == 1) != after {
			t.Errorf("after=%v: %d files", after, n)
		}
	}
}

func TestDamagedLogsAreRefused(t *testing.T) {
	good := `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}` + "\n" +
		`{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{}}}` + "\n"
	add := `{"add":{"path":"p","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}` + "\n"
	cases := []struct {
		name    string
		commits []string // "-" is a gap
		want    string   // in the error; "" for success
	}{
		{"good", []string{good, add}, ""},
		{"blank lines, CRLF, no newline at the end", []string{"\r\n" + strings.ReplaceAll(good, "\n", "\r\n"), strings.TrimSpace(add)}, ""},
		{"unknown action", []string{good, `{"newThing":{"x":1}}` + "\n" + add}, ""},
		{"odd commitInfo", []string{good, `{"commitInfo":{"operationMetrics":{"a":[1]},"timestamp":"x"}}` + "\n"}, ""},
		{"gap", []string{good, "-", add}, "version 0 is followed by 2"},
		{"no version 0", []string{"-", add}, "begins at version 1"},
		{"no protocol", []string{add}, "no protocol"},
		{"no metaData", []string{strings.SplitAfter(good, "\n")[0]}, "no metaData"},
		{"not JSON", []string{good, "PAR1\n"}, "version 1, line 1"},
		{"cut off", []string{good, add[:30] + "\n"}, "version 1, line 1"},
		{"two protocols", []string{good + strings.SplitAfter(good, "\n")[0]}, "two protocol"},
		{"two txns", []string{good, strings.Repeat(`{"txn":{"appId":"a","version":1}}`+"\n", 2)}, "two txn"},
		{"added twice", []string{good, add + add}, "added twice"},
		{"checkpoint action", []string{good, `{"checkpointMetadata":{"version":1}}` + "\n"}, "checkpoints in a commit"},
		{"reader 4", []string{strings.Replace(good, `"minReaderVersion":1`, `"minReaderVersion":4`, 1)}, "reader version 4"},
		{"unknown feature", []string{strings.Replace(good, `1,"minWriterVersion":2`, `3,"minWriterVersion":7,"readerFeatures":["fancy"],"writerFeatures":["fancy"]`, 1)}, "fancy"},
		{"half a feature", []string{strings.Replace(good, `1,"minWriterVersion":2`, `3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":[]`, 1)}, "v2Checkpoint"},
		{"features of version 2", []string{strings.Replace(good, `"minWriterVersion":2`, `"minWriterVersion":2,"writerFeatures":["appendOnly"]`, 1)}, "writer features"},
		{"other format", []string{strings.Replace(good, `"provider":"parquet"`, `"provider":"orc"`, 1)}, "orc"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := blob.NewMemory()
			for v, body := range c.commits {
				if body == "-" {
					continue
				}
				if _, err := store.Create(t.Context(), fmt.Sprintf("t/_delta_log/%020d.json", v), strings.NewReader(body)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(t.Context(), store, "t")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Open: %v, want %q", err, c.want)
			}
		})
	}
}

func TestForeignEntriesInTheLogFolder(t *testing.T) {
	store := blob.NewMemory()
	table := create(t, store, telemetry)
	commitFiles(t, table, file("a", "2025-03-10"))
	for _, name := range []string{".00000000000000000001.json.crc", "00000000000000000007.crc", "00000000000000000000.00000000000000000001.compacted.json",
		"_commits/x", "_staged_commits/00000000000000000002.aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee.json", "00000000000000000002.json.tmp", "notes.txt",
		"00000000000000000001.checkpoint.0000000001.0000000002.parquet", "_sidecars/00000000000000000001.checkpoint.0000000001.0000000001.x.parquet"} {
		if _, err := store.Create(t.Context(), table.logKey(name), strings.NewReader("junk")); err != nil {
			t.Fatal(err)
		}
	}
	fresh, err := Open(t.Context(), store, "lake/t")
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(fresh.Known()); !slices.Equal(got, []string{"a"}) {
		t.Errorf("files %v", got)
	}
}

func TestTimeTravelAndHistory(t *testing.T) {
	store := blob.NewMemory()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o := Options{Clock: func() time.Time { return at }, EngineInfo: "Spate/test"}
	table, err := o.Create(t.Context(), store, "lake/t", telemetry)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		at = at.Add(time.Minute)
		commitFiles(t, table, file(fmt.Sprint(i), "2025-03-10"))
	}
	s, err := table.SnapshotAt(t.Context(), 1)
	if err != nil || !slices.Equal(paths(s), []string{"0"}) || !s.Time().Equal(at.Add(-2*time.Minute)) {
		t.Errorf("version 1: %v at %v, %v", paths(s), s.Time(), err)
	}
	if _, err := table.SnapshotAt(t.Context(), 9); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("version 9: %v", err)
	}
	if _, err := table.SnapshotAsOf(t.Context(), time.Now().Add(time.Hour)); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("the future: %v", err)
	}
	if _, err := table.SnapshotAsOf(t.Context(), time.Unix(0, 0)); !errors.Is(err, ErrVersionNotFound) {
		t.Errorf("the past: %v", err)
	}
	h, err := table.History(t.Context(), 2)
	if err != nil || len(h) != 2 || h[0].Version != 3 || h[0].Operation != "WRITE" || h[0].EngineInfo != "Spate/test" || !h[0].Time.Equal(at) ||
		!reflect.DeepEqual(h[0].OperationParameters, map[string]any{"mode": "Append"}) || h[0].IsBlindAppend == nil || !*h[0].IsBlindAppend {
		t.Errorf("history %+v, %v", h, err)
	}
}
