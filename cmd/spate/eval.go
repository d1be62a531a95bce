package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/config/asaproj"
	"spate/eval"
	"spate/jobs"
	"spate/pipeline"
	"spate/sql/plan"
)

// evalFlags are the flags of eval.
type evalFlags struct {
	query, text, job                    string
	inputs                              []string
	start, outputStart, until           string
	late, disorder, policy, errorPolicy string
	runtimeErrorPolicy                  string
	outputDir, diagnostics              string
	compat                              string
	failOnDrop, explain                 bool
	stringCompare, joinDatediff         string
	references, functions, outputs      []string
}

// evalRun is what the flags ask for.
type evalRun struct {
	eval.Options
	Policies pipeline.Policies
	groups   map[string]string // consumer groups of hubs, by input

	Acknowledged []string       // warnings that the job says are known
	mocks        []asaproj.Mock // of the project that the job is of
}

func (a *app) eval() *cobra.Command {
	var f evalFlags
	o := evalRun{}
	cmd := &cobra.Command{
		Use:   "eval --query FILE --input NAME=FILE ...",
		Short: "Run a script over files: no listener, no state, the same rows every time",
		Args:  cobra.NoArgs,
	}
	fl := cmd.Flags()
	fl.StringVar(&f.query, "query", "", "script file; - is standard input")
	fl.StringVarP(&f.text, "expression", "e", "", "script text")
	fl.StringArrayVar(&f.inputs, "input", nil, "NAME=FILE|FOLDER|-|hub:HUB[@FROM..TO][,group=GROUP][,format=jsonl|json|csv][,delimiter=;][,header=false][,partition=FIELD][,partitions=N]")
	fl.StringArrayVarP(&f.outputs, "output", "o", nil, "NAME=FILE.jsonl|FILE.csv|FILE.parquet|delta:FOLDER: where an output goes")
	fl.StringVar(&o.ArrivalField, "arrival", "", "field that holds the arrival time")
	fl.BoolVar(&o.ArrivalDrop, "arrival-drop", false, "take that field out of the events")
	fl.StringVar(&f.start, "start", "", "arrival of rows without one (default: 2000-01-01)")
	fl.StringVar(&f.outputStart, "output-start", "", "first output time")
	fl.StringVar(&f.until, "until", "", "stop the watermark there")
	fl.BoolVar(&o.NoFlush, "no-flush", false, "leave windows open at the end of the input")
	fl.BoolVar(&o.Steps, "steps", false, "WITH steps are outputs named step:NAME too")
	fl.BoolVar(&o.SystemCols, "system-columns", false, "system columns join SELECT *")
	fl.StringVar(&f.late, "late", "", "late tolerance, or infinite (default 5s)")
	fl.StringVar(&f.disorder, "disorder", "", "disorder tolerance (default 0)")
	fl.StringVar(&f.policy, "policy", "", "Adjust or Drop (default Adjust)")
	fl.StringVar(&f.errorPolicy, "error-policy", "", "Drop or Stop (default Drop)")
	fl.StringVar(&f.runtimeErrorPolicy, "runtime-error-policy", "", "fail or skipToDeadLetter: drop and report a row for which an expression fails (default fail)")
	fl.StringVar(&f.compat, "compat", "", "compatibility level: 1.0, 1.1 or 1.2 (default 1.2)")
	fl.StringVar(&f.job, "job", "", "take script and policies of this job of the pipeline file")
	fl.StringVar(&f.outputDir, "output-dir", "", "write NAME.jsonl per output there")
	fl.StringVar(&f.diagnostics, "diagnostics", "", "json: dropped and adjusted events on standard error")
	fl.BoolVar(&f.failOnDrop, "fail-on-drop", false, "exit 6 if an event was dropped")
	fl.BoolVar(&f.explain, "explain", false, "print the plan, run nothing")
	fl.StringVar(&f.stringCompare, "string-compare", "ordinal", "how texts compare: ordinal or ignoreCase")
	fl.StringVar(&f.joinDatediff, "join-datediff", "boundary", "what DATEDIFF is between the sources of a JOIN: boundary, a count, or elapsed, the time that passes")
	fl.StringArrayVar(&f.references, "reference", nil, "NAME=FILE[,from=TIME][,format=jsonl|json|csv][,delimiter=;][,header=false]: reference data; again with from= for what is in effect from then on")
	fl.StringArrayVar(&f.functions, "function", nil, "NAME=FILE.js: a function that the script calls as udf.NAME or uda.NAME")
	fl.IntVar(&o.BatchRows, "batch-rows", 0, "rows per batch; never visible in results")
	for _, hidden := range []string{"batch-rows"} {
		if err := fl.MarkHidden(hidden); err != nil {
			panic(err) // the flag is defined above
		}
	}
	cmd.RunE = do(func(cmd *cobra.Command, _ []string) error {
		if err := a.evalOptions(&f, &o); err != nil {
			var ps config.Problems
			var c coded
			if errors.As(err, &ps) || errors.As(err, &c) {
				return err
			}
			return withCode(usage, err)
		}
		if f.explain {
			return a.explain(&o)
		}
		return a.runEval(cmd.Context(), &f, &o)
	})
	return cmd
}

