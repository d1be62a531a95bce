package config

import (
	"os"
	"path/filepath"
	"testing"
)

// Rows are replaced where they stand, in the form in which the list is written, and nothing
// else changes.
func TestReplaceRows(t *testing.T) {
	const head, tail = "version: 1 # é\ntests:\n  - name: other\n    expect: { o: [ { a: 0 } ] }\n  - name: t\n    expect:\n", "    expectCount: { o: 1 } # kept\nname: x\n"
	keep := func(i int) RowEdit { return RowEdit{Keep: i} }
	add := func(s string) RowEdit { return RowEdit{-1, []byte(s)} }
	f := func(rows, want string, edits ...RowEdit) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "spate.yaml")
		if err := os.WriteFile(path, []byte(head+rows+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReplaceRows(path, "t", "o", edits)
		if err != nil {
			t.Errorf("%s: %v", rows, err)
			return
		}
		if string(got) != head+want+tail {
			t.Errorf("\n%s\nbecomes\n%s\nwant\n%s", rows, got, head+want+tail)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		all := make([]RowEdit, len(edits))
		for i := range all {
			all[i] = keep(i)
		}
		again, err := ReplaceRows(path, "t", "o", all)
		if err != nil || string(again) != string(got) {
			t.Errorf("keeping all changes\n%s\nto\n%s\n%v", got, again, err)
		}
	}
	f("      o: []\n", "      o: [{\"a\":1}]\n", add(`{"a":1}`))
	f("      o: [ { a: 1 }, { a: 2 } ] # c\n", "      o: [{ a: 2 }] # c\n", keep(1))
	f("      o: [ { a: 1 } ]\n", "      o: [\n        { a: 1 },\n        {\"a\":2}\n      ]\n", keep(0), add(`{"a":2}`))
	f("      o: [ { a: 1 } ]\n", "      o: []\n")
	f("      o: { rows: [ { a: \"é, }\" }, { a: 2 } ], ordered: true }\n", "      o: { rows: [{ a: \"é, }\" }], ordered: true }\n", keep(0))
	f("      o:\n        # one\n        - a: 1\n          b: [ 1,\n            2 ]\n        # two\n        - { a: 2 }\n", "      o:\n        # one\n        - a: 1\n          b: [ 1,\n            2 ]\n        # two\n        - {\"a\":3}\n",
		keep(0), add(`{"a":3}`))
	f("      o:\n      - a: 1\n      - a: 2\n", "      o:\n      - a: 2\n      - {\"a\":3}\n", keep(1), add(`{"a":3}`))
	f("      o:\n        - a: 1 # why\n", "      o: []\n        # why\n")
	f("      o:\n        rows:\n          - { a: 1 }\n          - { a: 2 }\n        ordered: true\n", "      o:\n        rows:\n          - {\"a\":0}\n          - { a: 2 }\n          - {\"a\":9}\n        ordered: true\n",
		add(`{"a":0}`), keep(1), add(`{"a":9}`))
	f("      o:\n        -\n          a: 1\n        - a: 2\n", "      o:\n        -\n          a: 1\n", keep(0))
}
