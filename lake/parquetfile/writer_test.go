package parquetfile

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"spate/column"
)

func vector(vals ...column.Value) *column.Vector { return vectorIn(nil, vals...) }

func vectorIn(d *column.Dict, vals ...column.Value) *column.Vector {
	b := column.NewBuilder(d)
	for _, v := range vals {
		b.Append(v)
	}
	v := b.Vector()
	return &v
}

var null column.Value

func write(t *testing.T, cols []Column, o Options, batches ...[]*column.Vector) ([]map[string]any, Stats) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Append(b, nil, b[0].Len()); err != nil {
			t.Fatal(err)
		}
	}
	st, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := ReadRows(buf.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows, st
}

func TestEveryKindReadsBack(t *testing.T) {
	at := column.DateTicks(1969, 12, 31) + 23*column.Hour + 59*column.Minute + 59*column.Second + 9_999_999
	cols := []Column{
		{Name: "s", Type: Type{Kind: String}, Nullable: true}, {Name: "bi", Type: Type{Kind: Binary}, Nullable: true},
		{Name: "bo", Type: Type{Kind: Boolean}, Nullable: true}, {Name: "by", Type: Type{Kind: Byte}, Nullable: true},
		{Name: "sh", Type: Type{Kind: Short}, Nullable: true}, {Name: "i", Type: Type{Kind: Integer}, Nullable: true},
		{Name: "l", Type: Type{Kind: Long}, Nullable: true}, {Name: "f", Type: Type{Kind: Float}, Nullable: true},
		{Name: "d", Type: Type{Kind: Double}, Nullable: true}, {Name: "dec", Type: Type{Kind: Decimal, Precision: 12, Scale: 2}, Nullable: true},
		{Name: "da", Type: Type{Kind: Date}, Nullable: true}, {Name: "ts", Type: Type{Kind: Timestamp}, Nullable: true},
	}
	text, num := column.TextOf("ü\x00"), column.IntOf(-7)
	batch := []*column.Vector{
		vector(text, null), vector(text, null), vector(column.BoolOf(true), null), vector(num, null),
		vector(num, null), vector(num, null), vector(column.IntOf(math.MinInt64), null), vector(column.FloatOf(0.5), null),
		vector(column.FloatOf(math.Inf(1)), null), vector(column.IntOf(123), null), vector(column.TimeOf(at), null), vector(column.TimeOf(at), null),
	}
	for _, codec := range []string{"", "snappy", "gzip", "lz4_raw", "uncompressed"} {
		rows, st := write(t, cols, Options{Codec: codec}, batch)
		want := map[string]any{"s": "ü\x00", "bi": []byte("ü\x00"), "bo": true, "by": int64(-7), "sh": int64(-7), "i": int64(-7),
			"l": int64(math.MinInt64), "f": 0.5, "d": math.Inf(1), "dec": int64(123), "da": int64(-1), "ts": int64(-1)}
		if len(rows) != 2 || !reflect.DeepEqual(rows[0], want) || len(rows[1]) != 0 {
			t.Errorf("codec %q: got %v, want %v and a row of nulls", codec, rows, want)
		}
		for i, c := range st.Columns {
			if c.Nulls != 1 {
				t.Errorf("codec %q, column %s: %d nulls, want 1", codec, cols[i].Name, c.Nulls)
			}
		}
		if ts := st.Columns[11]; ts.MinInt != -1 || ts.MaxInt != -1 {
			t.Errorf("timestamp bounds %d..%d, want -1", ts.MinInt, ts.MaxInt)
		}
	}
}

// Whatever way a text column takes (codes of one or two dictionaries, plain, a
// dictionary that grows too large), the rows are the same.
func TestTextWaysGiveTheSameRows(t *testing.T) {
	cols := []Column{{Name: "s", Type: Type{Kind: String}, Nullable: true}}
	var batches [][]*column.Vector
	var want []string
	d1, d2 := column.NewDict(), column.NewDict()
	rnd := rand.New(rand.NewPCG(1, 2))
	for b := range 12 {
		var vals []column.Value
		for range 300 {
			s := fmt.Sprintf("t%d", rnd.IntN(40))
			if b > 8 {
				s = strings.Repeat("long ", 900) + fmt.Sprint(rnd.IntN(100_000))
			}
			if rnd.IntN(10) == 0 {
				vals, want = append(vals, null), append(want, "<nil>")
				continue
			}
			vals, want = append(vals, column.TextOf(s)), append(want, s)
		}
		batches = append(batches, []*column.Vector{vectorIn([]*column.Dict{d1, d2, nil, d1}[b%4], vals...)})
	}
	for _, group := range []int{0, 100, 1700} {
		rows, st := write(t, cols, Options{RowGroupRows: group}, batches...)
		if len(rows) != len(want) {
			t.Fatalf("group %d: %d rows, want %d", group, len(rows), len(want))
		}
		for i := range want {
			if got := fmt.Sprint(rows[i]["s"]); got != want[i] {
				t.Fatalf("group %d, row %d: %.30q, want %.30q", group, i, got, want[i])
			}
		}
		lo, hi := "", ""
		for _, s := range want {
			if s != "<nil>" && (lo == "" || s < lo) {
				lo = s
			}
			if s != "<nil>" && s > hi {
				hi = s
			}
		}
		if c := st.Columns[0]; string(c.MinText) != lo || string(c.MaxText) != hi {
			t.Errorf("group %d: bounds %.20q..%.20q, want %.20q..%.20q", group, c.MinText, c.MaxText, lo, hi)
		}
	}
}

