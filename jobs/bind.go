package jobs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/connector"
	"spate/connector/deltatable"
	"spate/connector/eventhub"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// options are what the engine takes for a job.
func (r *Room) options(ctx context.Context, s *spec) (stream.Options, error) {
	if s.capture != nil {
		return r.optionsOfCapture(ctx, s)
	}
	return r.optionsOfJob(ctx, s)
}

func (r *Room) optionsOfJob(ctx context.Context, s *spec) (o stream.Options, err error) {
	j := s.job
	compiled, err := compile(j)
	if err != nil {
		return o, err
	}
	o = r.jobOptions(j.Name, compiled)
	o.DeadLetters = deadLettersOf(j.Policies.DeadLetter)
	o.Policy = TimePolicy(j.Policies)
	o.SkipErrors = j.Policies.RuntimeError == pipeline.SkipRow
	o.Parallelism = stream.Shards(j.Parallelism)
	o.Start = r.firstOutput(j.Start)
	for _, in := range compiled.Inputs {
		if err := r.bindInput(&o, j.Name, in.Name, j.Input(in.Name)); err != nil {
			return o, err
		}
	}
	for _, in := range compiled.Refs {
		if o.References[in.Name], err = r.reference(s, in.Name); err != nil {
			return o, fmt.Errorf("opening job %s: reference data %s: %w", j.Name, in.Name, err)
		}
	}
	cols := make(map[string][]plan.Column) // of all statements that write an output
	for i, out := range compiled.Outputs {
		b := j.Output(out.Name)
		if b == nil {
			return o, fmt.Errorf("opening job %s: output %s is bound to no table and no hub", j.Name, out.Name)
		}
		if b.Immediate && b.Hub == "" {
			return o, fmt.Errorf("opening job %s: output %s: the rows of a table cannot be shown at once: visibility immediate is for hubs", j.Name, out.Name)
		}
		if compiled.Outputs[i], err = mapOutput(out, *b); err != nil {
			return o, fmt.Errorf("opening job %s: %w", j.Name, err)
		}
		if policy := cmp.Or(b.ErrorPolicy, j.Policies.OutputError); policy == pipeline.Stop {
			o.Hold[out.Name] = true
		}
		cols[out.Name] = append(cols[out.Name], compiled.Outputs[i].In.Columns()...)
	}
	var written []pipeline.Table
	for _, name := range slices.Sorted(maps.Keys(cols)) {
		if b := j.Output(name); b.Table != "" {
			t, err := r.table(s, b.Table)
			if err != nil {
				return o, fmt.Errorf("opening job %s: output %s: %w", j.Name, name, err)
			}
			written = append(written, t)
		}
	}
	if o.Interval, err = pipeline.CommitInterval(j.CheckpointInterval, written...); err != nil {
		return o, fmt.Errorf("opening job %s: %w", j.Name, err)
	}
	for name, brings := range cols {
		b := j.Output(name)
		if o.Outputs[name], err = r.openOutput(ctx, s, *b, brings); err != nil {
			return o, err
		}
		if o.Targets[name], err = r.targetOf(s, *b); err != nil {
			return o, err
		}
	}
	return o, r.prepareImmediate(j, o)
}

// firstOutput is where a job begins that has no checkpoint. Without one there is no last
// output either.
func (r *Room) firstOutput(s pipeline.JobStart) stream.Start {
	if s.Mode == pipeline.StartCustomTime {
		return stream.Start{First: column.TicksOf(s.Time)}
	}
	// Hubs stamp events with whole milliseconds: one that comes at once must not lie before.
	return stream.Start{First: column.TicksOf(r.o.Clock()).FloorTo(column.Millisecond)}
}

func (r *Room) jobOptions(name string, compiled *plan.Job) stream.Options {
	return stream.Options{
		Name: name, Plan: compiled, Inputs: make(map[string]stream.Input), References: make(map[string]stream.Reference), Outputs: make(map[string]connector.Sink), Targets: make(map[string]string), Hold: make(map[string]bool),
		Store: r.o.Store, Prefix: prefixOf(name), Metrics: r.o.Metrics, Log: r.o.Log,
		Clock: jobClock(r.o.Clock), Drain: r.o.Drain, Former: r.former,
	}
}

// former opens what a target names, to write what was prepared for it.
func (r *Room) former(ctx context.Context, output, target string) (connector.Sink, error) {
	if name, ok := strings.CutPrefix(target, "hub "); ok {
		h, ok := r.o.Hubs.Hub(name)
		if !ok {
			return nil, fmt.Errorf("hub %s does not exist", name)
		}
		return eventhub.NewSink(h, eventhub.SinkOptions{Output: output}), nil
	}
	if path, ok := strings.CutPrefix(target, "table "); ok {
		return deltatable.Open(ctx, deltatable.Options{Store: r.o.Store, Tables: r.o.Tables, Path: path, Output: output, Name: path, Infer: new(deltatable.Inference),
			Clock: r.o.Clock, Log: r.o.Log, Metrics: r.o.Metrics})
	}
	return nil, fmt.Errorf("%q is no hub and no table", target)
}

// deadLettersOf fills in the defaults of a job's dead letters.
func deadLettersOf(d pipeline.DeadLetter) *stream.DeadLetters {
	if d.Disabled {
		return nil
	}
	out := &stream.DeadLetters{Retain: d.Retain, MaxBytes: d.MaxBytes}
	if out.Retain <= 0 {
		out.Retain = 7 * 24 * time.Hour
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = 1 << 30
	}
	return out
}

