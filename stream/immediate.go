package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/reorder"
)

// immediate are the outputs of a job whose rows are written as they come, by name.
func (o *Options) immediate() map[string]bool {
	out := make(map[string]bool)
	for name, s := range o.Outputs {
		if _, ok := s.(connector.ImmediateSink); ok {
			out[name] = true
		}
	}
	return out
}

// ImmediateError says why the rows of an output cannot be shown at once.
type ImmediateError struct {
	Output string
	What   string // in the query, or of an input
	Hint   string
}

// Error implements error.
func (e *ImmediateError) Error() string {
	return fmt.Sprintf("output %s: rows cannot be shown at once, because %s; %s", e.Output, e.What, e.Hint)
}

// useEpoch is what always helps.
const useEpoch = "or give the output visibility: epoch"

// CheckImmediate says whether the rows of an output can be written before the
// checkpoint that holds them: they, and their order, must follow from the events alone,
// so that a job that is broken off writes them again. systemColumns says that records
// of events hold the system columns. What stands in the way is an *ImmediateError.
func CheckImmediate(p *plan.Job, output string, systemColumns bool) error {
	g, err := buildGraph(p, 1, nil)
	if err != nil {
		return err
	}
	c := &immediateCheck{g: g, output: output, system: systemColumns, seen: make(map[immediateVisit]bool)}
	for _, o := range p.Outputs {
		if o.Name != output {
			continue
		}
		if err := c.visit(o.In, immediateVisit{ordered: true}); err != nil {
			return err
		}
	}
	return nil
}

// EarlyInput is why the rows of an output cannot be shown at once that reads a hub which
// acknowledges events before they are on the disk: a power cut may take those back.
func EarlyInput(output, hub string) error {
	return &ImmediateError{Output: output,
		What: fmt.Sprintf("the hub %s acknowledges events before the disk has them, and a power cut may take those back of which rows have been shown", hub),
		Hint: "let the hub acknowledge: sync, " + useEpoch}
}

type immediateCheck struct {
	g      *graph
	output string
	system bool
	seen   map[immediateVisit]bool
}

type immediateVisit struct {
	n       plan.Node
	ordered bool // the order of the node's rows shows in the output
	keyed   bool // they are split by a key behind it
}

func (c *immediateCheck) refuse(hint, what string, args ...any) error {
	return &ImmediateError{Output: c.output, What: fmt.Sprintf(what, args...), Hint: hint}
}

func (c *immediateCheck) visit(n plan.Node, v immediateVisit) error {
	if v.n = n; c.seen[v] {
		return nil
	}
	c.seen[v] = true
	switch n := n.(type) {
	case *plan.Input:
		return c.input(n)
	case *plan.Union:
		if err := c.union(n, v); err != nil {
			return err
		}
	case *plan.Join:
		return c.refuse("leave it out, "+useEpoch, "the rows of a JOIN are not known to come in one order however the job runs")
	case *plan.Match:
		return c.refuse("leave it out, "+useEpoch, "the rows of MATCH_RECOGNIZE come when it is decided where a sequence ends, and stand before that")
	case *plan.Filter, *plan.Project, *plan.Apply, *plan.Lookup, *plan.Analytic, *plan.Aggregate:
	default:
		return c.refuse("leave it out, "+useEpoch, "the order of the rows of a step %T is not known", n)
	}
	if s := c.g.steps[n]; !s.Local {
		v.ordered = s.Order == exec.TotalOrder
		v.keyed = v.ordered && s.Keys != nil
	}
	for _, in := range n.Inputs() {
		if err := c.visit(in, v); err != nil {
			return err
		}
	}
	return nil
}

// input refuses what the clock of the job, or of its reader, shows in.
func (c *immediateCheck) input(n *plan.Input) error {
	if n.Time != nil {
		return c.refuse("leave TIMESTAMP BY out or name EventEnqueuedUtcTime in it, "+useEpoch,
			"input %s has its times from the events (line %d): then rows depend on when the job looked at its clock", n.Name, n.Where.From.Line)
	}
	for _, col := range n.Cols {
		switch {
		case col.Kind == plan.EventProcessed:
			return c.refuse("leave it out, "+useEpoch, "EventProcessedUtcTime of input %s is another one when an event is read again", n.Name)
		case col.Kind == plan.Whole && c.system:
			return c.refuse("name the columns that are needed, "+useEpoch,
				"* of input %s holds EventProcessedUtcTime, which is another one when an event is read again", n.Name)
		}
	}
	return nil
}

// union refuses rows that may stand at one place and come from branches whose order is
// not known.
func (c *immediateCheck) union(n *plan.Union, v immediateVisit) error {
	if !v.ordered {
		return nil
	}
	const apart = "write the branches INTO the output in statements of their own, " + useEpoch
	if c.g.place[n] == inTail {
		return c.refuse(apart, "the branches of a UNION have windows or functions over several rows, and the order of rows of one time is not known")
	}
	if !v.keyed {
		return nil
	}
	seen := make(map[string]bool)
	for _, in := range n.Inputs() {
		own := make(map[string]bool)
		for _, k := range c.g.from[in] {
			own[c.g.inputs[k].Name] = true
		}
		for name := range own {
			if seen[name] {
				return c.refuse(apart, "several branches of a UNION in front of a step with a key read input %s, and the order of two rows of one event is not known", name)
			}
			seen[name] = true
		}
	}
	return nil
}

