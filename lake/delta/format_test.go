package delta

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"spate/column"
	"spate/lake/parquetfile"
)

func TestHintChecksumVector(t *testing.T) {
	in := `{"k0":"'v 0'", "checksum": "adsaskfljadfkjadfkj", "k1":{"k2": 2, "k3": ["v3", [1, 2], {"k4": "v4", "k5": ["v5", "v6", "v7"]}]}}`
	want := `"k0"="%27v%200%27","k1"+"k2"=2,"k1"+"k3"+0="v3","k1"+"k3"+1+0=1,"k1"+"k3"+1+1=2,"k1"+"k3"+2+"k4"="v4","k1"+"k3"+2+"k5"+0="v5","k1"+"k3"+2+"k5"+1="v6","k1"+"k3"+2+"k5"+2="v7"`
	if got, err := canonicalJSON([]byte(in), "checksum"); err != nil || got != want {
		t.Errorf("canonical form\n%s\nwant\n%s (%v)", got, want, err)
	}
	if got, _ := hintChecksum([]byte(in)); got != "6a92d155a59bf2eecbd4b4ec7fd1f875" {
		t.Errorf("checksum %s", got)
	}
	for _, bad := range []string{`{"a":1,"a":2}`, `{"a":`, `{} {}`} {
		if _, err := canonicalJSON([]byte(bad), ""); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// Source: delta-lake.md 8.2, what Spark wrote.
func TestPartitionPathsAreEscapedTwice(t *testing.T) {
	folder := PartitionFolder([]string{"ps"}, map[string]*string{"ps": text("a/b c%20=#:?@&+ü")})
	if want := "ps=a%2Fb c%2520%3D%23%3A%3F@&+ü/"; folder != want {
		t.Errorf("folder %s, want %s", folder, want)
	}
	path := EncodePath(folder)
	if want := "ps=a%252Fb%20c%252520%253D%2523%253A%253F@&+ü/"; path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	if got := filePath("", path); got != folder {
		t.Errorf("decoded %s, want %s", got, folder)
	}
	if got := PartitionFolder([]string{"a", "b"}, map[string]*string{"a": nil, "b": text("x}")}); got != "a=__HIVE_DEFAULT_PARTITION__/b=x}/" {
		t.Errorf("folder %s", got)
	}
}

func TestPathsOfOneFileAreOne(t *testing.T) {
	for _, p := range []string{"p=1/a%20b", "/data/t/p=1/a b", "file:/data/t/p=1/a%20b", "file:///data/t/p=1/a b"} {
		if got := filePath("/data/t", p); got != "p=1/a b" {
			t.Errorf("%s: %s", p, got)
		}
	}
	if got := filePath("/data/t", "/data/tt/x"); got != "/data/tt/x" {
		t.Errorf("outside: %s", got)
	}
}

func TestPartitionTexts(t *testing.T) {
	at := column.DateTicks(1969, 12, 31) + column.Day - 1
	if got := DateText(at); got != "1969-12-31" {
		t.Errorf("date %s", got)
	}
	if got := TimestampText(at); got != "1969-12-31T23:59:59.999999Z" {
		t.Errorf("timestamp %s", got)
	}
}

func TestTextBoundsAreCut(t *testing.T) {
	emoji := strings.Repeat("😀", 20)
	f := func(in, lo, hi string) {
		t.Helper()
		if got := minPrefix(in, 32); got != lo {
			t.Errorf("min of %q: %q, want %q", in, got, lo)
		}
		got, ok := maxPrefix(in, 32)
		if !ok {
			got = "absent"
		}
		if got != hi {
			t.Errorf("max of %q: %q, want %q", in, got, hi)
		}
	}
	a32 := strings.Repeat("a", 32)
	f(a32, a32, a32)
	f(a32+"b", a32, a32+"\x7f")
	f(a32+"ü", a32, a32+"\U0010FFFF")
	f(emoji, emoji, strings.Repeat("😀", 16)+"\U0010FFFF")
	f(a32+"\U0010FFFF"+"c", a32, a32+"\U0010FFFF"+"\x7f")
	f(a32+strings.Repeat("\U0010FFFF", 40), a32, "absent")
	f("", "", "")
}

func TestStatsText(t *testing.T) {
	schema := []Column{{Name: "s", Type: String}, {Name: "ts", Type: Timestamp}, {Name: "d", Type: Double}, {Name: "nan", Type: Double}, {Name: "da", Type: Date},
		{Name: "dec", Type: Decimal(12, 2)}, {Name: "l", Type: Long}, {Name: "b", Type: Boolean}, {Name: "f", Type: Float}, {Name: "none", Type: Long}}
	s := &Snapshot{Metadata: Metadata{Configuration: map[string]string{}}}
	p := parquetfile.Stats{Rows: 3, Columns: []parquetfile.ColumnStats{
		{Bounded: true, MinText: []byte("a"), MaxText: []byte("z<")}, {Bounded: true, MinInt: -1, MaxInt: 1_999_999},
		{Bounded: true, MinFloat: math.Inf(-1), MaxFloat: 1e21}, {Bounded: true, NaN: true}, {Bounded: true, MinInt: -1, MaxInt: 1},
		{Bounded: true, MinInt: -5, MaxInt: 12345}, {Bounded: true, MinInt: math.MinInt64, MaxInt: 2}, {}, {Bounded: true, MinFloat: 0.1, MaxFloat: 13}, {Nulls: 3}}}
	got := s.StatsOf(schema, p)
	want := `{"numRecords":3,"minValues":{"d":"-Infinity","da":"1969-12-31","dec":-0.05,"f":0.1,"l":-9223372036854775808,"s":"a","ts":"1969-12-31T23:59:59.999Z"},` +
		`"maxValues":{"d":1e+21,"da":"1970-01-02","dec":123.45,"f":13.0,"l":2,"s":"z<","ts":"1970-01-01T00:00:01.999Z"},` +
		`"nullCount":{"b":0,"d":0,"da":0,"dec":0,"f":0,"l":0,"nan":0,"none":3,"s":0,"ts":0}}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	st, err := ParseStats(got)
	if err != nil || *st.NumRecords != 3 {
		t.Fatal(err)
	}
	if n, ok := st.Nulls("none"); n != 3 || !ok {
		t.Errorf("nulls %d %v", n, ok)
	}
	if lo, hi, ok := st.TimeBounds("ts"); !ok || !lo.Equal(time.UnixMilli(-1)) || !hi.Equal(time.UnixMilli(2000)) {
		t.Errorf("time bounds %v %v %v", lo, hi, ok)
	}
	s.Metadata.Configuration["delta.dataSkippingNumIndexedCols"] = "1"
	if got := s.StatsOf(schema, p); got != `{"numRecords":3,"minValues":{"s":"a"},"maxValues":{"s":"z<"},"nullCount":{"s":0}}` {
		t.Errorf("one column: %s", got)
	}
	s.Metadata.Configuration["delta.dataSkippingStatsColumns"] = "`L`, b"
	if got := s.StatsOf(schema, p); got != `{"numRecords":3,"minValues":{"l":-9223372036854775808},"maxValues":{"l":2},"nullCount":{"b":0,"l":0}}` {
		t.Errorf("listed columns: %s", got)
	}
}

func TestSchemaKeepsWhatItDoesNotKnow(t *testing.T) {
	in := `{"type":"struct","fields":[{"name":"a","type":"long","nullable":false,"metadata":{"comment":"c<","x.y":[1,2]}},{"name":"n","type":{"type":"map","keyType":"string","valueType":"decimal(3,1)","valueContainsNull":true},"nullable":true,"metadata":{}}]}`
	cols, err := ParseSchema(in)
	if err != nil {
		t.Fatal(err)
	}
	if cols[0].Comment != "c<" || string(cols[0].Metadata["x.y"]) != "[1,2]" || cols[0].Nullable || !cols[1].Type.Nested() {
		t.Errorf("columns %+v", cols)
	}
	if out, err := SchemaString(cols); err != nil || out != in {
		t.Errorf("written as\n%s\nwant\n%s (%v)", out, in, err)
	}
	if _, err := SchemaString([]Column{{Name: "A", Type: Long}, {Name: "a", Type: Long}}); err == nil {
		t.Error("names that differ only in case were accepted")
	}
	if _, err := SchemaString([]Column{{Name: "A", Type: "int64"}}); err == nil {
		t.Error("an unknown type was accepted")
	}
}

func TestDateExpressions(t *testing.T) {
	for in, want := range map[string]string{"CAST(Timestamp AS DATE)": "Timestamp", "date( `a b` )": "a b", "cast(x as date)": "x",
		"CAST(YEAR(x) AS DATE)": "", "YEAR(x)": "", "": "", "CAST(x AS STRING)": ""} {
		if got, ok := parseDateExpression(in); got != want && ok || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, ok, want)
		}
	}
}

func TestParseInterval(t *testing.T) {
	for in, want := range map[string]time.Duration{"interval 1 week": 168 * time.Hour, "interval 7 days": 168 * time.Hour, "INTERVAL 1 day 2 hours": 26 * time.Hour,
		"interval 1 month": -1, "": -1, "interval x days": -1} {
		got, ok := ParseInterval(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add(`{"add":{"path":"a%20b","partitionValues":{"p":null},"size":1,"modificationTime":1,"dataChange":true,"stats":"{}"}}`)
	f.Add(`{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}` + "\n\r\n" + `{"txn":{"appId":"a","version":-1}}`)
	f.Add(`{"metaData":{"id":"x","schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":["p"]}}`)
	f.Fuzz(func(t *testing.T, data string) {
		c, err := parseCommit(1, []byte(data))
		if err != nil {
			return
		}
		s, err := (&Table{}).empty().apply(c)
		if err != nil {
			return
		}
		s.Files()
		if err := s.Tombstones(t.Context(), func(*Remove) error { return nil }); err != nil {
			t.Error(err)
		}
		_ = s.checkRead()
		_ = s.checkWrite()
		again, err := parseCommit(1, c.encode(&CommitInfo{}))
		if err != nil || len(again.adds) != len(c.adds) || len(again.txns) != len(c.txns) {
			t.Errorf("written again it reads as %+v, %v", again, err)
		}
	})
}

func FuzzCanonicalJSON(f *testing.F) {
	f.Add(`{"a":[1,{"b":null}],"checksum":"x"}`)
	f.Fuzz(func(t *testing.T, data string) {
		if _, err := canonicalJSON([]byte(data), "checksum"); err == nil && !json.Valid([]byte(data)) {
			t.Errorf("%q is no JSON", data)
		}
	})
}

func FuzzParseSchema(f *testing.F) {
	f.Add(`{"type":"struct","fields":[{"name":"a","type":"decimal(10,2)","nullable":true,"metadata":{"delta.generationExpression":"CAST(b AS DATE)"}}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		cols, err := ParseSchema(data)
		if err != nil {
			return
		}
		for i := range cols {
			cols[i].Type.DecimalParts()
			cols[i].Generation()
		}
	})
}
