package config

import (
	"os"
	"strings"
	"testing"
)

func inFile(t *testing.T, src string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"spate.yaml": src})
	return dir
}

// What is opened and not closed is named where it is opened.
func TestUnclosedBracketsAreNamedWhereTheyOpen(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"version: 1\nnamespace: { eventHubs: { in: { partitionCount: 2 }\ntables: {}\n", "2:25: E101 { is opened here and not closed"},
		{"version: 1\nsimulate: { locations: [a, b }\n", "2:24: E101 [ is opened here and closed by } in line 2"},
		{"version: 1\nname: { a: 1 } }\n", "2:16: E101 } closes nothing"},
		{"version: 1\nname: \"a\nlocation: b\n", `2:7: E101 the quote " is opened here and not closed`},
		{"a: [1, 2\nb: 3\n", "1:4: E101 [ is opened here and not closed"},
		{"a: { b: 1\nc: 2 }\n", "1:4: E101 { is opened here and not closed"},
		{"a:\n  - [x, y\n  - z\n", "2:5: E101 [ is opened here and not closed"},
		{"a:\n  - b: { c: [1, 2 }\n", "2:13: E101 [ is opened here and closed by } in line 2"},
		{"a: [\n  1,\n  2\n\nb:\n  c: 1\n", "1:4: E101 [ is opened here and not closed"},
		{"a: [ { b: 'x', c: [1, 2 } ]\n", "1:19: E101 [ is opened here and closed by } in line 1"},
		{"a: { b: {\n  c: 1,\n}\nd: { e: 1 }\n", "1:4: E101 { is opened here and not closed"},
		{"a: {\n\tb: [1,\n\t2 }\n", "2:5: E101 [ is opened here and closed by } in line 3"},
		{"a: ]\n", "1:4: E101 ] closes nothing"},
		{"a: [1]]\n", "1:7: E101 ] closes nothing"},
		{"a: [1] b\n", "1:4: E101 [ is opened here and closed in line 1, and \"b\" stands behind it"},
		{"a: {\"b: 1}\n", "1:5: E101 the quote \" is opened here and not closed"},
		{"a: 'x\nb: 1\nc: 'y'\n", "1:4: E101 the quote ' is opened here and not closed"},
		{"a: 'it''s\nb: 1\n", "1:4: E101 the quote ' is opened here and not closed"},
		{"a: 'it's'\n", "1:4: E101 the quote ' is opened here and closed at 1:7, and \"s'\" stands behind it"},
		{"a: \"x\\\"\nb: 1\n", "1:4: E101 the quote \" is opened here and not closed"},
		{"a: \"x \"y\" z\"\n", "1:4: E101 the quote \" is opened here and closed at 1:7"},
		{"k: [a, 'b, c]\nd: 'e'\n", "1:8: E101 the quote ' is opened here and not closed"},
		{"k: { a: 'b, c: 'd' }\n", "1:9: E101 the quote ' is opened here and closed at 1:16"},
		{"\"a: 1\nb: 2\n", "1:1: E101 the quote \" is opened here and not closed"},
		{"j:\n  k:\n    q: 'SELECT ''a'' INTO o\n    e: true\n", "3:8: E101 the quote ' is opened here and not closed"},
		{"a: 'one\n  two'\nb: [1\n", "3:4: E101 [ is opened here and not closed"},
		{"a: \"one\n\n  two\"\nb: \"x\n", "4:4: E101 the quote \" is opened here and not closed"},
		{"a: it's [ one\nb: [1\n", "2:4: E101 [ is opened here and not closed"},
		{"a: b[0\nc: d]\ne: {f: 1\n", "3:4: E101 { is opened here and not closed"},
		{"a: x # it's [ a comment\n# { '\nb: {c: 1\n", "3:4: E101 { is opened here and not closed"},
		{"a: |\n  [ it's\n\n  { \"\nb: [1\n", "5:4: E101 [ is opened here and not closed"},
		{"a: >-  # folded\n    folded [\n  more\nb: 'x\n", "4:4: E101 the quote ' is opened here and not closed"},
		{"a:\n  - |2+\n    x [\n  - [\n", "4:5: E101 [ is opened here and not closed"},
		{"a: &x [1\nb: 2\n", "1:7: E101 [ is opened here and not closed"},
		{"a:\n\tb: 1\n", "2:1: E101 a tab indents this line"},
		{"a:\n  \tb: 1\n  c: [\n", "2:3: E101 a tab indents this line"},
		{"a: {b: 1,\r\n c: 2\r\nd: e\r\n", "1:4: E101 { is opened here and not closed"},
		{"ä: [ö, { ü: 1 ]\n", "1:8: E101 { is opened here and closed by ] in line 1"},
		{"version: 1\njobs: { j: { query: 'SELECT a, outputs: {} } }\n", "2:21: E101 the quote ' is opened here and not closed"},
		{"version: 1\njobs:\n  j:\n    query: |\n      SELECT [a INTO b\n    outputs: { b: { table: b }\n", "6:14: E101 { is opened here and not closed"},
	} {
		_, err := Load(Source{Path: inFile(t, c.src)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot %v\nwant %s", c.src, err, c.want)
		}
	}
}

// Wherever one closing character is missing, an opening one is named that stands before it,
// in the same entry at the top.
func TestAMissingCloserIsSoughtFromItsOpener(t *testing.T) {
	data, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	src, tried := string(data), 0
	for i, c := range src {
		if !strings.ContainsRune("]}\"'", c) {
			continue
		}
		r := &reader{file: "f"}
		if r.parse([]byte(src[:i]+src[i+1:])) != nil || len(r.problems) == 0 || r.problems[0].Code != "E101" {
			continue // in a text, a comment
		}
		tried++
		p := r.problems[0]
		lines := strings.Split(src, "\n")
		line := strings.Count(src[:i], "\n") + 1
		top := line
		for top > 1 && (lines[top-1] == "" || strings.HasPrefix(lines[top-1], " ") || strings.HasPrefix(lines[top-1], "}")) {
			top--
		}
		if named := []rune(lines[p.Line-1])[p.Column-1]; !strings.ContainsRune("[{\"'", named) || p.Line > line || p.Line < top {
			t.Errorf("without the %c in line %d:\n%s", c, line, p)
		}
	}
	if tried < 20 {
		t.Errorf("%d characters were left out, want more", tried)
	}
}

// Verbs that only look at names need no variable of a webhook or a key.
func TestVariablesThatAreNotSetDoNotMatterToNames(t *testing.T) {
	src := `version: 1
name: a
namespace:
  authorizationRules: { sender: { rights: [Send], primaryKey: "${env:NO_SUCH_KEY}" } }
  eventHubs: { in: { partitionCount: 2 } }
monitor: { actionGroups: { ops: { receivers: [ { name: hook, webhook: "${env:NO_SUCH_HOOK}" } ] } } }
notify: { n: { hub: in, actionGroups: [ops] } }
`
	path := inFile(t, src)
	if _, err := Load(Source{Path: path}); err == nil || !strings.Contains(err.Error(), "E302") {
		t.Errorf("to run: %v", err)
	}
	p, err := Load(Source{Path: path, NoScripts: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.Options.Name != "a" || len(p.Options.Hubs) != 1 {
		t.Errorf("%+v", p.Options)
	}
}
