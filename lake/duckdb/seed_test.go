//go:build cgo && !noduckdb

package duckdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/lake"
	"spate/lake/delta"
	"spate/lake/parquetfile"
	"spate/lake/query"
)

// clockNow is the time at which the queries of this file are asked.
var clockNow = time.Date(2026, 11, 27, 10, 20, 30, 0, time.UTC)

// lakeOf writes the two tables of the seed: raw_telemetry with one file a day
// for ten days, one event a minute; aggregated_metrics with one file an hour for
// a day, one row every five minutes.
func lakeOf(t *testing.T) *lake.Catalog {
	t.Helper()
	store := blob.NewLocal(t.TempDir())
	dbl, str, ts := delta.Double, delta.String, delta.Timestamp
	raw := newTable(t, store, "delta/raw_telemetry", "Timestamp", []delta.Column{{Name: "EventId", Type: str, Nullable: true}, {Name: "DeviceId", Type: str, Nullable: true},
		{Name: "Location", Type: str, Nullable: true}, {Name: "Temperature", Type: dbl, Nullable: true}, {Name: "Timestamp", Type: ts, Nullable: true}})
	for day := range 10 {
		midnight := time.Date(2026, 11, 18+day, 0, 0, 0, 0, time.UTC)
		var rows [][]column.Value
		for minute := range 600 {
			at := midnight.Add(time.Duration(minute) * time.Minute)
			temperature := column.FloatOf(float64(minute%50) + 0.5)
			if minute%100 == 0 {
				temperature = column.Value{}
			}
			rows = append(rows, []column.Value{column.TextOf(fmt.Sprintf("e%d-%d", day, minute)), column.TextOf(fmt.Sprintf("device-%d", minute%20)),
				column.TextOf([]string{"Seattle", "seattle", "Tokyo "}[minute%3]), temperature, column.TimeOf(column.TicksOf(at))})
		}
		addFile(t, raw, rows, "TimestampDate", midnight)
	}
	agg := newTable(t, store, "delta/aggregated_metrics", "WindowEnd", []delta.Column{{Name: "DeviceId", Type: str, Nullable: true},
		{Name: "WindowEnd", Type: ts, Nullable: true}, {Name: "EventCount", Type: delta.Long, Nullable: true}, {Name: "AvgTemperature", Type: dbl, Nullable: true}})
	for hour := range 12 {
		var rows [][]column.Value
		for i := range 12 {
			at := clockNow.Truncate(time.Hour).Add(-time.Duration(hour)*time.Hour + time.Duration(i)*5*time.Minute)
			rows = append(rows, []column.Value{column.TextOf(fmt.Sprintf("device-%d", i)), column.TimeOf(column.TicksOf(at)), column.IntOf(int64(i)), column.FloatOf(20.25)})
		}
		addFile(t, agg, rows, "WindowEndDate", clockNow)
	}
	cat, err := lake.NewCatalog(lake.Options{Store: store, Tables: []lake.TableSpec{
		{Database: "telemetry", Name: "raw_telemetry", Prefix: "delta/raw_telemetry"},
		{Database: "telemetry", Name: "aggregated_metrics", Prefix: "delta/aggregated_metrics"}}})
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func TestAFolderWhoseNameIsAPatternIsReadAndNoOtherThatMatchesIt(t *testing.T) {
	root := t.TempDir()
	for i, name := range []string{"d[1]*?", "d1xx"} {
		store := blob.NewLocal(filepath.Join(root, name))
		table := newTable(t, store, "t", "at", []delta.Column{{Name: "n", Type: delta.Long, Nullable: true}, {Name: "at", Type: delta.Timestamp, Nullable: true}})
		addFile(t, table, [][]column.Value{{column.IntOf(int64(i)), column.TimeOf(column.TicksOf(clockNow))}}, "atDate", clockNow)
		cat, err := lake.NewCatalog(lake.Options{Store: store, Tables: []lake.TableSpec{{Database: "telemetry", Name: "t", Prefix: "t"}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, session(t, cat), "SELECT n, atDate FROM t"); got != fmt.Sprintf("%d,2026-11-27", i) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func newTable(t *testing.T, store blob.Store, prefix, dateOf string, cols []delta.Column) *delta.Table {
	t.Helper()
	table, err := delta.Options{}.Create(t.Context(), store, prefix, delta.Definition{Columns: cols, PartitionBy: []delta.Partition{{DateOf: dateOf}}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// addFile commits one file of rows.
func addFile(t *testing.T, table *delta.Table, rows [][]column.Value, dateColumn string, day time.Time) {
	t.Helper()
	snap, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[delta.Type]parquetfile.Kind{delta.String: parquetfile.String, delta.Double: parquetfile.Double, delta.Timestamp: parquetfile.Timestamp, delta.Long: parquetfile.Long}
	var cols []parquetfile.Column
	var data []delta.Column
	for _, c := range snap.Columns {
		if c.Name != dateColumn {
			cols = append(cols, parquetfile.Column{Name: c.Name, Type: parquetfile.Type{Kind: kinds[c.Type]}, Nullable: true})
			data = append(data, c)
		}
	}
	vecs := make([]*column.Vector, len(cols))
	for i := range cols {
		b := column.NewBuilder(nil)
		for _, r := range rows {
			b.Append(r[i])
		}
		v := b.Vector()
		vecs[i] = &v
	}
	var buf bytes.Buffer
	w, err := parquetfile.NewWriter(&buf, cols, parquetfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(vecs, nil, len(rows)); err != nil {
		t.Fatal(err)
	}
	stats, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	date := day.Format("2006-01-02")
	path := fmt.Sprintf("%s=%s/part-%d.parquet", dateColumn, date, snap.Version)
	info, err := table.Store().Create(t.Context(), table.Prefix()+"/"+path, &buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Commit(t.Context(), &delta.Transaction{Operation: "WRITE", Adds: []*delta.Add{{Path: path, Size: info.Size, DataChange: true,
		PartitionValues: map[string]*string{dateColumn: &date}, Stats: snap.StatsOf(data, stats), ModificationTime: 1}}}); err != nil {
		t.Fatal(err)
	}
}

func lakeSession(t *testing.T) *query.Session {
	s := session(t, lakeOf(t))
	s.Now = func() time.Time { return clockNow }
	s.Database = ""
	return s
}

func TestSeedQueriesRunAsTheyStand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shared(t, "seed"), "queries.sql"))
	if err != nil {
		t.Fatal(err)
	}
	s := lakeSession(t)
	var out bytes.Buffer
	var stats []query.Stats
	err = s.Each(t.Context(), string(text), func(r *query.Result) error {
		_, err := query.Print(&out, "jsonl", r, 0)
		stats = append(stats, r.Stats)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(stats) != 2 || stats[0].Rows != 100 || stats[1].Rows != 19 {
		t.Fatalf("got %+v, want 100 and 19 rows", stats)
	}
	if stats[0].FilesOpened != 1 || stats[1].FilesOpened != 2 {
		t.Errorf("opened %d and %d files, want 1 and 2", stats[0].FilesOpened, stats[1].FilesOpened)
	}
	want := `{"EventId":"e9-599","DeviceId":"device-19","Location":"Tokyo ","Temperature":49.5,"Timestamp":"2026-11-27T09:59:00.000000Z","TimestampDate":"2026-11-27"}`
	if lines[0] != want {
		t.Errorf("first row\n got %s\nwant %s", lines[0], want)
	}
	want = `{"DeviceId":"device-11","WindowEnd":"2026-11-27T10:55:00.000000Z","EventCount":11,"AvgTemperature":20.25,"WindowEndDate":"2026-11-27"}`
	if lines[100] != want {
		t.Errorf("first row of the second query\n got %s\nwant %s", lines[100], want)
	}
}

func TestQueriesOverTables(t *testing.T) {
	s := lakeSession(t)
	for _, line := range strings.Split(strings.TrimSpace(tableCases), "\n") {
		sql, want, ok := strings.Cut(line, " => ")
		if !ok {
			continue
		}
		if got := strings.ReplaceAll(answer(t, s, sql), "\n", " | "); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}

func TestRowsArePrintedInEveryFormat(t *testing.T) {
	s := lakeSession(t)
	sql := "SELECT TOP 2 DeviceId, Timestamp AS [at], Temperature, COUNT(*) OVER () FROM telemetry.raw_telemetry ORDER BY Timestamp"
	for format, want := range map[string]string{
		"table": "DeviceId  at                           Temperature  (No column name)\n" +
			"--------  ---------------------------  -----------  ----------------\n" +
			"device-0  2026-11-18T00:00:00.000000Z         NULL              6000\n" +
			"device-1  2026-11-18T00:01:00.000000Z          1.5              6000\n",
		"csv": "DeviceId,at,Temperature,\r\ndevice-0,2026-11-18T00:00:00.000000Z,,6000\r\ndevice-1,2026-11-18T00:01:00.000000Z,1.5,6000\r\n",
	} {
		r, err := s.Run(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := query.Print(&b, format, r, 0); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if b.String() != want {
			t.Errorf("%s\n got\n%s\nwant\n%s", format, b.String(), want)
		}
	}
	r, err := s.Run(t.Context(), "SELECT DeviceId, DeviceId, EventCount FROM telemetry.aggregated_metrics WHERE WindowEnd = '2026-11-27T10:05:00Z'")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	truncated, err := query.Print(&b, "json", r, 1)
	if err != nil || truncated {
		t.Fatalf("truncated %t, err %v", truncated, err)
	}
	var doc struct {
		Columns   []struct{ Name, Type string }
		Rows      []map[string]any
		Truncated bool
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatalf("%v in %s", err, b.String())
	}
	if fmt.Sprint(doc) != "{[{DeviceId nvarchar(4000)} {DeviceId_1 nvarchar(4000)} {EventCount bigint}] [map[DeviceId:device-1 DeviceId_1:device-1 EventCount:1]] false}" {
		t.Errorf("got %v", doc)
	}
}

func TestCatalogSeesWhatIsCommittedBetweenQueries(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	table := newTable(t, store, "delta/raw", "Timestamp", []delta.Column{{Name: "Id", Type: delta.Long, Nullable: true}, {Name: "Timestamp", Type: delta.Timestamp, Nullable: true}})
	cat, err := lake.NewCatalog(lake.Options{Store: store, Discover: true})
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, cat)
	s.Database = "default"
	if got := answer(t, s, "SELECT COUNT(*) FROM raw"); got != "0" {
		t.Errorf("empty table: got %s rows", got)
	}
	for i := range 3 {
		addFile(t, table, [][]column.Value{{column.IntOf(int64(i)), column.TimeOf(column.TicksOf(clockNow))}}, "TimestampDate", clockNow)
		if got := answer(t, s, "SELECT COUNT(*), MAX(Id) FROM dbo.RAW"); got != fmt.Sprintf("%d,%d", i+1, i) {
			t.Errorf("after %d commits: got %s", i+1, got)
		}
	}
	if got := answer(t, s, "SELECT COUNT(*) FROM raw VERSION AS OF 1"); got != "1" {
		t.Errorf("version 1: got %s rows", got)
	}
}

// A column that came to the table later is NULL in the files from before.
func TestFilesFromBeforeAColumnAreReadWithTheOthers(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	table := newTable(t, store, "t", "at", []delta.Column{{Name: "n", Type: delta.Long, Nullable: true}, {Name: "at", Type: delta.Timestamp, Nullable: true}})
	at := column.TimeOf(column.TicksOf(clockNow))
	addFile(t, table, [][]column.Value{{column.IntOf(1), at}}, "atDate", clockNow)
	if _, err := table.AddColumns(t.Context(), table.Known(), []delta.Column{{Name: "p", Type: delta.Long, Nullable: true}}); err != nil {
		t.Fatal(err)
	}
	cat, err := lake.NewCatalog(lake.Options{Store: store, Tables: []lake.TableSpec{{Database: "telemetry", Name: "t", Prefix: "t"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, cat)
	ask := func(sql, want string) {
		t.Helper()
		if got := answer(t, s, sql); got != want {
			t.Errorf("%s\n got %q\nwant %q", sql, got, want)
		}
	}
	ask("SELECT n, p FROM t WHERE p IS NULL", "1,")
	ask("SELECT n FROM t WHERE p > 4", "")
	addFile(t, table, [][]column.Value{{column.IntOf(2), at, column.IntOf(5)}, {column.IntOf(3), at, {}}}, "atDate", clockNow)
	ask("SELECT n, p + 1 FROM t ORDER BY n", "1,\n2,6\n3,")
	ask("SELECT n FROM t WHERE p > 4", "2")
	ask("SELECT TOP 1 n FROM t ORDER BY p DESC", "2")
	ask("SELECT COUNT(*), COUNT(p), SUM(p) FROM t", "3,1,5")
}

func TestQueryIsAskedAgainWhenAFileWasVacuumed(t *testing.T) {
	dir := t.TempDir()
	store := blob.NewLocal(dir)
	table := newTable(t, store, "raw", "Timestamp", []delta.Column{{Name: "Id", Type: delta.Long, Nullable: true}, {Name: "Timestamp", Type: delta.Timestamp, Nullable: true}})
	row := [][]column.Value{{column.IntOf(7), column.TimeOf(column.TicksOf(clockNow))}}
	addFile(t, table, row, "TimestampDate", clockNow)
	old, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addFile(t, table, row, "TimestampDate", clockNow)
	cat, err := lake.NewCatalog(lake.Options{Store: store, Tables: []lake.TableSpec{{Name: "raw", Prefix: "raw"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, &rewound{Catalog: cat, version: old.Version})
	s.Database = "default"
	if err := os.RemoveAll(filepath.Join(dir, "raw", old.Files()[0].Path)); err != nil {
		t.Fatal(err)
	}
	// Version 1 names the file that is gone; version 2 still does as well.
	if got := answer(t, s, "SELECT COUNT(Id) FROM raw"); !strings.Contains(got, "SPATE-QUERY-001") {
		t.Errorf("got %s, want an error that names VACUUM", got)
	}
	first := old.Files()[0]
	if _, err := table.Commit(t.Context(), &delta.Transaction{Operation: "DELETE", Removes: []*delta.Remove{{Path: first.Path, DataChange: true, DeletionTimestamp: 1,
		ExtendedFileMetadata: true, PartitionValues: first.PartitionValues, Size: first.Size}}}); err != nil {
		t.Fatal(err)
	}
	s.Catalog.(*rewound).asked = 0
	if got := answer(t, s, "SELECT COUNT(Id) FROM raw"); got != "1" {
		t.Errorf("got %s, want 1 from the newest version", got)
	}
}

// rewound gives an old version when it is first asked.
type rewound struct {
	*lake.Catalog
	version int64
	asked   int
}

func (r *rewound) Table(ctx context.Context, database, name string, at query.AsOf) (*query.Table, error) {
	if r.asked++; r.asked == 1 {
		at = query.AsOf{Set: true, IsVersion: true, Version: r.version}
	}
	return r.Catalog.Table(ctx, database, name, at)
}

func TestConcurrentQueriesShareTheChildren(t *testing.T) {
	cat := lakeOf(t)
	eng := engine(t, query.Limits{Threads: 1})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := &query.Session{Catalog: cat, Engine: eng, Database: "telemetry"}
			for k := range 3 {
				sql := fmt.Sprintf("SELECT COUNT(*) FROM raw_telemetry WHERE DeviceId = 'device-%d'", i+k)
				if got := answer(t, s, sql); got != "300" {
					t.Errorf("%s: got %s", sql, got)
				}
			}
		})
	}
	wg.Wait()
}

func TestCancelledQueryEndsAndTheNextOneRuns(t *testing.T) {
	s := lakeSession(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Run(ctx, "SELECT COUNT_BIG(*) FROM GENERATE_SERIES(1, 2000000) a JOIN GENERATE_SERIES(1, 2000000) b ON a.value * 3 > b.value + 1")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.Next(); err == nil {
		t.Error("a cancelled query gave a row")
	}
	r.Close()
	if got := answer(t, s, "SELECT COUNT(*) FROM telemetry.raw_telemetry"); got != "6000" {
		t.Errorf("next query: got %s", got)
	}
}
