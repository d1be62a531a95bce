package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"

	"spate/config"
	"spate/eval"
	"spate/sql/bind"
	"spate/sql/syntax"
)

func (a *app) runEval(ctx context.Context, f *evalFlags, o *evalRun) (err error) {
	hubs, err := a.openHubInputs(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hubs.Close()) }()
	// Whoever reads the rows may have seen enough: no other output is cut because of that.
	signal.Ignore(syscall.SIGPIPE)
	out := &pipe{w: a.stdout}
	o.Print = bufio.NewWriterSize(out, 64<<10)
	report := json.NewEncoder(a.stderr)
	var lost error // a report that cannot be written is as bad as a lost row
	if f.diagnostics == "json" {
		o.Diagnostic = func(d eval.Diagnostic) { lost = errors.Join(lost, report.Encode(d)) }
	}
	o.Warning = func(w bind.Warning) {
		if slices.Contains(o.Acknowledged, w.Code) {
			return
		}
		if f.diagnostics == "json" {
			lost = errors.Join(lost, report.Encode(eval.Diagnostic{Kind: "warning", Line: int64(w.Span.From.Line), Reason: w.Code + " " + w.Msg}))
			return
		}
		a.warnOfScript(o, w)
	}
	if o.Log, err = a.logger(a.stderr, 4); err != nil {
		return err
	}
	did, err := eval.Run(ctx, o.Options)
	if out.closed {
		return withCode(pipeClosed, errSaid)
	}
	if s := did.String(); s != "" && !a.quiet && f.diagnostics == "" {
		fmt.Fprintln(a.stderr, s)
	}
	switch {
	case err != nil:
		return evalError(o, err)
	case lost != nil:
		return fmt.Errorf("reporting events: %w", lost)
	case did.Dropped > 0 && f.failOnDrop:
		return withCode(differs, fmt.Errorf("%d events were dropped", did.Dropped))
	}
	return nil
}

// warnOfScript prints a warning as check does.
func (a *app) warnOfScript(o *evalRun, w bind.Warning) {
	if !a.quiet && !slices.Contains(o.Acknowledged, w.Code) {
		fmt.Fprintln(a.stderr, config.ScriptWarnings(o.ScriptFile, o.Script, w).Error())
	}
}

// evalError gives mistakes of the script, of an input file and of where outputs go the
// code of wrong usage.
func evalError(o *evalRun, err error) error {
	var mistakes syntax.Errors
	if errors.As(err, &mistakes) {
		return config.ScriptProblems(o.ScriptFile, o.Script, mistakes)
	}
	var input *eval.InputError
	if errors.As(err, &input) {
		return withCode(usage, input)
	}
	var output *eval.OutputError
	if errors.As(err, &output) {
		return withCode(usage, err)
	}
	var function *eval.FunctionError
	if errors.As(err, &function) {
		return withCode(usage, err)
	}
	var unbound *eval.UnboundError
	if errors.As(err, &unbound) {
		return withCode(usage, fmt.Errorf("%w: --input %s=FILE", err, unbound.Input))
	}
	return err
}

// pipe notes that nobody reads any more.
type pipe struct {
	w      io.Writer
	closed bool
}

// Write implements io.Writer.
func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.closed = p.closed || errors.Is(err, syscall.EPIPE)
	return n, err
}

func (a *app) explain(o *evalRun) error {
	o.Warning = func(w bind.Warning) { a.warnOfScript(o, w) }
	text, err := eval.Explain(o.Options)
	if err != nil {
		return evalError(o, err)
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}
