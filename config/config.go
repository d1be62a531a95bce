// Package config turns a pipeline file into pipeline.Options and says exactly what
// is wrong with it: file, line, column, code, an excerpt with a caret, a hint.
//
// A folder with nothing but Stream Analytics scripts is a pipeline too (Derive), so is a
// project folder of Microsoft's tools, and so is the built-in example (Example).
//
// Every key of a file is declared once, with what it means and what becomes of a change
// (Key): key.go has the declaration, form.go the forms of values, and the files of the maps
// their keys, with the checks of several keys beside them.
//
// Nothing else reads YAML or environment variables for a pipeline.
//
// Stability: importable, not promised before 1.0.
package config

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"spate/config/asaproj"
	"spate/pipeline"
	"spate/sql/plan"
)

// Kind says where a pipeline came from.
type Kind string

// Kinds of pipelines.
const (
	File    Kind = "file"    // a pipeline file
	Derived Kind = "derived" // a folder of scripts
	Project Kind = "project" // a project folder of Microsoft's tools
	BuiltIn Kind = "example" // the built-in example
)

// Source says what to load.
type Source struct {
	Path string // a pipeline file or a folder; empty: the current folder
	Data string // data folder, instead of the file's storage.path
	// NoScripts leaves the queries unchecked, and needs no variable that is not set: for the
	// verbs that only look at names.
	NoScripts bool
	AutoPorts bool                        // any free port for every listener that is open
	Env       func(string) (string, bool) // default os.LookupEnv
}

// Pipeline is a loaded pipeline.
type Pipeline struct {
	Kind     Kind
	Path     string // the pipeline file or folder as errors name it; empty: built in
	Options  pipeline.Options
	Warnings Problems
	Files    []string // what was read, folders whose content counts among them
	// Secrets are the values that came from references: prints show *** instead.
	Secrets []string

	Source *asaproj.Project // of a Project
}

// autoPorts opens every listener on any free port.
func (p *Pipeline) autoPorts(src Source) {
	if !src.AutoPorts {
		return
	}
	l := &p.Options.Listen
	for _, addr := range []*string{&l.AMQP, &l.AMQPS, &l.Kafka, &l.HTTP, &l.Health} {
		if host, _, err := net.SplitHostPort(*addr); err == nil {
			*addr = net.JoinHostPort(host, "0")
		}
	}
}

// ErrNoPipeline is returned by Load for a folder that holds no pipeline.
var ErrNoPipeline = errors.New("no pipeline here")

// Load reads the pipeline at src. A wrong pipeline is an error of type Problems;
// a folder without one is ErrNoPipeline.
func Load(src Source) (*Pipeline, error) {
	path := cmp.Or(src.Path, ".")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Problems{{File: path, Line: 1, Column: 1, Code: "E303", Severity: "error", Message: "there is no such file or folder"}}
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if asaproj.IsProject(path) {
			return loadProject(src, path)
		}
		if strings.EqualFold(filepath.Ext(path), ".asaql") { // a folder that holds this script alone
			p, err := derive(src, filepath.Dir(path), []string{path})
			if p != nil {
				p.Path, p.Files = path, []string{path}
			}
			return p, err
		}
		return loadFile(src, path)
	}
	for _, name := range []string{"spate.yaml", "spate.yml"} {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return loadFile(src, file)
		}
	}
	if file, err := asaproj.Find(path); err != nil {
		return nil, Problems{{File: path, Line: 1, Column: 1, Code: "E303", Severity: "error", Message: err.Error()}}
	} else if file != "" {
		return loadProject(src, file)
	}
	scripts, err := filepath.Glob(filepath.Join(path, "*.asaql"))
	if err != nil {
		return nil, err
	}
	if len(scripts) == 0 {
		return nil, ErrNoPipeline
	}
	return derive(src, path, scripts)
}

func loadFile(src Source, path string) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	dir, files := filepath.Dir(path), []string{path}
	p, err := loadBytes(src, path, data, folder{dir: dir, read: func(name string) ([]byte, error) {
		files = append(files, resolvePath(dir, name))
		return os.ReadFile(resolvePath(dir, name))
	}})
	if p != nil {
		p.Files = files
	}
	return p, err
}

// folder is where the relative paths of a pipeline file begin.
type folder struct {
	dir  string
	read func(name string) ([]byte, error)
}

func resolvePath(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// absolute keeps a path that is written to where it is when the process moves.
func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}

func loadBytes(src Source, file string, data []byte, at folder) (*Pipeline, error) {
	env := src.Env
	if env == nil {
		env = os.LookupEnv
	}
	r := &reader{file: file, env: env, readFile: at.read, lax: src.NoScripts}
	l := &loader{reader: r, folder: at, data: src.Data}
	if top := r.parse(data); top != nil {
		fileKeys.read(l, top, &l.o)
		r.scanSecrets()
	}
	p := &Pipeline{Kind: File, Path: file, Options: l.o, Secrets: r.secrets}
	if err := p.settle(r.problems); err != nil {
		return nil, err
	}
	l.refer()
	if !src.NoScripts {
		l.checkScripts()
	}
	p.Options = l.o
	p.autoPorts(src)
	settled := len(p.Warnings)
	if err := p.settle(r.problems[settled:]); err != nil {
		return nil, err
	}
	if !src.NoScripts { // else not all warnings are known
		settled = len(r.problems)
		p.acknowledge(l)
		return p, p.settle(r.problems[settled:])
	}
	return p, nil
}

