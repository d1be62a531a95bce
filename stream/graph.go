package stream

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"spate/sql/plan"
	"spate/stream/exec"
)

// place says which goroutines run a step.
type place uint8

const (
	inPartition place = iota // beside the reader of each partition
	inShard                  // once per shard, each for its keys
	inTail                   // once
)

// graph is the plan as the job runs it: where each step runs, and the edges between
// places. Its text is the same for every number of partitions; with one shard
// what would run in shards runs in the tail.
type graph struct {
	shards    int
	nodes     []plan.Node // in topological order
	steps     map[plan.Node]*exec.Step
	ids       map[plan.Node]string // what state is kept under
	parts     map[plan.Node]plan.Part
	place     map[plan.Node]place
	key       map[plan.Node][]string // of nodes in shards: the key by which their rows are split
	from      map[plan.Node][]int    // the Inputs that the rows of a node come from
	consumers map[plan.Node][]*consumer
	edges     []*edge
	inputs    []*plan.Input
	outputs   []*plan.Output
	canon     *plan.Canon
	immediate map[string]bool // outputs, by name, that need their rows in order
}

// standing and waiting name the state of the time stages of an input: how far they are,
// and what waits in them.
func (g *graph) standing(in *plan.Input) string { return g.canon.Rows(in) + "/time" }
func (g *graph) waiting(in *plan.Input) string {
	return g.canon.Rows(in) + "/wait/" + g.canon.Columns(in)
}

// keyed names the state of the substreams of an input.
func (g *graph) keyed(in *plan.Input) string { return g.canon.Rows(in) + "/keys" }

// consumer is a step or, with node nil, an output that reads a node.
type consumer struct {
	node      plan.Node
	in        int // which of its inputs
	output    *plan.Output
	statement int   // of the script, where it is an output
	edge      *edge // set where the consumer runs in another place than the producer
}

// edge carries rows or partial aggregates from one place to the next.
type edge struct {
	id      int
	from    plan.Node
	to      *consumer
	at      place       // where it ends
	partial *exec.Split // set if it carries partial aggregates
	ordered bool        // its rows must be brought into total order
	exact   bool        // the rows of the producer carry their places among the rows of its inputs
}

func buildGraph(job *plan.Job, shards int, immediate map[string]bool) (*graph, error) {
	g := &graph{
		shards: max(shards, 1), steps: make(map[plan.Node]*exec.Step), ids: make(map[plan.Node]string),
		place: make(map[plan.Node]place), key: make(map[plan.Node][]string), from: make(map[plan.Node][]int),
		consumers: make(map[plan.Node][]*consumer), parts: job.Parts(), outputs: job.Outputs, canon: plan.NewCanon(job.Level), immediate: immediate,
	}
	for i, o := range job.Outputs {
		if err := g.visit(o.In); err != nil {
			return nil, err
		}
		g.consumers[o.In] = append(g.consumers[o.In], &consumer{output: o, statement: i})
	}
	used := make(map[string]int)
	for _, n := range g.nodes {
		id := g.canon.Step(n)
		if used[id]++; used[id] > 1 { // the script computes one thing twice
			id = fmt.Sprintf("%s-%d", id, used[id])
		}
		g.ids[n] = id
	}
	for _, n := range g.nodes {
		for _, c := range g.consumers[n] {
			g.connect(n, c)
		}
	}
	return g, nil
}

func (g *graph) visit(n plan.Node) error {
	if g.steps[n] != nil {
		return nil
	}
	s, err := exec.Compile(n)
	if err != nil {
		return err
	}
	g.steps[n] = s
	for i, in := range n.Inputs() {
		if err := g.visit(in); err != nil {
			return err
		}
		g.consumers[in] = append(g.consumers[in], &consumer{node: n, in: i})
		for _, k := range g.from[in] {
			if !slices.Contains(g.from[n], k) {
				g.from[n] = append(g.from[n], k)
			}
		}
	}
	g.nodes = append(g.nodes, n)
	if in, ok := n.(*plan.Input); ok {
		g.from[n] = []int{len(g.inputs)}
		g.inputs = append(g.inputs, in)
		return nil
	}
	g.put(n, s)
	return nil
}

