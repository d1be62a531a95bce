package parquetfile

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"spate/column"
)

// The library reads what the writer says about a file: schema, order of the bounds,
// sizes, encodings and bounds.
func TestLibraryReadsTheFooter(t *testing.T) {
	cols := []Column{
		{Name: "s", Type: Type{Kind: String}, Nullable: true}, {Name: "by", Type: Type{Kind: Byte}}, {Name: "sh", Type: Type{Kind: Short}},
		{Name: "l", Type: Type{Kind: Long}, Nullable: true}, {Name: "f", Type: Type{Kind: Float}}, {Name: "d", Type: Type{Kind: Double}},
		{Name: "de", Type: Type{Kind: Decimal, Precision: 9, Scale: 2}}, {Name: "da", Type: Type{Kind: Date}}, {Name: "ts", Type: Type{Kind: Timestamp}},
		{Name: "long", Type: Type{Kind: String}}, {Name: "nan", Type: Type{Kind: Double}},
	}
	at := column.DateTicks(2026, 3, 1)
	n := func(a, b int64) *column.Vector { return vector(column.IntOf(a), column.IntOf(b)) }
	x := func(a, b float64) *column.Vector { return vector(column.FloatOf(a), column.FloatOf(b)) }
	tm := vector(column.TimeOf(at), column.TimeOf(at+column.Day))
	batch := []*column.Vector{vector(column.TextOf("b"), null), n(-3, 4), n(-300, 400), vector(null, column.IntOf(7)), x(-0.5, 2), x(1.25, -8),
		n(-150, 150), tm, tm, vector(column.TextOf(strings.Repeat("x", maxBound+1)), column.TextOf("a")), x(math.NaN(), 1)}
	want := []string{"b..b", "-3..4", "-300..400", "7..7", "-0.5..2", "-8..1.25", "-150..150", "20513..20514", "1772323200000000..1772409600000000", "", ""}

	var buf bytes.Buffer
	w, err := NewWriter(&buf, cols, Options{CreatedBy: "spate test", RowGroupRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // more than a short list holds
		if err := w.Append(batch, nil, 2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(buf.Len()) != w.Written() {
		t.Errorf("%d bytes counted, %d written", w.Written(), buf.Len())
	}
	r, err := file.NewParquetReader(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := r.MetaData()
	if m.GetCreatedBy() != "spate test" || m.NumRows != 40 || r.NumRowGroups() != 20 {
		t.Errorf("created by %q, %d rows, %d groups", m.GetCreatedBy(), m.NumRows, r.NumRowGroups())
	}
	for i, c := range cols {
		rep := m.Schema.Column(i).SchemaNode().RepetitionType()
		node, err := c.Type.node(c.Name, rep)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Schema.Column(i).SchemaNode(); !got.Equals(node) || (rep == 1) != c.Nullable {
			t.Errorf("column %s is %v, want %v", c.Name, got, node)
		}
		if got, want := m.Schema.Column(i).SchemaNode().(*schema.PrimitiveNode).ConvertedType(), node.(*schema.PrimitiveNode).ConvertedType(); got != want {
			t.Errorf("column %s has the converted type %v, want %v", c.Name, got, want)
		}
	}
	for g := range r.NumRowGroups() {
		meta := r.RowGroup(g).MetaData()
		var total int64
		for i, c := range cols {
			chunk, err := meta.ColumnChunk(i)
			if err != nil {
				t.Fatal(err)
			}
			total += chunk.TotalCompressedSize()
			st, err := chunk.Statistics()
			if err != nil {
				t.Fatal(err)
			}
			if got := boundsOf(st); got != want[i] {
				t.Errorf("group %d, column %s: bounds %q, want %q", g, c.Name, got, want[i])
			}
			if nulls := st.NullCount(); (nulls == 1) != c.Nullable || chunk.NumValues() != 2 {
				t.Errorf("group %d, column %s: %d nulls of %d", g, c.Name, nulls, chunk.NumValues())
			}
		}
		if total != meta.TotalCompressedSize() {
			t.Errorf("group %d: %d bytes, its columns have %d", g, meta.TotalCompressedSize(), total)
		}
	}
}

func boundsOf(st metadata.TypedStatistics) string {
	if !st.HasMinMax() {
		return ""
	}
	switch s := st.(type) {
	case *metadata.ByteArrayStatistics:
		return fmt.Sprintf("%s..%s", s.Min(), s.Max())
	case *metadata.Int32Statistics:
		return fmt.Sprintf("%d..%d", s.Min(), s.Max())
	case *metadata.Int64Statistics:
		return fmt.Sprintf("%d..%d", s.Min(), s.Max())
	case *metadata.Float32Statistics:
		return fmt.Sprintf("%g..%g", s.Min(), s.Max())
	case *metadata.Float64Statistics:
		return fmt.Sprintf("%g..%g", s.Min(), s.Max())
	}
	return fmt.Sprintf("%T", st)
}

// Pages end within runs of nulls, texts and indices; one file after the other comes
// from the same memory.
func TestColumnsOfManyPagesReadBack(t *testing.T) {
	const rows = 40_000
	cols := []Column{{Name: "t", Type: Type{Kind: String}, Nullable: true}, {Name: "d", Type: Type{Kind: Double}, Nullable: true},
		{Name: "l", Type: Type{Kind: Long}}, {Name: "b", Type: Type{Kind: Boolean}, Nullable: true}, {Name: "none", Type: Type{Kind: Long}, Nullable: true}}
	var scratch Scratch
	for name, nulls := range map[string]func(i int) bool{
		"no nulls": func(int) bool { return false }, "every other": func(i int) bool { return i%2 == 0 },
		"long runs": func(i int) bool { return i/5000%2 == 1 }, "all behind": func(i int) bool { return i > 10 }, "all": func(int) bool { return true },
	} {
		texts, doubles, longs, bools := column.NewBuilder(nil), column.NewBuilder(nil), column.NewBuilder(nil), column.NewBuilder(nil)
		for i := range rows {
			longs.Append(column.IntOf(int64(i) * 1_000_003))
			if nulls(i) {
				texts.Append(null)
				doubles.Append(null)
				bools.Append(null)
				continue
			}
			texts.Append(column.TextOf(fmt.Sprintf("%d %s", i, strings.Repeat("text", i%40))))
			doubles.Append(column.FloatOf(math.Sqrt(float64(i))))
			bools.Append(column.BoolOf(i%3 == 0))
		}
		var batch []*column.Vector
		for _, b := range []*column.Builder{texts, doubles, longs, bools} {
			v := b.Vector()
			batch = append(batch, &v)
		}
		got, _ := write(t, cols, Options{Scratch: &scratch, Codec: "uncompressed"}, append(batch, nil))
		if len(got) != rows {
			t.Fatalf("%s: %d rows", name, len(got))
		}
		for i, row := range got {
			want := map[string]any{"l": int64(i) * 1_000_003}
			if !nulls(i) {
				want["t"], want["d"], want["b"] = fmt.Sprintf("%d %s", i, strings.Repeat("text", i%40)), math.Sqrt(float64(i)), i%3 == 0
			}
			if fmt.Sprint(row) != fmt.Sprint(want) {
				t.Fatalf("%s, row %d: %v, want %v", name, i, row, want)
			}
		}
	}
}

func TestFlatWriterRefusesTypesItDoesNotHave(t *testing.T) {
	for _, typ := range []Type{{Kind: List}, {Kind: Decimal, Precision: 19}, {Kind: Decimal, Precision: 4, Scale: 5}} {
		if _, err := NewWriter(io.Discard, []Column{{Name: "c", Type: typ}}, Options{}); err == nil {
			t.Errorf("%v was taken", typ)
		}
	}
	if _, err := NewWriter(io.Discard, nil, Options{Codec: "lzo"}); err == nil {
		t.Error("lzo was taken")
	}
}
