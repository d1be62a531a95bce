package suite

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"spate/config"
	"spate/config/asaproj"
	"spate/eval"
)

// projectSource is a source that is a project folder of Microsoft's tools.
type projectSource struct {
	script string
}

// usualTests is where the tools keep the test configuration of a project.
const usualTests = "test/testConfig.json"

// ofProject are the tests of a project folder. file is the project file, tests the test
// configuration; empty: where the tools keep it.
func ofProject(name, file, tests string) (*Source, error) {
	pr, err := config.ReadProject(file)
	if err != nil {
		return nil, err
	}
	script, err := os.ReadFile(pr.Script)
	if err != nil {
		return nil, fmt.Errorf("reading the script of %s: %w", file, err)
	}
	policies, ps := config.ProjectPolicies(pr)
	if len(ps) > 0 {
		return nil, ps
	}
	functions, ps := config.ProjectFunctions(pr)
	if len(ps) > 0 {
		return nil, ps
	}
	for _, f := range functions {
		if f.File != "" {
			pr.Files = append(pr.Files, f.File)
		}
	}
	named := tests != ""
	tests = cmp.Or(tests, filepath.Join(pr.Dir, filepath.FromSlash(usualTests)))
	if _, err := os.Stat(tests); errors.Is(err, os.ErrNotExist) && !named {
		return nil, nil
	}
	of, err := config.ReadProjectTests(tests)
	if err != nil {
		return nil, err
	}
	s := &Source{Name: name, Files: append(append([]string{pr.Script}, pr.Files...), of.Files...), project: &projectSource{script: pr.Script}}
	for _, c := range of.Cases {
		t := &Test{Name: c.Name, Source: s, script: string(script), scriptFile: pr.Script, policies: policies, functions: functions, all: true}
		t.describe()
		for _, m := range c.Inputs {
			t.addMock(m)
		}
		for _, x := range c.Expected {
			e := &expectation{output: x.Alias, rules: usualRules(), listed: true, ignore: !x.Required, from: x.Path}
			if x.Required {
				e.inFile(x.Path)
				s.Files = append(s.Files, x.Path)
			}
			t.expect = append(t.expect, e)
		}
		s.add(t)
	}
	return s, nil
}

// addMock reads the file that stands in for an input.
func (t *Test) addMock(m asaproj.Mock) {
	in, ref, err := Mock(m)
	switch {
	case err != nil:
		t.setup = errors.Join(t.setup, err)
	case ref != nil:
		t.references, t.Source.Files = append(t.references, *ref), append(t.Source.Files, ref.Path)
	default:
		t.addInput(*in, nil)
	}
}

// Mock is the file that stands in for an input of a project: of a stream, or of reference
// data.
func Mock(m asaproj.Mock) (*eval.Input, *eval.Reference, error) {
	delimiter := ""
	switch {
	case m.Format == "csv":
		delimiter = m.Delimiter
	case m.Format != "json":
		return nil, nil, fmt.Errorf("input %s: a file of the format %s is not supported yet", m.Alias, m.Format)
	}
	if _, err := os.Stat(m.Path); err != nil {
		return nil, nil, fmt.Errorf("input %s: %w", m.Alias, err)
	}
	if m.Reference {
		return nil, &eval.Reference{Name: m.Alias, Path: m.Path, Format: m.Format, Delimiter: delimiter}, nil
	}
	return &eval.Input{Name: m.Alias, Path: m.Path, Format: m.Format, Delimiter: delimiter, Partitions: 1}, nil, nil
}

// verdicts say of each output of a project what the tools say.
func (r *run) verdicts(to *Result) {
	t := r.test
	if t.Source.project == nil {
		return
	}
	for _, name := range r.names {
		out := r.outputs[strings.ToLower(name)]
		o := Output{Alias: name, Verdict: "Matched"}
		if out.file != nil {
			o.Got = out.file.path
		}
		switch x := out.expect; {
		case !x.listed && out.rows == 0:
			continue
		case !x.listed:
			o.Verdict = "Unexpected"
		case x.ignore:
			o.Verdict = "Unrequired"
		case out.comp == nil || !out.comp.equal():
			o.Verdict = "NotEqual"
		}
		if out.expect.listed {
			o.Expected = out.expect.from
		}
		if o.Verdict == "NotEqual" && out.rows == 0 {
			o.Verdict, o.Got = "Missing", ""
		}
		to.Outputs = append(to.Outputs, o)
	}
	for _, x := range t.expect {
		if !containsName(r.names, x.output) {
			o := Output{Alias: x.output, Verdict: "Missing", Expected: x.from}
			if x.ignore {
				o.Verdict = "Unrequired"
			}
			to.Outputs = append(to.Outputs, o)
		}
	}
}
