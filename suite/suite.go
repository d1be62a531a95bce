// Package suite finds tests of Stream Analytics scripts and runs them with the engine of
// spate eval: the tests of a pipeline file, cases as text, and the test configurations of
// Microsoft's project folders.
//
// A test holds no more in memory than a run of its script and what differs in its rows.
//
// Stability: internal.
package suite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/config"
	"spate/eval"
	"spate/internal/near"
	"spate/jobs"
	"spate/metric"
	"spate/pipeline"
	"spate/sql/plan"
)

// Source is where tests come from: a pipeline file, a case, or a project folder.
type Source struct {
	Name  string // as it was named
	Tests []*Test
	Files []string // that the tests are made of; a folder counts for what it holds
	Notes []string // what is doubtful about it

	project *projectSource // nil: it is none
}

// Test is one test.
type Test struct {
	Name     string
	Source   *Source
	Policies [][2]string // names and values

	script     string
	scriptFile string
	inputs     []eval.Input
	inline     map[string][]byte // the rows of inputs without a file, by name
	references []eval.Reference

	jobReferences []pipeline.Input // of a pipeline file
	policies      pipeline.Policies
	functions     []pipeline.Function
	arrival       string
	drop          bool // the arrival is no part of the event
	start, end    time.Time
	outStart      time.Time
	expect        []*expectation
	all           bool                             // an output without an expectation gives no rows
	added         func(output string) *expectation // of an output that the case does not name; may be nil
	skipped       *expectation
	counts        []pipeline.TestCount
	metrics       []pipeline.TestCount
	wantError     string
	setup         error // why it cannot run
}

// expectation is what an output is expected to give.
type expectation struct {
	output string
	rules  rules
	open   func(p *rowParser) (rowSource, error)
	from   string                                                  // names what is expected
	update func(old []*row, edits []edit) (file string, err error) // nil: it cannot be updated
	listed bool                                                    // it is in the list of a project, required or not
	ignore bool                                                    // its rows are not looked at
}

// Options are those of a run.
type Options struct {
	Run       *regexp.Regexp // of names, as Source/Test; nil: all
	Update    bool           // what is expected becomes what was got
	OutputDir string         // rows go there too; empty: nowhere
	Log       *slog.Logger
}

// Result is what became of a test.
type Result struct {
	Test    *Test
	Failed  bool
	Text    string // why it failed
	Updated []string
	Took    time.Duration
	Outputs []Output // of a project
}

// Output is what became of one output.
type Output struct {
	Alias    string
	Verdict  string // Matched, NotEqual, Missing, Unexpected, Unrequired
	Expected string // file
	Got      string // file
}

// FullName is the name of a test with that of its source, as --run sees it.
func (t *Test) FullName() string { return t.Source.Name + "/" + t.Name }

// Selected are the tests that a run is for.
func (o *Options) Selected(sources []*Source) (out []*Test) {
	for _, s := range sources {
		for _, t := range s.Tests {
			if o.Run == nil || o.Run.MatchString(t.FullName()) {
				out = append(out, t)
			}
		}
	}
	return out
}

// Run runs one test. Its error is that of a run that was stopped, or of files that cannot be
// written.
func Run(ctx context.Context, t *Test, o Options) (*Result, error) {
	begin := time.Now()
	r := &Result{Test: t}
	defer func() { r.Took = time.Since(begin) }()
	if t.setup != nil {
		r.fail("%v", t.setup)
		return r, nil
	}
	run, err := t.run(ctx, o.Log, t.dir(o.OutputDir))
	if err != nil {
		return r, err
	}
	run.judge(r)
	if r.Failed && o.Update && run.updatable() {
		if r.Updated, err = t.update(ctx, o.Log, run); err != nil {
			return r, err
		}
		second, err := t.run(ctx, o.Log, "")
		if err != nil {
			return r, err
		}
		r.Failed, r.Text, r.Outputs = false, "", nil
		second.judge(r)
	}
	return r, nil
}

func (r *Result) fail(format string, args ...any) {
	r.Failed = true
	r.Text += strings.TrimRight(fmt.Sprintf(format, args...), "\n") + "\n"
}

var notFileName = regexp.MustCompile(`[^\pL\d._-]+`)

// dir is where the rows of a test go.
func (t *Test) dir(base string) string {
	if base == "" {
		return ""
	}
	name := notFileName.ReplaceAllString(t.Name, "_")
	if t.Source.project == nil {
		name = filepath.Join(notFileName.ReplaceAllString(t.Source.Name, "_"), name)
	}
	return filepath.Join(base, name)
}

