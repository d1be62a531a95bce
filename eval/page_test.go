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

// Every example of the page of the functions gives what it says.
func TestExamplesOfThePageOfTheFunctions(t *testing.T) {
	data, err := os.ReadFile("../docs/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	there, _, _ := strings.Cut(string(data), "\n## Other dialects\n")
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
}

// number says whether a JSON value is a number, of which 1 and 1.0 differ.
func number(s string) bool { return strings.ContainsAny(s[:1], "-0123456789") }