func TestNumbersWithAndWithoutDictionary(t *testing.T) {
	cols := []Column{{Name: "d", Type: Type{Kind: Double}, Nullable: true}, {Name: "l", Type: Type{Kind: Long}}, {Name: "i", Type: Type{Kind: Integer}, Nullable: true}}
	for _, distinct := range []int{1, 3, 700, 100_000} {
		rnd := rand.New(rand.NewPCG(3, uint64(distinct)))
		var d, l, i []column.Value
		for k := range 5000 {
			x := rnd.IntN(distinct)
			l, i = append(l, column.IntOf(int64(x)-50)), append(i, column.IntOf(int64(x)))
			if k%7 == 0 {
				d = append(d, null)
			} else {
				d = append(d, column.FloatOf(float64(x)/8))
			}
		}
		rows, st := write(t, cols, Options{}, []*column.Vector{vector(d...), vector(l...), vector(i...)})
		for k := range rows {
			var wd any
			if !d[k].IsNull() {
				wd = d[k].Float()
			}
			if rows[k]["d"] != wd || rows[k]["l"] != l[k].Int() || rows[k]["i"] != i[k].Int() {
				t.Fatalf("%d distinct, row %d: %v, want %v %v %v", distinct, k, rows[k], wd, l[k].Int(), i[k].Int())
			}
		}
		if st.Rows != 5000 || st.Columns[0].Nulls != 715 || !st.Columns[1].Bounded {
			t.Errorf("stats %+v", st)
		}
	}
}

func TestFloatBoundsFollowTheRules(t *testing.T) {
	cols := []Column{{Name: "d", Type: Type{Kind: Double}, Nullable: true}}
	neg := math.Copysign(0, -1)
	f := func(want ColumnStats, wantBits []float64, vals ...column.Value) {
		t.Helper()
		rows, st := write(t, cols, Options{}, []*column.Vector{vector(vals...)})
		if got := st.Columns[0]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		for i, w := range wantBits {
			if got := rows[i]["d"].(float64); math.Float64bits(got) != math.Float64bits(w) {
				t.Errorf("row %d: %v, want %v", i, got, w)
			}
		}
	}
	f(ColumnStats{Bounded: true, MinFloat: neg, MaxFloat: 0}, []float64{0, neg}, column.FloatOf(0), column.FloatOf(neg))
	f(ColumnStats{Bounded: true, NaN: true, MinFloat: 1, MaxFloat: 1}, []float64{math.NaN(), 1}, column.FloatOf(math.NaN()), column.FloatOf(1))
	f(ColumnStats{NaN: true, Nulls: 1}, []float64{math.NaN()}, column.FloatOf(math.NaN()), null)
}

