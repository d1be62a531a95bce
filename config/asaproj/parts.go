package asaproj

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of the service.
const (
	maxLateSeconds     = 1814399
	maxDisorderSeconds = 599
)

// job reads JobConfig.json. The size of the job, storage and identities have no effect on
// what a script gives.
func (f *file) job(j *Job) {
	n := f.root
	j.At = f.place(n)
	if n.get("EventsLateArrivalMaxDelayInSeconds") != nil {
		late := time.Duration(f.integer(n, 5, "EventsLateArrivalMaxDelayInSeconds", -1, maxLateSeconds)) * time.Second
		if late < 0 {
			late = Infinite
		}
		j.Late = &late
	}
	j.Disorder = time.Duration(f.integer(n, 0, "EventsOutOfOrderMaxDelayInSeconds", 0, maxDisorderSeconds)) * time.Second
	j.DropEvents = f.word(n, "Adjust", "EventsOutOfOrderPolicy", "Adjust", "Drop") == "Drop"
	j.DropRows = f.word(n, "Retry", "OutputErrorPolicy", "Retry", "Stop", "Drop") == "Drop"
	if v := n.get("CompatibilityLevel"); v != nil {
		j.Level, j.LevelAt = v.text, f.place(v)
	}
	if v := n.get("DataLocale"); v != nil && !strings.EqualFold(v.text, "en-US") {
		f.fail(v, "E206", "DataLocale: en-US", "DataLocale %s is not supported yet", v.text)
	}
}

// hub reads what is said of an event hub; empty where the source or target is another.
func (f *file) hub() (hub, group, key string) {
	n := f.root.get("EventHubProperties")
	return f.text(n, "EventHubName"), f.text(n, "ConsumerGroupName"), f.text(n, "PartitionKey")
}

// serialization reads how events are written.
func (f *file) serialization() (format, delimiter string) {
	n := f.root.get("Serialization")
	return strings.ToLower(cmp.Or(f.text(n, "Type"), "json")), f.text(n, "FieldDelimiter")
}

func (f *file) reference(n *node) bool {
	return strings.HasPrefix(strings.ToLower(f.text(n, "Type")), "reference")
}

// input reads a live input.
func (f *file) input() Input {
	n := f.root
	in := Input{At: f.place(n), Name: f.name(), Reference: f.reference(n), Kind: f.text(n, "DataSourceType")}
	in.Hub, in.ConsumerGroup, _ = f.hub()
	in.Format, in.Delimiter = f.serialization()
	if c := f.text(n, "CompressionType", "CompresssionType"); !strings.EqualFold(c, "None") {
		in.Compression = c
	}
	return in
}

// name is the name in a file, or else that of the file.
func (f *file) name() string {
	base := filepath.Base(f.path)
	return cmp.Or(f.text(f.root, "Name"), strings.TrimSuffix(base, filepath.Ext(base)))
}

// mock reads a file that stands in for an input; n is the whole of the file or a part of a
// test configuration.
func (f *file) mock(n *node) Mock {
	s := n.get("Serialization")
	m := Mock{At: f.place(n), Reference: f.reference(n), Alias: f.text(n, "InputAlias", "Name"),
		Format: strings.ToLower(cmp.Or(f.text(n, "Format"), f.text(s, "Type"), "json")), Delimiter: f.text(s, "FieldDelimiter")}
	if m.Alias == "" {
		f.fail(n, "E208", "InputAlias: the name behind FROM", "InputAlias is missing")
	}
	path := f.text(n, "FilePath")
	if path == "" {
		f.fail(n, "E208", "FilePath: a file of events", "FilePath is missing")
		return m
	}
	m.Path = resolve(filepath.Dir(f.path), path)
	return m
}

// output reads a live output.
func (f *file) output() Output {
	out := Output{At: f.place(f.root), Name: f.name(), Kind: f.text(f.root, "DataSourceType")}
	out.Hub, _, out.PartitionKey = f.hub()
	out.Format, _ = f.serialization()
	out.Array = strings.EqualFold(f.text(f.root.get("Serialization"), "Format"), "Array")
	return out
}

// function reads the declaration of a function. The source stands beside it: f.js beside
// f.js.json.
func (f *file) function(kind string) Function {
	fn := Function{At: f.place(f.root), Name: f.name(), Language: JavaScript, Aggregate: strings.EqualFold(f.text(f.root, "Type"), "Aggregate")}
	fn.Name, fn.Output = strings.TrimSuffix(fn.Name, ".js"), f.text(f.root, "OutputType")
	if list := f.root.get("FunctionInputs"); list != nil {
		for _, in := range list.items {
			fn.Inputs = append(fn.Inputs, f.text(in, "DataType"))
		}
	}
	if kind == "csharpfunction" {
		fn.Language = CSharp
		return fn
	}
	fn.Path = strings.TrimSuffix(f.path, filepath.Ext(f.path))
	return fn
}

// Tests is a test configuration.
type Tests struct {
	File  string
	Cases []Case
	Files []string
}

// Case is one case of a test configuration.
type Case struct {
	At       Place
	Name     string
	Inputs   []Mock
	Expected []Expected
}

// Expected is an output of a case. One that is not required is not compared.
type Expected struct {
	At       Place
	Alias    string
	Path     string // of one that is required
	Required bool
}

// ReadTests reads a test configuration. What is wrong with it is an error of type Problems.
func ReadTests(path string) (*Tests, error) {
	r := &reader{}
	f := r.open(path)
	if f == nil {
		return nil, r.problems
	}
	t := &Tests{File: path, Files: r.files}
	if f.parse(); f.root == nil {
		return nil, r.problems
	}
	list := f.root.get("TestCases")
	if list == nil || list.kind != '[' {
		f.fail(f.root, "E208", "", "TestCases is missing: a list of cases")
		return nil, r.problems
	}
	names := map[string]bool{}
	for _, n := range list.items {
		c := Case{At: f.place(n), Name: f.text(n, "Name")}
		if c.Name == "" || names[c.Name] {
			f.fail(n, "E202", "give each case a name of its own", "%q names no case, or another", c.Name)
		}
		names[c.Name] = true
		if in := n.get("Inputs"); in != nil {
			for _, m := range in.items {
				if kind := f.text(m, "ScriptType"); kind == "" || strings.EqualFold(kind, "InputMock") {
					c.Inputs = append(c.Inputs, f.mock(m))
				}
			}
		}
		if out := n.get("ExpectedOutputs"); out != nil {
			for _, x := range out.items {
				c.Expected = append(c.Expected, f.expected(x))
			}
		}
		t.Cases = append(t.Cases, c)
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return t, nil
}

func (f *file) expected(n *node) Expected {
	x := Expected{At: f.place(n), Alias: f.text(n, "OutputAlias"), Required: f.flag(n, true, "Required")}
	if x.Alias == "" {
		f.fail(n, "E208", "OutputAlias: the name behind INTO", "OutputAlias is missing")
	}
	path := f.text(n, "FilePath")
	switch {
	case path == "":
		f.fail(n, "E208", "FilePath: a file of rows", "FilePath is missing")
	case x.Required:
		x.Path = resolve(filepath.Dir(f.path), path)
	}
	return x
}
