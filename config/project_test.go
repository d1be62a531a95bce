package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/pipeline"
)

// project writes a project folder with these files beside asaproj.json, which names them all.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	list := []string{}
	subTypes := map[string]string{"JobConfig": "JobConfig", "Inputs": "Input", "Outputs": "Output", "Mocks": "InputMock", "Functions": "JSFunction"}
	if files["job.asaql"] == "" {
		files["job.asaql"] = "SELECT a INTO [o] FROM [i]"
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if kind := subTypes[strings.TrimSuffix(strings.Split(name, "/")[0], ".json")]; kind != "" {
			list = append(list, `{"filePath":"`+strings.ReplaceAll(name, "/", `\\`)+`","subType":"`+kind+`"}`)
		}
	}
	text := "\ufeff" + `{"name":"a project","startFile":"job.asaql","configurations":[` + strings.Join(list, ",") + "]}"
	if err := os.WriteFile(filepath.Join(dir, "asaproj.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatAProjectSays(t *testing.T) {
	infinite, five, minute := pipeline.Infinite, 5*time.Second, time.Minute
	for text, want := range map[string]pipeline.Policies{
		`{}`: {Action: pipeline.Adjust, MaxLate: &five, OutputError: pipeline.Stop, Compat: "1.2"},
		`{"eventslatearrivalmaxdelayinseconds":-1,"OutputErrorPolicy":"stop","EventsOutOfOrderPolicy":"adjust"}`:         {Action: pipeline.Adjust, MaxLate: &infinite, OutputError: pipeline.Stop, Compat: "1.2"},
		`{"EventsLateArrivalMaxDelayInSeconds":"60","OutputErrorPolicy":"Drop","EventsOutOfOrderPolicy":"Drop","X":[1]}`: {Action: pipeline.Drop, MaxLate: &minute, OutputError: pipeline.DropRow, Compat: "1.2"},
	} {
		p, err := Load(Source{Path: project(t, map[string]string{"JobConfig.json": text})})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := p.Options.Jobs[0].Policies
		if *got.MaxLate != *want.MaxLate {
			t.Errorf("%s: late %v, want %v", text, *got.MaxLate, *want.MaxLate)
		}
		if got.MaxLate, want.MaxLate = nil, nil; got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
		if name := p.Options.Jobs[0].Name; name != "job" { // "a project" is no name of a job
			t.Errorf("the job is %q", name)
		}
	}
}

// What a project says and is not there is refused by name, at its place.
func TestWhatAProjectMayNotSay(t *testing.T) {
	input := func(more string) map[string]string {
		return map[string]string{"Inputs/i.json": `{"Name":"i","DataSourceType":"Event Hub",` + more + `"ScriptType":"Input"}`}
	}
	output := func(serialization string) map[string]string {
		return map[string]string{"Outputs/o.json": `{"Name":"o","DataSourceType":"Event Hub","EventHubProperties":{"EventHubName":"h"},"Serialization":` + serialization + `}`}
	}
	job := func(text string) map[string]string { return map[string]string{"JobConfig.json": text} }
	for want, files := range map[string]map[string]string{
		"i.json:1:1: E206 input i: a stream from Blob Storage is not supported yet":                 {"Inputs/i.json": `{"Name":"i","DataSourceType":"Blob Storage"}`},
		"i.json:1:1: E206 input i: live reference data is not supported yet":                        input(`"Type":"Reference Data",`),
		"E206 input i: the compression GZip is not supported yet":                                   input(`"CompressionType":"GZip",`),
		"E206 input i: the format avro is not supported yet":                                        input(`"Serialization":{"Type":"Avro"},`),
		`E202 "a b" is not a name of a hub`:                                                         input(`"EventHubProperties":{"EventHubName":"a b"},`),
		"o.json:1:1: E206 output o: events that are not one row of JSON each are not supported yet": output(`{"Type":"Json","Format":"Array"}`),
		"JobConfig.json:2:15: E206 DataLocale de-DE is not supported yet":                           job("{\n\"DataLocale\": \"de-DE\"}"),
		`JobConfig.json:1:23: E206 CompatibilityLevel: "0.9" is not one of`:                         job(`{"CompatibilityLevel":"0.9"}`),
		"JobConfig.json:1:1: E104 want a map":                                                       job(`[]`),
		"JobConfig.json:1:12: E109 this is no JSON":                                                 job(`{"Tags":{}}x`),
		"JobConfig.json:1:24: E206 OutputErrorPolicy: \"Keep\" is not one of Retry, Stop, Drop":     job(`{ "OutputErrorPolicy": "Keep"}`),
	} {
		_, err := Load(Source{Path: project(t, files)})
		var ps Problems
		if !errors.As(err, &ps) || !strings.Contains(ps.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, kind := range []string{"Avro", "Csv"} {
		if _, err := Load(Source{Path: project(t, output(`{"Type":"`+kind+`"}`))}); err == nil || !strings.Contains(err.Error(), "one row of JSON") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// What a project does not list is found where the tools put it.
func TestAProjectThatListsNothing(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"asaproj.json": `{"name":"p","startFile":"q.asaql","configurations":[]}`, "q.asaql": "SELECT a INTO o FROM i",
		"JobConfig.json": `{"EventsOutOfOrderPolicy":"Drop"}`, "Inputs/i.json": `{"Name":"i","DataSourceType":"IoT Hub"}`,
		"Inputs/Local_i.json": `{"InputAlias":"i","FilePath":"C:\\somewhere\\Inputs\\data.json"}`, "Inputs/data.json": "{}",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if j := p.Options.Jobs[0]; j.Name != "p" || j.Policies.Action != pipeline.Drop || j.Inputs[0].Hub != "i" {
		t.Errorf("%+v", j)
	}
	if len(p.Source.Mocks) != 1 || p.Source.Mocks[0].Path != filepath.Join(dir, "Inputs", "data.json") {
		t.Errorf("%+v", p.Source.Mocks)
	}
}

// A function is declared beside its source.
func TestFunctionsOfAProject(t *testing.T) {
	dir := project(t, map[string]string{
		"job.asaql":           "SELECT udf.f(a) AS a INTO [o] FROM [i]",
		"Functions/f.js":      "function main(x) { return x; }",
		"Functions/f.js.json": `{"Name":"f.js","Type":"Scalar","ScriptType":"JSFunction","FunctionInputs":[{"DataType":"any","IsConfigurationParameter":null}],"OutputType":"any"}`,
	})
	// Only the declaration is listed.
	path := filepath.Join(dir, "asaproj.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\{"filePath":"Functions\\\\f\.js","subType":"JSFunction"\},?`).ReplaceAllString(string(data), "")
	if err := os.WriteFile(path, []byte(strings.Replace(text, ",]", "]", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := ReadProject(path)
	if err != nil {
		t.Fatal(err)
	}
	f := p.Functions[0]
	if f.Name != "f" || f.Language != "JavaScript" || f.Output != "any" || len(f.Inputs) != 1 || f.Inputs[0] != "any" || f.Path != filepath.Join(dir, "Functions", "f.js") {
		t.Errorf("%+v", f)
	}
	loaded, err := Load(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if list := loaded.Options.Jobs[0].Functions; len(list) != 1 || list[0].Name != "f" || list[0].Text != "function main(x) { return x; }" || !slices.Contains(loaded.Files, f.Path) {
		t.Errorf("%+v, files %v", list, loaded.Files)
	}
	for _, c := range []struct{ text, want string }{{"function main(x) { return x;", f.Path + ":1:"}, {"function main(x) { return x; }", ""}} {
		if err := os.WriteFile(f.Path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Source{Path: dir}); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
}

// The warnings about jobs come where they should, and nowhere else.
func TestLintsOfJobs(t *testing.T) {
	f := func(job, more, want string) {
		t.Helper()
		dir := t.TempDir()
		text := "version: 1\nnamespace: { eventHubs: { i: { messageRetention: 1h, consumerGroups: [g] }, o: {} } }\njobs:\n  j: { " + job + " }\n" + more
		if err := os.WriteFile(filepath.Join(dir, "spate.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := Load(Source{Path: dir})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var codes []string
		for _, w := range p.Warnings {
			codes = append(codes, w.Code)
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("got %s, want %s\n%s%v", got, want, text, p.Warnings)
		}
	}
	f(`query: "SELECT a INTO o FROM i TIMESTAMP BY t"`, "", "W508")
	f(`query: "SELECT a INTO o FROM i TIMESTAMP BY t", acknowledge: [W508]`, "", "")
	f(`query: "SELECT a INTO o FROM i TIMESTAMP BY t", eventsLateArrivalMaxDelay: 5s`, "", "")
	f(`query: "SELECT a INTO o FROM i"`, "", "")
	f(`query: "SELECT a INTO o FROM i", deadLetter: { enabled: false }`, "", "W519")
	f(`query: "SELECT a INTO o FROM i", deadLetter: { enabled: false }, outputErrorPolicy: Stop`, "", "")
	window := `query: "SELECT COUNT(*) AS n INTO o FROM i GROUP BY TumblingWindow(minute, 60)"`
	f(window, "", "W511")
	f(window+", inputs: { i: { eventHub: i } }, acknowledge: [W511]", "", "")
	f(strings.Replace(window, "60", "59", 1), "", "")
	f(strings.Replace(window, "60", "59", 1)+", eventsOutOfOrderMaxDelay: 2m", "", "W511")
	second := "  k: { query: \"SELECT a INTO o FROM x\", inputs: { x: { eventHub: i%s } } }\n"
	f(`query: "SELECT a INTO o FROM i"`, strings.Replace(second, "%s", "", 1), "W522")
	f(`query: "SELECT a INTO o FROM i"`, strings.Replace(second, "%s", ", consumerGroup: g", 1), "")
}
