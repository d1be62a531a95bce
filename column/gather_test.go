package column_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"spate/column"
)

// drawVector makes a vector of one of the forms that a column may have.
func drawVector(r *rand.Rand, n int, dict *column.Dict) column.Vector {
	b := column.NewBuilder(nil)
	value := func() column.Value { return column.Value{} }
	switch form := r.IntN(8); form {
	case 0:
		value = func() column.Value { return column.IntOf(r.Int64() - 1<<62) }
	case 1:
		value = func() column.Value { return column.FloatOf(r.Float64()) }
	case 2: // bigints among floats
		b.Append(column.FloatOf(0.5))
		n--
		value = func() column.Value { return column.IntOf(int64(r.IntN(100))) }
	case 3:
		value = func() column.Value { return column.TextOf(fmt.Sprint("é", r.IntN(1000))) }
	case 4, 5:
		if form == 4 {
			dict = column.NewDict()
		}
		b = column.NewBuilder(dict)
		value = func() column.Value { return column.TextOf(fmt.Sprint("code", r.IntN(20))) }
	case 6: // of several kinds
		value = func() column.Value {
			switch r.IntN(3) {
			case 0:
				return column.BoolOf(true)
			case 1:
				return column.RecordOf(&column.RecordValue{Names: []string{"a"}, Values: []column.Value{column.IntOf(1)}})
			}
			return column.TimeOf(column.Ticks(r.IntN(1000)))
		}
	}
	nulls := r.IntN(2) == 0
	for range n {
		if nulls && r.IntN(3) == 0 {
			b.Append(column.Value{})
			continue
		}
		b.Append(value())
	}
	return b.Vector()
}

func drawBatch(r *rand.Rand, schema *column.Schema, dict *column.Dict) *column.Batch {
	n := 1 + r.IntN(100)
	b := &column.Batch{Schema: schema, Rows: n}
	for i := range n {
		b.Time = append(b.Time, column.Ticks(r.IntN(1000)))
		if b.Arrived != nil || i == 0 && r.IntN(2) == 0 {
			b.Arrived = append(b.Arrived, column.Ticks(r.IntN(1000)))
		}
		if b.Seq != nil || i == 0 && r.IntN(2) == 0 {
			b.Seq = append(b.Seq, int64(r.IntN(1000)))
		}
		if b.Index != nil || i == 0 && r.IntN(2) == 0 {
			b.Index = append(b.Index, int64(r.IntN(1000)))
		}
	}
	for range schema.Fields {
		b.Cols = append(b.Cols, drawVector(r, n, dict))
	}
	return b
}

// Whatever the forms of the columns, a gathered row is the row it was.
func TestGatheredRowsAreTheRowsAdded(t *testing.T) {
	schema := &column.Schema{Fields: []column.Field{{Name: "a"}, {Name: "b"}}}
	r := rand.New(rand.NewPCG(1, 2))
	g := column.NewGatherer(schema)
	dict := column.NewDict()
	for round := range 3000 {
		type place struct {
			b   *column.Batch
			row int
		}
		var want []place
		batches := make([]*column.Batch, 1+r.IntN(4))
		for i := range batches {
			batches[i] = drawBatch(r, schema, dict)
			g.Open(batches[i])
		}
		for range 1 + r.IntN(150) {
			n := r.IntN(len(batches))
			p := place{batches[n], r.IntN(batches[n].Rows)}
			want = append(want, p)
			g.Add(int32(n), int32(p.row))
		}
		got := g.Batch()
		if got.Rows != len(want) || got.Live != nil || got.Schema != schema {
			t.Fatalf("round %d: %d rows, want %d", round, got.Rows, len(want))
		}
		for k, w := range want {
			if p, q := column.PositionOf(got, k), column.PositionOf(w.b, w.row); p != q {
				t.Fatalf("round %d: row %d stands at %v, want %v", round, k, p, q)
			}
			for c := range schema.Fields {
				v, x := got.Cols[c].At(k), w.b.Cols[c].At(w.row)
				if string(column.AppendBinary(nil, v)) != string(column.AppendBinary(nil, x)) {
					t.Fatalf("round %d: row %d, column %d is %v, want %v", round, k, c, v, x)
				}
				if got.Cols[c].IsNull(k) != x.IsNull() {
					t.Fatalf("round %d: row %d, column %d: IsNull is %t", round, k, c, !x.IsNull())
				}
				if n := got.Cols[c].Len(); n != got.Rows {
					t.Fatalf("round %d: column %d has %d rows of %d", round, c, n, got.Rows)
				}
			}
		}
	}
}

// Codes of one dictionary stay codes of it, those of several become codes of one.
func TestGatheredTextsStayCoded(t *testing.T) {
	schema := &column.Schema{Fields: []column.Field{{Name: "k"}}}
	coded := func(d *column.Dict, texts ...string) *column.Batch {
		b := column.NewBuilder(d)
		for _, s := range texts {
			b.Append(column.TextOf(s))
		}
		n := len(texts)
		return &column.Batch{Schema: schema, Rows: n, Time: make([]column.Ticks, n), Cols: []column.Vector{b.Vector()}}
	}
	one, other := column.NewDict(), column.NewDict()
	g := column.NewGatherer(schema)
	gather := func(batches ...*column.Batch) *column.Vector {
		for _, b := range batches {
			n := g.Open(b)
			for i := range b.Rows {
				g.Add(n, int32(i))
			}
		}
		return &g.Batch().Cols[0]
	}
	same := gather(coded(one, "a"), coded(one, "b", "a"))
	if same.Codes == nil || same.Dict.Owner() != one {
		t.Errorf("rows of one dictionary are gathered as %v", same)
	}
	first := gather(coded(one, "a"), coded(other, "b", "a"))
	second := gather(coded(one, "c"), coded(other, "a"))
	if first.Codes == nil || second.Codes == nil || first.Dict.Owner() != second.Dict.Owner() {
		t.Fatal("rows of two dictionaries are not coded by one")
	}
	if first.Codes[0] != first.Codes[2] || second.Codes[1] != first.Codes[0] || first.Codes[1] == first.Codes[0] {
		t.Errorf("codes %v and %v: equal texts want equal codes", first.Codes, second.Codes)
	}
}

func BenchmarkGather(b *testing.B) {
	schema := &column.Schema{Fields: make([]column.Field, 3)}
	var batches []*column.Batch
	for range 4 {
		dict, codes, floats, ints := column.NewDict(), (*column.Builder)(nil), column.NewBuilder(nil), column.NewBuilder(nil)
		codes = column.NewBuilder(dict)
		for i := range 1024 {
			codes.Append(column.TextOf(fmt.Sprint("device-", i%100)))
			floats.Append(column.FloatOf(float64(i) + 0.5))
			ints.Append(column.IntOf(int64(i)))
		}
		batches = append(batches, &column.Batch{Schema: schema, Rows: 1024, Time: make([]column.Ticks, 1024), Cols: []column.Vector{codes.Vector(), floats.Vector(), ints.Vector()}})
	}
	g := column.NewGatherer(schema)
	b.ReportAllocs()
	for b.Loop() {
		for _, x := range batches {
			g.Open(x)
		}
		for i := range 1024 {
			g.Add(int32(i%4), int32(i/4))
		}
		g.Batch()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
}
