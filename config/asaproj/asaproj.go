// Package asaproj reads the project folders of Microsoft's tools for Stream Analytics: the
// project file, the configuration of the job, inputs, outputs, functions and tests. It says
// what the files say, with the places of what is wrong; what becomes of it is decided by
// whoever reads them.
//
// The tools spell field names in several ways and write fields that nobody needs: names are
// compared ignoring case, and unknown fields are passed over. Paths may hold \ and /.
//
// Stability: importable, not promised before 1.0.
package asaproj

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Infinite is a late tolerance without bound.
const Infinite time.Duration = -1

// PassedOver is the code of a warning: the project names a file with which nothing is done.
const PassedOver = "W525"

// Project is a project folder.
type Project struct {
	File   string // asaproj.json or NAME.asaproj
	Dir    string // that holds it
	Name   string
	Script string // file

	Job       Job
	Inputs    []Input
	Mocks     []Mock
	Outputs   []Output
	Functions []Function
	Files     []string  // all that were read, the script not among them
	Passed    []Problem // what the project file names and nothing is done with
}

// Place is a value in a file.
type Place struct {
	File         string
	Line, Column int    // from 1
	Source       string // the text of the file
}

// Problem is something that is wrong at a place.
type Problem struct {
	Place
	Code, Message, Hint string
}

// Problems is the error of Read and ReadTests.
type Problems []Problem

// Error implements error.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s %s", p.File, p.Line, p.Column, p.Code, p.Message))
	}
	return strings.Join(lines, "\n")
}

// Job is what JobConfig.json says, with the defaults of the tools.
type Job struct {
	At         Place          // of the file; without one of the project
	Late       *time.Duration // nil: nothing is said
	Disorder   time.Duration
	DropEvents bool   // late and disordered events are dropped, not adjusted
	DropRows   bool   // rows that an output cannot hold are dropped, not held
	Level      string // of compatibility
	LevelAt    Place
}

// Input is a live input.
type Input struct {
	At            Place
	Name          string
	Reference     bool
	Kind          string // DataSourceType: Event Hub, Blob Storage, ...
	Hub           string // of an event hub
	ConsumerGroup string
	Format        string // json, csv or avro
	Delimiter     string // of csv
	Compression   string
}

// Mock is a file that stands in for an input.
type Mock struct {
	At        Place
	Alias     string
	Reference bool
	Format    string // json, csv or avro
	Delimiter string // of csv
	Path      string
}

// Output is a live output.
type Output struct {
	At           Place
	Name         string
	Kind         string // DataSourceType
	Hub          string // of an event hub
	PartitionKey string
	Format       string // json, csv, avro, ...
	Array        bool   // rows are written as one list
}

// Function is a function of the user.
type Function struct {
	At        Place
	Name      string
	Language  string // JavaScript or CSharp
	Aggregate bool
	Inputs    []string // types of the arguments; nil: not said
	Output    string   // type of the result; empty: not said
	Path      string   // the source of a JavaScript function
}

// Languages of functions.
const (
	JavaScript = "JavaScript"
	CSharp     = "C#"
)

// IsProject says whether a file is a project file, by its name.
func IsProject(path string) bool {
	return strings.EqualFold(filepath.Base(path), "asaproj.json") || strings.EqualFold(filepath.Ext(path), ".asaproj")
}

// Find is the project file of a folder; empty: there is none.
func Find(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		switch {
		case e.IsDir() || !IsProject(e.Name()):
		case strings.EqualFold(e.Name(), "asaproj.json"): // goes before one of Visual Studio
			return filepath.Join(dir, e.Name()), nil
		default:
			found = append(found, e.Name())
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("%s holds several projects, name one: %s", dir, strings.Join(found, ", "))
	}
	if len(found) == 0 {
		return "", nil
	}
	return filepath.Join(dir, found[0]), nil
}

// part is one file that a project names.
type part struct {
	at   *node // nil: nobody has named it
	path string
	kind string // subType in lower case
}

// Read reads a project. What is wrong with it is an error of type Problems.
func Read(path string) (*Project, error) {
	r := &reader{}
	f := r.open(path)
	if f == nil {
		return nil, r.problems
	}
	p := &Project{File: path, Dir: filepath.Dir(path)}
	var parts []part
	if strings.EqualFold(filepath.Ext(path), ".asaproj") {
		parts = r.buildFile(f, p)
	} else {
		parts = r.projectFile(f, p)
	}
	p.Job.At = f.place(nil)
	p.Job.Level = "1.2"
	for _, x := range parts {
		r.part(f, p, x)
	}
	p.Files = r.files
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return p, nil
}