// options are those of the offline run.
func (t *Test) options() (eval.Options, error) {
	level, err := plan.ParseLevel(t.policies.Compat)
	if err != nil {
		return eval.Options{}, err
	}
	inputs := slices.Clone(t.inputs)
	for i := range inputs {
		if rows, ok := t.inline[inputs[i].Name]; ok {
			inputs[i].Reader = bytes.NewReader(rows)
		}
	}
	return eval.Options{
		Script: t.script, ScriptFile: t.scriptFile, Inputs: inputs, References: t.references, Functions: t.functions,
		Level: level, Policy: jobs.TimePolicy(t.policies), IgnoreCase: t.policies.IgnoreCase, Elapsed: t.policies.JoinElapsed,
		HoldErrors: t.policies.OutputError == pipeline.Stop, SkipErrors: t.policies.RuntimeError == pipeline.SkipRow,
		ArrivalField: t.arrival, ArrivalDrop: t.drop, Start: t.start, Until: t.end, OutputStart: t.outStart,
	}, nil
}

// run is one run of a test.
type run struct {
	test     *Test
	outputs  map[string]*outputRun // by lower-case name
	names    []string              // of outputs, as the script has them
	skipped  *comparer
	metrics  *metric.Recorder
	err      error // of the script or its data
	expected error // of what is expected
}

// outputRun is one output of a run.
type outputRun struct {
	expect *expectation // nil: nothing is said of it
	comp   *comparer    // nil: its rows are not compared
	rows   int64
	file   *rowWriter
}

func (t *Test) run(ctx context.Context, log *slog.Logger, dir string) (*run, error) {
	r := &run{test: t, outputs: map[string]*outputRun{}, metrics: new(metric.Recorder)}
	o, err := t.options()
	if err != nil {
		return nil, err
	}
	o.Log, o.Metrics = log, r.metrics
	if err := r.open(o, dir); err != nil {
		return nil, err
	}
	o.Row = r.row
	o.Diagnostic = r.diagnostic
	if r.err == nil && r.expected == nil {
		_, r.err = eval.Run(ctx, o)
	}
	err = r.close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r, err
}

// open makes a comparer of each output that the script has.
func (r *run) open(o eval.Options, dir string) error {
	t := r.test
	reads, writes, err := eval.Names(o)
	if err != nil {
		r.err = err
		return nil
	}
	r.names = writes
	for _, in := range t.inputs {
		if !containsName(reads, in.Name) {
			r.expected = errors.Join(r.expected, unknown("input", in.Name, reads))
		}
	}
	for _, ref := range t.references {
		if !containsName(reads, ref.Name) {
			r.expected = errors.Join(r.expected, unknown("input", ref.Name, reads))
		}
	}
	for _, name := range r.names {
		out := &outputRun{}
		r.outputs[strings.ToLower(name)] = out
		i := slices.IndexFunc(t.expect, func(x *expectation) bool { return column.EqualNames(x.output, name) })
		switch {
		case i >= 0:
			out.expect = t.expect[i]
		case t.all:
			out.expect = nothing(name)
		}
		if out.expect != nil && !out.expect.ignore {
			var err error
			if out.comp, err = out.expect.comparer(); err != nil {
				r.expected = errors.Join(r.expected, err)
			}
		}
		if dir != "" {
			var err error
			if out.file, err = newRowWriter(dir, name); err != nil {
				return err
			}
		}
	}
	for _, x := range t.expect {
		if !containsName(r.names, x.output) && !x.ignore {
			r.expected = errors.Join(r.expected, unknown("output", x.output, r.names))
		}
	}
	for _, c := range t.counts {
		if !containsName(r.names, c.Name) {
			r.expected = errors.Join(r.expected, unknown("output", c.Name, r.names))
		}
	}
	if t.skipped != nil {
		var err error
		r.skipped, err = t.skipped.comparer()
		r.expected = errors.Join(r.expected, err)
	}
	return nil
}

func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return column.EqualNames(n, name) })
}

func unknown(what, name string, names []string) error {
	hint := ""
	if meant := near.Word(name, names); meant != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return fmt.Errorf("the query has no %s %s%s", what, name, hint)
}

// nothing expects no rows.
func nothing(output string) *expectation {
	return &expectation{output: output, from: "no rows", open: func(p *rowParser) (rowSource, error) { return rowsOf("", nil, p), nil }}
}

func (x *expectation) comparer() (*comparer, error) {
	p := newRowParser(x.rules)
	src, err := x.open(p)
	if errors.Is(err, os.ErrNotExist) && x.update != nil {
		return nil, &missingError{x}
	}
	if err != nil {
		return nil, err
	}
	return newComparer(x.output, p, src), nil
}

// missingError is a file of expected rows that is not there.
type missingError struct{ of *expectation }

// Error implements error.
func (e *missingError) Error() string {
	return fmt.Sprintf("output %s: there is no file %s: --update writes it", e.of.output, e.of.from)
}

// row takes a row of the script.
func (r *run) row(output string, text []byte) error {
	out := r.outputs[strings.ToLower(output)]
	out.rows++
	if out.file != nil {
		if err := out.file.add(text); err != nil {
			return err
		}
	}
	if out.comp == nil {
		return nil
	}
	if err := out.comp.add(text); err != nil {
		r.expected = errors.Join(r.expected, fmt.Errorf("output %s: %w", output, err))
		return errEnough
	}
	return nil
}

