package stream

import (
	"fmt"
	"sort"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/exec"
)

// graph is the plan as the job runs it: which steps run in every partition,
// which in the tail, and the edges between the two.
type graph struct {
	nodes     []plan.Node // in topological order
	local     map[plan.Node]bool
	root      map[plan.Node]int // of local nodes: index of their Input in plan.Inputs
	consumers map[plan.Node][]consumer
	edges     []*edge
	inputs    []*plan.Input
	outputs   []*plan.Output
}

// consumer is a step or, with node nil, an output that reads a node.
type consumer struct {
	node   plan.Node
	in     int // which of its inputs
	output *plan.Output
	edge   *edge // set where the consumer runs in the tail and the producer in the partitions
}

// edge carries rows or partial aggregates from the partitions to the tail.
type edge struct {
	id      int
	from    plan.Node
	input   int // index of the Input whose watermark it carries
	to      consumer
	partial *plan.Aggregate // set if it carries partial aggregates
}

func buildGraph(job *plan.Job) (*graph, error) {
	g := &graph{
		local: make(map[plan.Node]bool), root: make(map[plan.Node]int),
		consumers: make(map[plan.Node][]consumer), outputs: job.Outputs,
	}
	seen := make(map[plan.Node]bool)
	var visit func(n plan.Node) error
	visit = func(n plan.Node) error {
		if seen[n] {
			return nil
		}
		seen[n] = true
		for i, in := range n.Inputs() {
			if err := visit(in); err != nil {
				return err
			}
			g.consumers[in] = append(g.consumers[in], consumer{node: n, in: i})
		}
		g.nodes = append(g.nodes, n)
		switch n := n.(type) {
		case *plan.Input:
			g.local[n], g.root[n] = true, len(g.inputs)
			g.inputs = append(g.inputs, n)
		case *plan.Filter:
			g.place(n, n.In)
		case *plan.Project:
			g.place(n, n.In)
		case *plan.Aggregate, *plan.Analytic, *plan.Union:
		default:
			return fmt.Errorf("compiling the plan: step %T is not supported yet", n)
		}
		return nil
	}
	for _, o := range job.Outputs {
		if err := visit(o.In); err != nil {
			return nil, err
		}
		g.consumers[o.In] = append(g.consumers[o.In], consumer{output: o})
	}
	for _, n := range g.nodes {
		if !g.local[n] {
			continue
		}
		for i := range g.consumers[n] {
			c := &g.consumers[n][i]
			if c.node != nil && g.local[c.node] {
				continue
			}
			e := &edge{id: len(g.edges), from: n, input: g.root[n]}
			if a, ok := c.node.(*plan.Aggregate); ok && exec.OrderFree(a) {
				e.partial = a
			}
			c.edge = e
			e.to = *c
			g.edges = append(g.edges, e)
		}
	}
	return g, nil
}

// place runs a stateless step where its input runs.
func (g *graph) place(n, in plan.Node) {
	if g.local[in] {
		g.local[n], g.root[n] = true, g.root[in]
	}
}

// ordered reports whether the rows of a tail node come in order of time.
func (g *graph) ordered(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Filter:
		return g.ordered(n.In)
	case *plan.Project:
		return g.ordered(n.In)
	case *plan.Aggregate, *plan.Analytic:
		return true
	}
	return false
}

// needsOrder reports whether a step must see its rows in total order.
func needsOrder(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Analytic:
		return true
	case *plan.Aggregate:
		return !exec.OrderFree(n)
	}
	return false
}

// sourceOf groups the Inputs of a plan by the source they read.
func (g *graph) sources() []sourceInputs {
	var out []sourceInputs
	at := make(map[string]int)
	for i, in := range g.inputs {
		k, ok := at[in.Name]
		if !ok {
			k = len(out)
			at[in.Name] = k
			out = append(out, sourceInputs{name: in.Name})
		}
		out[k].inputs = append(out[k].inputs, i)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].name < out[b].name })
	for i := range out {
		out[i].ordinal = i
	}
	return out
}

type sourceInputs struct {
	name    string
	ordinal int   // among the sources, by name
	inputs  []int // indexes in graph.inputs
}

// link feeds one operator.
type link struct {
	op        exec.Operator
	in        int
	next      exec.Emit
	stateless bool // op emits all rows of a batch or fails, and remembers nothing
}

func (l *link) Rows(b *column.Batch) error {
	if !l.stateless {
		return l.op.Process(l.in, b, l.next)
	}
	below := watched{Emit: l.next}
	err := l.op.Process(l.in, b, &below)
	if failed, ok := err.(*exec.Error); ok && !below.failed {
		return l.upTo(b, failed)
	}
	return err
}

func (l *link) Advance(w column.Ticks) error { return l.op.Advance(w, l.next) }

// fan feeds all readers of a shared step.
type fan []exec.Emit

func (f fan) Rows(b *column.Batch) error {
	for _, e := range f {
		if err := e.Rows(b); err != nil {
			return err
		}
	}
	return nil
}

func (f fan) Advance(w column.Ticks) error {
	for _, e := range f {
		if err := e.Advance(w); err != nil {
			return err
		}
	}
	return nil
}

func fanOf(es []exec.Emit) exec.Emit {
	if len(es) == 1 {
		return es[0]
	}
	return fan(es)
}

// joint is one input of an operator that has several: it forwards the least
// watermark of all.
type joint struct {
	link
	shared *watermarks
}

type watermarks struct {
	of   []column.Ticks
	sent column.Ticks
}

func (j *joint) Advance(w column.Ticks) error {
	s := j.shared
	s.of[j.in] = max(s.of[j.in], w)
	least := s.of[0]
	for _, v := range s.of[1:] {
		least = min(least, v)
	}
	if least <= s.sent {
		return nil
	}
	s.sent = least
	return j.op.Advance(least, j.next)
}

// statelessOperator compiles a Filter or Project.
func statelessOperator(n plan.Node) (exec.Operator, error) {
	switch n := n.(type) {
	case *plan.Filter:
		return exec.NewFilter(n)
	case *plan.Project:
		return exec.NewProject(n)
	}
	return nil, fmt.Errorf("compiling the plan: step %T is not stateless", n)
}
