package format

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"spate/column"
)

func csvRows(t testing.TB, delimiter byte, cols []Column, messages ...string) Rows {
	t.Helper()
	d, err := NewCSVDecoder(cols, delimiter)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	var starts, ends []uint32
	for _, m := range messages {
		starts = append(starts, uint32(len(data)))
		data = append(data, m...)
		ends = append(ends, uint32(len(data)))
	}
	return d.Decode(data, starts, ends, 0)
}

func TestCSV(t *testing.T) {
	cols := []Column{{Path: []string{"ID"}}, {Path: []string{"v"}}, {Path: []string{"none"}}, {Path: []string{"v", "x"}}, {Whole: true}}
	r := csvRows(t, ';', cols, "\xef\xbb\xbfid; V\n\"a;\"\"b\";1\nc;\n", "", "V;id\r\n2;d\r\n")
	want := []string{
		`"a;\"b" "1" null null {"id":"a;\"b","V":"1"}`, `"c" "" null null {"id":"c","V":""}`, `"d" "2" null null {"V":"2","id":"d"}`,
	}
	if r.Rows != 3 || len(r.Bad) != 0 || r.Next != 3 || r.Src[1] != 0 || r.Src[2] != 2 {
		t.Fatalf("rows %+v", r)
	}
	for i, w := range want {
		var got []string
		for c := range r.Cols {
			got = append(got, string(column.AppendJSON(nil, r.Cols[c].At(i))))
		}
		if g := strings.Join(got, " "); g != w {
			t.Errorf("row %d: %s, want %s", i, g, w)
		}
	}
}

func TestAMessageWhoseHeaderLacksARequiredColumnIsBad(t *testing.T) {
	cols := []Column{{Path: []string{"n"}, Required: true}, {Path: []string{"z", "x"}, Required: true}, {Path: []string{"free"}}}
	r := csvRows(t, 0, cols, "N,z\n1,2", "n,f\n5,1.5", "z\n5", "n,z\n", "n,z,free\n3,4,5")
	if r.Rows != 2 || r.Src[0] != 0 || r.Src[1] != 4 || len(r.Bad) != 2 {
		t.Fatalf("rows %+v", r)
	}
	for i, want := range []string{"there is no column z", "there is no column n"} {
		if b := r.Bad[i]; b.Type != MissingColumns || b.Reason != want || b.Message != i+1 {
			t.Errorf("%+v, want %s", b, want)
		}
	}
}

