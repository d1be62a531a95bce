package stream

import (
	"fmt"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/reorder"
	"spate/stream/state"
)

// site is where steps run: a partition, a shard, or the tail. One goroutine owns it.
type site struct {
	job      *Job
	at       place
	producer int // its number among those that send
	from, to int // key groups of its state

	outlets []*outlet // to the tail, then to the shards; none: the tail itself
	built   map[plan.Node]*running
	counts  map[plan.Node]*stepCount
	steps   []keptStep // in no order that matters
	partial []*partialLink
	entries map[*edge]*entry
	order   []*entry         // entries by the id of their edge
	out     []*edge          // that leave this site
	ends    []*orderedLink   // of the tail: outputs behind it whose rows stand in their places
	ordered []*orderedOutput // of the tail
	output  func(c *consumer) (exec.Emit, error)
	joins   []joinStep
	letters letters // since they were handed on
}

// joinStep is a step of a site whose inputs wait for one another.
type joinStep struct {
	*exec.Join
	from [2][]int // by input: the Inputs that its rows come from
}

// running is a step of a site.
type running struct {
	op     exec.Operator
	finish *exec.Finisher // of an aggregation whose parts come over an edge
	next   exec.Emit
	marks  *watermarks // of steps with several inputs
}

// keeper is what has state.
type keeper interface {
	Freeze() (state.Frozen, error)
	Load(e state.Entry) error
}

// keptOrder keeps an order, which cannot fail.
type keptOrder struct{ *reorder.Buffer }

func (k keptOrder) Freeze() (state.Frozen, error) { return k.Buffer.Freeze(), nil }

type keptStep struct {
	id   string
	name string // of the id in manifests, which do not list partitions
	keeper
}

func newSite(j *Job, at place, producer int) *site {
	return &site{
		job: j, at: at, producer: producer, to: state.Groups,
		built: make(map[plan.Node]*running), counts: make(map[plan.Node]*stepCount), entries: make(map[*edge]*entry),
	}
}

