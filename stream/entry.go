package stream

import (
	"fmt"

	"spate/column"
	"spate/stream/exec"
	"spate/stream/reorder"
)

// entry is the far end of an edge.
type entry struct {
	edge   *edge
	finish *exec.Finisher  // edges of partial aggregates
	order  *reorder.Buffer // edges whose rows must be ordered
	next   exec.Emit
	source []int             // by producer: its place in marks, -1 if it sends nothing here
	marks  []column.Position // no later row stands before
	least  column.Position
	prompt []bool // by partition: rows that wait for it go when it has promised more
	moved  bool
	sent   column.Ticks
	out    []*edge        // of a shard: edges behind it on which its rows pass in their places
	ends   []*orderedLink // of the tail: outputs behind it to which they do
}

// enter builds the end of an edge in a site.
func (s *site) enter(e *edge) error {
	j := s.job
	en := &entry{edge: e, source: make([]int, len(j.parts)+j.graph.shards)}
	for i := range en.source {
		en.source[i] = -1
	}
	for _, p := range j.producers(e) {
		en.source[p] = len(en.marks)
		en.marks = append(en.marks, column.Position{})
	}
	for _, p := range j.parts {
		en.prompt = append(en.prompt, p.prompt(e))
	}
	s.entries[e] = en
	s.order = append(s.order, en)
	before, ended := len(s.out), len(s.ends)
	var err error
	switch {
	case e.to.output != nil:
		if en.next, err = s.output(e.to); err == nil && e.ordered {
			err = s.orderOf(en)
		}
	case e.partial != nil:
		var r *running
		if r, err = s.step(e.to.node); err == nil {
			en.finish, en.next = r.finish, r.next
		}
	default:
		if en.next, err = s.plain(e.to.node, e.to.in); err == nil && e.ordered {
			err = s.orderOf(en)
		}
	}
	for _, o := range s.out[before:] {
		if o.exact {
			en.out = append(en.out, o)
		}
	}
	en.ends = s.ends[ended:len(s.ends):len(s.ends)]
	return err
}

// orderOf makes the order of rows that come over an edge. What comes from
// shards has left the order by the time of a barrier, and needs no state.
func (s *site) orderOf(en *entry) error {
	j, e := s.job, en.edge
	if j.graph.place[e.from] == inShard {
		en.order = reorder.New(exec.SchemaOf(e.from.Columns()), len(en.marks))
		return nil
	}
	var b *reorder.Buffer
	if o := e.to.output; o != nil {
		b = reorder.New(exec.SchemaOf(e.from.Columns()), len(en.marks))
		s.keep(fmt.Sprintf("output/%s/in%d", o.Name, e.to.statement), keptOrder{b})
	} else {
		var err error
		if b, err = s.buffer(e.to.node, e.to.in, len(en.marks)); err != nil {
			return err
		}
	}
	b.Source = func(seq int64) int {
		if p := j.partOf(seq); p >= 0 && en.source[p] >= 0 {
			return en.source[p]
		}
		return 0
	}
	en.order = b
	return nil
}

// producers are the numbers of the sites that send on an edge.
func (j *Job) producers(e *edge) []int {
	var out []int
	if j.graph.place[e.from] == inShard {
		for k := range j.graph.shards {
			out = append(out, len(j.parts)+k)
		}
		return out
	}
	for _, p := range j.parts {
		for _, br := range p.branches {
			if br.feeds(j.graph, e) {
				out = append(out, p.index)
				break
			}
		}
	}
	return out
}

// reach takes a mark.
func (en *entry) reach(from int, at column.Position) {
	i := en.source[from]
	if !en.marks[i].Before(at) {
		return
	}
	en.marks[i] = at
	if en.order != nil {
		en.order.Reach(i, at)
	}
	en.moved = true
}

// settle lets go what the marks allow.
func (en *entry) settle(s *site) error {
	if !en.moved {
		return nil
	}
	en.moved = false
	en.least = en.marks[0]
	for _, m := range en.marks[1:] {
		if m.Before(en.least) {
			en.least = m
		}
	}
	if en.order != nil {
		if err := en.order.Release(en.next.Rows); err != nil {
			return err
		}
	}
	if w := en.least.Time; w > en.sent {
		en.sent = w
		var err error
		if en.finish != nil {
			err = en.finish.Advance(w, en.next)
		} else {
			err = en.next.Advance(w)
		}
		if err != nil {
			return err
		}
	}
	for _, o := range en.out {
		s.mark(o, en.least)
	}
	for _, l := range en.ends {
		l.reach(en.least)
	}
	return nil
}
