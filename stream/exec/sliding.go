package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/state"
)

// sliding aggregates over the window (instant - size, instant] at every instant
// at which the content of a group changes: when rows enter and when they leave.
type sliding struct {
	*grouping
	size    column.Ticks
	waiting []item // rows whose instant is not final, in order
	inside  []item // rows in a window, in order: they leave in this order
	groups  map[string]*slidingGroup
}

type slidingGroup struct {
	items []item // in the window, oldest first
	accs  []accumulators
}

func newSliding(n *plan.Aggregate) (*sliding, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	return &sliding{grouping: g, size: n.Windows[0].Size, groups: make(map[string]*slidingGroup)}, nil
}

// Process implements Operator.
func (s *sliding) Process(_ int, b *column.Batch, _ Emit) error {
	e, err := s.evaluate(b)
	if err != nil {
		return err
	}
	for k := range e.rows.Len() {
		s.waiting = append(s.waiting, e.item(b, e.rows.Row(k)))
	}
	return nil
}

// Advance implements Operator: it plays every instant before w.
func (s *sliding) Advance(w column.Ticks, out Emit) error {
	for {
		at := column.EndOfTime
		if len(s.waiting) > 0 {
			at = s.waiting[0].pos.Time
		}
		if len(s.inside) > 0 {
			at = min(at, s.inside[0].pos.Time+s.size)
		}
		if at >= w {
			return out.Advance(w)
		}
		b, err := s.instant(at)
		if err != nil {
			return err
		}
		if b != nil {
			if err := out.Rows(b); err != nil {
				return err
			}
		}
	}
}

// instant applies all leavings and enterings of one instant, then makes one row
// for each group they touched that is not empty.
func (s *sliding) instant(at column.Ticks) (*column.Batch, error) {
	touched := make(map[string]*slidingGroup)
	for len(s.inside) > 0 && s.inside[0].pos.Time+s.size == at {
		k := s.inside[0].key()
		g := s.groups[k]
		s.leave(g)
		touched[k] = g
		s.inside = s.inside[1:]
	}
	for len(s.waiting) > 0 && s.waiting[0].pos.Time == at {
		it := s.waiting[0]
		s.waiting = s.waiting[1:]
		k := it.key()
		g := s.groups[k]
		if g == nil {
			g = &slidingGroup{accs: s.newAllAccumulators()}
			for _, a := range g.accs {
				a.grow(1)
			}
			s.groups[k] = g
		}
		if err := s.apply(g.accs, 0, &it); err != nil {
			return nil, err
		}
		g.items = append(g.items, it)
		s.inside = append(s.inside, it)
		touched[k] = g
	}
	var live []*slidingGroup
	for k, g := range touched {
		if len(g.items) == 0 {
			delete(s.groups, k)
			continue
		}
		if err := s.settle(g); err != nil {
			return nil, err
		}
		live = append(live, g)
	}
	if len(live) == 0 {
		return nil, nil
	}
	sort.Slice(live, func(i, j int) bool { return live[i].items[0].pos.Before(live[j].items[0].pos) })
	rows := make([]outRow, len(live))
	for i, g := range live {
		rows[i] = outRow{g.items[0].keys, g.accs}
	}
	return s.batchOf(rows, at)
}

// leave takes the oldest row of a group out.
func (s *sliding) leave(g *slidingGroup) {
	it := g.items[0]
	g.items = g.items[1:]
	for a := range s.aggs {
		if !s.recomputed(a) {
			g.accs[a].remove(0, it.args[a])
		}
	}
}

// recomputed reports whether an aggregate is computed anew over the window,
// because a value cannot be taken back from it.
func (s *sliding) recomputed(a int) bool {
	f := s.aggs[a].spec.Func
	return f == plan.Min || f == plan.Max
}

func (s *sliding) settle(g *slidingGroup) error {
	for a := range s.aggs {
		if !s.recomputed(a) {
			continue
		}
		g.accs[a].reset(0)
		for i := range g.items {
			if err := g.accs[a].add(0, g.items[i].args[a]); err != nil {
				return &Error{Where: s.aggs[a].spec.Where, Time: g.items[i].pos.Time, Err: err}
			}
		}
	}
	return nil
}

// snapshot appends the state.
func (s *sliding) snapshot(dst []byte) []byte {
	for _, list := range [][]item{s.inside, s.waiting} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for i := range list {
			dst = list[i].appendTo(dst)
		}
	}
	return dst
}

// restore takes a snapshot into a new operator.
func (s *sliding) restore(b []byte) error {
	r := &stateReader{b: b}
	for range r.count() {
		it := s.readItem(r)
		if r.err != nil {
			return r.err
		}
		k := it.key()
		g := s.groups[k]
		if g == nil {
			g = &slidingGroup{accs: s.newAllAccumulators()}
			for _, a := range g.accs {
				a.grow(1)
			}
			s.groups[k] = g
		}
		if err := s.apply(g.accs, 0, &it); err != nil {
			return err
		}
		g.items = append(g.items, it)
		s.inside = append(s.inside, it)
	}
	for range r.count() {
		s.waiting = append(s.waiting, s.readItem(r))
	}
	return r.done()
}

// Freeze implements Operator.
func (s *sliding) Freeze() (state.Frozen, error) { return whole(s.snapshot(nil)), nil }

// Load implements Operator.
func (s *sliding) Load(e state.Entry) error { return s.restore(e.Value) }
