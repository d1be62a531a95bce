package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate"
	"spate/config"
	"spate/sql/syntax"
)

// evalFlags are the flags of eval.
type evalFlags struct {
	query, text, job                    string
	inputs                              []string
	start, outputStart, until           string
	late, disorder, policy, errorPolicy string
	outputDir, diagnostics              string
	failOnDrop, explain                 bool
	stringCompare, joinDatediff         string
	references, functions               []string
}

func (a *app) eval() *cobra.Command {
	var f evalFlags
	var o spate.EvalOptions
	cmd := &cobra.Command{
		Use:   "eval --query FILE --input NAME=FILE ...",
		Short: "Run a script over files: no listener, no state, the same rows every time",
		Args:  cobra.NoArgs,
	}
	fl := cmd.Flags()
	fl.StringVar(&f.query, "query", "", "script file; - is standard input")
	fl.StringVarP(&f.text, "expression", "e", "", "script text")
	fl.StringArrayVar(&f.inputs, "input", nil, "NAME=FILE[,format=jsonl|json|csv][,delimiter=;][,partition=FIELD][,partitions=N]")
	fl.StringVar(&o.ArrivalField, "arrival", "", "field that holds the arrival time")
	fl.BoolVar(&o.ArrivalDrop, "arrival-drop", false, "take that field out of the events")
	fl.StringVar(&f.start, "start", "", "arrival of rows without one (default: now)")
	fl.StringVar(&f.outputStart, "output-start", "", "first output time")
	fl.StringVar(&f.until, "until", "", "stop the watermark there")
	fl.BoolVar(&o.NoFlush, "no-flush", false, "leave windows open at the end of the input")
	fl.BoolVar(&o.Steps, "steps", false, "WITH steps are outputs named step:NAME too")
	fl.BoolVar(&o.SystemCols, "system-columns", false, "system columns join SELECT *")
	fl.StringVar(&f.late, "late", "", "late tolerance, or infinite (default 5s)")
	fl.StringVar(&f.disorder, "disorder", "", "disorder tolerance (default 0)")
	fl.StringVar(&f.policy, "policy", "", "Adjust or Drop (default Adjust)")
	fl.StringVar(&f.errorPolicy, "error-policy", "", "Drop or Stop (default Drop)")
	fl.StringVar(&o.Policies.Compat, "compat", "1.2", "compatibility level")
	fl.StringVar(&f.job, "job", "", "take script and policies of this job of the pipeline file")
	fl.StringVar(&f.outputDir, "output-dir", "", "write NAME.jsonl per output there")
	fl.StringVar(&f.diagnostics, "diagnostics", "", "json: dropped and adjusted events on standard error")
	fl.BoolVar(&f.failOnDrop, "fail-on-drop", false, "exit 6 if an event was dropped")
	fl.BoolVar(&f.explain, "explain", false, "print the plan, run nothing")
	fl.StringVar(&f.stringCompare, "string-compare", "ordinal", "how texts compare: ordinal or ignoreCase")
	fl.StringVar(&f.joinDatediff, "join-datediff", "boundary", "how DATEDIFF counts in a JOIN")
	fl.StringArrayVar(&f.references, "reference", nil, "reference input")
	fl.StringArrayVar(&f.functions, "function", nil, "user function")
	fl.IntVar(&o.BatchRows, "batch-rows", 0, "rows per batch; never visible in results")
	for _, hidden := range []string{"batch-rows", "join-datediff", "reference", "function"} {
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
			return a.explain(o)
		}
		return a.runEval(cmd, &f, o)
	})
	return cmd
}

