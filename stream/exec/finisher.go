package exec

import (
	"spate/column"
	"spate/sql/plan"
)

// Finisher merges panes of all partitions and emits windows: the half of an
// aggregation that runs once.
type Finisher struct {
	*grouping
	dict    *groupKeys // of all panes
	live    int        // groups of the panes
	recent  int        // groups that panes had of late
	from    map[*Aggregator]*translation
	windows []windowState
	next    column.Ticks // the earliest end of a window that holds rows
	done    column.Ticks // windows that end before this have been emitted
	rows    *windowRows
	ended   []endedWindow // scratch of emitEnd

	changed []*pane // since the last Freeze
	frozen  column.Ticks
	loading *pane // the pane of the entry that was loaded last
}

// farthest is later than every window, and far enough from column.EndOfTime to
// compute with.
const farthest = 2 * column.MaxTicks

// windowState is what one window definition holds.
type windowState struct {
	grid    windowGrid
	branch  int64 // of its rows
	waiting paneQueue
	rolling *rolling     // where windows overlap
	next    column.Ticks // the earliest end of a window that holds rows
	lost    bool         // since the last Freeze, panes have gone that the state holds
	size    int          // groups of the pane that went last
}

// NewFinisher compiles n.
func NewFinisher(n *plan.Aggregate) (*Finisher, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	f := &Finisher{
		grouping: g, dict: newFormKeys(len(g.keys)), from: make(map[*Aggregator]*translation),
		next: column.EndOfTime, rows: newWindowRows(g),
	}
	for i, grid := range g.grids {
		w := windowState{grid: grid, branch: plan.WindowBranch(n, i), waiting: newPaneQueue(), next: column.EndOfTime}
		if grid.overlaps() {
			w.rolling = newRolling(g)
		}
		f.windows = append(f.windows, w)
	}
	return f, nil
}

// Merge takes a pane, whose rows are all at or behind the last Advance.
func (f *Finisher) Merge(part Partial) {
	t := f.from[part.from]
	if t == nil || t.from.owner != part.keys.owner {
		t = newTranslation(part.keys, f.dict)
		f.from[part.from] = t
	}
	t.from = part.keys
	p := part.pane
	t.pane(p)
	w := &f.windows[p.window]
	to := w.waiting.byEnd[p.end]
	if to == nil {
		p.all = true
		p.reserve(w.size)
		f.put(p)
		f.change(p)
		return
	}
	known := len(to.ids)
	to.merge(p, f.dict.groups)
	f.live += len(to.ids) - known
	f.change(to)
}

// put takes a pane whose groups are of the finisher's dictionary.
func (f *Finisher) put(p *pane) {
	f.windows[p.window].waiting.put(p)
	f.live += len(p.ids)
	f.await(p)
}

// await notes the earliest end, not yet emitted, of a window that holds a pane.
func (f *Finisher) await(p *pane) {
	w := &f.windows[p.window]
	end := w.grid.next(p.end)
	if end < f.done && f.done <= farthest {
		end = w.grid.next(f.done)
	}
	if p.end > end-w.grid.size {
		w.next = min(w.next, end)
		f.next = min(f.next, end)
	}
}

func (f *Finisher) change(p *pane) {
	if !p.listed {
		p.listed = true
		f.changed = append(f.changed, p)
	}
}

// Advance emits every window that ends before w.
func (f *Finisher) Advance(w column.Ticks, out Emit) error {
	if f.next < w {
		if err := f.emit(w, out); err != nil {
			return err
		}
	}
	f.done = max(f.done, w)
	for i := range f.windows {
		f.expire(&f.windows[i])
	}
	return out.Advance(w)
}

