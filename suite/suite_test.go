package suite

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/config"
)

func find(t *testing.T, path string) []*Source {
	t.Helper()
	found, err := Find(path, "", func(file string) (*config.Pipeline, error) {
		return config.Load(config.Source{Path: file, NoScripts: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func runAll(t *testing.T, sources []*Source, o Options) (results []*Result) {
	t.Helper()
	for _, x := range o.Selected(sources) {
		r, err := Run(t.Context(), x, o)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// The cases of the conformance runner pass as tests, by way of spate eval. Those that need
// what neither jobs nor files have say so.
func TestTheConformanceCasesPass(t *testing.T) {
	sources := find(t, "../conform/testdata")
	if len(sources) < 100 {
		t.Fatalf("%d cases", len(sources))
	}
	for _, r := range runAll(t, sources, Options{}) {
		if r.Failed && !strings.Contains(r.Text, "noearly=true") {
			t.Errorf("%s:\n%s", r.Test.Name, r.Text)
		}
	}
}

// A row that is changed, left out or added makes every case fail: none passes by luck.
func TestAWrongCaseFails(t *testing.T) {
	data, err := os.ReadFile("../conform/testdata/tumbling_count.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	row := regexp.MustCompile(`(?s)(-- want/[^\n]* --\n)([^\n]*\n)`)
	if !row.MatchString(text) {
		t.Fatalf("the case has no rows:\n%s", text)
	}
	for name, wrong := range map[string]string{
		"left out": row.ReplaceAllString(text, "$1"),
		"added":    row.ReplaceAllString(text, "$1$2$2"),
		"error":    text + "-- want-error --\nsomething\n",
		"output":   text + "-- want/nowhere.jsonl --\n{}\n",
	} {
		path := filepath.Join(t.TempDir(), "x.txtar")
		if err := os.WriteFile(path, []byte(wrong), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := runAll(t, find(t, path), Options{})[0]; !r.Failed {
			t.Errorf("%s: it passes\n%s", name, wrong)
		}
	}
}

// A JUnit file is what the schema of Ant asks for: https://github.com/windyroad/JUnit-Schema.
func TestJUnitFilesFitTheSchema(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "junit.xml")
	src, other := &Source{Name: "a&b.yaml"}, &Source{Name: "c.txtar"}
	results := []*Result{
		{Test: &Test{Name: "passes <&>", Source: src, Policies: [][2]string{{"eventsLateArrivalMaxDelay", "5s"}}}, Took: 1500 * time.Millisecond},
		{Test: &Test{Name: "fails", Source: src}, Failed: true, Text: "output o: 1 row\x1b, want 2\n- {\"a\":\"<\"}\n", Took: time.Millisecond},
		{Test: &Test{Name: "c", Source: other}},
	}
	if err := WriteJUnit(path, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), results); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, data)
	for _, want := range []string{`name="a&amp;b.yaml"`, `tests="2" failures="1"`, `timestamp="2026-01-02T03:04:05"`, `message="output o: 1 row` + "\uFFFD" + `, want 2"`,
		`<property name="passes &lt;&amp;&gt;: eventsLateArrivalMaxDelay" value="5s">`, `time="1.500"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("there is no %s in\n%s", want, data)
		}
	}
}

// checkJUnit checks a file as the schema says: which elements stand where and how often, and
// their attributes.
func checkJUnit(t *testing.T, data []byte) {
	t.Helper()
	type rule struct {
		children string // pattern of the names of children
		attrs    map[string]string
	}
	token, number, decimal := `[^\n\t]+`, `\d+`, `\d+\.\d+`
	schema := map[string]rule{
		"testsuites": {`(testsuite )*`, nil},
		"testsuite": {`properties (testcase )*system-out system-err `, map[string]string{"name": token, "package": token, "id": number, "hostname": token,
			"timestamp": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`, "tests": number, "failures": number, "errors": number, "skipped": number, "time": decimal}},
		"properties": {`(property )*`, nil},
		"property":   {``, map[string]string{"name": token, "value": `.*`}},
		"testcase":   {`(failure )?`, map[string]string{"name": token, "classname": token, "time": decimal}},
		"failure":    {``, map[string]string{"message": `[^\n]*`, "type": `.+`}},
		"system-out": {``, nil},
		"system-err": {``, nil},
	}
	dec := xml.NewDecoder(strings.NewReader(string(data)))
	type open struct{ name, children string }
	var stack []open
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := tok.Name.Local
			r, ok := schema[name]
			if !ok {
				t.Fatalf("element %s", name)
			}
			if len(stack) > 0 {
				stack[len(stack)-1].children += name + " "
			}
			stack = append(stack, open{name: name})
			if len(tok.Attr) != len(r.attrs) {
				t.Errorf("%s has the attributes %v, want %v", name, tok.Attr, r.attrs)
			}
			for _, a := range tok.Attr {
				if pattern, ok := r.attrs[a.Name.Local]; !ok || !regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString(a.Value) {
					t.Errorf("%s: attribute %s=%q", name, a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !regexp.MustCompile(`^` + schema[last.name].children + `$`).MatchString(last.children) {
				t.Errorf("%s holds %s", last.name, last.children)
			}
		}
	}
}

// A run that is stopped says so and reports nothing.
func TestAStoppedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := find(t, "../conform/testdata/tumbling_count.txtar")[0]
	if _, err := Run(ctx, src.Tests[0], Options{}); err == nil {
		t.Error("no error")
	}
}

// Differences are short, whatever differs.
func TestDifferencesAreShort(t *testing.T) {
	var want, got strings.Builder
	for i := range 200 {
		fmt.Fprintf(&want, "{\"a\":%d,\"b\":\"x\"}\n", i)
		fmt.Fprintf(&got, "{\"a\":%d,\"b\":\"x\"}\n", i+1000)
	}
	text := compare(t, usualRules(), want.String(), got.String()).String()
	if n := strings.Count(text, "\n"); n > 3*shownRows+3 || !strings.Contains(text, "and more: 200 rows missing, 200 rows not expected") {
		t.Errorf("%d lines:\n%s", n, text)
	}
	if !strings.Contains(text, "a: want 0, got 1000") {
		t.Errorf("\n%s", text)
	}
}

// The files of a source are those that a change of would change its tests.
func TestFilesOfSources(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"spate.yaml": "version: 1\njobs: { j: { query: q.asaql } }\ntests:\n  - { name: a, job: j, input: { i: in.jsonl }, expect: { o: out.jsonl } }\n",
		"q.asaql":    "SELECT a INTO o FROM i", "in.jsonl": "{\"a\":1}\n", "out.jsonl": "{\"a\":1}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src := find(t, dir)[0]
	for _, name := range []string{"spate.yaml", "q.asaql", "in.jsonl", "out.jsonl"} {
		if !slices.Contains(src.Files, filepath.Join(dir, name)) {
			t.Errorf("%s is not among %q", name, src.Files)
		}
	}
	if r := runAll(t, []*Source{src}, Options{})[0]; r.Failed {
		t.Errorf("%s", r.Text)
	}
}
