package config

import (
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
		{"version: 1\njobs: { j: { query: 'SELECT a, outputs: {} } }\n", "2:21: E101 the quote ' is opened here and not closed"},
		{"version: 1\njobs:\n  j:\n    query: |\n      SELECT [a INTO b\n    outputs: { b: { table: b }\n", "6:14: E101 { is opened here and not closed"},
	} {
		_, err := Load(Source{Path: inFile(t, c.src)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot %v\nwant %s", c.src, err, c.want)
		}
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