func TestColumnsOfCSVWithoutAHeaderAreNumbered(t *testing.T) {
	cols := []Column{{Path: []string{"Column2"}, Required: true}, {Whole: true}}
	d, err := NewCSVDecoder(cols, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.NoHeader = true
	var data []byte
	var starts, ends []uint32
	for _, m := range []string{"\xef\xbb\xbfa,b\nc,a\n", "", "one", "a,b\nc", "a,b\nc,d,e", "a,\"b", "a,a"} {
		starts = append(starts, uint32(len(data)))
		data = append(data, m...)
		ends = append(ends, uint32(len(data)))
	}
	r := d.Decode(data, starts, ends, 0)
	var got []string
	for i := range r.Rows {
		got = append(got, string(column.AppendJSON(column.AppendJSON(nil, r.Cols[0].At(i)), r.Cols[1].At(i))))
	}
	if want := `"b"{"column1":"a","column2":"b"} "a"{"column1":"c","column2":"a"} "a"{"column1":"a","column2":"a"}`; strings.Join(got, " ") != want {
		t.Errorf("rows %s, want %s", got, want)
	}
	var bad []string
	for _, b := range r.Bad {
		bad = append(bad, strings.TrimPrefix(b.Type, "InputDeserializerError."))
	}
	if got := strings.Join(bad, " "); got != "MissingColumns MissingColumns InvalidData InvalidData" {
		t.Errorf("bad %s", got)
	}
}

// A message that cannot be read gives no rows; those around it do.
func TestBadCSV(t *testing.T) {
	for m, typ := range map[string]string{
		"a,b\n1,2\n3":     MissingColumns,
		"a,b\n1,2\n1,2,3": InvalidData,
		"a,b\n1,\"2":      InvalidData,
		"a,a\n1,2":        InvalidHeader,
		"a,\n1,2":         InvalidHeader,
		"a,b\n\xff,2":     InvalidData,
		"a\"b,c\n1,2":     InvalidHeader,
	} {
		r := csvRows(t, 0, []Column{{Path: []string{"a"}}}, "a\nx", m, "a\ny")
		if r.Rows != 2 || len(r.Bad) != 1 || r.Bad[0].Type != typ || r.Bad[0].Message != 1 || r.Src[1] != 2 {
			t.Errorf("%q: %+v, want %s", m, r, typ)
		}
	}
	if _, err := NewCSVDecoder(nil, 'x'); err == nil {
		t.Error("x is a delimiter")
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;b\n\"x\"\"y\";z", "a,b\n1", "\xef\xbb\xbfa\n\n", "a,A\n", "\""} {
		f.Add(s)
	}
	cols := []Column{{Path: []string{"a"}}, {Whole: true}}
	f.Fuzz(func(t *testing.T, m string) {
		r := csvRows(t, ',', cols, m, "a\n1")
		if r.Next != 2 || len(r.Src) != r.Rows || r.Rows < 1 || r.Cols[0].Len() != r.Rows || r.Cols[1].Len() != r.Rows {
			t.Errorf("%+v", r)
		}
		if len(r.Bad) > 0 && r.Rows != 1 {
			t.Errorf("a bad message gave rows: %+v", r)
		}
	})
}

// A decoder that has seen the header before gives what a new one gives.
func TestCSVMessagesOfOneHeaderDecodeAlike(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	parts := []string{"a", "bc", ",", ",", ",", ";", "\"", "\"x\"", "\"\"", "\n", "\r\n", "\r", " ", "\"y,z\"", "\"u\nv\"", "\xff", "é", ""}
	headers := []string{"a,b\n", "a,b\n", "\"a\",b\r\n", "a;b\n", "\na,b\n", "\xef\xbb\xbfa,b\n", "\"a\n\",b\n", "b\n", "a,a\n"}
	cols := []Column{{Path: []string{"b"}}, {Path: []string{"A"}}, {Path: []string{"none"}}, {Path: []string{"a", "x"}}, {Whole: true}}
	known, err := NewCSVDecoder(cols, 0)
	if err != nil {
		t.Fatal(err)
	}
	decode := func(d *CSVDecoder, m string) string {
		r := d.Decode([]byte(m), []uint32{0}, []uint32{uint32(len(m))}, 0)
		out := fmt.Sprintf("%d %v %+v", r.Rows, r.Src, r.Bad)
		for c := range r.Cols {
			for i := range r.Rows {
				out += " " + string(column.AppendJSON(nil, r.Cols[c].At(i)))
			}
		}
		return out
	}
	good := 0
	for range 200_000 {
		m := headers[rnd.IntN(len(headers))]
		for range rnd.IntN(8) {
			m += parts[rnd.IntN(len(parts))]
		}
		fresh, err := NewCSVDecoder(cols, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := decode(fresh, m)
		if got := decode(known, m); got != want {
			t.Fatalf("%q: %s, want %s", m, got, want)
		}
		if !strings.HasPrefix(want, "0 ") {
			good++
		}
	}
	if good < 10_000 {
		t.Errorf("%d messages had rows", good)
	}
}

// BenchmarkCSVRows decodes rows that each bring the header, as those of a file do.
func BenchmarkCSVRows(b *testing.B) {
	const header = "DeviceId,Location,DeviceType,Temperature,Humidity,Pressure\n"
	var data []byte
	var starts, ends []uint32
	for i := range 1000 {
		starts = append(starts, uint32(len(data)))
		data = fmt.Appendf(data, "%sdevice-%03d,Warehouse-1,Environmental,%d.5,59.71,1013.22", header, i, i)
		ends = append(ends, uint32(len(data)))
	}
	d, err := NewCSVDecoder([]Column{{Path: []string{"DeviceId"}}, {Path: []string{"Temperature"}}}, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(data, starts, ends, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(starts)), "ns/event")
}