// put chooses the place of a step.
func (g *graph) put(n plan.Node, s *exec.Step) {
	ins := n.Inputs()
	at := g.place[ins[0]]
	for _, in := range ins[1:] {
		if g.place[in] != at {
			at = inTail
		}
	}
	if at == inShard && len(ins) > 1 && s.Local {
		at = inTail // the inputs may be split by different keys
	}
	switch {
	case s.Local:
		g.place[n], g.key[n] = at, g.key[ins[0]]
		return
	case s.Order == exec.TotalOrder && s.Keys != nil && g.shards > 1 && at != inTail:
		same := true // rows of equal keys are in one shard already
		var first []string
		for in, exprs := range s.Keys {
			key := make([]string, len(exprs))
			for i, e := range exprs {
				key[i] = g.canon.Expr(e, ins[in])
			}
			same = same && g.place[ins[in]] == inShard && slices.Equal(key, g.key[ins[in]])
			if in == 0 {
				first = key
			}
		}
		if at == inPartition || same {
			g.place[n], g.key[n] = inShard, first
			return
		}
	}
	g.place[n] = inTail
}

// connect makes the edge between a node and a consumer in another place.
func (g *graph) connect(n plan.Node, c *consumer) {
	at, step := inTail, (*exec.Step)(nil)
	if c.node != nil {
		at, step = g.place[c.node], g.steps[c.node]
	}
	if at == g.place[n] {
		return
	}
	e := &edge{id: len(g.edges), from: n, to: c, at: at}
	switch {
	case step != nil && step.Split != nil:
		e.partial = step.Split
	case step != nil:
		e.ordered = step.Order == exec.TotalOrder
	default:
		// With several shards an output gets its rows in the order that one shard gives.
		e.ordered = g.place[n] == inShard || g.immediate[c.output.Name]
	}
	e.exact = g.exact(n)
	c.edge = e
	g.edges = append(g.edges, e)
}

// exact reports whether the rows of a node are rows of its inputs, in their places,
// and no new ones.
func (g *graph) exact(n plan.Node) bool {
	if g.steps[n].Fresh {
		return false
	}
	for _, in := range n.Inputs() {
		if !g.exact(in) {
			return false
		}
	}
	return true
}

// sorted reports whether a node gives its rows in total order where it runs.
func (g *graph) sorted(n plan.Node) bool {
	s := g.steps[n]
	if s.Local && len(n.Inputs()) == 1 {
		return g.sorted(n.Inputs()[0])
	}
	return s.Sorted
}

// sharded reports whether anything runs in shards.
func (g *graph) sharded() bool {
	for _, p := range g.place {
		if p == inShard {
			return true
		}
	}
	return false
}

// sources groups the Inputs of a plan by the source they read.
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

// Check compiles a plan and returns what the engine does not run of it: all
// errors of type *exec.UnsupportedError, and the first of another kind.
func Check(p *plan.Job) (unsupported []*exec.UnsupportedError, err error) {
	seen := make(map[plan.Node]bool)
	var visit func(n plan.Node) error
	note := func(err error) error {
		var u *exec.UnsupportedError
		if errors.As(err, &u) {
			unsupported = append(unsupported, u)
			return nil
		}
		return err
	}
	visit = func(n plan.Node) error {
		if seen[n] {
			return nil
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			if err := visit(in); err != nil {
				return err
			}
		}
		if in, ok := n.(*plan.Input); ok && in.Reference {
			return nil
		}
		if l, ok := n.(*plan.Lookup); ok {
			if err := visit(l.Ref); err != nil {
				return err
			}
		}
		s, err := exec.Compile(n)
		if err != nil {
			return note(err)
		}
		return note(s.Check())
	}
	for _, o := range p.Outputs {
		if err := visit(o.In); err != nil {
			return unsupported, err
		}
	}
	return unsupported, nil
}
