package spate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"spate/column"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
)

// ScriptError is a script that does not compile.
type ScriptError struct {
	File   string
	Errors syntax.Errors
}

// Error implements error.
func (e *ScriptError) Error() string {
	return fmt.Sprintf("compiling %s: %v", e.File, e.Errors)
}

// Unwrap returns the errors with their places.
func (e *ScriptError) Unwrap() error { return e.Errors }

// Eval runs a script over files: offline, deterministic, with no clock but the
// events' own.
func Eval(ctx context.Context, o EvalOptions) error {
	compiled, err := evalPlan(&o)
	if err != nil {
		return err
	}
	var collect file.Collector
	so := stream.Options{
		Name: "eval", Plan: compiled, Policy: policyOf(o.Policies), Inputs: make(map[string]stream.Input), Outputs: make(map[string]connector.Sink),
		IdleTick: -1, NoFlush: o.NoFlush, Log: o.Log, Clock: stillClock{},
	}
	if !o.Until.IsZero() {
		so.Until = column.TicksOf(o.Until)
	}
	if !o.OutputStart.IsZero() {
		so.Start.First = column.TicksOf(o.OutputStart)
	}
	var faults faults
	if o.Diagnostic != nil {
		so.Diagnostic = faults.add
	}
	for i, in := range o.Inputs {
		var refs []*plan.Input
		for _, ref := range compiled.Inputs {
			if column.EqualNames(ref.Name, in.Name) {
				refs = append(refs, ref)
			}
		}
		messages, err := evalMessages(&o, in, refs)
		if err != nil {
			return err
		}
		for k := range messages { // of rows that arrive together those of the first input come first
			messages[k].Line |= int64(i) << inputShift
		}
		f, err := formatOf(in.formatName(), in.Delimiter)
		if err != nil {
			return fmt.Errorf("reading input %s: %w", in.Name, err)
		}
		source := stream.Input{Source: file.NewSource(messages, in.Partitions, o.BatchRows), Format: f, SystemColumns: o.SystemCols, LineOrder: true}
		for _, ref := range refs {
			so.Inputs[ref.Name] = source
		}
	}
	for _, out := range compiled.Outputs {
		so.Outputs[out.Name] = collect.Sink(out.Name)
	}
	job, err := stream.New(ctx, so)
	if err != nil {
		return err
	}
	err = job.Run(ctx)
	faults.report(&o)
	if err != nil {
		return err
	}
	for _, r := range collect.Rows() {
		if err := o.Row(r.Output, r.JSON); err != nil {
			return err
		}
	}
	return nil
}

// faults are the diagnostics of a run. Partitions report them side by side.
type faults struct {
	mu   sync.Mutex
	list []stream.Diagnostic
}

func (f *faults) add(d stream.Diagnostic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, d)
}

// report tells them in the order of the inputs and lines.
func (f *faults) report(o *EvalOptions) {
	slices.SortStableFunc(f.list, func(a, b stream.Diagnostic) int { return cmp.Compare(a.Offset, b.Offset) })
	for _, d := range f.list {
		o.Diagnostic(EvalDiagnostic{Kind: d.Kind, Input: d.Input, Output: d.Output, Line: d.Offset & (1<<inputShift - 1), Drop: d.Dropped, Reason: d.Type + ": " + d.Reason})
	}
}

// inputShift is where the number of the input stands in the sequence of a row.
const inputShift = 40

// Explain returns the plan of a script as text.
func Explain(o EvalOptions) (string, error) {
	compiled, err := evalPlan(&o)
	if err != nil {
		return "", err
	}
	return plan.Explain(compiled), nil
}

func evalPlan(o *EvalOptions) (*plan.Job, error) {
	bo := bind.Options{Steps: o.Steps}
	for _, in := range o.Inputs {
		bo.Inputs = append(bo.Inputs, bind.InputInfo{Name: in.Name, Kind: bind.EventHub})
	}
	compiled, errs, warnings := CompileScript(o.Script, bo)
	if len(errs) > 0 {
		return nil, &ScriptError{File: o.ScriptFile, Errors: errs}
	}
	if o.Policies.IgnoreCase {
		plan.IgnoreCase(compiled)
	}
	if o.Diagnostic != nil {
		for _, w := range warnings {
			o.Diagnostic(EvalDiagnostic{Kind: "warning", Line: int64(w.Span.From.Line), Reason: w.Code + " " + w.Msg})
		}
	}
	return compiled, nil
}

// stillClock is the clock of offline runs: nothing in them waits for it.
type stillClock struct{}

func (stillClock) Now() column.Ticks { return 0 }
