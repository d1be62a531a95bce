package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/examples"
)

func TestExampleIsCleanAndWritesBelowItsFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := Example(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	o := p.Options
	if len(p.Warnings) > 0 {
		t.Errorf("warnings: %v", p.Warnings)
	}
	if want := filepath.Join(dir, "data"); o.Dir != want {
		t.Errorf("data folder %s, want %s", o.Dir, want)
	}
	if got, want := o.ActionGroups[0].Receivers[0].File, filepath.Join(dir, "data", "alerts.jsonl"); got != want {
		t.Errorf("alerts go to %s, want %s", got, want)
	}
	if len(o.Hubs) != 2 || o.Hubs[0].Retention != 7*24*time.Hour || len(o.Tables) != 2 || len(o.Tables[1].Columns) != 11 {
		t.Errorf("hubs %+v tables %+v", o.Hubs, o.Tables)
	}
	if by := o.Tables[0].PartitionBy; len(by) != 1 || by[0].Column != "Timestamp" || !by[0].Date {
		t.Errorf("raw table is partitioned by %v", by)
	}
	if o.Listen.AMQP != "127.0.0.1:5672" || !o.Listen.NextFree || !o.Auth.EmulatorKey {
		t.Errorf("listeners %+v, emulator key %v", o.Listen, o.Auth.EmulatorKey)
	}
	if out := o.Jobs[0].Outputs[0]; out.Table != "aggregated_metrics" || out.Rename["WindowEndTime"] != "WindowEnd" ||
		out.Columns[0].Expr != "DATEADD(second, -20, WindowEndTime)" {
		t.Errorf("output %+v", out)
	}
	if o.Simulate == nil || o.Simulate.Scenario != "overheating" || *o.Jobs[0].Policies.MaxLate != 5*time.Second {
		t.Errorf("simulate %+v, policies %+v", o.Simulate, o.Jobs[0].Policies)
	}
}

func TestExampleInAFolderWithOtherFilesKeepsToItsOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Example(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "spate-example"); p.Options.Dir != want {
		t.Errorf("data folder %s, want %s", p.Options.Dir, want)
	}
}

func TestPrintedConfigurationLoadsAgain(t *testing.T) {
	p, err := Example(Source{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var first, second strings.Builder
	if err := Print(&first, p); err != nil {
		t.Fatal(err)
	}
	at := folder{dir: t.TempDir(), read: func(name string) ([]byte, error) {
		return fs.ReadFile(examples.Files, "telemetry/"+name)
	}}
	again, err := loadBytes(Source{}, "spate.yaml", []byte(first.String()), at)
	if err != nil {
		t.Fatal(err)
	}
	if err := Print(&second, again); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Errorf("printed\n%s\nand then\n%s", &first, &second)
	}
}

// Whatever a file says, what is printed of it says the same.
func TestWhatIsPrintedIsWhatWasRead(t *testing.T) {
	src, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := folder{dir: t.TempDir(), read: func(string) ([]byte, error) {
		return []byte("SELECT a, b, at INTO o FROM [in]; SELECT a INTO alerts FROM [in];"), nil
	}}
	load := func(text string) *Pipeline {
		t.Helper()
		p, err := loadBytes(Source{}, filepath.Join(at.dir, "spate.yaml"), []byte(text), at)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return p
	}
	p := load(string(src))
	v := reflect.ValueOf(p.Options)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains([]string{"AcceptCopy", "Drain", "QueryWorker", "Clock", "Log"}, name) {
			t.Errorf("the file sets nothing of %s", name)
		}
	}
	var text strings.Builder
	if err := Print(&text, p); err != nil {
		t.Fatal(err)
	}
	again := load(text.String())
	if !reflect.DeepEqual(p.Options, again.Options) {
		t.Errorf("printed\n%s\nread\n%+v\nwant\n%+v", &text, again.Options, p.Options)
	}
}

func TestPrintShowsNoSecret(t *testing.T) {
	src := `version: 1
name: "${env:WHO}-pipeline"
monitor:
  actionGroups:
    ops:
      receivers:
        - { name: hook, webhook: "${env:HOOK}", secret: "${env:SIGN}" }
namespace:
  authorizationRules:
    app: { rights: [Send], primaryKey: "${env:KEY}" }
`
	env := map[string]string{"WHO": "planted0", "HOOK": "https://example.com/planted1?sig=x", "SIGN": "planted2", "KEY": "planted3"}
	p, err := loadBytes(Source{Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}, "spate.yaml", []byte(src), folder{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Print(&b, p); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "planted") || !strings.Contains(b.String(), "***-pipeline") {
		t.Errorf("printed\n%s", &b)
	}
	if p.Options.ActionGroups[0].Receivers[0].Webhook != env["HOOK"] || p.Options.Auth.Rules[0].PrimaryKey != "planted3" {
		t.Errorf("options %+v", p.Options)
	}
}

func TestExampleBesideAPipelineLeavesItsDataAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/LOCK", "spate.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Example(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "spate-example"); p.Options.Dir != want {
		t.Errorf("data folder %s, want %s", p.Options.Dir, want)
	}
}