// evalOptions turns flags into options.
func (a *app) evalOptions(f *evalFlags, o *spate.EvalOptions) error {
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
	stdin := false
	for _, s := range f.inputs {
		in, err := evalInput(s)
		if err != nil {
			return err
		}
		if in.Path == "-" {
			if stdin || f.query == "-" {
				return errors.New("standard input can be read once")
			}
			stdin, in.Path, in.Reader = true, "<stdin>", a.stdin
		} else if _, err := os.Stat(in.Path); err != nil {
			return fmt.Errorf("--input %s: %w", in.Name, err)
		}
		for _, have := range o.Inputs {
			if strings.EqualFold(have.Name, in.Name) {
				return fmt.Errorf("--input %s is given twice", in.Name)
			}
		}
		o.Inputs = append(o.Inputs, in)
	}
	switch f.stringCompare {
	case "ordinal":
	case "ignoreCase":
		o.Policies.IgnoreCase = true
	default:
		return fmt.Errorf("--string-compare %s: want ordinal or ignoreCase", f.stringCompare)
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
func (f *evalFlags) refuse(o *spate.EvalOptions) error {
	for _, x := range []struct {
		flag, value, built string
	}{
		{"compat", o.Policies.Compat, "1.2"}, {"join-datediff", f.joinDatediff, "boundary"},
		{"reference", strings.Join(f.references, " "), ""}, {"function", strings.Join(f.functions, " "), ""},
	} {
		if x.value != x.built {
			return fmt.Errorf("--%s %s is not supported yet", x.flag, x.value)
		}
	}
	return nil
}

func (f *evalFlags) policies(o *spate.EvalOptions) error {
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
	if o.Start.IsZero() {
		o.Start = time.Now().UTC()
	}
	if f.late != "" {
		d := spate.Infinite
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
	case "", string(spate.Adjust), string(spate.Drop):
		if f.policy != "" {
			o.Policies.Action = spate.EventAction(f.policy)
		}
	default:
		return fmt.Errorf("--policy %s: want Adjust or Drop", f.policy)
	}
	switch f.errorPolicy {
	case "":
	case "Drop", "Stop":
		o.Policies.OutputError = spate.OutputErrorPolicy(f.errorPolicy)
	default:
		return fmt.Errorf("--error-policy %s: want Drop or Stop", f.errorPolicy)
	}
	if f.diagnostics != "" && f.diagnostics != "json" {
		return fmt.Errorf("--diagnostics %s: want json", f.diagnostics)
	}
	return nil
}

func (a *app) takeJob(name string, o *spate.EvalOptions) error {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	for _, j := range p.Options.Jobs {
		if strings.EqualFold(j.Name, name) {
			o.Script, o.ScriptFile, o.Policies = j.Script, j.ScriptFile, j.Policies
			return nil
		}
	}
	return withCode(notFound, fmt.Errorf("there is no job %q", name))
}

// evalInput reads NAME=FILE[,key=value ...].
func evalInput(s string) (spate.EvalInput, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || rest == "" {
		return spate.EvalInput{}, fmt.Errorf("--input %s: want NAME=FILE", s)
	}
	parts := strings.Split(rest, ",")
	in := spate.EvalInput{Name: name, Path: parts[0], Partitions: 1}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "format":
			if value != "json" && value != "jsonl" && value != "csv" {
				return in, fmt.Errorf("--input %s: format %s is not supported yet", name, value)
			}
			in.Format = value
		case "delimiter":
			in.Delimiter = value
		case "partition":
			in.PartitionField = value
		case "partitions":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1024 {
				return in, fmt.Errorf("--input %s: partitions %s: want 1 to 1024", name, value)
			}
			in.Partitions = n
		default:
			return in, fmt.Errorf("--input %s: unknown setting %q: want format, delimiter, partition or partitions", name, key)
		}
	}
	return in, nil
}

func (a *app) runEval(cmd *cobra.Command, f *evalFlags, o spate.EvalOptions) (err error) {
	rows := &rowWriter{out: bufio.NewWriterSize(a.stdout, 64<<10), dir: f.outputDir}
	dropped := 0
	o.Row = rows.row
	o.Diagnostic = func(d spate.EvalDiagnostic) {
		if d.Drop {
			dropped++
		}
		if f.diagnostics == "json" {
			if err := json.NewEncoder(a.stderr).Encode(d); err != nil {
				dropped++ // a report that cannot be written is as bad as a lost row
			}
		}
	}
	if o.Log, err = a.logger(a.stderr, 4); err != nil {
		return err
	}
	err = spate.Eval(cmd.Context(), o)
	if e := rows.close(); err == nil {
		err = e
	}
	if err != nil {
		return evalError(o, err)
	}
	if dropped > 0 && !a.quiet && f.diagnostics == "" {
		fmt.Fprintf(a.stderr, "%d events were dropped; --diagnostics json shows them\n", dropped)
	}
	if dropped > 0 && f.failOnDrop {
		return withCode(differs, fmt.Errorf("%d events were dropped", dropped))
	}
	return nil
}

// evalError gives mistakes of the script and of an input file the code of wrong usage.
func evalError(o spate.EvalOptions, err error) error {
	var mistakes syntax.Errors
	if errors.As(err, &mistakes) {
		return config.ScriptProblems(o.ScriptFile, o.Script, mistakes)
	}
	var input *spate.InputError
	if errors.As(err, &input) {
		return withCode(usage, err)
	}
	return err
}

func (a *app) explain(o spate.EvalOptions) error {
	text, err := spate.Explain(o)
	if err != nil {
		return evalError(o, err)
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}

// rowWriter prints rows to standard output, or to one file per output.
type rowWriter struct {
	out   *bufio.Writer
	dir   string
	files map[string]*os.File
	bufs  map[string]*bufio.Writer
}

func (r *rowWriter) row(output string, row []byte) error {
	if r.dir == "" {
		name, err := json.Marshal(output)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.out, `{"output":%s,"row":%s}`+"\n", name, row)
		return err
	}
	w := r.bufs[output]
	if w == nil {
		if err := os.MkdirAll(r.dir, 0o755); err != nil {
			return err
		}
		f, err := os.Create(filepath.Join(r.dir, strings.NewReplacer("/", "_", ":", "_", "\\", "_").Replace(output)+".jsonl"))
		if err != nil {
			return err
		}
		if r.files == nil {
			r.files, r.bufs = map[string]*os.File{}, map[string]*bufio.Writer{}
		}
		w = bufio.NewWriter(f)
		r.files[output], r.bufs[output] = f, w
	}
	if _, err := w.Write(row); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

func (r *rowWriter) close() error {
	err := r.out.Flush()
	for name, f := range r.files {
		err = errors.Join(err, r.bufs[name].Flush(), f.Close())
	}
	return err
}
