package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSerializationSaysWhetherCSVHasAHeader(t *testing.T) {
	for text, none := range map[string]bool{
		"csv": false, `{ type: csv, fieldDelimiter: ";" }`: false, "{ type: csv, header: true }": false, "{ type: csv, header: false }": true,
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"q.asaql": "SELECT * INTO o FROM i"})
		src := `version: 1
namespace: { eventHubs: { i: {} } }
tables: { o: {} }
jobs:
  j:
    query: q.asaql
    inputs: { i: { eventHub: i, serialization: ` + text + ` } }
    outputs: { o: { table: o } }
`
		if err := os.WriteFile(filepath.Join(dir, "spate.yaml"), []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := Load(Source{Path: dir})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if in := p.Options.Jobs[0].Inputs[0]; in.Format != "csv" || in.NoHeader != none {
			t.Errorf("%s: %+v", text, in)
		}
	}
}