// emit emits windows by end, those of one end together.
func (f *Finisher) emit(w column.Ticks, out Emit) error {
	f.rows.out = out
	for f.next < w {
		if err := f.emitEnd(f.next); err != nil {
			if flushed := f.rows.flush(); flushed != nil { // what stands before the error is good
				return flushed
			}
			return err
		}
		f.next = column.EndOfTime
		for i := range f.windows {
			f.next = min(f.next, f.windows[i].next)
		}
	}
	if err := f.rows.flush(); err != nil {
		return err
	}
	f.renew()
	return nil
}

// emitEnd emits the windows that end at a time.
func (f *Finisher) emitEnd(end column.Ticks) error {
	f.ended = f.ended[:0]
	for i := range f.windows {
		if f.windows[i].next != end {
			continue
		}
		e := endedWindow{window: &f.node.Windows[i], branch: f.windows[i].branch}
		if f.windows[i].rolling != nil {
			f.roll(i, &e)
		} else {
			f.close(i, &e)
		}
		f.ended = append(f.ended, e)
	}
	return f.rows.addEnd(end, f.ended)
}

// close ends a window that is one pane.
func (f *Finisher) close(i int, e *endedWindow) {
	w := &f.windows[i]
	p := w.waiting.pop()
	e.of, e.groups = &paneGroups{p, f.dict}, upTo(len(p.ids))
	f.rows.sort(e.of, e.groups)
	f.drop(w, p)
	w.next = w.waiting.least()
}

// roll moves a rolling window to its next end that holds rows.
func (f *Finisher) roll(i int, e *endedWindow) {
	w := &f.windows[i]
	r, end := w.rolling, w.next
	f.leave(w, end-w.grid.size)
	for w.waiting.least() <= end {
		p := w.waiting.pop()
		if p.end <= end-w.grid.size { // its windows had been emitted when it was loaded
			f.drop(w, p)
			continue
		}
		r.enter(p, f.dict.groups)
	}
	of := &rollingGroups{r, f.dict}
	e.of, e.groups = of, r.sorted(of, f.rows)
	w.next = column.EndOfTime
	if p := w.waiting.least(); p != column.EndOfTime {
		w.next = w.grid.next(p)
	}
	if after := end + w.grid.hop; len(r.inside) > 0 && r.inside[len(r.inside)-1].end > after-w.grid.size {
		w.next = min(w.next, after)
	}
}

// leave takes out the panes of a rolling window that end at or before a time.
func (f *Finisher) leave(w *windowState, until column.Ticks) {
	r := w.rolling
	for len(r.inside) > 0 && r.inside[0].end <= until {
		p := r.inside[0]
		r.leave()
		f.drop(w, p)
	}
}

// expire forgets the panes of a rolling window that no later window holds.
func (f *Finisher) expire(w *windowState) {
	if w.rolling == nil || len(w.rolling.inside) == 0 || f.done <= w.rolling.inside[0].end+w.grid.size-w.grid.hop {
		return
	}
	until := column.EndOfTime
	if f.done <= farthest {
		until = w.grid.next(f.done) - w.grid.size
	}
	f.leave(w, until)
}

// drop forgets a pane.
func (f *Finisher) drop(w *windowState, p *pane) {
	p.gone = true
	w.size = len(p.ids)
	w.lost = w.lost || p.saved
	f.live -= len(p.ids)
	f.recent = max(f.recent-f.recent/16, f.live+len(p.ids))
}

// renew begins a new dictionary if most groups of this one have not been seen for a
// while.
func (f *Finisher) renew() {
	if f.dict.worn(max(f.recent, f.live)) {
		f.newDictionary()
	}
}

func (f *Finisher) newDictionary() {
	t := newTranslation(f.dict.view(), newFormKeys(len(f.keys)))
	for i := range f.windows {
		w := &f.windows[i]
		for _, p := range w.waiting.byEnd {
			t.pane(p)
		}
		if w.rolling == nil {
			continue
		}
		for _, p := range w.rolling.inside {
			t.pane(p)
		}
		w.rolling.renew(t.to.groups)
	}
	f.dict = t.to
	clear(f.from)
}