// checkImmediate refuses outputs that cannot be immediate.
func (j *Job) checkImmediate() error {
	for name := range j.opts.immediate() {
		var system bool
		for _, in := range j.opts.Inputs {
			system = system || in.SystemColumns
		}
		if err := CheckImmediate(j.opts.Plan, name, system); err != nil {
			return err
		}
		for _, o := range j.opts.Plan.Outputs {
			for _, s := range j.graph.sources() {
				if o.Name == name && j.graph.reads(o.In, s.name) && !j.opts.Inputs[s.name].Promises && j.opts.IdleTick >= 0 {
					return &ImmediateError{Output: name, What: fmt.Sprintf("input %s does not say when no earlier event can come any more", s.name),
						Hint: "read a hub of this process, " + useEpoch}
				}
			}
		}
	}
	return nil
}

// reads reports whether rows of a source come to a node.
func (g *graph) reads(n plan.Node, source string) bool {
	return slices.ContainsFunc(g.from[n], func(k int) bool { return g.inputs[k].Name == source })
}

// forms is what of the immediate outputs must not change between two lives of a job.
func (o *Options) forms() string {
	var out []string
	for name, s := range o.Outputs {
		if s, ok := s.(connector.ImmediateSink); ok {
			out = append(out, fmt.Sprintf("immediate %s: %s\n", name, s.Form()))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// orderedOutput brings the rows of all statements of an immediate output into one order:
// that of their positions, and at one position that of the statements. It is the same
// however the rows come, so that a life of the job repeats what the one before wrote.
type orderedOutput struct {
	ctx    context.Context
	w      *outputWriter
	writer connector.ImmediateWriter
	order  *reorder.Buffer // a source per statement
	star   bool            // the statements have different columns: rows wait as records
	feeds  [][]bool        // by source and partition: whether its rows come from there

	sources map[int]int // of the statements of the script: their numbers in the order
}

// orderedOutput makes the order of an output.
func (t *tail) orderedOutput(ctx context.Context, w *outputWriter, writer connector.Writer) (*orderedOutput, error) {
	now, ok := writer.(connector.ImmediateWriter)
	if !ok {
		return nil, fmt.Errorf("opening output %s of job %s: its writer cannot show rows at once", w.name, t.job.opts.Name)
	}
	out := &orderedOutput{ctx: ctx, w: w, writer: now, sources: make(map[int]int)}
	var schema *column.Schema
	for i, o := range t.job.graph.outputs {
		if o.Name != w.name {
			continue
		}
		s := exec.SchemaOf(o.In.Columns())
		if len(out.sources) > 0 && !slices.Equal(s.Fields, schema.Fields) {
			out.star = true
		}
		schema = s
		var feeds []bool
		for _, p := range t.job.parts {
			feeds = append(feeds, t.job.graph.reads(o.In, p.source.name))
		}
		out.feeds = append(out.feeds, feeds)
		out.sources[i] = len(out.sources)
	}
	if out.star {
		schema = exec.StarSchema()
	}
	out.order = reorder.New(schema, len(out.sources))
	t.keep("output/"+w.name, keptOrder{out.order})
	t.ordered = append(t.ordered, out)
	return out, nil
}

// orderedLink is one statement of an immediate output.
type orderedLink struct {
	t      *tail
	to     *orderedOutput
	source int // in the order
	number int // of the output's statements
}

func (l *orderedLink) Rows(b *column.Batch) error {
	if b = l.t.job.suppress(b); b.LiveRows() == 0 {
		return nil
	}
	if l.to.star {
		b = exec.StarBatch(b)
	}
	l.to.order.Add(l.source, b)
	return nil
}

func (l *orderedLink) Advance(w column.Ticks) error {
	l.reach(column.Position{Time: w})
	l.t.job.reached(l.to.w.count, l.number, w)
	return nil
}

// reach says that no later row of the statement stands before a position.
func (l *orderedLink) reach(at column.Position) { l.to.order.Reach(l.source, at) }

// owed is how many bytes of rows that a partition feeds wait for other statements.
func (o *orderedOutput) owed(part int) int64 {
	n := int64(0)
	for k, feeds := range o.feeds {
		if feeds[part] && o.order.Held(k) > leastOwed {
			n += o.order.Owed(k)
		}
	}
	return n
}

// showNow writes what may leave the orders, and hands it on.
func (t *tail) showNow() error {
	for _, o := range t.ordered {
		err := o.order.Release(func(b *column.Batch) error {
			bad, err := o.writer.Write(o.ctx, b)
			if err != nil {
				return o.w.failed(err)
			}
			return t.wrote(o.w, b, bad)
		})
		if err != nil {
			return err
		}
		if err := o.writer.Flush(o.ctx); err != nil {
			return o.w.failed(err)
		}
	}
	return nil
}

// missed refuses to go on where an immediate output cannot be written again as it was.
func (t *tail) missed(part *partition) error {
	for _, o := range t.ordered {
		if o.writer.Behind() {
			return fmt.Errorf("output %s: rows behind the last checkpoint have been shown, and events of partition %d of input %s that they may come from were removed before they were read again: "+
				"what is new cannot be told apart; delete the folder %s of the job to begin anew", o.w.name, part.number, part.source.name, t.job.opts.Prefix)
		}
	}
	return nil
}

// inPlace reports whether the rows of a node that come to the tail, or are made there,
// come from one step or place before it and stand where they stood there.
func (g *graph) inPlace(n plan.Node) bool {
	if !g.exact(n) {
		return false
	}
	for g.place[n] == inTail {
		ins := n.Inputs()
		if len(ins) != 1 {
			return false
		}
		n = ins[0]
	}
	return true
}
