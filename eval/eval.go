// Package eval runs a script over files: offline, deterministic, in bounded memory,
// with no clock but the events' own.
//
// The engine is that of a job. What is different stands here: files are cut into
// messages (connector/file), arrival times come from the events, and rows leave in one
// order as soon as the watermark has passed them.
//
// Stability: importable, not promised before 1.0.
package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"spate/column"
	"spate/connector"
	"spate/metric"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/sql/syntax"
	"spate/stream"
	"spate/stream/exec"
)

// Options is one offline run of a script.
type Options struct {
	Script     string
	ScriptFile string // named in errors
	Inputs     []Input
	References []Reference
	Policy     exec.TimePolicy
	Level      plan.Level          // compatibility level of the language
	IgnoreCase bool                // texts compare ignoring case
	Elapsed    bool                // the DATEDIFF of a JOIN is the time that passes, not a count of boundaries
	HoldErrors bool                // a row that an output cannot hold ends the run instead of being dropped
	Functions  []pipeline.Function // what the script may call as udf.NAME and uda.NAME
	SkipErrors bool                // a row for which an expression fails is dropped and does not end the run

	ArrivalField string    // field with the arrival time; empty: none
	ArrivalDrop  bool      // and it is not part of the event
	Start        time.Time // arrival of rows without one; zero: 2000-01-01
	OutputStart  time.Time // first output time; zero: all output
	Until        time.Time // the watermark stops here; zero: the end of time
	NoFlush      bool      // windows stay open at the end of the input
	Steps        bool      // WITH steps are outputs named step:NAME too
	SystemCols   bool      // system columns join SELECT *
	BatchRows    int       // rows per batch; never visible in results

	// Outputs says where outputs go, by name: a file .jsonl, .csv or .parquet, or delta:FOLDER
	// (FOLDER alone if its name has no dot), a Delta table. Files are truncated when the run
	// begins and hold what was final if it fails; a Parquet file has its name at the end of
	// the run, and until then ".partial" behind it. A table gets all rows in one version at
	// the end, or none.
	Outputs map[string]string
	// Dir, if set, is where the other outputs go: a file NAME.jsonl each.
	Dir string
	// Print gets what goes nowhere else, one line {"output":NAME,"row":{...}} a row; nil: Row
	// gets it. Row is called in the order of the rows; row is valid during the call.
	Print io.Writer
	Row   func(output string, row []byte) error

	Diagnostic func(Diagnostic)   // is told of dropped and changed events, in the order of inputs and lines; may be nil
	Warning    func(bind.Warning) // is told of warnings of the script; may be nil
	Log        *slog.Logger
	Metrics    *metric.Recorder // gets what a job counts; may be nil
}

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

// UnboundError is an input of the script that the options do not have.
type UnboundError struct{ Input string }

// Error implements error.
func (e *UnboundError) Error() string {
	return "nothing is given for input " + e.Input + " of the script"
}

// FunctionError is a function that does not compile.
type FunctionError struct{ Err error }

// Error implements error.
func (e *FunctionError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FunctionError) Unwrap() error { return e.Err }

// Explain returns the plan of a script as text.
func Explain(o Options) (string, error) {
	compiled, err := compile(&o)
	if err != nil {
		return "", err
	}
	return plan.Explain(compiled), nil
}

// Names are the inputs that a script reads and the outputs that it writes, as it spells them.
func Names(o Options) (inputs, outputs []string, err error) {
	o.Warning = nil
	compiled, err := compile(&o)
	if err != nil {
		return nil, nil, err
	}
	add := func(names []string, name string) []string {
		if slices.ContainsFunc(names, func(n string) bool { return column.EqualNames(n, name) }) {
			return names
		}
		return append(names, name)
	}
	for _, in := range append(slices.Clone(compiled.Inputs), compiled.Refs...) {
		inputs = add(inputs, in.Name)
	}
	for _, out := range compiled.Outputs {
		outputs = add(outputs, out.Name)
	}
	return inputs, outputs, nil
}

func compile(o *Options) (*plan.Job, error) {
	functions, err := bind.NewFunctions(o.Functions)
	if err != nil {
		return nil, &FunctionError{err}
	}
	bo := bind.Options{Functions: functions, Steps: o.Steps, Level: o.Level, JoinElapsed: o.Elapsed}
	for _, in := range o.Inputs {
		bo.Inputs = append(bo.Inputs, bind.InputInfo{Name: in.Name, Kind: bind.EventHub})
	}
	for _, r := range o.References {
		bo.References = append(bo.References, r.Name)
	}
	compiled, errs, warnings := stream.Compile(o.Script, bo)
	if len(errs) > 0 {
		return nil, &ScriptError{File: o.ScriptFile, Errors: errs}
	}
	if o.IgnoreCase {
		plan.IgnoreCase(compiled)
	}
	for _, w := range warnings {
		if o.Warning != nil {
			o.Warning(w)
		}
	}
	return compiled, nil
}

