package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate/config/asaproj"
	"spate/pipeline"
	"spate/sql/plan"
)

// Codes of warnings about projects.
const (
	lateNotSet  = "W508"
	otherTarget = "W524"
)

// projectProblems are the problems of a project as those of a pipeline.
func projectProblems(ps asaproj.Problems) Problems {
	var out Problems
	for _, p := range ps {
		out = append(out, projectProblem(p.Place, p.Code, p.Hint, "%s", p.Message))
	}
	return out
}

func projectProblem(at asaproj.Place, code, hint, format string, args ...any) Problem {
	return Problem{File: at.File, Line: at.Line, Column: at.Column, Code: code, Severity: severity(code),
		Message: fmt.Sprintf(format, args...), Hint: hint, excerpt: excerpt(at.Source, at.Line, at.Column)}
}

// ReadProject reads a project folder of Microsoft's tools. What is wrong with it is an error
// of type Problems.
func ReadProject(file string) (*asaproj.Project, error) {
	p, err := asaproj.Read(file)
	return p, asProblems(err)
}

// ReadProjectTests reads a test configuration of Microsoft's tools.
func ReadProjectTests(file string) (*asaproj.Tests, error) {
	t, err := asaproj.ReadTests(file)
	return t, asProblems(err)
}

func asProblems(err error) error {
	var ps asaproj.Problems
	if errors.As(err, &ps) {
		return projectProblems(ps)
	}
	return err
}

