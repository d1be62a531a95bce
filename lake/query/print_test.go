package query

import (
	"bytes"
	"strings"
	"testing"

	"spate/column"
)

// fixedResult is a result whose rows are all there.
func fixedResult() *Result {
	at, _ := column.ParseTicks("2026-11-27T10:11:12.1234567Z")
	return &Result{Columns: []Column{{"id", Type{ID: Int}}, {"text", Type{ID: NVarChar, Size: 10}}, {"text", Type{ID: NVarChar, Size: 10}}, {"at", Type{ID: DateTime2, Scale: 6}},
		{"day", Type{ID: Date}}, {"f", Type{ID: Float}}, {"r", Type{ID: Real}}, {"d", Type{ID: Decimal, Prec: 5, Scale: 2}}, {"bin", Type{ID: VarBinary, Size: Max}}, {"b", Type{ID: Bit}}, {"clock", Type{ID: Time, Scale: 6}}},
		rows: [][]Value{
			{intValue(1), textValue(KindText, `a "b", c`), textValue(KindText, ""), timeValue(KindTime, at), timeValue(KindDate, at), floatValue(2), floatValue(float64(float32(0.1))),
				textValue(KindDecimal, "1.50"), textValue(KindBinary, "\x00\xff"), boolValue(true), {Kind: KindTimeOfDay, num: 3_723_000_001}},
			{intValue(2), textValue(KindText, "x\ny\x1b[0m"), {}, {}, {}, floatValue(1e21), {}, {}, {}, boolValue(false), {}},
			{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}}
}

func TestPrint(t *testing.T) {
	for format, want := range map[string]string{
		"csv": "id,text,text,at,day,f,r,d,bin,b,clock\r\n" +
			"1,\"a \"\"b\"\", c\",\"\",2026-11-27T10:11:12.123456Z,2026-11-27,2.0,0.1,1.50,AP8=,true,01:02:03.000001\r\n" +
			"2,\"x\ny\x1b[0m\",,,,1e+21,,,,false,\r\n,,,,,,,,,,\r\n",
		"jsonl": `{"id":1,"text":"a \"b\", c","text_1":"","at":"2026-11-27T10:11:12.123456Z","day":"2026-11-27","f":2.0,"r":0.1,"d":1.50,"bin":"AP8=","b":true,"clock":"01:02:03.000001"}` + "\n" +
			`{"id":2,"text":"x\ny\u001b[0m","text_1":null,"at":null,"day":null,"f":1e+21,"r":null,"d":null,"bin":null,"b":false,"clock":null}` + "\n" +
			`{"id":null,"text":null,"text_1":null,"at":null,"day":null,"f":null,"r":null,"d":null,"bin":null,"b":null,"clock":null}` + "\n",
	} {
		var b bytes.Buffer
		if truncated, err := Print(&b, format, fixedResult(), 0); err != nil || truncated {
			t.Fatalf("%s: truncated %t, err %v", format, truncated, err)
		}
		if b.String() != want {
			t.Errorf("%s\n got %q\nwant %q", format, b.String(), want)
		}
	}
}

func TestPrintSaysThatRowsWereCutOff(t *testing.T) {
	for _, format := range []string{"table", "json", "jsonl", "csv"} {
		for rows, want := range map[int]bool{0: false, 1: true, 2: true, 3: false, 4: false} {
			var b bytes.Buffer
			truncated, err := Print(&b, format, fixedResult(), rows)
			if err != nil || truncated != want {
				t.Errorf("%s with %d rows: truncated %t, err %v", format, rows, truncated, err)
			}
			if format == "json" && strings.Contains(b.String(), `"truncated":true`) != want {
				t.Errorf("json with %d rows: %s", rows, b.String())
			}
		}
	}
	if err := CheckFormat("parquet"); err == nil || !strings.Contains(err.Error(), "not supported yet") {
		t.Errorf("parquet: got %v", err)
	}
}

func TestTableKeepsRowsOnTheirLines(t *testing.T) {
	r := &Result{Columns: []Column{{"n", Type{ID: Int}}, {"", Type{ID: NVarChar, Size: 10}}},
		rows: [][]Value{{intValue(12345), textValue(KindText, "x\ny")}, {{}, textValue(KindText, "üü")}}}
	var b bytes.Buffer
	if _, err := Print(&b, "table", r, 0); err != nil {
		t.Fatal(err)
	}
	want := "    n  (No column name)\n-----  ----------------\n12345  x y\n NULL  üü\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestDuplicateNamesGetASuffixOfTheirOwn(t *testing.T) {
	got := strings.Join(uniqueNames([]Column{{Name: "a"}, {Name: "a"}, {Name: "a_1"}, {Name: "a"}, {}, {}}), ",")
	if got != "a,a_2,a_1,a_3,,_1" {
		t.Errorf("got %s", got)
	}
}
