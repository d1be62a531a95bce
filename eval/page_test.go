package eval

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func rowOf(script string) (string, error) {
	row := ""
	_, err := Run(context.Background(), Options{Script: script, Inputs: []Input{{Name: "in", Reader: strings.NewReader("{}\n"), Format: "jsonl", Partitions: 1}},
		Row: func(_ string, r []byte) error { row = string(r); return nil }})
	return row, err
}

// Every example of the page of the functions gives what it says, and what the page refuses
// is refused by name.
func TestExamplesOfThePageOfTheFunctions(t *testing.T) {
	data, err := os.ReadFile("../docs/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	there, refused, _ := strings.Cut(string(data), "\n## Refused by name\n")
	examples := regexp.MustCompile("(?m)\\| `([^`]+)` is `([^`]+)` \\|$").FindAllStringSubmatch(there, -1)
	if n := strings.Count(there, "` is `"); n != len(examples) || n < 40 {
		t.Errorf("%d examples are read, %d stand there", len(examples), n)
	}
	for _, m := range examples {
		row, err := rowOf("SELECT " + m[1] + " AS v INTO out FROM [in]")
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		var got struct{ V json.RawMessage }
		if err := json.Unmarshal([]byte(row), &got); err != nil {
			t.Errorf("%s: %q: %v", m[1], row, err)
			continue
		}
		var x, y any
		if err := json.Unmarshal([]byte(m[2]), &y); err != nil {
			t.Errorf("%s: the page says %s: %v", m[1], m[2], err)
		} else if err := json.Unmarshal(got.V, &x); err != nil || !reflect.DeepEqual(x, y) || number(string(got.V)) && string(got.V) != m[2] {
			t.Errorf("%s is %s, the page says %s", m[1], got.V, m[2])
		}
	}
	calls := map[string]string{
		"CREATEPOINT": "(1, 2)", "CREATELINESTRING": "(a, b)", "CREATEPOLYGON": "(a, b, c)", "ST_DISTANCE": "(a, b)", "ST_WITHIN": "(a, b)", "ST_OVERLAPS": "(a, b)", "ST_INTERSECTS": "(a, b)",
		"ANOMALYDETECTION_SPIKEANDDIP": "(a, 95, 120, 'spikes') OVER (LIMIT DURATION(s, 120))", "ANOMALYDETECTION_CHANGEPOINT": "(a, 95, 120) OVER (LIMIT DURATION(s, 120))",
	}
	names := regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(strings.Split(refused, "A function of another dialect")[0], -1)
	if len(names) != len(calls) {
		t.Errorf("the page refuses %d functions, the test knows calls of %d", len(names), len(calls))
	}
	for _, m := range names {
		_, err := rowOf("SELECT " + m[1] + calls[m[1]] + " AS v INTO out FROM [in]")
		if err == nil || !strings.Contains(err.Error(), "not supported yet") {
			t.Errorf("%s: %v, want a refusal by name", m[1], err)
		}
	}
}

// number says whether a JSON value is a number, of which 1 and 1.0 differ.
func number(s string) bool { return strings.ContainsAny(s[:1], "-0123456789") }
