package deltatable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
	"spate/lake/parquetfile"
)

var definition = delta.Definition{Columns: []delta.Column{{Name: "EventId", Type: delta.String, Nullable: true}, {Name: "Temperature", Type: delta.Double, Nullable: true},
	{Name: "EventCount", Type: delta.Integer, Nullable: true}, {Name: "Timestamp", Type: delta.Timestamp, Nullable: true}},
	PartitionBy: []delta.Partition{{DateOf: "Timestamp"}}}

func open(t *testing.T, store blob.Store, change ...func(*Options)) *Sink {
	t.Helper()
	o := Options{Store: store, Path: "t", Output: "out", Create: &definition}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writerOf(t *testing.T, s *Sink, shard int) connector.Writer {
	t.Helper()
	w, err := s.OpenWriter(t.Context(), connector.Shard{Job: "job", Number: shard, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// batch makes one of rows given as columns.
func batch(names string, rows ...[]column.Value) *column.Batch {
	b := &column.Batch{Schema: &column.Schema{}, Rows: len(rows), Time: make([]column.Ticks, len(rows))}
	for c, n := range strings.Split(names, ",") {
		b.Schema.Fields = append(b.Schema.Fields, column.Field{Name: n})
		cb := column.NewBuilder(nil)
		for _, r := range rows {
			cb.Append(r[c])
		}
		b.Cols = append(b.Cols, cb.Vector())
	}
	return b
}

func event(id string, at column.Ticks) []column.Value {
	return []column.Value{column.TextOf(id), column.FloatOf(1.5), column.IntOf(2), column.TimeOf(at)}
}

const names = "EventId,Temperature,EventCount,Timestamp"

var day = column.DateTicks(2026, 3, 1)

func epoch(n int64) connector.Epoch {
	return connector.Epoch{Job: "job", Number: n, Incarnation: "i"}
}

func put(t *testing.T, w connector.Writer, b *column.Batch) []connector.BadRow {
	t.Helper()
	bad, err := w.Write(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

func prepare(t *testing.T, w connector.Writer, n int64) connector.Prepared {
	t.Helper()
	p, err := w.Prepare(t.Context(), epoch(n))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rows reads the table: each row as JSON with its partition values, sorted.
func rows(t *testing.T, store blob.Store) []string {
	t.Helper()
	table, err := delta.Open(t.Context(), store, "t")
	if err != nil {
		t.Fatal(err)
	}
	s := table.Known()
	var out []string
	for _, a := range s.Files() {
		r, err := store.Open(t.Context(), s.Key(a), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != a.Size {
			t.Errorf("%s has %d bytes, the log says %d", a.Path, len(data), a.Size)
		}
		list, err := parquetfile.ReadRows(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		st, err := delta.ParseStats(a.Stats)
		if err != nil || *st.NumRecords != int64(len(list)) {
			t.Errorf("stats %s for %d rows, %v", a.Stats, len(list), err)
		}
		for _, row := range list {
			for k, v := range a.PartitionValues {
				row[k] = v
			}
			text, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
	}
	slices.Sort(out)
	return out
}

func ids(t *testing.T, store blob.Store) []string {
	t.Helper()
	var out []string
	for _, r := range rows(t, store) {
		var m struct{ EventId string }
		if err := json.Unmarshal([]byte(r), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m.EventId)
	}
	slices.Sort(out)
	return out
}

func version(t *testing.T, store blob.Store) int64 {
	t.Helper()
	table, err := delta.Open(t.Context(), store, "t")
	if err != nil {
		t.Fatal(err)
	}
	return table.Known().Version
}

func want(t *testing.T, got []string, list ...string) {
	t.Helper()
	got, list = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(list))
	if !slices.Equal(got, list) {
		t.Errorf("got  %q\nwant %q", got, list)
	}
}

func TestRowsLandInTheirPartitions(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	s := open(t, store)
	missing, extra := s.Match([]string{"eventid", "Timestamp", "temperature", "Other"})
	want(t, missing, "EventCount")
	want(t, extra, "Other")
	w := writerOf(t, s, 0)
	b := batch("eventid,TIMESTAMP,temperature,Other",
		[]column.Value{column.TextOf("a"), column.TimeOf(day + 5), column.IntOf(3), column.TextOf("dropped")},
		[]column.Value{column.TextOf("b"), column.TimeOf(day - 1), {}, {}},
		[]column.Value{column.TextOf("c"), {}, column.FloatOf(0.25), {}},
		[]column.Value{column.TextOf("filtered"), column.TimeOf(day), {}, {}},
		[]column.Value{column.TextOf("d"), column.TextOf("2026-03-01T23:59:59.9999999+00:00"), column.FloatOf(2), {}})
	if bad := put(t, w, b.WithLive([]int32{0, 1, 2, 4})); len(bad) != 0 {
		t.Errorf("bad rows %v", bad)
	}
	p := prepare(t, w, 1)
	if got := rows(t, store); len(got) != 0 {
		t.Errorf("prepared rows are visible: %q", got)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p, nil}); err != nil {
		t.Fatal(err)
	}
	want(t, rows(t, store),
		`{"EventId":"a","Temperature":3,"Timestamp":1772323200000000,"TimestampDate":"2026-03-01"}`,
		`{"EventId":"b","Timestamp":1772323199999999,"TimestampDate":"2026-02-28"}`,
		`{"EventId":"c","Temperature":0.25,"TimestampDate":null}`,
		`{"EventId":"d","Temperature":2,"Timestamp":1772409599999999,"TimestampDate":"2026-03-01"}`)
	for i, err := range store.List(t.Context(), "t/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(i.Key, "t/_delta_log/") && !strings.HasPrefix(i.Key, "t/TimestampDate=") {
			t.Errorf("file %s", i.Key)
		}
	}
	h, err := s.Table().History(t.Context(), 1)
	if err != nil || h[0].Operation != "STREAMING UPDATE" || h[0].OperationMetrics["numOutputRows"] != "4" || h[0].OperationMetrics["numAddedFiles"] != "3" {
		t.Errorf("history %+v, %v", h, err)
	}
}

func TestRowsThatDoNotFitComeBack(t *testing.T) {
	store := blob.NewMemory()
	d := delta.Definition{Columns: []delta.Column{{Name: "i", Type: delta.Integer, Nullable: true}, {Name: "b", Type: delta.Byte, Nullable: true},
		{Name: "l", Type: delta.Long, Nullable: true}, {Name: "s", Type: delta.String, Nullable: true}, {Name: "ts", Type: delta.Timestamp, Nullable: true},
		{Name: "bo", Type: delta.Boolean, Nullable: true}, {Name: "dec", Type: delta.Decimal(5, 2), Nullable: true}, {Name: "must", Type: delta.Long},
		{Name: "f", Type: delta.Float, Nullable: true}, {Name: "da", Type: delta.Date, Nullable: true}}}
	s := open(t, store, func(o *Options) { o.Create = &d })
	w := writerOf(t, s, 0)
	row := func(name string, v column.Value) []column.Value {
		out := make([]column.Value, 10)
		out[7] = column.IntOf(1)
		out[slices.Index(strings.Split("i,b,l,s,ts,bo,dec,must,f,da", ","), name)] = v
		return out
	}
	rec := column.RecordOf(&column.RecordValue{Names: []string{"a"}, Values: []column.Value{column.FloatOf(1)}})
	b := batch("i,b,l,s,ts,bo,dec,must,f,da",
		row("i", column.IntOf(1<<31)), row("i", column.FloatOf(-7)), row("b", column.IntOf(128)), row("b", column.IntOf(-128)),
		row("l", column.FloatOf(1.5)), row("l", column.FloatOf(math.NaN())), row("l", column.FloatOf(1<<63)), row("l", column.TextOf("1")),
		row("s", rec), row("s", column.FloatOf(20)), row("s", column.TextOf("a\xff")), row("s", column.TimeOf(day)),
		row("ts", column.TextOf("yesterday")), row("ts", column.IntOf(5)), row("bo", column.IntOf(1)), row("bo", column.BoolOf(true)),
		row("dec", column.FloatOf(1.25)), row("dec", column.FloatOf(1.255)), row("dec", column.IntOf(1000)), row("must", column.Value{}),
		row("f", column.FloatOf(1e300)), row("da", column.TextOf("2026-03-01")), row("da", column.TimeOf(day-1)))
	var got []int
	for _, r := range put(t, w, b) {
		if r.Reason == "" {
			t.Errorf("row %d has no reason", r.Row)
		}
		got = append(got, r.Row)
	}
	if bad := []int{0, 2, 4, 5, 6, 7, 10, 12, 13, 14, 17, 18, 19, 20}; !slices.Equal(got, bad) {
		t.Errorf("bad rows %v, want %v", got, bad)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{prepare(t, w, 1)}); err != nil {
		t.Fatal(err)
	}
	want(t, rows(t, store), `{"b":-128,"must":1}`, `{"bo":true,"must":1}`, `{"da":20512,"must":1}`, `{"da":20513,"must":1}`, `{"dec":125,"must":1}`,
		`{"i":-7,"must":1}`, `{"must":1,"s":"2026-03-01T00:00:00.0000000Z"}`, `{"must":1,"s":"20"}`, `{"must":1,"s":"{\"a\":1.0}"}`)
	if bad := put(t, w, batch("x,y", []column.Value{{}, {}})); len(bad) != 1 {
		t.Errorf("a row without a common column: %v", bad)
	}
}

func TestEpochsAreCommittedOnce(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	s := open(t, store)
	w := writerOf(t, s, 0)
	put(t, w, batch(names, event("a", day)))
	p1 := prepare(t, w, 1)
	for range 3 {
		if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p1}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, ids(t, store), "a")
	if v := version(t, store); v != 1 {
		t.Errorf("version %d, want 1", v)
	}
	// Nothing written: no version.
	p2 := prepare(t, w, 2)
	if p2 != nil {
		t.Errorf("prepared %s", p2)
	}
	if err := s.Commit(t.Context(), epoch(2), []connector.Prepared{p2}); err != nil || version(t, store) != 1 {
		t.Errorf("empty epoch: %v, version %d", err, version(t, store))
	}
	// Prepared and saved, then the process dies; a new one commits it again.
	put(t, w, batch(names, event("b", day), event("c", day+column.Day)))
	p3 := prepare(t, w, 3)
	put(t, w, batch(names, event("lost", day)))
	prepare(t, w, 4) // never in a manifest
	again := open(t, store)
	for range 2 {
		if err := again.Commit(t.Context(), epoch(3), []connector.Prepared{p3}); err != nil {
			t.Fatal(err)
		}
	}
	w = writerOf(t, again, 0)
	put(t, w, batch(names, event("d", day)))
	p4 := prepare(t, w, 4)
	if err := again.Commit(t.Context(), epoch(4), []connector.Prepared{p4}); err != nil {
		t.Fatal(err)
	}
	// The old process lives after all: what it repeats has happened.
	if err := s.Commit(t.Context(), epoch(3), []connector.Prepared{p3}); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, store), "a", "b", "c", "d")
	// A job that has lost its manifests must not lose rows silently.
	put(t, w, batch(names, event("e", day)))
	if err := again.Commit(t.Context(), epoch(1), []connector.Prepared{prepare(t, w, 1)}); !errors.Is(err, ErrAhead) {
		t.Errorf("epoch 1 behind epoch 4: %v, want ErrAhead", err)
	}
	if err := again.Commit(t.Context(), epoch(5), []connector.Prepared{[]byte("{")}); err == nil {
		t.Error("damaged notes were committed")
	}
}

func TestAJobBegunAnewIsToldSoWhereItsEpochsMeetTheOldOnes(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	s := open(t, store)
	w := writerOf(t, s, 0)
	for n := range int64(3) {
		put(t, w, batch(names, event("old", day)))
		if err := s.Commit(t.Context(), epoch(n+1), []connector.Prepared{prepare(t, w, n+1)}); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, store)
	w = writerOf(t, again, 0)
	for _, n := range []int64{1, 3} {
		put(t, w, batch(names, event("new", day)))
		err := again.Commit(t.Context(), epoch(n), []connector.Prepared{prepare(t, w, n)})
		if !errors.Is(err, ErrAhead) || !strings.Contains(err.Error(), "another name") {
			t.Errorf("epoch %d of the new life: %v, want ErrAhead with advice", n, err)
		}
	}
}

func TestAnEpochWhoseFilesWereCompactedAwayLongAgoIsDone(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func(o *Options) { o.Clock = func() time.Time { return now } }
	s := open(t, store, clock)
	w := writerOf(t, s, 0)
	put(t, w, batch(names, event("a", day)))
	p := prepare(t, w, 1)
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
		t.Fatal(err)
	}
	var gone prepared // the same epoch with files that the log does not name any more
	if err := json.Unmarshal(p, &gone); err != nil {
		t.Fatal(err)
	}
	gone.Adds[0].Path = "TimestampDate=2026-03-01/compacted-away.parquet"
	p, err := json.Marshal(gone)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p}); !errors.Is(err, ErrAhead) {
		t.Errorf("as long as tombstones are kept: %v, want ErrAhead", err)
	}
	now = now.AddDate(0, 0, 8)
	if err := open(t, store, clock).Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
		t.Errorf("after a week: %v", err)
	}
}

