package format

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"spate/column"
)

func vectorOf(vals ...column.Value) column.Vector {
	b := column.NewBuilder(nil)
	for _, v := range vals {
		b.Append(v)
	}
	return b.Vector()
}

func TestPrintedFloatKeepsPointOrExponent(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		if got := string(column.AppendFloat(nil, x)); got != want {
			t.Errorf("printed %g = %s, want %s", x, got, want)
		}
	}
	f(13, "13.0")
	f(0, "0.0")
	f(math.Copysign(0, -1), "-0.0")
	f(11.403605287725275, "11.403605287725275")
	f(1.5e20, "1.5E+20")
	f(1e15, "1E+15")
	f(999999999999999, "999999999999999.0")
	f(0.00001, "0.00001")
	f(0.000001, "1E-6")
}

func TestAppendRowExpandsStarAndDropsClashes(t *testing.T) {
	rec := column.RecordOf(&column.RecordValue{
		Names:  []string{"A", "b", "c"},
		Values: []column.Value{column.IntOf(1), column.TextOf("x\n\"é"), column.ArrayOf([]column.Value{column.BoolOf(true), {}})},
	})
	b := &column.Batch{
		Schema: &column.Schema{Fields: []column.Field{{Name: "a"}, {Name: "*", Star: true}, {Name: "B"}, {Name: "d"}}},
		Rows:   2,
		Cols: []column.Vector{
			vectorOf(column.FloatOf(2), column.IntOf(3)), vectorOf(rec, column.Value{}),
			vectorOf(column.IntOf(4), column.IntOf(5)), vectorOf(column.TimeOf(column.UnixEpoch), column.Value{}),
		},
	}
	f := func(row int, want string) {
		t.Helper()
		if got := string(AppendRow(nil, b, row)); got != want {
			t.Errorf("row %d\n got %s\nwant %s", row, got, want)
		}
	}
	f(0, `{"a":2.0,"b":"x\n\"é","c":[true,null],"d":"1970-01-01T00:00:00.0000000Z"}`)
	f(1, `{"a":3,"B":5,"d":null}`)
}

func TestAppendCSVRowQuotes(t *testing.T) {
	b := &column.Batch{
		Schema: &column.Schema{Fields: []column.Field{{Name: "a"}, {Name: "b,c"}}},
		Rows:   1,
		Cols:   []column.Vector{vectorOf(column.Value{}), vectorOf(column.TextOf(`x"y`))},
	}
	got := string(AppendCSVRow(AppendCSVHeader(nil, b.Schema, ','), b, 0, ','))
	if want := "a,\"b,c\"\r\n,\"x\"\"y\"\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendRowDoesNotAllocate(t *testing.T) {
	b := &column.Batch{
		Schema: &column.Schema{Fields: []column.Field{{Name: "a"}, {Name: "b"}, {Name: "c"}}},
		Rows:   1,
		Cols:   []column.Vector{vectorOf(column.FloatOf(2.5)), vectorOf(column.TextOf("device")), vectorOf(column.TimeOf(7))},
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendRow(buf[:0], b, 0) }); n != 0 {
		t.Errorf("%v allocations a row, want 0", n)
	}
}

func FuzzPrintText(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\"\\\u00e9\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var back string
		if err := json.Unmarshal(column.AppendQuoted(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		var want string
		std, _ := json.Marshal(s)
		if err := json.Unmarshal(std, &want); err != nil {
			t.Fatal(err)
		}
		if back != want {
			t.Errorf("%q read back as %q, want %q", s, back, want)
		}
	})
}

func FuzzPrintFloat(f *testing.F) {
	f.Add(1.5)
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		back, err := strconv.ParseFloat(string(column.AppendFloat(nil, x)), 64)
		if err != nil || back != x {
			t.Errorf("%v printed as %s", x, column.AppendFloat(nil, x))
		}
	})
}
