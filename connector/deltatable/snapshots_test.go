package deltatable

import (
	"strings"
	"testing"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/lake/delta"
)

// The newest version of a table is read, with every type that has a form in JSON, and columns
// whose values stand in paths.
func TestSnapshotsOfATable(t *testing.T) {
	store := blob.NewMemory()
	s := NewSnapshots(store, "t", nil)
	if _, err := s.List(t.Context()); err == nil || !strings.Contains(err.Error(), "opening table t: ") {
		t.Fatalf("a table that is not there: %v", err)
	}
	all := delta.Definition{PartitionBy: []delta.Partition{{Column: "p"}}}
	for _, c := range []struct {
		name string
		of   delta.Type
	}{{"s", delta.String}, {"l", delta.Long}, {"i", delta.Integer}, {"h", delta.Short}, {"b", delta.Byte}, {"f", delta.Float}, {"d", delta.Double}, {"o", delta.Boolean}, {"day", delta.Date}, {"at", delta.Timestamp}, {"p", delta.Long}} {
		all.Columns = append(all.Columns, delta.Column{Name: c.name, Type: c.of, Nullable: true})
	}
	sink := open(t, store, func(o *Options) { o.Create = &all })
	w := writerOf(t, sink, 0)
	null := column.Value{}
	commit := func(n int64, rows ...[]column.Value) {
		t.Helper()
		if bad := put(t, w, batch("s,l,i,h,b,f,d,o,day,at,p", rows...)); bad != nil {
			t.Fatal(bad)
		}
		p := prepare(t, w, n)
		if err := sink.Commit(t.Context(), epoch(n), []connector.Prepared{p}); err != nil {
			t.Fatal(err)
		}
	}
	one := column.IntOf(1)
	commit(1, []column.Value{column.TextOf("a\n\"b\""), column.IntOf(1 << 60), one, one, one, column.FloatOf(0.5), column.FloatOf(2), column.BoolOf(true), column.TimeOf(day), column.TimeOf(day + 15*column.Hour + 10), column.IntOf(7)})
	read := func() (stamp, rows string) {
		t.Helper()
		list, err := s.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		data, err := s.Read(t.Context(), list[0])
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Cut(data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Starts {
			rows += string(c.Data[c.Starts[i]:c.Ends[i]])
		}
		return list[0].Stamp, rows
	}
	first, got := read()
	want := `{"s":"a\n\"b\"","l":1152921504606846976,"i":1,"h":1,"b":1,"f":0.5,"d":2.0,"o":true,"day":"2026-03-01","at":"2026-03-01T15:00:00.0000010Z","p":7}` + "\n"
	if got != want {
		t.Errorf("rows\n%swant\n%s", got, want)
	}
	commit(2, []column.Value{null, null, null, null, null, null, null, null, null, null, null})
	second, got := read()
	if want += `{"s":null,"l":null,"i":null,"h":null,"b":null,"f":null,"d":null,"o":null,"day":null,"at":null,"p":null}` + "\n"; second == first || len(got) != len(want) {
		t.Errorf("version %s behind %s, rows\n%swant\n%s", second, first, got, want)
	}
}

// A type without a form in JSON is refused, and its column named.
func TestSnapshotsRefuseOtherTypes(t *testing.T) {
	store := blob.NewMemory()
	open(t, store, func(o *Options) {
		o.Create = &delta.Definition{Columns: []delta.Column{{Name: "x", Type: delta.Binary, Nullable: true}}}
	})
	s := NewSnapshots(store, "t", nil)
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), list[0]); err == nil || !strings.Contains(err.Error(), "reading table t: column x is a binary, which reference data cannot hold") {
		t.Error(err)
	}
}