// after is what follows a node: all its consumers, and before them its count.
func (s *site) after(n plan.Node) (exec.Emit, error) {
	var out []exec.Emit
	for _, c := range s.job.graph.consumers[n] {
		var e exec.Emit
		var err error
		switch {
		case c.edge != nil:
			e, err = s.leave(c.edge)
		case c.output != nil:
			e, err = s.output(c)
		default:
			e, err = s.into(c.node, c.in)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return &counted{fanOf(out), s.count(n)}, nil
}

// count is what n has done at this site.
func (s *site) count(n plan.Node) *stepCount {
	if s.counts[n] == nil {
		s.counts[n] = s.job.steps.add(n, s.at)
	}
	return s.counts[n]
}

// leave is the near end of an edge.
func (s *site) leave(e *edge) (exec.Emit, error) {
	s.out = append(s.out, e)
	if e.partial != nil {
		add, err := e.partial.Local()
		if err != nil {
			return nil, err
		}
		s.skipping(e.to.node, add)
		l := &partialLink{s: s, edge: e, add: add, count: s.count(e.to.node)}
		s.partial = append(s.partial, l)
		return l, nil
	}
	l := &rowsLink{s: s, edge: e}
	if e.at == inShard {
		var err error
		if l.router, err = exec.NewRouter(s.job.graph.steps[e.to.node].Keys[e.to.in]); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// step builds a step and what follows it, once.
func (s *site) step(n plan.Node) (*running, error) {
	if r := s.built[n]; r != nil {
		return r, nil
	}
	g := s.job.graph
	next, err := s.after(n)
	if err != nil {
		return nil, err
	}
	r := &running{next: next}
	step := g.steps[n]
	if ins := n.Inputs(); step.Split != nil && g.place[ins[0]] != s.at {
		r.finish, err = step.Split.Final()
		s.keep(g.ids[n], r.finish)
	} else {
		r.op, err = step.New()
		if !step.Local {
			s.keep(g.ids[n], r.op)
		}
		if l, ok := r.op.(*exec.Lookup); ok {
			l.Tables = s.job.lookups.tables(n.(*plan.Lookup))
		}
		if j, ok := r.op.(*exec.Join); ok {
			s.joins = append(s.joins, joinStep{j, [2][]int{g.from[ins[0]], g.from[ins[1]]}})
		}
		if len(ins) > 1 {
			r.marks = &watermarks{of: make([]column.Ticks, len(ins))}
			for i := range r.marks.of {
				r.marks.of[i] = column.EndOfTime
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if step.Ahead {
		b := reorder.New(exec.SchemaOf(n.Columns()), 1)
		b.Source = func(int64) int { return 0 }
		if step.Keys != nil { // the columns of the first input are the first ones
			router, err := exec.NewRouter(step.Keys[0])
			if err != nil {
				return nil, err
			}
			b.Group = groupOf(router)
		}
		s.keep(g.ids[n]+"/out", keptOrder{b})
		r.next = &sorted{b, next}
	}
	if r.finish != nil {
		s.skipping(n, r.finish)
	} else {
		s.skipping(n, r.op)
	}
	s.built[n] = r
	return r, nil
}

func (s *site) keep(id string, k keeper) { s.steps = append(s.steps, keptStep{id, id, k}) }

// keepOf is keep for what each partition has of its own.
func (s *site) keepOf(name string, partition int, k keeper) {
	s.steps = append(s.steps, keptStep{fmt.Sprintf("%s/%04d", name, partition), name, k})
}

// into is one input of a step. Rows that come in no order to a step that needs one
// are sorted on the way.
func (s *site) into(n plan.Node, in int) (exec.Emit, error) {
	e, err := s.plain(n, in)
	if err != nil {
		return nil, err
	}
	g := s.job.graph
	from := n.Inputs()[in]
	if g.steps[n].Order != exec.TotalOrder || g.sorted(from) {
		return e, nil
	}
	b, err := s.buffer(n, in, 1)
	if err != nil {
		return nil, err
	}
	b.Source = func(int64) int { return 0 }
	return &sorted{b, e}, nil
}

// plain is one input of a step as it is.
func (s *site) plain(n plan.Node, in int) (exec.Emit, error) {
	r, err := s.step(n)
	if err != nil {
		return nil, err
	}
	l := link{job: s.job, count: s.count(n), op: r.op, in: in, next: r.next, local: s.job.graph.steps[n].Local}
	if r.marks != nil {
		r.marks.of[in] = 0
		return &joint{l, r.marks}, nil
	}
	return &l, nil
}

// buffer makes the order of an input of a step. What waits in it is kept under the
// step's name.
func (s *site) buffer(n plan.Node, in, sources int) (*reorder.Buffer, error) {
	g := s.job.graph
	from := n.Inputs()[in]
	b := reorder.New(exec.SchemaOf(from.Columns()), sources)
	if keys := g.steps[n].Keys; keys != nil {
		r, err := exec.NewRouter(keys[in])
		if err != nil {
			return nil, err
		}
		b.Group = groupOf(r)
	}
	s.keep(fmt.Sprintf("%s/in%d/%s", g.ids[n], in, g.canon.Columns(from)), keptOrder{b})
	return b, nil
}

// groupOf tells the key group of rows that wait.
func groupOf(r *exec.Router) func(b *column.Batch, row int) uint8 {
	var last *column.Batch
	var groups []uint8
	return func(b *column.Batch, row int) uint8 {
		if b != last {
			last = b
			groups = r.Groups(b, groups)
		}
		return groups[row]
	}
}

// sorted is an order in front of a step of the same site.
type sorted struct {
	b    *reorder.Buffer
	next exec.Emit
}

func (s *sorted) Rows(b *column.Batch) error {
	s.b.Add(0, b)
	return nil
}

func (s *sorted) Advance(w column.Ticks) error {
	s.b.Reach(0, column.Position{Time: w})
	if err := s.b.Release(s.next.Rows); err != nil {
		return err
	}
	return s.next.Advance(w)
}

// tell puts rows into a packet under way.
func (s *site) tell(outlet int, r edgeRows) {
	k := &s.outlets[outlet].pending
	k.rows = append(k.rows, r)
}

// mark tells the far end of an edge how far this site is.
func (s *site) mark(e *edge, at column.Position) {
	to := s.outlets[:1]
	if e.at == inShard {
		to = s.outlets[1:]
	}
	for _, o := range to {
		if n := len(o.pending.marks); n > 0 && o.pending.marks[n-1].edge == e {
			o.pending.marks[n-1].at = at
			continue
		}
		o.pending.marks = append(o.pending.marks, mark{e, at})
	}
}

// freeze takes the state of all steps. What the parts of aggregations hold is handed
// on first, so that only where they meet has state of them.
func (s *site) freeze() ([]frozenStep, error) {
	for _, l := range s.partial {
		l.take(column.EndOfTime)
	}
	var out []frozenStep
	for _, k := range s.steps {
		f, err := k.Freeze()
		if err != nil {
			return nil, err
		}
		if f != nil {
			out = append(out, frozenStep{k.id, k.name, s.from, s.to, f})
		}
	}
	return out, nil
}

// take runs what a packet brings through the steps.
func (s *site) take(k *packet) error {
	for _, p := range k.partials {
		s.entries[p.edge].finish.Merge(p.p)
	}
	for _, r := range k.rows {
		en := s.entries[r.edge]
		if en.order != nil {
			en.order.Add(en.source[k.from], r.b)
			continue
		}
		if err := en.next.Rows(r.b); err != nil {
			return err
		}
	}
	for _, m := range k.marks {
		s.entries[m.edge].reach(k.from, m.at)
	}
	for _, en := range s.order {
		if err := en.settle(s); err != nil {
			return err
		}
	}
	return nil
}