// errEnough ends a run whose rows cannot be compared any more.
var errEnough = errors.New("the rows cannot be compared")

// diagnostic takes a row that a step could not compute.
func (r *run) diagnostic(d eval.Diagnostic) {
	if r.skipped == nil || d.Kind != "runtime" {
		return
	}
	if err := r.skipped.add(skippedRow(d)); err != nil {
		r.expected = errors.Join(r.expected, err)
	}
}

// skippedRow is a row that was skipped as a case writes it.
func skippedRow(d eval.Diagnostic) []byte {
	where, name := "step", d.Step
	if d.Step == "" {
		where, name = "output", d.Output
	}
	text := fmt.Appendf(nil, `{%q:`, where)
	text = column.AppendQuoted(text, name)
	return fmt.Appendf(text, `,"line":%d,"row":%s}`, d.StepLine, d.Row)
}

func (r *run) close() error {
	var errs []error
	for _, name := range r.names {
		out := r.outputs[strings.ToLower(name)]
		if out.comp != nil {
			if err := out.comp.finish(); err != nil && !errors.Is(r.err, errEnough) {
				r.expected = errors.Join(r.expected, fmt.Errorf("output %s: %w", name, err))
			}
		}
		if out.file != nil {
			errs = append(errs, out.file.close())
		}
	}
	if r.skipped != nil {
		r.expected = errors.Join(r.expected, r.skipped.finish())
	}
	return errors.Join(errs...)
}

// judge says in r what is not as expected.
func (r *run) judge(to *Result) {
	t := r.test
	if r.expected != nil {
		to.fail("%v", r.expected)
	}
	if errors.Is(r.err, errEnough) {
		return
	}
	switch text := errorText(t, r.err); {
	case t.wantError != "" && r.err == nil && r.expected == nil:
		to.fail("no error, want one with %q", t.wantError)
	case t.wantError == "" && r.err != nil:
		to.fail("%s", text)
	case r.err != nil && !strings.Contains(strings.ToLower(text), strings.ToLower(t.wantError)):
		to.fail("want an error with %q, got\n%s", t.wantError, text)
	}
	if r.expected == nil && (r.err == nil || t.wantError != "") {
		r.judgeRows(to)
	}
	r.verdicts(to)
}

func (r *run) judgeRows(to *Result) {
	t := r.test
	if r.err != nil && t.all { // a case wants the error, and no rows
		return
	}
	for _, name := range r.names {
		if c := r.outputs[strings.ToLower(name)].comp; c != nil && !c.equal() {
			to.fail("%s", c)
		}
	}
	if r.skipped != nil && !r.skipped.equal() {
		to.fail("rows that are skipped: %s", r.skipped)
	}
	for _, c := range t.counts {
		if got := r.outputs[strings.ToLower(c.Name)].rows; got != c.Count {
			to.fail("output %s: %s, want %d", c.Name, rowCount(int(got)), c.Count)
		}
	}
	for _, m := range t.metrics {
		if got := r.metric(m.Name); got != m.Count {
			to.fail("metric %s: got %d, want %d", m.Name, got, m.Count)
		}
	}
}

// metric is the sum of a metric over its dimensions.
func (r *run) metric(name string) (sum int64) {
	for _, s := range r.metrics.Series() {
		if s.Name == name && s.Counter != nil {
			sum += s.Counter.Value()
		}
	}
	return sum
}

// errorText is an error as people read it: of a script with its place.
func errorText(t *Test, err error) string {
	var script *eval.ScriptError
	if errors.As(err, &script) {
		return config.ScriptProblems(t.scriptFile, t.script, script.Errors).Error()
	}
	var unbound *eval.UnboundError
	if errors.As(err, &unbound) {
		return fmt.Sprintf("%v: give its events, or none: []", err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// rowWriter writes the rows of an output to a file of lines.
type rowWriter struct {
	path string
	file *os.File
	buf  bytes.Buffer
}

func newRowWriter(dir, output string) (*rowWriter, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("writing rows: %w", err)
	}
	path := filepath.Join(dir, cmp.Or(notFileName.ReplaceAllString(output, "_"), "output")+".json")
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing rows: %w", err)
	}
	return &rowWriter{path: path, file: f}, nil
}

func (w *rowWriter) add(text []byte) error {
	w.buf.Write(text)
	w.buf.WriteByte('\n')
	if w.buf.Len() < 64<<10 {
		return nil
	}
	return w.flush()
}

func (w *rowWriter) flush() error {
	_, err := w.file.Write(w.buf.Bytes())
	w.buf.Reset()
	if err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	return nil
}

func (w *rowWriter) close() error { return errors.Join(w.flush(), w.file.Close()) }
