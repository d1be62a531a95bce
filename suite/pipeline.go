package suite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"spate/config"
	"spate/connector/file"
	"spate/eval"
	"spate/pipeline"
)

// usualRules compare the rows of tests that people write.
func usualRules() rules { return rules{tolerance: pipeline.DefaultTolerance} }

// ofPipeline are the tests of a pipeline file.
func ofPipeline(name string, p *config.Pipeline) *Source {
	s := &Source{Name: name, Files: p.Files}
	for _, of := range p.Options.Tests {
		t := &Test{Name: of.Name, Source: s, wantError: of.Error, counts: of.Counts, metrics: of.Metrics, arrival: of.Arrival, drop: of.Arrival != "", start: of.Start, end: of.End}
		for _, j := range p.Options.Jobs {
			if strings.EqualFold(j.Name, of.Job) {
				t.takeJob(j, of.PoliciesOf(j))
			}
		}
		for _, in := range of.Inputs {
			if t.isReference(in.Alias) {
				t.addReference(eval.Reference{Name: in.Alias, Path: in.File, Data: in.Rows, Format: in.Format, Delimiter: in.Delimiter, NoHeader: in.NoHeader})
				continue
			}
			t.addInput(eval.Input{Name: in.Alias, Path: in.File, Format: in.Format, Delimiter: in.Delimiter, NoHeader: in.NoHeader, PartitionField: in.Partition, Partitions: 1}, in.Rows)
		}
		t.usualReferences()
		for _, x := range of.Expect {
			t.expect = append(t.expect, ofPipelineRows(p.Path, of.Name, x))
			if x.File != "" {
				s.Files = append(s.Files, x.File)
			}
		}
		s.add(t)
	}
	return s
}

// partitions is how many partitions an input has that names a field of partitions.
const partitions = 1024

func (t *Test) addInput(in eval.Input, rows []byte) {
	if in.PartitionField != "" {
		in.Partitions = partitions
	}
	switch {
	case in.Source != nil:
		in.Path, in.Format = "events of "+in.Name, "jsonl"
	case in.Path == "":
		if t.inline == nil {
			t.inline = map[string][]byte{}
		}
		t.inline[in.Name], in.Path = rows, "rows of "+in.Name
		if in.Format == "" {
			in.Format = "jsonl"
		}
	default:
		t.Source.Files = append(t.Source.Files, in.Path)
	}
	t.inputs = append(t.inputs, in)
}

// isReference says whether an alias of the job is reference data.
func (t *Test) isReference(alias string) bool {
	return slices.ContainsFunc(t.jobReferences, func(in pipeline.Input) bool { return strings.EqualFold(in.Alias, alias) })
}

func (t *Test) addReference(r eval.Reference) {
	if r.Path == "" {
		if r.Path, r.Format = "rows of "+r.Name, "jsonl"; r.Data == nil {
			r.Data = []byte{}
		}
	} else {
		t.Source.Files = append(t.Source.Files, r.Path)
	}
	t.references = append(t.references, r)
}

// usualReferences takes the files of the job for the reference data that the test says nothing of.
func (t *Test) usualReferences() {
	for _, in := range t.jobReferences {
		switch {
		case slices.ContainsFunc(t.references, func(r eval.Reference) bool { return strings.EqualFold(r.Name, in.Alias) }):
		case in.Path == "" || file.IsPattern(in.Path):
			t.setup = errors.Join(t.setup, fmt.Errorf("input %s: the job reads a table, or one of many files: say in the test what it reads", in.Alias))
		default:
			t.addReference(eval.Reference{Name: in.Alias, Path: in.Path, Format: in.Format, Delimiter: in.Delimiter, NoHeader: in.NoHeader})
		}
	}
}

func (t *Test) takeJob(j pipeline.Job, p pipeline.Policies) {
	t.script, t.scriptFile, t.policies, t.functions = j.Script, j.ScriptFile, p, j.Functions
	for _, in := range j.Inputs {
		if in.Reference {
			t.jobReferences = append(t.jobReferences, in)
		}
	}
	if t.scriptFile == "" {
		t.scriptFile = "query of " + j.Name
	}
	t.describe()
}

// describe notes the policies of a test.
func (t *Test) describe() {
	late := "5s"
	if l := t.policies.MaxLate; l != nil {
		if late = "infinite"; *l >= 0 {
			late = config.FormatDuration(*l)
		}
	}
	action := t.policies.Action
	if action == "" {
		action = pipeline.Adjust
	}
	t.Policies = [][2]string{
		{"eventsLateArrivalMaxDelay", late}, {"eventsOutOfOrderMaxDelay", config.FormatDuration(t.policies.MaxDisorder)},
		{"eventsOutOfOrderPolicy", string(action)},
	}
}

func (s *Source) add(t *Test) { s.Tests = append(s.Tests, t) }

func ofPipelineRows(file, test string, of pipeline.TestRows) *expectation {
	x := &expectation{output: of.Output, from: of.File, rules: rules{tolerance: of.Tolerance, subset: of.Subset, ordered: of.Ordered}}
	if of.File != "" {
		x.inFile(of.File)
		return x
	}
	x.from = file
	rows := of.Rows
	x.open = func(p *rowParser) (rowSource, error) {
		return rowsOf(fmt.Sprintf("%s: %s", test, of.Output), rows, p), nil
	}
	x.update = func(old []*row, edits []edit) (string, error) {
		list := make([]config.RowEdit, len(edits))
		for i, e := range edits {
			list[i] = config.RowEdit{Keep: e.keep, Text: e.text}
		}
		text, err := config.ReplaceRows(file, test, of.Output, list)
		if err != nil {
			return "", err
		}
		rows = lines(old, edits)
		return file, replaceFile(file, text)
	}
	return x
}

// inFile expects the rows of a file.
func (x *expectation) inFile(path string) {
	x.from = path
	x.open = func(p *rowParser) (rowSource, error) { return openRows(path, p) }
	x.update = func(old []*row, edits []edit) (string, error) { return writeRows(path, old, edits) }
}
