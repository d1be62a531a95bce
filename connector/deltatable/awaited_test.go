package deltatable

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
	"spate/metric"
)

var (
	null     = column.Value{}
	idAndP   = []delta.Column{{Name: "id"}, {Name: "p"}}
	withP    = "id string, p double"
	withoutP = "id string"
)

func pair(id string, p column.Value) []column.Value { return []column.Value{column.TextOf(id), p} }

// commitEpoch ends epoch n with all writers.
func commitEpoch(t *testing.T, s *Sink, n int64, writers ...connector.Writer) {
	t.Helper()
	var shards []connector.Prepared
	for _, w := range writers {
		shards = append(shards, prepare(t, w, n))
	}
	if err := s.Commit(t.Context(), epoch(n), shards); err != nil {
		t.Fatal(err)
	}
}

func wantTable(t *testing.T, store blob.Store, schema string, want ...string) {
	t.Helper()
	if got := schemaOf(t, store); got != schema {
		t.Errorf("schema %s, want %s", got, schema)
	}
	if got := rows(t, store); !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAColumnComesWithItsFirstValue(t *testing.T) {
	for _, restart := range []bool{false, true} {
		store, m := blob.NewMemory(), new(metric.Recorder)
		s := inferred(t, store, m, idAndP...)
		w := writerOf(t, s, 0)
		put(t, w, batch("id,p", pair("a", null)))
		commitEpoch(t, s, 1, w)
		wantTable(t, store, withoutP, `{"id":"a"}`)
		before := s.Table().Known().Metadata
		if restart {
			s = inferred(t, store, m, idAndP...)
			w = writerOf(t, s, 0)
		}
		put(t, w, batch("id,p", pair("b", null)))
		put(t, w, batch("id,P", pair("c", column.IntOf(5)), pair("d", null)))
		put(t, w, batch("id,p", pair("e", null)))
		commitEpoch(t, s, 2, w)
		put(t, w, batch("id,p", pair("f", column.IntOf(6))))
		commitEpoch(t, s, 3, w)
		wantTable(t, store, withP, `{"id":"a"}`, `{"id":"b"}`, `{"id":"c","p":5}`, `{"id":"d"}`, `{"id":"e"}`, `{"id":"f","p":6}`)
		if n := m.Counter("TableValuesDropped", "Table", "t").Value(); n != 0 {
			t.Errorf("%d values dropped", n)
		}
		if _, err := s.Table().Optimize(t.Context(), delta.OptimizeOptions{ZOrderBy: []string{"p"}}); err != nil {
			t.Fatal(err)
		}
		wantTable(t, store, withP, `{"id":"a"}`, `{"id":"b"}`, `{"id":"c","p":5}`, `{"id":"d"}`, `{"id":"e"}`, `{"id":"f","p":6}`)
		after := s.Table().Known().Metadata
		if after.SchemaString = before.SchemaString; !reflect.DeepEqual(after, before) {
			t.Errorf("metadata %+v, want %+v", after, before)
		}
	}
}

// The type comes from all rows of the epoch, as that of the first ones does: bigints
// before floats make no bigint column.
func TestTheTypeOfALaterColumnComesFromItsEpoch(t *testing.T) {
	store := blob.NewMemory()
	s := inferred(t, store, nil, idAndP...)
	w := writerOf(t, s, 0)
	put(t, w, batch("id,p", pair("a", null)))
	commitEpoch(t, s, 1, w)
	put(t, w, batch("id,p", pair("b", column.IntOf(20))))
	put(t, w, batch("id,p", pair("c", column.FloatOf(20.5))))
	commitEpoch(t, s, 2, w)
	wantTable(t, store, "id string, p double", `{"id":"a"}`, `{"id":"b","p":20}`, `{"id":"c","p":20.5}`)
}

// Rows without bound do not wait for the end of an epoch.
func TestALaterColumnComesWithinALargeEpoch(t *testing.T) {
	store := blob.NewMemory()
	s := inferred(t, store, nil, idAndP...)
	w := writerOf(t, s, 0)
	put(t, w, batch("id,p", pair("a", null)))
	commitEpoch(t, s, 1, w)
	many := make([][]column.Value, inferRows)
	for i := range many {
		many[i] = pair("x", column.IntOf(int64(i)))
	}
	put(t, w, batch("id,p", pair("b", null)))
	put(t, w, batch("id,p", many...))
	if got := schemaOf(t, store); got != withP {
		t.Errorf("schema %s, want %s", got, withP)
	}
	if bad := put(t, w, batch("id,p", pair("c", column.TextOf("no number")))); len(bad) != 1 {
		t.Errorf("bad rows %v, want one", bad)
	}
	commitEpoch(t, s, 2, w)
	if got := rows(t, store); len(got) != inferRows+2 {
		t.Errorf("%d rows, want %d", len(got), inferRows+2)
	}
}

// A process dies between the commit of the column and that of the epoch, before its
// manifest and behind it.
func TestACrashBehindTheCommitOfAColumn(t *testing.T) {
	for _, saved := range []bool{false, true} {
		store := blob.NewMemory()
		s := inferred(t, store, nil, idAndP...)
		w := writerOf(t, s, 0)
		put(t, w, batch("id,p", pair("a", null)))
		commitEpoch(t, s, 1, w)
		second := batch("id,p", pair("b", null), pair("c", column.IntOf(5)))
		put(t, w, second)
		p := prepare(t, w, 2) // and it dies
		wantTable(t, store, withP, `{"id":"a"}`)

		s = inferred(t, store, nil, idAndP...)
		w = writerOf(t, s, 0)
		if !saved {
			put(t, w, second)
			p = prepare(t, w, 2)
		}
		for range 2 {
			if err := s.Commit(t.Context(), epoch(2), []connector.Prepared{p}); err != nil {
				t.Fatal(err)
			}
		}
		wantTable(t, store, withP, `{"id":"a"}`, `{"id":"b"}`, `{"id":"c","p":5}`)
	}
}

// Of the writers of one sink, and of two sinks, one adds the column; the others take its
// type and give back what does not fit.
func TestTwoWritersOfALaterColumn(t *testing.T) {
	for _, apart := range []bool{false, true} {
		store := blob.NewMemory()
		a := inferred(t, store, nil, idAndP...)
		first := writerOf(t, a, 0)
		put(t, first, batch("id,p", pair("a", null)))
		commitEpoch(t, a, 1, first)
		b := a
		if apart {
			b = open(t, store, func(o *Options) { o.Create, o.Infer, o.Output = nil, &Inference{Columns: idAndP}, "other" })
		}
		second := writerOf(t, b, 1)
		put(t, second, batch("id,p", pair("old", null)))
		put(t, first, batch("id,p", pair("b", column.IntOf(5))))
		put(t, second, batch("id,p", pair("c", column.IntOf(6)), pair("d", column.TextOf("x"))))
		if apart {
			commitEpoch(t, a, 2, first)
			commitEpoch(t, b, 1, second)
		} else {
			commitEpoch(t, a, 2, first, second)
		}
		late := second.(connector.LateWriter).Late()
		if len(late) != 1 || len(late[0].Bad) != 1 || late[0].Bad[0].Row != 1 {
			t.Errorf("late rows %+v, want row 1", late)
		}
		wantTable(t, store, withP, `{"id":"a"}`, `{"id":"b","p":5}`, `{"id":"c","p":6}`, `{"id":"old"}`)
	}
}

// A partition column and the time that a day comes from cannot come later; a table whose
// first rows say nothing is one of texts.
func TestColumnsThatCannotWait(t *testing.T) {
	for _, c := range []struct {
		infer  Inference
		row    []column.Value
		schema string
	}{
		{Inference{Columns: idAndP}, []column.Value{null, null}, "id string, p string"},
		{Inference{Columns: idAndP, PartitionBy: []delta.Partition{{Column: "p"}}}, pair("a", null), withoutP + ", p string"},
		{Inference{Columns: idAndP, PartitionBy: []delta.Partition{{Column: "id"}}}, pair("a", null), "id string, p string"},
		{Inference{Columns: []delta.Column{{Name: "id"}, {Name: "p", Type: delta.Timestamp}}, PartitionBy: []delta.Partition{{DateOf: "p"}}},
			pair("a", null), "id string, p timestamp, pDate date"},
	} {
		store := blob.NewMemory()
		s := open(t, store, func(o *Options) { o.Create, o.Infer = nil, &c.infer })
		w := writerOf(t, s, 0)
		put(t, w, batch("id,p", c.row))
		commitEpoch(t, s, 1, w)
		if got := schemaOf(t, store); got != c.schema {
			t.Errorf("schema %s, want %s", got, c.schema)
		}
	}
}

// A later column of partitioned rows and to the right of a star.
func TestALaterColumnBesideAStar(t *testing.T) {
	store, m := blob.NewMemory(), new(metric.Recorder)
	s := open(t, store, func(o *Options) {
		o.Create, o.Metrics = nil, m
		o.Infer = &Inference{Columns: []delta.Column{{Name: "p"}, {Name: "q"}}, PartitionBy: []delta.Partition{{Column: "d"}}}
	})
	w := writerOf(t, s, 0)
	event := func(d string, p column.Value) *column.Batch {
		b := batch("*,p,q", []column.Value{column.RecordOf(rec("d", column.TextOf(d), "x", column.TextOf(d))), p, null})
		b.Schema.Fields[0].Star = true
		return b
	}
	put(t, w, event("1", null))
	commitEpoch(t, s, 1, w)
	put(t, w, event("2", null))
	put(t, w, event("3", column.FloatOf(2.5)))
	commitEpoch(t, s, 2, w)
	wantTable(t, store, "d string, x string, p double", `{"d":"1","x":"1"}`, `{"d":"2","x":"2"}`, `{"d":"3","p":2.5,"x":"3"}`)
	if n := m.Counter("TableValuesDropped", "Table", "t").Value(); n != 0 {
		t.Errorf("%d values dropped", n)
	}
}

// Rows whose only columns are awaited are rows, also of a strict output.
func TestARowOfAwaitedColumnsIsARow(t *testing.T) {
	for _, strict := range []bool{false, true} {
		store := blob.NewMemory()
		s := open(t, store, func(o *Options) { o.Create, o.Infer, o.Strict = nil, &Inference{Columns: idAndP}, strict })
		w := writerOf(t, s, 0)
		put(t, w, batch("id,p", pair("a", null)))
		commitEpoch(t, s, 1, w)
		if bad := put(t, w, batch("id,p", pair("b", null))); len(bad) > 0 {
			t.Errorf("strict %v: bad rows %v", strict, bad)
		}
		if bad := put(t, w, batch("p", []column.Value{null})); len(bad) > 0 != strict {
			t.Errorf("strict %v: bad rows %v", strict, bad)
		}
	}
}

// closed is a store whose logs take no version as long as shut is set.
type closed struct {
	blob.Store
	shut bool
}

func (c *closed) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	if c.shut && strings.Contains(key, "_delta_log") {
		return blob.Info{}, errors.New("the store is shut")
	}
	return c.Store.Create(ctx, key, body)
}

// A column that cannot be added is an error of the epoch; the next life writes its rows.
func TestAColumnThatCannotBeAddedEndsTheEpoch(t *testing.T) {
	store := &closed{Store: blob.NewMemory()}
	s := inferred(t, store, nil, idAndP...)
	w := writerOf(t, s, 0)
	put(t, w, batch("id,p", pair("a", null)))
	commitEpoch(t, s, 1, w)
	put(t, w, batch("id,p", pair("b", null)))
	put(t, w, batch("id,p", pair("c", column.IntOf(5))))
	store.shut = true
	if _, err := w.Prepare(t.Context(), epoch(2)); err == nil || !strings.Contains(err.Error(), "the store is shut") {
		t.Errorf("prepare: %v", err)
	}
	store.shut = false
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = writerOf(t, s, 0)
	put(t, w, batch("id,p", pair("b", null), pair("c", column.IntOf(5))))
	commitEpoch(t, s, 2, w)
	wantTable(t, store, withP, `{"id":"a"}`, `{"id":"b"}`, `{"id":"c","p":5}`)
}