// loadProject makes a pipeline of a project: one job with the script and the policies of the
// project. An event hub is a hub, and so is an IoT hub; what FROM reads without a live input
// is a hub too. Other outputs, which are not here, are tables.
func loadProject(src Source, file string) (*Pipeline, error) {
	pr, err := ReadProject(file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(pr.Script)
	if err != nil {
		return nil, fmt.Errorf("reading the script of %s: %w", file, err)
	}
	l := bareLoader(src, pr.Dir)
	j := pipeline.Job{Name: projectJobName(pr), Script: string(data), ScriptFile: pr.Script}
	l.problems = append(l.problems, projectProblems(pr.Passed)...)
	l.projectPolicies(pr, &j)
	l.projectReferences(pr, &j)
	l.projectFunctions(pr, &j)
	l.o.Jobs = append(l.o.Jobs, j)
	l.jobs[j.Name] = &jobPlaces{query: place{1, 1}, late: true, script: pr.Script, inputs: map[string]place{}, outputs: map[string]place{}}
	if p, _, _ := l.compile(&j); p != nil { // its mistakes are reported by checkScripts
		l.projectEnds(pr, &l.o.Jobs[0], p)
		if pr.Job.Late == nil && eventTime(p) {
			l.problems = append(l.problems, projectProblem(pr.Job.At, lateNotSet, "EventsLateArrivalMaxDelayInSeconds: 5, or -1 for without bound",
				"the late tolerance is not set: here it is %s, and the service's API has no bound", FormatDuration(usualLate)))
		}
	}
	if !src.NoScripts {
		l.checkScripts()
	}
	l.acknowledgeProject(j.Script)
	p := &Pipeline{Kind: Project, Path: file, Options: l.o, Files: append([]string{pr.Script}, pr.Files...), Source: pr}
	p.autoPorts(src)
	if err := p.settle(l.problems); err != nil {
		return nil, err
	}
	return p, nil
}

// projectJobName is the name of the project, or that of its script, as far as it is one.
func projectJobName(pr *asaproj.Project) string {
	base := filepath.Base(pr.Script)
	for _, name := range []string{pr.Name, strings.TrimSuffix(base, filepath.Ext(base))} {
		if jobName.form.MatchString(name) {
			return name
		}
	}
	return "job"
}

// ProjectPolicies are the policies of a project's job. A level of compatibility that there is
// not is a problem.
func ProjectPolicies(pr *asaproj.Project) (pipeline.Policies, Problems) {
	j, late := &pr.Job, usualLate
	if j.Late != nil {
		late = *j.Late
	}
	p := pipeline.Policies{Action: pipeline.Adjust, MaxDisorder: j.Disorder, MaxLate: &late, OutputError: pipeline.Stop, Compat: j.Level}
	if j.DropEvents {
		p.Action = pipeline.Drop
	}
	if j.DropRows {
		p.OutputError = pipeline.DropRow
	}
	for _, k := range jobKeys.keys() {
		if k.Name == "compatibilityLevel" && !slices.Contains(k.Words, j.Level) {
			return p, Problems{projectProblem(j.LevelAt, "E206", "", "CompatibilityLevel: %q is not one of %s", j.Level, strings.Join(k.Words, ", "))}
		}
	}
	return p, nil
}

func (l *loader) projectPolicies(pr *asaproj.Project, j *pipeline.Job) {
	policies, ps := ProjectPolicies(pr)
	j.Policies = policies
	l.problems = append(l.problems, ps...)
}

// projectReferences binds the reference data of a project: its local files, for the live
// sources are not here.
func (l *loader) projectReferences(pr *asaproj.Project, j *pipeline.Job) {
	for _, m := range pr.Mocks {
		if !m.Reference || j.HasInput(m.Alias) {
			continue
		}
		if m.Format != "json" && m.Format != "csv" {
			l.problems = append(l.problems, projectProblem(m.At, "E206", "", "input %s: the format %s is not supported yet", m.Alias, m.Format))
			continue
		}
		in := pipeline.Input{Alias: m.Alias, Reference: true, Path: absolute(m.Path), Format: m.Format, Refresh: time.Minute}
		if m.Format == "csv" {
			in.Delimiter = m.Delimiter
		}
		j.Inputs = append(j.Inputs, in)
	}
	for _, in := range pr.Inputs {
		if in.Reference && !j.HasInput(in.Name) {
			l.problems = append(l.problems, projectProblem(in.At, "E206", "give it a local input: Inputs/Local_"+in.Name+".json", "input %s: live reference data is not supported yet", in.Name))
		}
	}
}

// ProjectFunctions reads the functions of a project.
func ProjectFunctions(pr *asaproj.Project) (list []pipeline.Function, problems Problems) {
	for _, fn := range pr.Functions {
		f := pipeline.Function{Name: fn.Name, Kind: pipeline.ScalarFunction, Inputs: fn.Inputs, Output: fn.Output, File: fn.Path}
		if fn.Aggregate {
			f.Kind = pipeline.AggregateFunction
		}
		switch fn.Language {
		case asaproj.CSharp:
			f.Foreign = "a C# function"
		default:
			text, err := os.ReadFile(fn.Path)
			if err != nil {
				problems = append(problems, projectProblem(fn.At, "E303", "", "function %s: %v", fn.Name, err))
				continue
			}
			f.Text = string(text)
		}
		if slices.ContainsFunc(list, func(have pipeline.Function) bool { return strings.EqualFold(have.Name, f.Name) }) {
			problems = append(problems, projectProblem(fn.At, "E208", "", "function %s: there are two of this name", fn.Name))
			continue
		}
		list = append(list, f)
	}
	return list, problems
}

// projectFunctions reads and compiles the functions of a project.
func (l *loader) projectFunctions(pr *asaproj.Project, j *pipeline.Job) {
	list, problems := ProjectFunctions(pr)
	j.Functions = list
	l.problems = append(l.problems, problems...)
	for i := range list {
		at := pr.Functions[slices.IndexFunc(pr.Functions, func(f asaproj.Function) bool { return strings.EqualFold(f.Name, list[i].Name) })].At
		if list[i].File != "" {
			pr.Files = append(pr.Files, list[i].File)
		}
		l.compileFunction(&list[i], func(hint, format string, args ...any) {
			l.problems = append(l.problems, projectProblem(at, "E400", hint, format, args...))
		})
	}
}

// projectEnds binds what the script reads and writes.
func (l *loader) projectEnds(pr *asaproj.Project, j *pipeline.Job, p *plan.Job) {
	reads := map[string]bool{}
	for _, in := range p.Inputs {
		if i := slices.IndexFunc(pr.Inputs, func(x asaproj.Input) bool { return strings.EqualFold(x.Name, in.Name) }); i >= 0 {
			l.projectInput(&pr.Inputs[i], j, in.Name)
		} else if !j.HasInput(in.Name) {
			l.addHub(in.Name)
		}
		reads[strings.ToLower(in.Name)] = true
	}
	for _, out := range p.Outputs {
		i := slices.IndexFunc(pr.Outputs, func(x asaproj.Output) bool { return strings.EqualFold(x.Name, out.Name) })
		switch {
		case i < 0:
			l.addTarget(j, out.Name, reads)
		case j.Output(out.Name) == nil:
			l.projectOutput(&pr.Outputs[i], j, out.Name)
		}
	}
}

func (l *loader) projectInput(in *asaproj.Input, j *pipeline.Job, alias string) {
	if j.HasInput(alias) {
		return
	}
	refuse := func(format string, args ...any) {
		l.problems = append(l.problems, projectProblem(in.At, "E206", "spate test and spate eval read files in its place", format, args...))
	}
	kind := strings.ToLower(strings.ReplaceAll(in.Kind, " ", ""))
	switch {
	case in.Reference: // projectReferences has said so
		return
	case kind != "eventhub" && kind != "iothub" && kind != "":
		refuse("input %s: a stream from %s is not supported yet", in.Name, in.Kind)
		return
	case in.Compression != "":
		refuse("input %s: the compression %s is not supported yet", in.Name, in.Compression)
		return
	case in.Format != "json" && in.Format != "csv":
		refuse("input %s: the format %s is not supported yet", in.Name, in.Format)
		return
	}
	hub := cmp.Or(in.Hub, alias)
	if !hubName.form.MatchString(hub) {
		l.problems = append(l.problems, projectProblem(in.At, "E202", "want "+hubName.want, "%q is not a name of a hub", hub))
		return
	}
	l.addHub(hub)
	group := cmp.Or(in.ConsumerGroup, "$Default")
	if h := l.findHub(hub); group != "$Default" && !slices.ContainsFunc(h.ConsumerGroups, func(g string) bool { return strings.EqualFold(g, group) }) {
		h.ConsumerGroups = append(h.ConsumerGroups, group)
	}
	delimiter := ""
	if in.Format == "csv" {
		delimiter = in.Delimiter
	}
	j.Inputs = append(j.Inputs, pipeline.Input{Alias: alias, Hub: hub, ConsumerGroup: group, Format: in.Format, Delimiter: delimiter})
}

func (l *loader) projectOutput(out *asaproj.Output, j *pipeline.Job, alias string) {
	if strings.EqualFold(strings.ReplaceAll(out.Kind, " ", ""), "EventHub") && out.Hub != "" {
		switch {
		case out.Format != "json" || out.Array:
			l.problems = append(l.problems, projectProblem(out.At, "E206", "Serialization: Json, LineSeparated",
				"output %s: events that are not one row of JSON each are not supported yet", out.Name))
		case !hubName.form.MatchString(out.Hub):
			l.problems = append(l.problems, projectProblem(out.At, "E202", "want "+hubName.want, "%q is not a name of a hub", out.Hub))
		default:
			l.addHub(out.Hub)
			j.Outputs = append(j.Outputs, pipeline.Output{Alias: alias, Hub: out.Hub, PartitionKey: out.PartitionKey})
			l.jobs[j.Name].outputs[strings.ToLower(alias)] = place{1, 1}
		}
		return
	}
	l.addTable(j, alias)
	l.problems = append(l.problems, projectProblem(out.At, otherTarget, "",
		"output %s is %s in the project: here its rows go to the table %s", out.Name, cmp.Or(out.Kind, "of no kind"), j.Output(alias).Table))
}
