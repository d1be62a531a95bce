package exec

import (
	"spate/column"
)

// rolling is the content of a hopping window whose windows overlap, as it moves from
// one end to the next: running totals per group, to which panes are added when they
// enter and from which they are taken when they leave. Groups go by their numbers in
// the dictionary.
//
// The panes that hold a group form a chain, oldest first; the first row of the group
// is that of the head. What cannot be taken back (invertible is false) is kept as two
// stacks: tops holds, for each pane of the chain up to border, what it and those up to
// border have together; the totals hold what is behind border. When the last pane of
// tops has left, the rest of the chain is stacked anew. So every pane is merged a few
// times, however many windows it is in.
type rolling struct {
	*grouping
	inside []*pane // oldest first; complete
	groups []rollingGroup
	totals []accumulators
	stack  []int          // the aggregates that cannot be taken back
	joined []accumulators // scratch: one state each
	order  []int32        // groups inside, as they print; moved ones are out of place
	moved  []int32        // groups whose first row has changed, or that are new
	chain  []paneSlot     // scratch
	merged []int32        // scratch
}

// rollingGroup is a group inside; none if head.pane is nil.
type rollingGroup struct {
	head, tail paneSlot
	border     *pane // the last of the chain that tops covers; nil: none
	moved      bool  // in the list moved
}

func newRolling(g *grouping) *rolling {
	r := &rolling{grouping: g, totals: g.newAllAccumulators(), joined: g.newAllAccumulators()}
	for a := range r.totals {
		r.joined[a].grow(1)
		if !r.totals[a].invertible() {
			r.stack = append(r.stack, a)
		}
	}
	return r
}

// enter adds a pane behind all others.
func (r *rolling) enter(p *pane, dict int) {
	r.groups = lengthened(r.groups, dict)
	for _, t := range r.totals {
		t.grow(dict)
	}
	p.link = make([]paneSlot, len(p.ids))
	for s, id := range p.ids {
		g, here := &r.groups[id], paneSlot{p, int32(s)}
		if g.head.pane == nil {
			g.head = here
			r.move(id)
		} else {
			g.tail.pane.link[g.tail.slot] = here
		}
		g.tail = here
	}
	for a, t := range r.totals {
		for s, id := range p.ids {
			t.merge(id, p.accs[a], int32(s))
		}
	}
	r.inside = append(r.inside, p)
}

// leave takes out the oldest pane.
func (r *rolling) leave() {
	p := r.inside[0]
	r.inside[0] = nil
	r.inside = r.inside[1:]
	for s, id := range p.ids {
		g, next := &r.groups[id], p.link[s]
		if next.pane == nil {
			for _, t := range r.totals {
				t.reset(id)
			}
			g.head, g.tail, g.border = paneSlot{}, paneSlot{}, nil
			r.move(id)
			continue
		}
		g.head = next
		r.move(id)
		for a, t := range r.totals {
			if t.invertible() {
				t.unmerge(id, p.accs[a], int32(s))
			}
		}
		switch {
		case len(r.stack) == 0:
		case g.border == nil:
			r.restack(id)
		case g.border == p:
			g.border = nil
		}
	}
	p.link, p.tops = nil, nil
}

func (r *rolling) move(id int32) {
	if g := &r.groups[id]; !g.moved {
		g.moved = true
		r.moved = append(r.moved, id)
	}
}

// restack makes tops of the whole chain of a group, and empties its totals.
func (r *rolling) restack(id int32) {
	g := &r.groups[id]
	r.chain = r.chain[:0]
	for at := g.head; at.pane != nil; at = at.pane.link[at.slot] {
		r.chain = append(r.chain, at)
	}
	for i := len(r.chain) - 1; i >= 0; i-- {
		at := r.chain[i]
		if at.pane.tops == nil {
			at.pane.tops = r.newAllAccumulators()
			for _, a := range r.stack {
				at.pane.tops[a].grow(len(at.pane.ids))
			}
		}
		for _, a := range r.stack {
			top := at.pane.tops[a]
			top.reset(at.slot)
			top.merge(at.slot, at.pane.accs[a], at.slot)
			if i+1 < len(r.chain) {
				behind := r.chain[i+1]
				top.merge(at.slot, behind.pane.tops[a], behind.slot)
			}
		}
	}
	for _, a := range r.stack {
		r.totals[a].reset(id)
	}
	g.border = g.tail.pane
}

// place implements windowGroups.
func (r *rolling) place(id int32) *column.Position {
	h := r.groups[id].head
	return &h.pane.first[h.slot]
}

// result is the value of an aggregate over the panes inside.
func (r *rolling) result(a int, id int32) (column.Value, error) {
	g := &r.groups[id]
	if g.border == nil || r.totals[a].invertible() {
		return r.totals[a].result(id)
	}
	j := r.joined[a]
	j.reset(0)
	j.merge(0, g.head.pane.tops[a], g.head.slot)
	if g.tail.pane != g.border {
		j.merge(0, r.totals[a], id)
	}
	return j.result(0)
}

// sorted returns the groups inside as they print.
func (r *rolling) sorted(of windowGroups, rows *windowRows) []int32 {
	if len(r.moved) == 0 {
		return r.order
	}
	kept := r.order[:0]
	for _, id := range r.order {
		if !r.groups[id].moved {
			kept = append(kept, id)
		}
	}
	fresh := r.moved[:0]
	for _, id := range r.moved {
		r.groups[id].moved = false
		if r.groups[id].head.pane != nil {
			fresh = append(fresh, id)
		}
	}
	rows.sort(of, fresh)
	r.merged = r.merged[:0]
	i, j := 0, 0
	for i < len(kept) && j < len(fresh) {
		if rows.compare(of, kept[i], fresh[j]) < 0 {
			r.merged = append(r.merged, kept[i])
			i++
		} else {
			r.merged = append(r.merged, fresh[j])
			j++
		}
	}
	r.merged = append(append(r.merged, kept[i:]...), fresh[j:]...)
	r.order, r.merged = r.merged, kept
	r.moved = r.moved[:0]
	return r.order
}

// renew begins anew with the panes inside, whose groups have new numbers.
func (r *rolling) renew(dict int) {
	inside := r.inside
	*r = *newRolling(r.grouping)
	for _, p := range inside {
		p.tops = nil
		r.enter(p, dict)
	}
}

// rollingGroups are the groups of a rolling window, with their keys.
type rollingGroups struct {
	*rolling
	dict *groupKeys
}

func (r *rollingGroups) key(id int32, k int) column.Value {
	h := r.groups[id].head
	return r.dict.keyAs(id, k, h.pane.form(h.slot, k))
}

func (r *rollingGroups) appendKey(dst []byte, id int32) []byte { return r.dict.appendKey(dst, int(id)) }