// patience is how long Run waits for an operator that computes when it is stopped.
const patience = 500 * time.Millisecond

// Run runs a script. It returns within a second of the end of ctx: if an operator
// still computes then, what it makes is thrown away, and it ends by itself.
func Run(ctx context.Context, o Options) (Summary, error) {
	compiled, err := compile(&o)
	if err != nil {
		return Summary{}, err
	}
	r := &run{o: &o, tally: newTally(&o)}
	defer r.tally.close()
	if err := r.bind(ctx, compiled); err != nil {
		return Summary{}, errors.Join(err, r.close())
	}
	type outcome struct {
		summary Summary
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		err := r.run(ctx)
		s, e := r.tally.summary(r.inputs)
		done <- outcome{s, errors.Join(err, e)}
	}()
	select {
	case out := <-done:
		return out.summary, out.err
	case <-ctx.Done():
	}
	select {
	case out := <-done:
		return out.summary, cmpErr(ctx.Err(), out.err)
	case <-time.After(patience):
		return Summary{}, errors.Join(ctx.Err(), r.printer.abandon())
	}
}

// cmpErr is err, if it says more than that the run was stopped.
func cmpErr(stopped, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return stopped
	}
	return err
}

// run is one run.
type run struct {
	o       *Options
	job     *stream.Job
	inputs  []*input
	printer *printer
	tally   *tally
}

// bind opens inputs and outputs and makes the job.
func (r *run) bind(ctx context.Context, compiled *plan.Job) error {
	o := r.o
	so := stream.Options{
		Name: "eval", Plan: compiled, Policy: o.Policy, SkipErrors: o.SkipErrors, Inputs: make(map[string]stream.Input), Outputs: make(map[string]connector.Sink),
		Hold: make(map[string]bool), IdleTick: -1, NoFlush: o.NoFlush, Log: o.Log, Clock: stillClock{}, Drain: time.Nanosecond,
		Diagnostic: r.tally.fault, Metrics: o.Metrics,
	}
	if !o.Until.IsZero() {
		so.Until = column.TicksOf(o.Until)
	}
	if !o.OutputStart.IsZero() {
		so.Start.First = column.TicksOf(o.OutputStart)
	}
	var err error
	if so.References, err = references(o); err != nil {
		return err
	}
	for _, ref := range compiled.Inputs {
		if !slices.ContainsFunc(o.Inputs, func(in Input) bool { return column.EqualNames(in.Name, ref.Name) }) {
			return &UnboundError{ref.Name}
		}
	}
	for i, in := range o.Inputs {
		var refs []*plan.Input
		for _, ref := range compiled.Inputs {
			if column.EqualNames(ref.Name, in.Name) {
				refs = append(refs, ref)
			}
		}
		opened, err := openInput(r, in, i, refs)
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, opened)
		for _, ref := range refs {
			so.Inputs[ref.Name] = opened.stream(ctx)
		}
	}
	r.printer = newPrinter(ctx, len(compiled.Outputs))
	if err := r.printer.open(ctx, r, compiled, so.Outputs); err != nil {
		return err
	}
	for name := range so.Outputs {
		so.Hold[name] = o.HoldErrors
	}
	r.job, err = stream.New(ctx, so)
	return err
}

// run runs the job and prints what is final.
func (r *run) run(ctx context.Context) error {
	err := r.job.Run(ctx)
	failed := new(stream.RowError)
	switch {
	case err == nil:
		err = r.printer.finish(end)
	case errors.As(err, &failed):
		// Only what stands before the row that failed is certain to be all that there is.
		last := rank{time: failed.Time, arrived: failed.Arrived, seq: failed.Seq, index: failed.Index}
		err = errors.Join(err, r.printer.finish(last))
	}
	// What closing finds behind an error is its consequence.
	if e := r.close(); err == nil {
		err = e
	}
	return err
}

func (r *run) close() error {
	var errs []error
	for _, in := range r.inputs {
		errs = append(errs, in.close())
	}
	if r.printer != nil {
		errs = append(errs, r.printer.close())
	}
	return errors.Join(errs...)
}

// stillClock is the clock of offline runs: nothing in them waits for it.
type stillClock struct{}

func (stillClock) Now() column.Ticks { return 0 }