func TestAppendTakesTheRowsListed(t *testing.T) {
	cols := []Column{{Name: "l", Type: Type{Kind: Long}, Nullable: true}, {Name: "none", Type: Type{Kind: String}, Nullable: true}}
	var buf bytes.Buffer
	w, err := NewWriter(&buf, cols, Options{RowGroupRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	v := vector(column.IntOf(0), column.IntOf(1), null, column.IntOf(3), column.IntOf(4))
	for _, rows := range [][]int32{{4, 2, 0}, nil, {}} {
		if err := w.Append([]*column.Vector{v, nil}, rows, 5); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := w.Close(); err != nil || st.Rows != 8 || st.Columns[1].Nulls != 8 {
		t.Errorf("stats %+v, %v", st, err)
	}
	rows, err := ReadRows(buf.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, r := range rows {
		got = append(got, r["l"])
	}
	if want := []any{int64(4), nil, int64(0), int64(0), int64(1), nil, int64(3), int64(4)}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := w.Append([]*column.Vector{vector(column.TextOf("x")), nil}, nil, 1); err == nil {
		t.Error("text in a long column was taken")
	}
}

func TestNestedRowsReadBack(t *testing.T) {
	str, long := Type{Kind: String}, Type{Kind: Long}
	fields := []Field{
		{Name: "add", Type: Type{Kind: Struct}, Fields: []Field{
			{Name: "path", Type: str},
			{Name: "pv", Type: Type{Kind: Map}, Fields: []Field{{Type: str}, {Type: str}}},
			{Name: "size", Type: long},
			{Name: "deep", Type: Type{Kind: List}, Fields: []Field{{Type: Type{Kind: List}, Fields: []Field{{Type: long}}}}},
			{Name: "in", Type: Type{Kind: Struct}, Fields: []Field{{Name: "x", Type: long}, {Name: "y", Type: Type{Kind: Boolean}}}},
		}},
		{Name: "txn", Type: Type{Kind: Struct}, Fields: []Field{{Name: "v", Type: long, Required: true}}},
	}
	rows := []map[string]any{
		{"add": map[string]any{"path": "a", "pv": map[string]any{"k": "v", "n": nil, "z": ""}, "size": int64(1),
			"deep": []any{[]any{int64(1), nil}, nil, []any{}, []any{int64(2)}}, "in": map[string]any{"y": true}}},
		{"txn": map[string]any{"v": int64(9)}},
		{"add": map[string]any{"pv": map[string]any{}, "deep": []any{}, "in": map[string]any{}}},
		{},
		{"add": map[string]any{"deep": []any{nil}}, "txn": map[string]any{"v": int64(0)}},
	}
	var buf bytes.Buffer
	if err := WriteRows(&buf, fields, rows, Options{}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRows(buf.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, rows) {
		t.Errorf("got  %v\nwant %v", got, rows)
	}
	got, err = ReadRows(buf.Bytes(), func(path string) bool { return path == "txn.v" })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 || fmt.Sprint(got[1]) != "map[txn:map[v:9]]" || len(got[0]) != 0 {
		t.Errorf("projection gave %v", got)
	}
}

func FuzzReadRows(f *testing.F) {
	var buf bytes.Buffer
	if err := WriteRows(&buf, []Field{{Name: "a", Type: Type{Kind: List}, Fields: []Field{{Type: Type{Kind: Long}}}}},
		[]map[string]any{{"a": []any{int64(1), nil}}, {}}, Options{Codec: "uncompressed"}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		ReadRows(data, nil) // must return
	})
}

// telemetry makes batches of the raw_telemetry table as the decoder would:
// names as codes, rounded doubles, unique ids, times that grow.
func telemetry(rows, perBatch, devices int) ([]Column, [][]*column.Vector) {
	double, ts := Type{Kind: Double}, Type{Kind: Timestamp}
	cols := []Column{{Name: "EventId", Unique: true}, {Name: "DeviceId"}, {Name: "Location"}, {Name: "DeviceType"},
		{Name: "Temperature", Type: double}, {Name: "Humidity", Type: double}, {Name: "Pressure", Type: double}, {Name: "BatteryLevel", Type: double},
		{Name: "SignalStrength", Type: double}, {Name: "Timestamp", Type: ts}, {Name: "IngestionTime", Type: ts}}
	for i := range cols {
		cols[i].Nullable = true
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	dicts := []*column.Dict{column.NewDict(), column.NewDict(), column.NewDict()}
	now := column.DateTicks(2026, 3, 1)
	round := func(f float64) column.Value { return column.FloatOf(math.Round(f*100) / 100) }
	var out [][]*column.Vector
	for range rows / perBatch {
		b := make([]*column.Builder, len(cols))
		for i := range b {
			b[i] = column.NewBuilder(nil)
			if i >= 1 && i <= 3 {
				b[i] = column.NewBuilder(dicts[i-1])
			}
		}
		for range perBatch {
			dev := rnd.IntN(devices)
			now += column.Ticks(rnd.IntN(20_000))
			b[0].Append(column.TextOf(fmt.Sprintf("device-%03d-%.6f", dev, float64(now.UnixMicro())/1e6)))
			b[1].Append(column.TextOf(fmt.Sprintf("device-%03d", dev)))
			b[2].Append(column.TextOf([]string{"Building-A", "Building-B", "Warehouse", "Factory"}[dev%4]))
			b[3].Append(column.TextOf([]string{"TempSensor", "Multi"}[dev%2]))
			b[4].Append(round(22 + rnd.NormFloat64()*3))
			b[5].Append(round(50 + rnd.NormFloat64()*8))
			b[6].Append(round(1013 + rnd.NormFloat64()*5))
			b[7].Append(round(60 + rnd.Float64()*40))
			b[8].Append(round(-60 + rnd.NormFloat64()*10))
			b[9].Append(column.TimeOf(now))
			b[10].Append(column.TimeOf(now + column.Ticks(rnd.IntN(500_000))))
		}
		vecs := make([]*column.Vector, len(b))
		for i := range b {
			v := b[i].Vector()
			vecs[i] = &v
		}
		out = append(out, vecs)
	}
	return cols, out
}

func BenchmarkTelemetry(b *testing.B) {
	const rows, per = 1 << 18, 4096
	for _, c := range []struct {
		codec   string
		devices int
	}{{"zstd", 20}, {"snappy", 20}, {"uncompressed", 20}, {"zstd", 20_000}, {"uncompressed", 20_000}} {
		cols, batches := telemetry(rows, per, c.devices)
		b.Run(fmt.Sprintf("%s/%d", c.codec, c.devices), func(b *testing.B) {
			var size int64
			w, err := NewWriter(io.Discard, cols, Options{Codec: c.codec})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := w.Reset(io.Discard); err != nil {
					b.Fatal(err)
				}
				for _, v := range batches {
					if err := w.Append(v, nil, per); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Close(); err != nil {
					b.Fatal(err)
				}
				size = w.Written()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			b.ReportMetric(float64(size)/rows, "B/row")
		})
	}
}
