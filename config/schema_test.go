package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"spate/config"
	"spate/config/configtest"
)

// compiled is the schema as a checker of its own reads it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var text bytes.Buffer
	if err := config.Schema(&text); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&text)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spate.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("spate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fits says what the schema has against a file.
func fits(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestSchemaTakesWhatIsTaken(t *testing.T) {
	s := compiled(t)
	for _, c := range configtest.Cases() {
		for _, text := range []string{c.Before, c.After} {
			if err := fits(t, s, text); err != nil {
				t.Errorf("%s: %v\n%s", c.Key.Path, err, text)
			}
		}
	}
	files, err := filepath.Glob("../examples/*/spate.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	good, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(good) == 0 {
		t.Fatalf("good files: %v, %v", good, err)
	}
	for _, file := range append(files, good...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := fits(t, s, string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSchemaRefusesWhatIsRefused(t *testing.T) {
	s := compiled(t)
	for _, c := range configtest.Cases() {
		for value, code := range wrongValues(c.Key) {
			// YAML has no quotes and no zeros in front when the schema sees it, and the
			// schema has no ranges of durations and of sizes with a unit.
			if code == "E207" || code == "E208" { // what goes together is not in the schema
				continue
			}
			if code == "E105" && value == "012" || value == `"true"` || code == "E205" && c.Key.Form == config.FormDuration {
				continue
			}
			text, _, _ := c.With(value)
			if fits(t, s, text) == nil {
				t.Errorf("%s: %s is taken", c.Path, value)
			}
		}
	}
	for _, path := range config.Later() {
		if text, _ := configtest.WithLater(path); fits(t, s, text) == nil {
			t.Errorf("%s is taken", path)
		}
	}
	for _, text := range []string{"version: 1\nnames: x\n", "name: x\n", "version: 1\nserver: 7\n", "version: 1\njobs: { j: {} }\n",
		"version: 1\njobs: { 'a b': { query: q.asaql } }\n", "version: 1\nnamespace: { eventHubs: { h: { partitionCont: 4 } } }\n"} {
		if fits(t, s, text) == nil {
			t.Errorf("taken:\n%s", text)
		}
	}
}

// docs/spate.schema.json is what spate check --schema prints: go test ./config -update.
func TestSchemaFileIsUpToDate(t *testing.T) {
	var text strings.Builder
	if err := config.Schema(&text); err != nil {
		t.Fatal(err)
	}
	upToDate(t, "../docs/spate.schema.json", text.String())
}

// upToDate compares a file of the documentation with what it is made from.
func upToDate(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err == nil && string(got) == want {
		return
	}
	if *config.Update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the declarations of the keys give: go test ./config -update (%v)", file, err)
}
