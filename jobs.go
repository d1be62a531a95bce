package spate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/connector"
	"spate/connector/eventhub"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// openJobs compiles all jobs and captures. A new one saves its first manifest
// here, before any listener is open.
func (p *Pipeline) openJobs(ctx context.Context) error {
	if err := distinctJobs(p.opts); err != nil {
		return err
	}
	for _, j := range p.opts.Jobs {
		if j.Disabled {
			continue
		}
		if _, err := p.addJob(ctx, j.Name, false, p.bind(j)); err != nil {
			return err
		}
	}
	for _, c := range p.opts.Captures {
		if _, err := p.addJob(ctx, c.JobName(), true, p.bindCapture(c)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) bind(j pipeline.Job) func(ctx context.Context) (stream.Options, error) {
	return func(ctx context.Context) (stream.Options, error) { return p.optionsOf(ctx, j) }
}

func (p *Pipeline) bindCapture(c pipeline.Capture) func(ctx context.Context) (stream.Options, error) {
	return func(ctx context.Context) (stream.Options, error) { return p.optionsOfCapture(ctx, c) }
}

// distinctJobs refuses jobs that would share a folder of checkpoints.
func distinctJobs(o pipeline.Options) error {
	seen := make(map[string]bool)
	for _, j := range o.Jobs {
		low := strings.ToLower(j.Name)
		if seen[low] {
			return fmt.Errorf("opening the jobs: the job %s is there twice", j.Name)
		}
		seen[low] = true
	}
	for _, c := range o.Captures {
		low := c.JobName()
		if seen[low] {
			return fmt.Errorf("opening the jobs: the capture of hub %s is a job of the name %s, and there is one already", c.Hub, low)
		}
		seen[low] = true
	}
	return nil
}

func (p *Pipeline) optionsOf(ctx context.Context, j pipeline.Job) (o stream.Options, err error) {
	if c := j.Policies.Compat; c != "" && c != "1.2" {
		return o, fmt.Errorf("opening job %s: compatibility level %s is not supported yet", j.Name, c)
	}
	compiled, err := compileJob(j)
	if err != nil {
		return o, err
	}
	o = p.jobOptions(j.Name, compiled)
	o.DeadLetters = deadLettersOf(j.Policies.DeadLetter)
	o.Policy = TimePolicy(j.Policies)
	o.Parallelism = stream.Shards(j.Parallelism)
	o.Start = p.firstOutput(j.Start)
	for _, in := range compiled.Inputs {
		if err := p.bindInput(&o, j.Name, in.Name, j.Input(in.Name)); err != nil {
			return o, err
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
			t, err := p.declared().find(b.Table)
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
		if o.Outputs[name], err = p.openOutput(ctx, j.Name, *b, brings); err != nil {
			return o, err
		}
		if o.Targets[name], err = p.targetOf(*b); err != nil {
			return o, err
		}
	}
	return o, p.prepareImmediate(j, o)
}

// firstOutput is where a job begins that has no checkpoint. Without one there is no last
// output either.
func (p *Pipeline) firstOutput(s pipeline.JobStart) stream.Start {
	if s.Mode == pipeline.StartCustomTime {
		return stream.Start{First: column.TicksOf(s.Time)}
	}
	// Hubs stamp events with whole milliseconds: one that comes at once must not lie before.
	return stream.Start{First: column.TicksOf(p.opts.Clock()).FloorTo(column.Millisecond)}
}

func (p *Pipeline) jobOptions(name string, compiled *plan.Job) stream.Options {
	return stream.Options{
		Name: name, Plan: compiled, Inputs: make(map[string]stream.Input), Outputs: make(map[string]connector.Sink), Targets: make(map[string]string), Hold: make(map[string]bool),
		Store: p.store, Prefix: "jobs/" + url.PathEscape(name), Metrics: p.metrics, Log: p.log,
		Clock: jobClock(p.opts.Clock), Drain: p.opts.Drain,
	}
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

func (p *Pipeline) bindInput(o *stream.Options, job, alias string, b pipeline.Input) error {
	h, ok := p.namespace.Hub(b.Hub)
	if !ok {
		return fmt.Errorf("opening job %s: input %s reads hub %s, which does not exist", job, alias, b.Hub)
	}
	f, err := formatOf(b.Format, b.Delimiter)
	if err != nil {
		return fmt.Errorf("opening job %s: input %s: %w", job, alias, err)
	}
	f.NoHeader = b.NoHeader
	o.Inputs[alias] = stream.Input{
		Source:        eventhub.NewSource(h, eventhub.SourceOptions{Job: job, Metrics: p.metrics, Log: p.log}),
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

func (p *Pipeline) openOutput(ctx context.Context, job string, b pipeline.Output, cols []plan.Column) (connector.Sink, error) {
	if b.Table != "" {
		return p.declared().sink(ctx, job, b.Alias, b.Table, b.Strict, cols)
	}
	h, ok := p.namespace.Hub(b.Hub)
	if !ok {
		return nil, fmt.Errorf("opening job %s: output %s writes hub %s, which does not exist", job, b.Alias, b.Hub)
	}
	so := eventhub.SinkOptions{Output: b.Alias, KeyColumn: b.PartitionKey}
	if b.Immediate {
		return eventhub.NewImmediateSink(h, so), nil
	}
	return eventhub.NewSink(h, so), nil
}

// targetOf names what stands behind an output.
func (p *Pipeline) targetOf(b pipeline.Output) (string, error) {
	if b.Table == "" {
		return "hub " + strings.ToLower(b.Hub), nil
	}
	t, err := p.declared().find(b.Table)
	return "table " + t.Location(p.declared().opts.Storage), err
}

// compileJob binds the script of a job.
func compileJob(j pipeline.Job) (*plan.Job, error) {
	compiled, errs, _ := CompileScript(j.Script, bind.Options{})
	if len(errs) > 0 {
		file := j.ScriptFile
		if file == "" {
			file = "query of job " + j.Name
		}
		return nil, fmt.Errorf("compiling %s: %w", file, errs)
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
	project := &plan.Project{In: o.In}
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

// optionsOfCapture makes the job that appends every event of a hub to a table: a
// plan that passes the table's columns through, from the oldest event on.
func (p *Pipeline) optionsOfCapture(ctx context.Context, c pipeline.Capture) (o stream.Options, err error) {
	name := c.JobName()
	tb, err := p.declared().find(c.Table)
	if err != nil {
		return o, fmt.Errorf("opening the capture of hub %s: %w", c.Hub, err)
	}
	compiled, err := capturePlan(c, tb)
	if err != nil {
		return o, fmt.Errorf("opening the capture of hub %s: %w", c.Hub, err)
	}
	o = p.jobOptions(name, compiled)
	o.Start = stream.Start{Oldest: true}
	o.Interval = tb.Flush.Interval
	o.DeadLetters = deadLettersOf(pipeline.DeadLetter{})
	if err := p.bindInput(&o, name, c.Hub, pipeline.Input{Hub: c.Hub}); err != nil {
		return o, err
	}
	o.Targets[c.Table] = "table " + tb.Location(p.declared().opts.Storage)
	if o.Outputs[c.Table], err = p.declared().sink(ctx, name, c.Table, c.Table, c.Strict, compiled.Outputs[0].In.Columns()); err != nil {
		return o, err
	}
	return o, nil
}

func capturePlan(c pipeline.Capture, tb pipeline.Table) (*plan.Job, error) {
	in := &plan.Input{Name: c.Hub}
	project := &plan.Project{In: in}
	if len(tb.Columns) == 0 {
		whole := plan.Column{Name: "*", Star: true, Type: column.Record}
		in.Cols = append(in.Cols, plan.Source{Column: whole, Kind: plan.Whole})
		project.Items = append(project.Items, plan.Item{Column: whole, Expr: &plan.Col{Base: plan.Base{Static: column.Record}, Name: "*"}})
		for _, x := range c.Columns { // behind the fields of the event
			tb.Columns = append(tb.Columns, pipeline.TableColumn{Name: x.Name})
		}
	}
	computed := func(name string) *pipeline.OutputColumn {
		for i := range c.Columns {
			if column.EqualNames(c.Columns[i].Name, name) {
				return &c.Columns[i]
			}
		}
		return nil
	}
	for _, col := range tb.Columns {
		if computed(col.Name) == nil {
			in.Cols = append(in.Cols, plan.Source{Column: plan.Column{Name: col.Name}, Kind: plan.Payload, Path: []string{col.Name}})
		}
	}
	payload := len(in.Cols)
	for kind, name := range map[plan.SourceKind]string{
		plan.EventEnqueued: "EventEnqueuedUtcTime", plan.EventProcessed: "EventProcessedUtcTime", plan.Partition: "PartitionId",
	} {
		t := column.Time
		if kind == plan.Partition {
			t = column.Int64
		}
		in.Cols = append(in.Cols, plan.Source{Column: plan.Column{Name: name, Type: t}, Kind: kind})
	}
	sortSystem(in.Cols[payload:])
	cols := in.Columns()
	next := 0
	for _, col := range tb.Columns {
		if x := computed(col.Name); x != nil {
			e, errs := bind.Expression(x.Expr, cols)
			if len(errs) > 0 {
				return nil, fmt.Errorf("column %s: %w", col.Name, errs)
			}
			project.Items = append(project.Items, plan.Item{Column: plan.Column{Name: col.Name, Type: e.Type()}, Expr: e})
			continue
		}
		project.Items = append(project.Items, plan.Item{Column: plan.Column{Name: col.Name}, Expr: &plan.Col{Index: next, Name: col.Name}})
		next++
	}
	return &plan.Job{Inputs: []*plan.Input{in}, Outputs: []*plan.Output{{Name: c.Table, In: project}}}, nil
}

// sortSystem brings the system columns into one order, so that the plan's text
// is the same in every process.
func sortSystem(cols []plan.Source) {
	for i := range cols {
		for k := i; k > 0 && cols[k].Kind < cols[k-1].Kind; k-- {
			cols[k], cols[k-1] = cols[k-1], cols[k]
		}
	}
}