// projectFile reads asaproj.json.
func (r *reader) projectFile(f *file, p *Project) (parts []part) {
	if f.parse(); f.root == nil {
		return nil
	}
	p.Name = cmp.Or(f.text(f.root, "name"), filepath.Base(absolute(p.Dir)))
	start := f.root.get("startFile")
	if start == nil {
		f.fail(f.root, "E208", "startFile: the .asaql file of the job", "startFile is missing")
	} else {
		r.script(f, start, p, f.text(f.root, "startFile"))
	}
	list := f.root.get("configurations")
	if list == nil || len(list.items) == 0 {
		return r.usual(p.Dir)
	}
	for _, c := range list.items {
		name := f.text(c, "filePath")
		if name == "" {
			f.fail(c, "E208", "", "an entry of configurations has no filePath")
			continue
		}
		parts = append(parts, part{c, resolve(p.Dir, name), strings.ToLower(f.text(c, "subType"))})
	}
	return parts
}

// usual are the files of a project that names none: those in their usual places.
func (r *reader) usual(dir string) (parts []part) {
	add := func(kind, pattern string) {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is right
		slices.Sort(found)
		for _, path := range found {
			k := kind
			if base := strings.ToLower(filepath.Base(path)); kind == "input" && (strings.HasPrefix(base, "local_") || strings.HasPrefix(base, "localinput_")) {
				k = "inputmock"
			}
			parts = append(parts, part{nil, path, k})
		}
	}
	add("jobconfig", "JobConfig.json")
	add("input", "Inputs/*.json")
	add("output", "Outputs/*.json")
	add("jsfunction", "Functions/*.js.json")
	return parts
}

// buildFile reads the MSBuild file of Visual Studio.
func (r *reader) buildFile(f *file, p *Project) (parts []part) {
	type item struct {
		Include string `xml:"Include,attr"`
		SubType string
	}
	var doc struct {
		Properties []struct{ StartFile, Name string } `xml:"PropertyGroup"`
		Items      []struct {
			Script, Configure, Content, ProjectReference []item
		} `xml:"ItemGroup"`
	}
	if err := xml.Unmarshal([]byte(f.data), &doc); err != nil {
		f.fail(nil, "E109", "", "this is no project file of Visual Studio: %v", err)
		return nil
	}
	p.Name = strings.TrimSuffix(filepath.Base(p.File), filepath.Ext(p.File))
	start := ""
	for _, g := range doc.Properties {
		start, p.Name = cmp.Or(start, g.StartFile), cmp.Or(g.Name, p.Name)
	}
	for _, g := range doc.Items {
		for _, s := range g.Script {
			if strings.EqualFold(filepath.Ext(s.Include), ".asaql") {
				start = cmp.Or(start, s.Include)
			}
		}
		for _, c := range g.Configure {
			kind := strings.TrimSuffix(strings.ToLower(c.SubType), "config")
			if kind == "job" {
				kind = "jobconfig"
			}
			parts = append(parts, part{nil, resolve(p.Dir, c.Include), kind})
		}
	}
	if start == "" {
		f.fail(nil, "E208", "<StartFile>NAME.asaql</StartFile>", "the project names no script")
		return parts
	}
	r.script(f, nil, p, start)
	return parts
}

// script notes the script of a project, which must be there.
func (r *reader) script(f *file, at *node, p *Project, name string) {
	p.Script = resolve(p.Dir, name)
	if st, err := os.Stat(p.Script); err == nil && !st.IsDir() {
		return
	}
	hint := "the folder holds no .asaql file"
	if found, err := filepath.Glob(filepath.Join(p.Dir, "*.asaql")); err == nil && len(found) > 0 {
		for i := range found {
			found[i] = filepath.Base(found[i])
		}
		hint = "the folder holds " + strings.Join(found, ", ")
	}
	f.fail(at, "E303", hint, "startFile: there is no file %s", filepath.ToSlash(p.Script))
}

// part reads one file of a project.
func (r *reader) part(project *file, p *Project, x part) {
	switch x.kind {
	case "jobconfig", "input", "inputmock", "output", "jsfunction", "csharpfunction":
	default:
		p.Passed = append(p.Passed, Problem{Place: project.place(x.at), Code: PassedOver,
			Message: fmt.Sprintf("%s is of the subType %q: nothing is done with it", filepath.ToSlash(x.path), x.kind)})
		return
	}
	if _, err := os.Stat(x.path); err != nil {
		project.fail(x.at, "E303", "", "there is no file %s", filepath.ToSlash(x.path))
		return
	}
	f := r.open(x.path)
	if f == nil {
		return
	}
	if f.parse(); f.root == nil {
		return
	}
	switch x.kind {
	case "jobconfig":
		f.job(&p.Job)
	case "input":
		p.Inputs = append(p.Inputs, f.input())
	case "inputmock":
		p.Mocks = append(p.Mocks, f.mock(f.root))
	case "output":
		p.Outputs = append(p.Outputs, f.output())
	default:
		p.Functions = append(p.Functions, f.function(x.kind))
	}
}