// evalOptions turns flags into options.
func (a *app) evalOptions(f *evalFlags, o *evalRun) error {
	if f.job != "" {
		if err := a.takeJob(f.job, o); err != nil {
			return err
		}
	}
	switch {
	case f.query != "" && f.text != "":
		return errors.New("--query and -e exclude each other")
	case f.query == "-":
		data, err := io.ReadAll(a.stdin)
		if err != nil {
			return err
		}
		o.Script, o.ScriptFile = string(data), "<stdin>"
	case f.query != "":
		data, err := os.ReadFile(f.query)
		if err != nil {
			return err
		}
		o.Script, o.ScriptFile = string(data), f.query
	case f.text != "":
		o.Script, o.ScriptFile = f.text, "<text>"
	case o.Script == "":
		return errors.New("name the script: --query FILE, -e TEXT or --job NAME")
	}
	if err := f.refuse(o); err != nil {
		return err
	}
	if err := a.evalInputs(f, o); err != nil {
		return err
	}
	if err := f.evalFunctions(o); err != nil {
		return err
	}
	for _, x := range f.outputs {
		name, to, ok := strings.Cut(x, "=")
		if !ok || name == "" || to == "" {
			return fmt.Errorf("--output %s: want NAME=FILE", x)
		}
		if o.Outputs == nil {
			o.Outputs = make(map[string]string)
		}
		o.Outputs[name] = to
	}
	o.Dir = f.outputDir
	switch f.stringCompare {
	case "ordinal":
	case "ignoreCase":
		o.IgnoreCase = true
	default:
		return fmt.Errorf("--string-compare %s: want ordinal or ignoreCase", f.stringCompare)
	}
	switch f.joinDatediff {
	case "boundary":
	case "elapsed":
		o.Elapsed = true
	default:
		return fmt.Errorf("--join-datediff %s: want boundary or elapsed", f.joinDatediff)
	}
	if f.compat != "" {
		o.Policies.Compat = f.compat
	}
	var err error
	if o.Level, err = plan.ParseLevel(o.Policies.Compat); err != nil {
		return fmt.Errorf("--compat: %w", err)
	}
	if o.ArrivalDrop && o.ArrivalField == "" {
		return errors.New("--arrival-drop needs --arrival")
	}
	if o.NoFlush && f.until != "" {
		return errors.New("--until and --no-flush exclude each other")
	}
	return f.policies(o)
}

// refuse names what is asked for and not built.
func (f *evalFlags) refuse(o *evalRun) error {
	for _, x := range []struct {
		flag, value, built string
	}{} {
		if x.value != x.built {
			return fmt.Errorf("--%s %s is not supported yet", x.flag, x.value)
		}
	}
	return nil
}

func (f *evalFlags) policies(o *evalRun) error {
	for _, t := range []struct {
		flag, value string
		to          *time.Time
	}{{"start", f.start, &o.Start}, {"output-start", f.outputStart, &o.OutputStart}, {"until", f.until, &o.Until}} {
		if t.value == "" {
			continue
		}
		var err error
		if *t.to, err = config.ParseTime(t.value); err != nil {
			return fmt.Errorf("--%s: %w", t.flag, err)
		}
	}
	if f.late != "" {
		d := pipeline.Infinite
		if f.late != "infinite" {
			var err error
			if d, err = config.ParseDuration(f.late); err != nil {
				return fmt.Errorf("--late: %w", err)
			}
		}
		o.Policies.MaxLate = &d
	}
	if f.disorder != "" {
		d, err := config.ParseDuration(f.disorder)
		if err != nil {
			return fmt.Errorf("--disorder: %w", err)
		}
		o.Policies.MaxDisorder = d
	}
	switch f.policy {
	case "", string(pipeline.Adjust), string(pipeline.Drop):
		if f.policy != "" {
			o.Policies.Action = pipeline.EventAction(f.policy)
		}
	default:
		return fmt.Errorf("--policy %s: want Adjust or Drop", f.policy)
	}
	switch f.errorPolicy {
	case "":
	case "Drop", "Stop":
		o.Policies.OutputError = pipeline.OutputErrorPolicy(f.errorPolicy)
	default:
		return fmt.Errorf("--error-policy %s: want Drop or Stop", f.errorPolicy)
	}
	switch p := pipeline.RuntimeErrorPolicy(f.runtimeErrorPolicy); p {
	case "":
	case pipeline.FailJob, pipeline.SkipRow:
		o.Policies.RuntimeError = p
	default:
		return fmt.Errorf("--runtime-error-policy %s: want fail or skipToDeadLetter", p)
	}
	if f.diagnostics != "" && f.diagnostics != "json" {
		return fmt.Errorf("--diagnostics %s: want json", f.diagnostics)
	}
	o.Policy, o.HoldErrors = jobs.TimePolicy(o.Policies), o.Policies.OutputError == pipeline.Stop
	o.SkipErrors = o.Policies.RuntimeError == pipeline.SkipRow
	return nil
}

func (a *app) takeJob(name string, o *evalRun) error {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	for _, j := range p.Options.Jobs {
		if strings.EqualFold(j.Name, name) {
			o.Script, o.ScriptFile, o.Policies, o.Acknowledged = j.Script, j.ScriptFile, j.Policies, j.Acknowledged
			o.Functions = j.Functions
			o.IgnoreCase, o.Elapsed = j.Policies.IgnoreCase, j.Policies.JoinElapsed
			if p.Source != nil {
				o.mocks = p.Source.Mocks
			}
			return nil
		}
	}
	return withCode(notFound, fmt.Errorf("there is no job %q", name))
}