func TestWritersAndForeignAppendsAtOnce(t *testing.T) {
	store := blob.NewLocal(t.TempDir())
	open(t, store)
	const jobs, epochs = 3, 6
	var wg sync.WaitGroup
	var all []string
	for j := range jobs {
		for e := range epochs {
			for shard := range 2 {
				all = append(all, fmt.Sprintf("j%d-e%d-s%d", j, e+1, shard))
			}
		}
		wg.Go(func() {
			s := open(t, store, func(o *Options) { o.Output = fmt.Sprintf("out%d", j) })
			ws := []connector.Writer{writerOf(t, s, 0), writerOf(t, s, 1)}
			for e := range epochs {
				var ps []connector.Prepared
				for shard, w := range ws {
					put(t, w, batch(names, event(fmt.Sprintf("j%d-e%d-s%d", j, e+1, shard), day)))
					ps = append(ps, prepare(t, w, int64(e+1)))
				}
				if err := s.Commit(t.Context(), epoch(int64(e+1)), ps); err != nil {
					t.Error(err)
				}
				if err := s.Commit(t.Context(), epoch(int64(e+1)), ps); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want(t, ids(t, store), all...)
	if v := version(t, store); v != jobs*epochs {
		t.Errorf("version %d, want %d", v, jobs*epochs)
	}
}

func TestTwoCopiesOfOneJobCommitAnEpochOnce(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store)
	w := writerOf(t, s, 0)
	for n := range int64(10) {
		put(t, w, batch(names, event(fmt.Sprint(n), day)))
		p := prepare(t, w, n+1)
		var wg sync.WaitGroup
		for range 4 {
			copied := open(t, store)
			wg.Go(func() {
				if err := copied.Commit(t.Context(), epoch(n+1), []connector.Prepared{p}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	want(t, ids(t, store), "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
}

func TestMemoryStaysBounded(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store, func(o *Options) { o.BufferBytes, o.TargetFileBytes, o.MaxOpen = 4<<10, 2<<10, 3 })
	w := writerOf(t, s, 0).(*following).writer
	var all []string
	for i := range 40 {
		var evs [][]column.Value
		for k := range 25 {
			id := fmt.Sprintf("%03d-%02d", i, k)
			all = append(all, id)
			evs = append(evs, event(id, day+column.Ticks(k%5)*column.Day))
		}
		put(t, w, batch(names, evs...))
		size := int64(0)
		for _, f := range w.open {
			size += f.size()
		}
		if size > 4<<10 || len(w.open) > 3 {
			t.Fatalf("%d bytes in %d open files", size, len(w.open))
		}
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{prepare(t, w, 1)}); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, store), all...)
}

func TestCloseDeletesWhatWasNotPrepared(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store, func(o *Options) { o.BufferBytes = 1 })
	w := writerOf(t, s, 0)
	put(t, w, batch(names, event("a", day)))
	p := prepare(t, w, 1)
	put(t, w, batch(names, event("b", day)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range store.List(t.Context(), "t/TimestampDate", "") {
		n++
	}
	if n != 1 {
		t.Errorf("%d data files, want the prepared one", n)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, store), "a")
}

func TestSchemaMayGrowWhileTheJobRuns(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store)
	w := writerOf(t, s, 0)
	change := func(cols []delta.Column) {
		snap, err := s.Table().Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := snap.Metadata
		if m.SchemaString, err = delta.SchemaString(cols); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Table().Commit(t.Context(), &delta.Transaction{Operation: "ADD COLUMNS", Metadata: &m}); err != nil {
			t.Fatal(err)
		}
	}
	cols := s.Table().Known().Columns
	put(t, w, batch(names, event("a", day)))
	p := prepare(t, w, 1)
	change(append(slices.Clone(cols), delta.Column{Name: "New", Type: delta.Long, Nullable: true}))
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
		t.Fatal(err)
	}
	put(t, w, batch(names, event("b", day)))
	p = prepare(t, w, 2)
	change(cols[1:])
	if err := s.Commit(t.Context(), epoch(2), []connector.Prepared{p}); !errors.Is(err, delta.ErrMetadataChanged) {
		t.Errorf("column gone: %v, want ErrMetadataChanged", err)
	}
}

func TestGeneratedDayColumn(t *testing.T) {
	store := blob.NewMemory()
	d := definition
	d.PartitionBy = []delta.Partition{{Column: "day"}}
	d.Columns = append(slices.Clone(d.Columns), delta.Column{Name: "day", Type: delta.Date, Nullable: true,
		Metadata: map[string]json.RawMessage{"delta.generationExpression": json.RawMessage(`"CAST(Timestamp AS DATE)"`)}})
	s := open(t, store, func(o *Options) { o.Create = &d })
	if p := s.Table().Known().Protocol; p.MinWriterVersion != 7 || !slices.Contains(p.WriterFeatures, "generatedColumns") {
		t.Errorf("protocol %+v", p)
	}
	w := writerOf(t, s, 0)
	b := batch(names+",day", append(event("a", day+1), column.TextOf("2026-03-01")), append(event("b", day+1), column.TextOf("2026-03-02")), append(event("c", day-1), column.Value{}))
	if bad := put(t, w, b); len(bad) != 1 || bad[0].Row != 1 {
		t.Errorf("bad rows %v, want row 1", bad)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{prepare(t, w, 1)}); err != nil {
		t.Fatal(err)
	}
	got := rows(t, store)
	if len(got) != 2 || !strings.Contains(got[0], `"day":"2026-03-01"`) || !strings.Contains(got[1], `"day":"2026-02-28"`) {
		t.Errorf("rows %q", got)
	}
}

func TestUnwritableTablesAreRefusedAtTheStart(t *testing.T) {
	store := blob.NewMemory()
	if _, err := Open(t.Context(), Options{Store: store, Path: "none"}); !errors.Is(err, delta.ErrNotATable) {
		t.Errorf("no table: %v", err)
	}
	d := delta.Definition{Columns: []delta.Column{{Name: "m", Type: `{"type":"map","keyType":"string","valueType":"long","valueContainsNull":true}`, Nullable: true}}}
	if _, err := Open(t.Context(), Options{Store: store, Path: "nested", Create: &d}); err == nil || !strings.Contains(err.Error(), "not supported yet") {
		t.Errorf("nested column: %v", err)
	}
	d.Columns = []delta.Column{{Name: "x", Type: "decimal(20,2)", Nullable: true}}
	if _, err := Open(t.Context(), Options{Store: store, Path: "wide", Create: &d}); err == nil || !strings.Contains(err.Error(), "column x: writing the type decimal(20,2) is not supported yet") {
		t.Errorf("wide decimal: %v", err)
	}
	d = definition
	d.Properties = map[string]string{"delta.constraints.x": "EventCount > 0"}
	// A feature that somebody may switch off again does not keep the job from waiting for that.
	s, err := Open(t.Context(), Options{Store: store, Path: "check", Create: &d})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenWriter(t.Context(), connector.Shard{Of: 1}); !errors.Is(err, delta.ErrUnsupported) || !strings.Contains(err.Error(), "delta.constraints.x") {
		t.Errorf("check constraint: %v", err)
	}
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{[]byte(`{"adds":[{"path":"x"}]}`)}); !errors.Is(err, delta.ErrUnsupported) {
		t.Errorf("a commit from before: %v", err)
	}
}

// So many rows or bytes, of all writers together, ask for an epoch.
func TestFullWritersAskForAnEpoch(t *testing.T) {
	for _, o := range []func(*Options){func(o *Options) { o.FullRows = 3 }, func(o *Options) { o.FullBytes = 60 }} {
		s := open(t, blob.NewMemory(), func(all *Options) {
			all.Create = &delta.Definition{Columns: []delta.Column{{Name: "id", Type: delta.String, Nullable: true}}}
			o(all)
		})
		a, b := writerOf(t, s, 0).(connector.FullWriter), writerOf(t, s, 1).(connector.FullWriter)
		for round := range int64(3) {
			if a.Full() || b.Full() {
				t.Errorf("round %d: full before the first row", round)
			}
			put(t, a.(connector.Writer), batch("id", []column.Value{column.TextOf("0123456789012345678901234567890123456789")}, []column.Value{null}))
			put(t, b.(connector.Writer), batch("id", []column.Value{column.TextOf(strings.Repeat("0123456789", 50))}))
			if !a.Full() || !b.Full() {
				t.Errorf("round %d: not full", round)
			}
			commitEpoch(t, s, round+1, a.(connector.Writer), b.(connector.Writer))
		}
	}
}
