package notify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// compactCases are texts of every kind, whole and damaged.
var compactCases = []string{
	``, ` `, `{}`, `[ ]`, "\t{ \"a\" : 1 ,\n\"b\":[ 1 , 2.50e+3, -0 ] }\r\n", `{"a":"x y \" \\ \u00e9 \n"}`, `"text"`, `-1.5E-7`, `true`, ` false `, `null`,
	`{"a":1}{`, `{"a":1,}`, `[1,]`, `{"a"}`, `{a:1}`, `01`, `1.`, `.5`, `1e`, `-`, `+1`, `tru`, `nul`, `"x`, `"\x"`, `"\u12g4"`, `"\u12`, `"\`, "\"a\x01\"", "\"\xff\"",
	`[[[[{}]]]]`, `[`, `{`, `{"a":`, `{"a":[}`, "\xef\xbb\xbf{}", "1 2", "\x00", "{}\x00", `{"a":{"b":null},"c":[true,false]}`,
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
}

func checkCompact(t *testing.T, src []byte) {
	t.Helper()
	var want bytes.Buffer
	err := json.Compact(&want, src)
	got, ok := appendCompact([]byte("before"), src)
	if ok != (err == nil) || ok && string(got) != "before"+want.String() {
		t.Errorf("%.60q gives %.60q, %v; json.Compact %.60q, %v", src, got, ok, want.Bytes(), err)
	}
}

func TestCompactIsThatOfTheStandardLibrary(t *testing.T) {
	for _, c := range compactCases {
		checkCompact(t, []byte(c))
	}
}

func FuzzCompact(f *testing.F) {
	for _, c := range compactCases {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, src []byte) { checkCompact(t, src) })
}

func BenchmarkLine(b *testing.B) {
	body := []byte(`{"DeviceId":"device-012345","Location":"Warehouse-1","Temperature":24.87,"PrevTemperature":25.41,"TempDelta":-0.54,` +
		`"EventTime":"2026-01-05T10:11:12.1230000Z","AlertType":"TemperatureAnomaly","Severity":"Medium"}`)
	b.Run("json.Compact", func(b *testing.B) {
		var out bytes.Buffer
		for b.Loop() {
			out.Reset()
			if err := json.Compact(&out, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("appendCompact", func(b *testing.B) {
		var out []byte
		for b.Loop() {
			out = appendLine(out[:0], body)
		}
	})
}
