package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"spate/config"
)

// docs/pipeline-file.md is made from the declarations of the keys: go test ./config -update.
func TestPageIsUpToDate(t *testing.T) {
	upToDate(t, "../docs/pipeline-file.md", page())
}

// What the page and the documentation show can be loaded, and fits the schema.
func TestExamplesOfTheDocumentation(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("totals.asaql", "SELECT DeviceId, System.Timestamp() AS WindowEndTime, COUNT(*) AS n INTO totals FROM events GROUP BY DeviceId, TumblingWindow(minute, 5);\n"+
		"SELECT DeviceId INTO alerts FROM events WHERE Temperature > 80")
	s := compiled(t)
	around := map[string]string{"raw": "\ntables: { raw: { columns: { DeviceId: string, IngestionTime: timestamp } } }\n"}
	for _, k := range config.Keys() {
		around[k.Name] = k.Example
	}
	needs := map[string][]string{"tests": {"namespace", "tables", "jobs"}, "jobs": {"namespace", "tables"}, "capture": {"namespace", "raw"}, "notify": {"namespace", "monitor"}, "simulate": {"namespace"}}
	for _, k := range config.Keys() {
		text := "version: 1\n" + k.Example
		for _, other := range needs[k.Name] {
			text += around[other]
		}
		write("spate.yaml", text)
		p, err := config.Load(config.Source{Path: dir, Env: func(string) (string, bool) { return "https://example.com/hook", true }})
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		} else if len(p.Warnings) > 0 {
			t.Errorf("%v\n%s", p.Warnings, text)
		}
		if err := fits(t, s, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	shown, err := os.ReadFile("../docs/complete-example.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(version: 1\n.*?)```").FindAllSubmatch(shown, -1) {
		if err := fits(t, s, string(block[1])); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
}

const pageHead = `# The pipeline file

Made from the declarations of the keys in package ` + "`config`" + ` by ` + "`go test ./config -update`" + `: do not edit.

A pipeline is one YAML file, ` + "`spate.yaml`" + `. Its words are Azure's; a query stays in a file of
its own. Relative paths begin in the folder of the file. ` + "`spate check`" + ` says what is wrong,
` + "`spate check --print`" + ` what was read with all defaults, and ` + "`spate check --schema`" + ` prints a
JSON Schema for editors, which is [spate.schema.json](spate.schema.json) too; as the first
line of a file:

` + "```yaml" + `
# yaml-language-server: $schema=./spate.schema.json
` + "```" + `

A key that is unknown, there twice, of another type or not built yet stops the start, with
line, column and a hint. Anchors, aliases, merge keys and tags are not allowed.

| Value | Form |
|---|---|
| text | a number must be in quotes |
| duration | ` + "`500ms`, `5s`, `1h30m`, `7d`; ISO 8601 as `PT5M` and `P7D`; `0`" + ` |
| size | ` + "`1048576`, `64MiB`, `10MB`; KB is 1000, KiB 1024" + ` |
| time | RFC 3339, ` + "`2026-11-22T10:00:00Z`" + `; UTC where no zone is given |
| port | 0 to 65535, ` + "`off`" + ` closes it, ` + "`0`" + ` is any free one |
| secret | a reference: never the secret itself |

A text may hold references: ` + "`${env:NAME}`, `${env:NAME:-default}`, `${file:PATH}`; `$${`" + ` is a
literal ` + "`${`" + `. What comes from one is shown as ` + "`***`" + `. Inside ` + "`{ }`" + ` they need quotes.

What becomes of a change:

| Change | |
|---|---|
| live | A running pipeline takes it over (` + "`spate up --watch`" + `); so does the next start. |
| live, grows | As live; a smaller value is refused. |
| start | A running pipeline says that it goes on as it was; the next start takes it over. |
| new | It counts for a job that has no checkpoint yet. |
| fixed | It is refused, and what is there named, once the job has a checkpoint or the table is there. |
| – | The value has no effect on what runs, and is checked. Azure's files have most of these. |

`

// page is docs/pipeline-file.md.
func page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("## At the top\n\n")
	table(&b, config.Keys(), "")
	for _, k := range config.Keys() {
		if k.Form == config.FormMap || k.Form == config.FormNames || k.Form == config.FormMaps {
			chapter(&b, k, "##")
		}
	}
	b.WriteString("## Not yet\n\nThese keys are known and refused by name.\n\n")
	later(&b)
	return b.String()
}

// later are the keys that are not built, a line for each map.
func later(b *strings.Builder) {
	var maps []string
	names := map[string][]string{}
	for _, path := range config.Later() {
		above, name := "", path
		if i := strings.LastIndexByte(path, '.'); i > 0 {
			above, name = path[:i], path[i+1:]
		}
		if names[above] == nil {
			maps = append(maps, above)
		}
		names[above] = append(names[above], "`"+name+"`")
	}
	for _, m := range maps {
		of := "`" + m + "`"
		if m == "" {
			of = "at the top"
		}
		fmt.Fprintf(b, "- %s: %s\n", of, strings.Join(names[m], ", "))
	}
}

// chapter is a map with a table of its keys, and then the maps in it that have names.
func chapter(b *strings.Builder, k config.Key, heading string) {
	title := k.Path
	if k.Form == config.FormNames {
		title += ".NAME"
	}
	fmt.Fprintf(b, "%s %s\n\n%s", heading, title, k.About)
	if names := k.Names(); names != "" {
		fmt.Fprintf(b, " NAME: %s.", names)
	}
	b.WriteString("\n\n")
	if k.Example != "" {
		fmt.Fprintf(b, "```yaml\n%s```\n\n", k.Example)
	}
	table(b, k.Keys, "")
	inner(b, k.Keys)
}

func inner(b *strings.Builder, keys []config.Key) {
	for _, k := range keys {
		switch k.Form {
		case config.FormNames, config.FormMaps:
			chapter(b, k, "###")
		case config.FormMap:
			inner(b, k.Keys)
		}
	}
}

func table(b *strings.Builder, keys []config.Key, above string) {
	if above == "" {
		b.WriteString("| Key | Type | Default | Meaning | Change |\n|---|---|---|---|---|\n")
	}
	rows(b, keys, above)
	b.WriteString("\n")
}

// rows are the keys, and those of small maps among them.
func rows(b *strings.Builder, keys []config.Key, above string) {
	for _, k := range keys {
		top := !strings.Contains(k.Path, ".")
		if k.Form == config.FormMap && !top {
			rows(b, k.Keys, above+k.Name+".")
			continue
		}
		def := k.Default
		switch {
		case k.Required:
			def = "required"
		case def != "" && !strings.Contains(def, " "):
			def = "`" + def + "`"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s | %s |\n", above, k.Name, typeOf(k), def, k.About, changes[k.Change])
		if k.Form == config.FormWord {
			rows(b, k.Keys, above+k.Name+".")
		}
	}
}

var changes = map[config.Change]string{
	config.ChangeLive: "live", config.ChangeGrow: "live, grows", config.ChangeStart: "start", config.ChangeNew: "new", config.ChangeNever: "fixed", config.ChangeNone: "–",
}

func typeOf(k config.Key) string {
	words := "`" + strings.Join(k.Words, "`, `") + "`"
	switch k.Form {
	case config.FormName:
		return "name: " + k.Names()
	case config.FormWord:
		if len(k.Keys) > 0 {
			return words + ", or a map"
		}
		return words
	case config.FormFlag:
		if len(k.Words) > 0 {
			return words
		}
		return "`true`, `false`"
	case config.FormInteger:
		if k.Low == k.High {
			return strconv.FormatInt(k.Low, 10)
		}
		if k.High > 1<<53 {
			return fmt.Sprintf("integer from %d", k.Low)
		}
		return fmt.Sprintf("%d to %d", k.Low, k.High)
	case config.FormDuration:
		low, high := time.Duration(k.Low), time.Duration(k.High)
		text := fmt.Sprintf("duration, %s to %s", config.FormatDuration(low), config.FormatDuration(high))
		if high > 3650*24*time.Hour {
			text = "duration from " + config.FormatDuration(low)
		}
		if len(k.Words) > 0 {
			text += ", or " + words
		}
		return text
	case config.FormSize:
		return fmt.Sprintf("size from %d", k.Low)
	case config.FormPort:
		return "port"
	case config.FormList:
		switch {
		case len(k.Words) > 0:
			return "list of " + words
		case k.Names() != "":
			return "list of names: " + k.Names()
		}
		return "list of text"
	case config.FormTexts:
		return "map to text"
	case config.FormRows:
		return "map to rows"
	case config.FormCounts:
		if len(k.Words) > 0 {
			return "map from " + words + " to numbers"
		}
		return "map to numbers"
	case config.FormMap, config.FormNames:
		return "[map](#" + anchor(k) + ")"
	case config.FormMaps:
		return "[list of maps](#" + anchor(k) + ")"
	}
	return string(k.Form)
}

// anchor is the anchor that GitHub gives the chapter of k.
func anchor(k config.Key) string {
	title := k.Path
	if k.Form == config.FormNames {
		title += ".NAME"
	}
	return strings.ToLower(strings.ReplaceAll(title, ".", ""))
}