// settle keeps the warnings of ps and returns the errors.
func (p *Pipeline) settle(ps Problems) error {
	var bad Problems
	for _, x := range ps {
		if x.Severity == "warning" {
			p.Warnings = append(p.Warnings, x)
		} else {
			bad = append(bad, x)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	bad.hideSecrets()
	slices.SortStableFunc(bad, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return bad[:min(len(bad), maxProblems)]
}

// loader reads the keys into Options and remembers where names stood, so that
// references between them can be checked when all are known.
type loader struct {
	*reader
	folder folder
	data   string
	o      pipeline.Options
	refs   []func()
	jobs   map[string]*jobPlaces

	functions    map[functionOf]*plan.Function // those without mistakes
	acknowledged []acknowledgement
}

// jobPlaces is where the parts of a job stand.
type jobPlaces struct {
	query   place
	script  string // file of the query as errors name it; empty: inline
	inputs  map[string]place
	outputs map[string]place
	late    bool             // how late events may be is said
	columns map[string]place // of the expressions, by alias and column as columnKey has them
}

// fileKeys are the keys at the top of a file.
var fileKeys = section[pipeline.Options]{
	key("version", ChangeInside, "Version of this language.", versionValue()).required(""),
	key("name", ChangeStart, "Name of the pipeline; the resource group in answers.", nameOr(groupName, "name of the folder", (*loader).folderName,
		func(o *pipeline.Options) *string { return &o.Name })),
	key("subscription", ChangeStart, "Used in resource ids.", text("00000000-0000-0000-0000-000000000000",
		func(o *pipeline.Options) *string { return &o.Subscription })),
	key("location", ChangeStart, "Region in answers.", text("local",
		func(o *pipeline.Options) *string { return &o.Location })),
	key("server", ChangeInside, "Where clients connect.", serverValue()).example(serverExample),
	key("namespace", ChangeInside, "The hubs, and who may use them.", namespaceValue()).example(namespaceExample),
	key("storage", ChangeInside, "Where everything is kept.", part(storageKeys, itself, nil)).example(storageExample),
	key("tables", ChangeInside, "The Delta tables, named `table` or `database.table`.", tableNames()).example(tablesExample),
	key("jobs", ChangeInside, "The Stream Analytics jobs. One that is gone from the file stops, and its state is kept.", jobNames()).example(jobsExample),
	key("capture", ChangeInside, "Hubs of which every event is appended to a table, from the oldest event on.", captureNames()).example(captureExample),
	key("monitor", ChangeInside, "Metrics, and who is told about alerts.", part(monitorKeys, itself, nil)).example(monitorExample),
	key("notify", ChangeInside, "Hubs of which every event is sent to action groups.", notifyNames()).example(notifyExample),
	key("simulate", ChangeInside, "A fleet of devices that `spate up` runs.", simulateValue()).example(simulateExample),
	key("tests", ChangeInside, "Tests of the jobs, for `spate test`. They are one list; a pipeline that runs does not look at them.", tests()).example(testsExample),
	later[pipeline.Options]("include", "azure"),
}

func itself(o *pipeline.Options) *pipeline.Options { return o }

var notNameChars = regexp.MustCompile(`[^\pL\d._()-]+`)

// folderName is the name of the folder, made to fit the rules of names.
func (l *loader) folderName() string {
	abs, err := filepath.Abs(l.folder.dir)
	if err != nil {
		return "spate"
	}
	if name := notNameChars.ReplaceAllString(filepath.Base(abs), "-"); groupName.form.MatchString(name) {
		return name
	}
	return "spate"
}

func versionValue() value[pipeline.Options] {
	return value[pipeline.Options]{Key{Form: FormInteger, Low: 1, High: 1},
		func(_ *loader, o *object, key string, _ *pipeline.Options) {
			e := o.take(key)
			if e == nil {
				o.r.fail(o.at, "E201", "version", "the first key of a pipeline file is version: 1", "version is missing")
			} else if s, quoted, ok := scalar(e.value); !ok || quoted || strings.Trim(s, "0123456789") != "" || s == "" {
				o.fail(e, "E104", "", "want an integer, got %s", kindOf(e.value))
			} else if s != "1" {
				o.fail(e, "E201", "this version of spate reads version 1", "%s is unknown", s)
			}
		},
		func(*Pipeline, *pipeline.Options) any { return 1 }}
}

var storageKeys = section[pipeline.Options]{
	key("path", ChangeStart, "The data folder: everything that Spate writes. Another one is another pipeline.", dataFolder()),
	key("account", ChangeStart, "Storage account in the names of tables, and a folder of their paths.", name(accountName, "spate",
		func(o *pipeline.Options) *string { return &o.Storage.Account })),
	key("container", ChangeStart, "Container in the names of tables, and a folder of their paths.", name(containerName, "data",
		func(o *pipeline.Options) *string { return &o.Storage.Container })),
	key("database", ChangeStart, "Database of tables that are named without one.", name(sqlName, "default",
		func(o *pipeline.Options) *string { return &o.Storage.Database })),
	later[pipeline.Options]("mounts", "diskReserve"),
}

func dataFolder() value[pipeline.Options] {
	v := text("./data", func(o *pipeline.Options) *string { return &o.Dir })
	v.read = func(l *loader, o *object, key string, to *pipeline.Options) {
		to.Dir = absolute(resolvePath(l.folder.dir, o.text(key, "./data")))
		if l.data != "" {
			to.Dir = absolute(l.data)
		}
	}
	return v
}

// refer checks the references between the parts.
func (l *loader) refer() {
	for _, f := range l.refs {
		f()
	}
}

const maxDuration = 100 * 365 * 24 * time.Hour
