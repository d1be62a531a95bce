package deltatable

import (
	"context"
	"errors"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
	"spate/metric"
)

func inferred(t *testing.T, store blob.Store, rec *metric.Recorder, cols ...delta.Column) *Sink {
	t.Helper()
	return open(t, store, func(o *Options) { o.Create, o.Infer, o.Metrics = nil, &Inference{Columns: cols}, rec })
}

func schemaOf(t *testing.T, store blob.Store) string {
	t.Helper()
	table, err := delta.Open(t.Context(), store, "t")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range table.Known().Columns {
		out = append(out, c.Name+" "+string(c.Type))
	}
	return strings.Join(out, ", ")
}

func TestSchemaFromTheFirstRows(t *testing.T) {
	store, rec := blob.NewMemory(), new(metric.Recorder)
	s := inferred(t, store, rec, delta.Column{Name: "n", Type: delta.Long}, delta.Column{Name: "id"})
	if s.Table() != nil || s.Columns() != nil {
		t.Fatal("there is a table before the first row")
	}
	w := writerOf(t, s, 0)
	if p := prepare(t, w, 1); p != nil {
		t.Fatalf("prepared %s without a row", p)
	}
	record := column.RecordOf(&column.RecordValue{Names: []string{"x"}, Values: []column.Value{column.IntOf(1)}})
	row := func(id string, mixed, number, nothing column.Value) []column.Value {
		return []column.Value{column.TextOf(id), column.IntOf(7), column.IntOf(1), column.FloatOf(1), column.TimeOf(day), column.BoolOf(true), record, mixed, number, nothing}
	}
	put(t, w, batch("ID,n,whole,float,at,bit,rec,mixed,number,nothing", row("a", column.IntOf(1), column.IntOf(2), column.Value{})))
	put(t, w, batch("ID,n,whole,float,at,bit,rec,mixed,number,nothing", row("b", column.TextOf("x"), column.FloatOf(2.5), column.Value{})))
	p := prepare(t, w, 2)
	want := "n long, id string, whole double, float double, at timestamp, bit boolean, rec string, mixed string, number double, nothing string"
	if got := schemaOf(t, store); got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
	if got := rows(t, store); len(got) != 0 {
		t.Errorf("rows before the commit: %v", got)
	}
	for range 2 {
		if err := s.Commit(t.Context(), epoch(2), []connector.Prepared{p}); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(t, store); len(got) != 2 {
		t.Errorf("rows %v, want 2", got)
	}

	// Later rows: an extra column is dropped and counted, a wrong value is a bad row.
	if bad := put(t, w, batch("id,n,later", []column.Value{column.TextOf("c"), column.IntOf(1), column.IntOf(5)})); len(bad) != 0 {
		t.Errorf("bad rows %v", bad)
	}
	if n := rec.Counter("TableValuesDropped", "Table", "t").Value(); n != 1 {
		t.Errorf("%d values dropped, want 1", n)
	}
	if bad := put(t, w, batch("id,n", []column.Value{column.TextOf("d"), column.TextOf("no number")})); len(bad) != 1 {
		t.Errorf("bad rows %v, want one", bad)
	}
}

// A process that dies between the making of the table and the manifest leaves an
// empty table; the next start takes it and writes each row once.
func TestCreationIsRepeated(t *testing.T) {
	store := blob.NewMemory()
	first := inferred(t, store, nil)
	w := writerOf(t, first, 0)
	put(t, w, batch("id", []column.Value{column.TextOf("a")}))
	prepare(t, w, 1) // and it dies

	second := inferred(t, store, nil)
	w = writerOf(t, second, 0)
	put(t, w, batch("id", []column.Value{column.TextOf("a")}))
	p := prepare(t, w, 1)
	for range 2 {
		if err := second.Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(t, store); len(got) != 1 {
		t.Errorf("rows %v, want one", got)
	}
}

// Two outputs make one table: the one that comes second takes the schema of the
// first, and gives back what does not fit.
func TestTwoMakersOfOneTable(t *testing.T) {
	store := blob.NewMemory()
	a, b := inferred(t, store, nil), inferred(t, store, nil)
	wa, wb := writerOf(t, a, 0), writerOf(t, b, 0)
	put(t, wa, batch("v", []column.Value{column.IntOf(1)}))
	put(t, wb, batch("v", []column.Value{column.TextOf("x")}, []column.Value{column.IntOf(2)}))
	prepare(t, wa, 1)
	prepare(t, wb, 1)
	late := wb.(connector.LateWriter).Late()
	if len(late) != 1 || len(late[0].Bad) != 1 || late[0].Bad[0].Row != 0 {
		t.Errorf("late rows %+v, want row 0", late)
	}
	if again := wb.(connector.LateWriter).Late(); again != nil {
		t.Errorf("late rows twice: %+v", again)
	}
}

func TestACommittedTableThatIsGoneIsAnError(t *testing.T) {
	store := blob.NewMemory()
	s := inferred(t, store, nil)
	w := writerOf(t, s, 0)
	put(t, w, batch("v", []column.Value{column.IntOf(1)}))
	p := prepare(t, w, 1)
	var keys []string
	for info, err := range store.List(context.Background(), "t/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if err := store.Delete(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
	if err := inferred(t, store, nil).Commit(t.Context(), epoch(1), []connector.Prepared{p}); !errors.Is(err, delta.ErrNotATable) {
		t.Errorf("commit: %v", err)
	}
}

// starBatch makes one of whole events, with a column to the right.
func starBatch(events ...*column.RecordValue) *column.Batch {
	b := &column.Batch{Schema: &column.Schema{Fields: []column.Field{{Name: "*", Star: true}, {Name: "extra"}}}, Rows: len(events), Time: make([]column.Ticks, len(events))}
	v := column.Vector{Kind: column.Any}
	x := column.NewBuilder(nil)
	for _, e := range events {
		v.Anys = append(v.Anys, column.RecordOf(e))
		x.Append(column.IntOf(9))
	}
	b.Cols = []column.Vector{v, x.Vector()}
	return b
}

func rec(pairs ...any) *column.RecordValue {
	r := &column.RecordValue{}
	for i := 0; i < len(pairs); i += 2 {
		r.Names, r.Values = append(r.Names, pairs[i].(string)), append(r.Values, pairs[i+1].(column.Value))
	}
	return r
}

func TestStarRows(t *testing.T) {
	store, m := blob.NewMemory(), new(metric.Recorder)
	s := inferred(t, store, m)
	w := writerOf(t, s, 0)
	put(t, w, starBatch(rec("a", column.IntOf(1)), rec("b", column.TextOf("x"), "Extra", column.TextOf("left"))))
	p := prepare(t, w, 1)
	if err := s.Commit(t.Context(), epoch(1), []connector.Prepared{p}); err != nil {
		t.Fatal(err)
	}
	if got, want := schemaOf(t, store), "a double, extra string, b string"; got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
	want := []string{`{"a":1,"extra":"9"}`, `{"b":"x","extra":"left"}`}
	for i, r := range rows(t, store) {
		if !strings.Contains(r, want[i]) {
			t.Errorf("row %d: %s, want %s", i, r, want[i])
		}
	}

	declared := blob.NewMemory()
	w = writerOf(t, open(t, declared, func(o *Options) { o.Metrics = m; o.Name = "declared" }), 0)
	b := starBatch(rec("eventid", column.TextOf("a"), "Timestamp", column.TextOf("2026-03-01T10:00:00Z")), rec("other", column.IntOf(1)))
	if bad := put(t, w, b); len(bad) != 1 || bad[0].Row != 1 {
		t.Errorf("bad rows %v, want row 1, which has no column of the table", bad)
	}
	if n := m.Counter("TableValuesDropped", "Table", "declared").Value(); n != 3 {
		t.Errorf("%d values dropped, want 3: extra twice, other once", n)
	}
}

func TestStrictOutputs(t *testing.T) {
	store := blob.NewMemory()
	s := open(t, store, func(o *Options) {
		o.Create, o.Strict = &delta.Definition{Columns: []delta.Column{{Name: "a", Type: delta.Long, Nullable: true}, {Name: "b", Type: delta.Long, Nullable: true}}}, true
	})
	w := writerOf(t, s, 0)
	one := column.IntOf(1)
	for names, want := range map[string]string{"a,B": "", "a": "the row does not have b", "a,b,c": "the table does not have c", "a,c": "the row does not have b; the table does not have c"} {
		row := []column.Value{one, one, one}[:strings.Count(names, ",")+1]
		bad := put(t, w, batch(names, row))
		if want == "" && len(bad) > 0 || want != "" && (len(bad) != 1 || bad[0].Reason != want) {
			t.Errorf("columns %s: bad rows %v, want %q", names, bad, want)
		}
	}
	star := &column.Batch{Schema: &column.Schema{Fields: []column.Field{{Name: "*", Star: true}}}, Rows: 2, Time: make([]column.Ticks, 2),
		Cols: []column.Vector{{Kind: column.Any, Anys: []column.Value{column.RecordOf(rec("a", one, "b", one)), column.RecordOf(rec("a", one))}}}}
	if bad := put(t, w, star); len(bad) != 1 || bad[0].Row != 1 {
		t.Errorf("bad rows of events %v, want the second", bad)
	}
}