// TimePolicy are the policies of time as the engine takes them.
func TimePolicy(p pipeline.Policies) exec.TimePolicy {
	out := exec.TimePolicy{Late: 5 * column.Second, Disorder: column.Ticks(p.MaxDisorder / 100), Drop: p.Action == pipeline.Drop}
	if p.MaxLate != nil {
		out.Late = column.Ticks(*p.MaxLate / 100)
		if *p.MaxLate == pipeline.Infinite {
			out.Late = -1
		}
	}
	return out
}

// jobClock tells jobs the time that the hubs stamp events with.
type jobClock func() time.Time

// Now implements stream.Clock.
func (c jobClock) Now() column.Ticks { return column.TicksOf(c()) }

func (r *Room) bindInput(o *stream.Options, job, alias string, b pipeline.Input) error {
	h, ok := r.o.Hubs.Hub(b.Hub)
	if !ok {
		return fmt.Errorf("opening job %s: input %s reads hub %s, which does not exist", job, alias, b.Hub)
	}
	f, err := formatOf(b.Format, b.Delimiter)
	if err != nil {
		return fmt.Errorf("opening job %s: input %s: %w", job, alias, err)
	}
	f.NoHeader = b.NoHeader
	o.Inputs[alias] = stream.Input{
		Source:        eventhub.NewSource(h, eventhub.SourceOptions{Job: job, Metrics: r.o.Metrics, Log: r.o.Log}),
		Name:          fmt.Sprintf("hub %s (%.8x)", strings.ToLower(h.Name()), h.ID()),
		Format:        f,
		SystemColumns: true,
		Promises:      true,
	}
	return nil
}

// formatOf is the format of an input's messages.
func formatOf(name, delimiter string) (stream.Format, error) {
	switch name {
	case "", "json", "jsonl":
		return stream.Format{}, nil
	case "csv":
	default:
		return stream.Format{}, fmt.Errorf("format %s is not supported yet", name)
	}
	switch delimiter {
	case "":
		delimiter = ","
	case "tab", `\t`:
		delimiter = "\t"
	}
	if len(delimiter) != 1 {
		return stream.Format{}, fmt.Errorf("%q is no delimiter: want a comma, semicolon, tab, space or vertical bar", delimiter)
	}
	return stream.Format{CSV: true, Delimiter: delimiter[0]}, nil
}

func (r *Room) openOutput(ctx context.Context, s *spec, b pipeline.Output, cols []plan.Column) (connector.Sink, error) {
	if b.Table != "" {
		return r.openTable(ctx, s, b.Alias, b.Table, b.Strict, cols)
	}
	h, ok := r.o.Hubs.Hub(b.Hub)
	if !ok {
		return nil, fmt.Errorf("opening job %s: output %s writes hub %s, which does not exist", s.name(), b.Alias, b.Hub)
	}
	so := eventhub.SinkOptions{Output: b.Alias, KeyColumn: b.PartitionKey}
	if b.Immediate {
		return eventhub.NewImmediateSink(h, so), nil
	}
	return eventhub.NewSink(h, so), nil
}

// targetOf names what stands behind an output.
func (r *Room) targetOf(s *spec, b pipeline.Output) (string, error) {
	if b.Table == "" {
		return "hub " + strings.ToLower(b.Hub), nil
	}
	t, err := r.table(s, b.Table)
	return "table " + t.Location(r.o.Storage), err
}

// compile binds the script of a job.
func compile(j pipeline.Job) (*plan.Job, error) {
	level, err := plan.ParseLevel(j.Policies.Compat)
	if err != nil {
		return nil, fmt.Errorf("opening job %s: %w", j.Name, err)
	}
	functions, err := bind.NewFunctions(j.Functions)
	if err != nil {
		return nil, fmt.Errorf("opening job %s: %w", j.Name, err)
	}
	compiled, errs, _ := stream.Compile(j.Script, bind.Options{
		Level: level, JoinElapsed: j.Policies.JoinElapsed, Functions: functions, References: j.References(),
	})
	if len(errs) > 0 {
		file := j.ScriptFile
		if file == "" {
			file = "query of job " + j.Name
		}
		return nil, fmt.Errorf("compiling %s: %w", file, errs)
	}
	if why := stream.CheckPolicy(compiled, TimePolicy(j.Policies)); why != nil {
		return nil, fmt.Errorf("opening job %s: %w", j.Name, why)
	}
	if j.Policies.IgnoreCase {
		plan.IgnoreCase(compiled)
	}
	return compiled, nil
}

// mapOutput puts the output map behind INTO: extra columns computed from the
// row, then the new names.
func mapOutput(o *plan.Output, b pipeline.Output) (*plan.Output, error) {
	if len(b.Columns) == 0 && len(b.Rename) == 0 {
		return o, nil
	}
	cols := o.In.Columns()
	project := &plan.Project{In: o.In, Map: true}
	for i, c := range cols {
		it := plan.Item{Column: c, Expr: &plan.Col{Base: plan.Base{Static: c.Type}, Index: i, Name: c.Name}}
		for from, to := range b.Rename {
			if column.EqualNames(from, c.Name) {
				it.Name = to
			}
		}
		project.Items = append(project.Items, it)
	}
	for _, c := range b.Columns {
		e, errs := bind.Expression(c.Expr, cols)
		if len(errs) > 0 {
			return nil, fmt.Errorf("output %s, column %s: %w", b.Alias, c.Name, errs)
		}
		project.Items = append(project.Items, plan.Item{Column: plan.Column{Name: c.Name, Type: e.Type()}, Expr: e})
	}
	return &plan.Output{Name: o.Name, In: project, Where: o.Where}, nil
}
