package exec

import (
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Aggregator adds rows to panes: the half of an aggregation that runs in every
// partition.
type Aggregator struct {
	*grouping
	dict    *groupKeys // of all panes
	live    int        // groups of the open panes
	recent  int        // groups that panes had of late
	windows []paneQueue
	last    []*pane // per window: the one that got rows last
	sizes   []int   // per window: groups of the pane that was handed over last
	gaps    bool    // some row may belong to no window

	ids   []int32 // scratch: dictionary number of each row
	slots []int32 // scratch: slot of each row
	run   []int32
	row   []compute.Operand // the keys of the batch that was computed last
	args  []compute.Operand // and its arguments
}

// NewAggregator compiles n.
func NewAggregator(n *plan.Aggregate) (*Aggregator, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	a := &Aggregator{grouping: g, dict: newFormKeys(len(g.keys)), last: make([]*pane, len(n.Windows)), sizes: make([]int, len(n.Windows)), gaps: true, row: make([]compute.Operand, len(g.keys)), args: make([]compute.Operand, len(g.aggs))}
	for w := range g.grids {
		a.windows = append(a.windows, newPaneQueue())
		a.gaps = a.gaps && g.grids[w].hop > g.grids[w].size
	}
	return a, nil
}

// Add adds the rows of a batch.
func (a *Aggregator) Add(b *column.Batch) error {
	b, err := sound(a, b, a.skip)
	if b != nil {
		a.take(b)
	}
	return err
}

// compute evaluates the keys and arguments of a batch.
func (a *Aggregator) compute(b *column.Batch) *compute.RowError {
	if a.gaps {
		if b = a.outsideGaps(b); b.LiveRows() == 0 {
			return nil
		}
	}
	return a.evaluate(b, a.row, a.args)
}

// take adds the rows of the batch that was computed last.
func (a *Aggregator) take(b *column.Batch) {
	if a.gaps {
		if b = a.outsideGaps(b); b.LiveRows() == 0 {
			return
		}
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	a.ids, a.slots = grown(a.ids, b.Rows), grown(a.slots, b.Rows)
	a.dict.idsOf(a.row, b, rows, a.ids)
	sorted := inOrder(b, rows)
	for w := range a.windows {
		a.addWindow(w, b, rows, sorted)
	}
}

// inOrder reports whether the rows stand in total order.
func inOrder(b *column.Batch, rows compute.Rows) bool {
	last := rows.Row(0)
	for j := 1; j < rows.Len(); j++ {
		i := rows.Row(j)
		if b.Time[i] < b.Time[last] || b.Time[i] == b.Time[last] && column.PositionOf(b, i).Before(column.PositionOf(b, last)) {
			return false
		}
		last = i
	}
	return true
}

// addWindow cuts the rows into runs of one pane and adds each run.
func (a *Aggregator) addWindow(w int, b *column.Batch, rows compute.Rows, sorted bool) {
	grid := &a.grids[w]
	n := rows.Len()
	for k := 0; k < n; {
		t := b.Time[rows.Row(k)]
		start, end := grid.pane(t)
		from := k
		for k < n {
			if u := b.Time[rows.Row(k)]; u > end || u <= start {
				break
			}
			k++
		}
		if grid.inGap(t) {
			continue
		}
		sub := rows
		if from > 0 || k < n {
			a.run = a.run[:0]
			for j := from; j < k; j++ {
				a.run = append(a.run, int32(rows.Row(j)))
			}
			sub.Live = a.run
		}
		a.addRun(a.pane(w, end), b, sub, sorted)
	}
}

func (a *Aggregator) pane(w int, end column.Ticks) *pane {
	if p := a.last[w]; p != nil && p.end == end {
		return p
	}
	p := a.windows[w].byEnd[end]
	if p == nil {
		p = a.newPane(w, end)
		p.reserve(a.sizes[w])
		a.windows[w].put(p)
	}
	a.last[w] = p
	return p
}

// addRun adds rows to one pane: slots first, then the aggregates.
func (a *Aggregator) addRun(p *pane, b *column.Batch, rows compute.Rows, sorted bool) {
	known := len(p.ids)
	if sorted && !column.PositionOf(b, rows.Row(0)).Before(p.newest) {
		a.slotsInOrder(p, b, rows)
		p.newest = column.PositionOf(b, rows.Row(rows.Len()-1))
	} else {
		a.slotsOutOfOrder(p, b, rows)
	}
	a.live += len(p.ids) - known
	p.room()
	for k := range p.accs {
		p.accs[k].addRows(a.slots, a.args[k], b, rows)
	}
}

// slotsInOrder finds the slots of rows that stand behind all others of the pane.
func (a *Aggregator) slotsInOrder(p *pane, b *column.Batch, rows compute.Rows) {
	dict := a.dict.groups
	formed := a.dict.formed()
	for j := range rows.Len() {
		i := rows.Row(j)
		id := a.ids[i]
		if d := p.slots.dense; int(id) < len(d) && d[id] != 0 {
			a.slots[i] = d[id] - 1
			continue
		}
		s, fresh := p.slot(id, dict)
		if fresh {
			a.setFirst(p, s, b, i, formed)
		}
		a.slots[i] = s
	}
}

func (a *Aggregator) slotsOutOfOrder(p *pane, b *column.Batch, rows compute.Rows) {
	formed := a.dict.formed()
	for j := range rows.Len() {
		i := rows.Row(j)
		s, fresh := p.slot(a.ids[i], a.dict.groups)
		at := column.PositionOf(b, i)
		if fresh || at.Before(p.first[s]) {
			a.setFirst(p, s, b, i, formed)
		}
		if p.newest.Before(at) {
			p.newest = at
		}
		a.slots[i] = s
	}
}

// setFirst makes row i the first of its group.
func (a *Aggregator) setFirst(p *pane, s int32, b *column.Batch, i int, formed bool) {
	p.first[s] = column.PositionOf(b, i)
	if !formed && p.forms == nil {
		return
	}
	for k := range a.keys {
		p.setForm(s, k, a.dict.rowForm(k, i))
	}
}

// outsideGaps takes out the rows that belong to no window: nothing is computed
// for them.
func (a *Aggregator) outsideGaps(b *column.Batch) *column.Batch {
	live := []int32{}
	for k := range b.LiveRows() {
		i := b.Row(k)
		for w := range a.grids {
			if !a.grids[w].inGap(b.Time[i]) {
				live = append(live, int32(i))
				break
			}
		}
	}
	return b.WithLive(live)
}

// Take returns the panes that end before w, in time order, and forgets them: more
// rows of such a pane make another one. With column.EndOfTime it gives up all.
func (a *Aggregator) Take(w column.Ticks) []Partial {
	var out []Partial
	var keys *keysView
	groups := 0
	for i := range a.windows {
		q := &a.windows[i]
		for q.least() < w {
			p := q.pop()
			if p == a.last[i] {
				a.last[i] = nil
			}
			if keys == nil {
				keys = a.dict.view()
			}
			groups += len(p.ids)
			a.sizes[i] = len(p.ids)
			out = append(out, Partial{p, a, keys})
		}
	}
	if out == nil {
		return nil
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].pane.end < out[j].pane.end })
	a.renew(groups)
	return out
}

// renew begins a new dictionary if most groups of this one have not been seen for a
// while. groups is how many have just been handed over.
func (a *Aggregator) renew(groups int) {
	a.live -= groups
	a.recent = max(groups+a.live, a.recent-a.recent/16)
	if a.dict.worn(a.recent) {
		a.newDictionary()
	}
}

func (a *Aggregator) newDictionary() {
	t := newTranslation(a.dict.view(), newFormKeys(len(a.keys)))
	for i := range a.windows {
		for _, p := range a.windows[i].byEnd {
			t.pane(p)
		}
	}
	a.dict = t.to
}
