package suite

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"spate/column"
	"spate/conform"
	"spate/eval"
	"spate/pipeline"
)

// caseRules compare rows as the conformance runner does.
func caseRules(c *conform.Case) rules {
	return rules{tolerance: float64(conform.Published), keyOrder: c.KeyOrder, kinds: true}
}

// arrivalField holds the arrival of each event of a case.
const arrivalField = "_arrival"

// ofCase is a case as text.
func ofCase(path string) (*Source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".txtar")
	c, err := conform.Parse(name, data)
	if err != nil {
		return nil, err
	}
	s := &Source{Name: path, Files: []string{path}}
	t := &Test{Name: name, Source: s, script: c.Script, scriptFile: path, all: true, wantError: c.WantError, arrival: arrivalField, drop: true}
	late := time.Duration(c.Options.Late * 100)
	if c.Options.Late < 0 {
		late = pipeline.Infinite
	}
	t.policies = pipeline.Policies{MaxLate: &late, MaxDisorder: time.Duration(c.Options.Disorder * 100), IgnoreCase: c.Options.FoldCase, JoinElapsed: c.Elapsed, Compat: c.Level.String()}
	if c.Options.Drop {
		t.policies.Action = pipeline.Drop
	}
	if c.Options.SkipErrors {
		t.policies.RuntimeError = pipeline.SkipRow
	}
	t.functions = c.Functions
	t.describe()
	if c.Options.NoEarly {
		t.setup = fmt.Errorf("noearly=true: jobs have an early limit")
	}
	if c.Options.Start != 0 {
		t.outStart = c.Options.Start.Time()
	}
	s.add(t)
	t.caseInputs(c)
	for _, ref := range c.Options.Snapshots {
		var data []byte
		for _, v := range ref.Rows {
			data = append(column.AppendJSON(data, v), '\n')
		}
		r := eval.Reference{Name: ref.Input, Path: path + ": " + ref.Input, Data: data, Format: "jsonl"}
		if ref.From != 0 {
			r.Path, r.From = r.Path+"@"+ref.From.String(), ref.From.Time()
		}
		t.references = append(t.references, r)
	}
	for output := range c.Want {
		t.expect = append(t.expect, caseRows(path, output, "want/"+output+".jsonl", caseRules(c)))
	}
	t.added = func(output string) *expectation { return caseRows(path, output, "want/"+output+".jsonl", caseRules(c)) }
	if c.Options.SkipErrors {
		t.skipped = caseRows(path, "skipped", "skipped.jsonl", caseRules(c))
	}
	return s, nil
}

// caseInputs gives every event its arrival as a field, which is taken out again: cases have
// rules of their own for it. Where events have partitions, keys or properties, which no file
// has, they come from a source that does.
func (t *Test) caseInputs(c *conform.Case) {
	var events []conform.Event
	if compiled, err := c.Compile(); err == nil { // else the run says what is wrong
		events = c.Events(compiled)
	}
	told := slices.ContainsFunc(events, func(e conform.Event) bool {
		return e.Partition != 0 || !e.Key.IsNull() || !e.Properties.IsNull()
	})
	for _, in := range c.Inputs {
		of := slices.DeleteFunc(slices.Clone(events), func(e conform.Event) bool { return e.Input != in.Name })
		if told {
			t.addInput(eval.Input{Name: in.Name, Source: conform.Source(of), Bare: true}, nil)
			continue
		}
		var rows []byte
		for _, e := range of {
			rec := &column.RecordValue{Names: []string{arrivalField}, Values: []column.Value{column.TextOf(e.Arrival.String())}}
			if v := e.Value.Record(); v != nil {
				rec.Names, rec.Values = append(rec.Names, v.Names...), append(rec.Values, v.Values...)
			}
			rows = append(column.AppendJSON(rows, column.RecordOf(rec)), '\n')
		}
		t.addInput(eval.Input{Name: in.Name, Partitions: 1}, rows)
	}
}

// caseRows are the rows of a part of a case.
func caseRows(path, output, part string, r rules) *expectation {
	read := func() (*txtar.Archive, *txtar.File, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		ar := txtar.Parse(data)
		for i := range ar.Files {
			if ar.Files[i].Name == part {
				return ar, &ar.Files[i], nil
			}
		}
		return ar, nil, nil
	}
	return &expectation{
		output: output, from: path, rules: r,
		open: func(p *rowParser) (rowSource, error) {
			_, f, err := read()
			if err != nil || f == nil {
				f = &txtar.File{}
			}
			return rowsOf(cmp.Or(path+": "+part, path), f.Data, p), err
		},
		update: func(old []*row, edits []edit) (string, error) {
			ar, f, err := read()
			if err != nil {
				return "", err
			}
			if f == nil {
				ar.Files = append(ar.Files, txtar.File{Name: part})
				f = &ar.Files[len(ar.Files)-1]
			}
			f.Data = lines(old, edits)
			return path, replaceFile(path, txtar.Format(ar))
		},
	}
}
