package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// grouping is what the two halves of an aggregation share: the compiled keys,
// windows and aggregates.
type grouping struct {
	node   *plan.Aggregate
	keys   []value
	aggs   []aggregate
	pane   []column.Ticks // per window: the width of its panes
	schema *column.Schema
}

func newGrouping(n *plan.Aggregate) (*grouping, error) {
	g := &grouping{node: n, schema: SchemaOf(n.Columns())}
	for _, k := range n.Keys {
		v, err := compile(k.Expr)
		if err != nil {
			return nil, err
		}
		g.keys = append(g.keys, v)
	}
	for _, a := range n.Aggs {
		c, err := compileAggregate(a)
		if err != nil {
			return nil, err
		}
		g.aggs = append(g.aggs, c)
	}
	for _, w := range n.Windows {
		g.pane = append(g.pane, paneOf(w))
	}
	return g, nil
}

// paneOf is the width of the pieces that a window is made of: every window is a
// whole number of them.
func paneOf(w plan.Window) column.Ticks {
	switch w.Kind {
	case plan.Snapshot:
		return 1
	case plan.Tumbling:
		return w.Size
	}
	a, b := w.Size, w.Hop
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// OrderFree reports whether an aggregation gives the same result whatever the
// order of its rows, so that every partition may aggregate on its own.
func OrderFree(n *plan.Aggregate) bool {
	for _, w := range n.Windows {
		if w.Kind == plan.Sliding || w.Kind == plan.Session {
			return false
		}
	}
	return true
}

// Partial is the aggregation of the rows of one pane in one partition.
type Partial struct {
	window int
	end    column.Ticks
	table  *groupTable
}

type paneKey struct {
	window int
	end    column.Ticks
}

// Aggregator adds rows to panes: the half of an aggregation that runs in every
// partition.
type Aggregator struct {
	*grouping
	panes map[paneKey]*groupTable
	ids   []int32
	run   []int32
	gaps  bool // some row may belong to no window
}

// NewAggregator compiles n.
func NewAggregator(n *plan.Aggregate) (*Aggregator, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	gaps := true
	for i := range n.Windows {
		gaps = gaps && n.Windows[i].Kind == plan.Hopping && n.Windows[i].Hop > n.Windows[i].Size
	}
	return &Aggregator{grouping: g, gaps: gaps, panes: make(map[paneKey]*groupTable)}, nil
}

// Add adds the rows of a batch.
func (a *Aggregator) Add(b *column.Batch) error {
	if a.gaps {
		b = a.outsideGaps(b)
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	if rows.Len() == 0 {
		return nil
	}
	keys := make([]compute.Operand, len(a.keys))
	args := make([]compute.Operand, len(a.aggs))
	for i, k := range a.keys {
		o, err := k.eval(b, rows)
		if err != nil {
			return rowError(b, err)
		}
		keys[i] = o
	}
	for i := range a.aggs {
		if a.aggs[i].arg == nil {
			continue
		}
		o, err := a.aggs[i].arg.eval(b, rows)
		if err != nil {
			return rowError(b, err)
		}
		args[i] = o
	}
	for w := range a.node.Windows {
		if err := a.addWindow(w, b, rows, keys, args); err != nil {
			return err
		}
	}
	return nil
}

// addWindow cuts the rows into runs of one pane and adds each run.
func (a *Aggregator) addWindow(w int, b *column.Batch, rows compute.Rows, keys, args []compute.Operand) error {
	win := &a.node.Windows[w]
	pane := a.pane[w]
	n := rows.Len()
	for k := 0; k < n; {
		t := b.Time[rows.Row(k)]
		end := t.CeilTo(pane, win.Offset)
		from := k
		for k < n {
			if u := b.Time[rows.Row(k)]; u > end || u <= end-pane {
				break
			}
			k++
		}
		if inGap(win, t) {
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
		table := a.panes[paneKey{w, end}]
		if table == nil {
			table = newGroupTable(len(a.keys), len(a.aggs))
			a.panes[paneKey{w, end}] = table
		}
		if err := a.addRun(table, b, sub, keys, args); err != nil {
			return rowError(b, err)
		}
	}
	return nil
}

// inGap reports whether a row of time t lies between the windows: a hop that is
// longer than the window leaves gaps.
func inGap(w *plan.Window, t column.Ticks) bool {
	return w.Kind == plan.Hopping && w.Hop > w.Size && t <= t.CeilTo(w.Hop, w.Offset)-w.Size
}

// outsideGaps takes out the rows that belong to no window: nothing is computed
// for them.
func (a *Aggregator) outsideGaps(b *column.Batch) *column.Batch {
	live := []int32{}
	for k := range b.LiveRows() {
		i := b.Row(k)
		for w := range a.node.Windows {
			if !inGap(&a.node.Windows[w], b.Time[i]) {
				live = append(live, int32(i))
				break
			}
		}
	}
	return b.WithLive(live)
}

// addRun adds rows to one table: group numbers first, then the aggregates.
func (a *Aggregator) addRun(t *groupTable, b *column.Batch, rows compute.Rows, keys, args []compute.Operand) *compute.RowError {
	a.ids = grown(a.ids, b.Rows)
	t.findAll(keys, b, rows, a.ids)
	for k := range a.aggs {
		if err := a.addColumn(k, t, args[k], rows); err != nil {
			return err
		}
	}
	return nil
}

func (a *Aggregator) addColumn(k int, t *groupTable, arg compute.Operand, rows compute.Rows) *compute.RowError {
	agg, stride := &a.aggs[k], len(a.aggs)
	if agg.arg == nil {
		for j := range rows.Len() {
			t.accs[int(a.ids[rows.Row(j)])*stride+k].n++
		}
		return nil
	}
	if v := arg.Vec; v != nil && v.Kind == column.Float64 && agg.takesFloats() {
		return agg.addFloats(t.accs, a.ids, stride, k, v, rows)
	}
	for j := range rows.Len() {
		i := rows.Row(j)
		if err := agg.add(&t.accs[int(a.ids[i])*stride+k], arg.At(i)); err != nil {
			return &compute.RowError{Row: i, Err: &placed{err, agg.spec.Where}}
		}
	}
	return nil
}

// Take returns the panes that end before w, in time order, and forgets them.
func (a *Aggregator) Take(w column.Ticks) []Partial {
	var out []Partial
	for k, t := range a.panes {
		if k.end < w {
			out = append(out, Partial{k.window, k.end, t})
			delete(a.panes, k)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].end != out[j].end {
			return out[i].end < out[j].end
		}
		return out[i].window < out[j].window
	})
	return out
}

// Finisher merges panes of all partitions and emits windows: the half of an
// aggregation that runs once.
type Finisher struct {
	*grouping
	panes map[paneKey]*groupTable
	done  column.Ticks // windows that end before this have been emitted
}

// NewFinisher compiles n.
func NewFinisher(n *plan.Aggregate) (*Finisher, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	return &Finisher{grouping: g, panes: make(map[paneKey]*groupTable)}, nil
}

// Merge takes a pane. The table belongs to the finisher from now on.
func (f *Finisher) Merge(p Partial) error {
	k := paneKey{p.window, p.end}
	t := f.panes[k]
	if t == nil {
		f.panes[k] = p.table
		return nil
	}
	if err := t.merge(p.table, f.aggs); err != nil {
		return &Error{Where: f.node.Aggs[0].Where, Time: p.end, Err: err}
	}
	return nil
}

type dueWindow struct {
	window int
	end    column.Ticks
}

// Advance emits every window that ends before w.
func (f *Finisher) Advance(w column.Ticks, out Emit) error {
	due := f.due(w)
	sort.Slice(due, func(i, j int) bool {
		if due[i].end != due[j].end {
			return due[i].end < due[j].end
		}
		return due[i].window < due[j].window
	})
	for _, d := range due {
		b, err := f.emit(d)
		if err != nil {
			return err
		}
		if err := out.Rows(b); err != nil {
			return err
		}
	}
	f.done = max(f.done, w)
	for k := range f.panes {
		win := &f.node.Windows[k.window]
		last := k.end // the last window that the pane belongs to
		if win.Kind == plan.Hopping {
			last = (k.end - f.pane[k.window] + win.Size - win.Offset).FloorTo(win.Hop) + win.Offset
		}
		if last < w {
			delete(f.panes, k)
		}
	}
	return out.Advance(w)
}

// due lists the windows that end in [done, w) and hold rows.
func (f *Finisher) due(w column.Ticks) []dueWindow {
	seen := make(map[dueWindow]bool)
	var out []dueWindow
	for k := range f.panes {
		win := &f.node.Windows[k.window]
		hop, size := win.Hop, win.Size
		if win.Kind == plan.Snapshot {
			hop, size = 1, 1
		}
		// The windows of a pane end at the grid points in [pane end, pane start + size].
		for e := k.end.CeilTo(hop, win.Offset); e <= k.end-f.pane[k.window]+size && e < w; e += hop {
			if d := (dueWindow{k.window, e}); e >= f.done && !seen[d] {
				seen[d] = true
				out = append(out, d)
			}
		}
	}
	return out
}

func (f *Finisher) emit(d dueWindow) (*column.Batch, error) {
	win := &f.node.Windows[d.window]
	t := f.panes[paneKey(d)]
	if win.Kind == plan.Hopping {
		t = newGroupTable(len(f.keys), len(f.aggs))
		for e := d.end - win.Size + f.pane[d.window]; e <= d.end; e += f.pane[d.window] {
			if p := f.panes[paneKey{d.window, e}]; p != nil {
				if err := t.merge(p, f.aggs); err != nil {
					return nil, &Error{Where: f.node.Aggs[0].Where, Time: d.end, Err: err}
				}
			}
		}
	}
	return f.rows(t, t.order(), d.end, win.ID)
}

// rows makes the output rows of groups of one window.
func (g *grouping) rows(t *groupTable, groups []int, end column.Ticks, id string) (*column.Batch, error) {
	b := &column.Batch{Schema: g.schema, Rows: len(groups), Time: make([]column.Ticks, len(groups))}
	for i := range b.Time {
		b.Time[i] = end
	}
	for k := range g.keys {
		bl := column.NewBuilder(nil)
		for _, gr := range groups {
			bl.Append(t.key(gr, k))
		}
		b.Cols = append(b.Cols, bl.Vector())
	}
	for a := range g.aggs {
		bl := column.NewBuilder(nil)
		for _, gr := range groups {
			v, err := g.aggs[a].result(&t.accs[gr*len(g.aggs)+a])
			if err != nil {
				return nil, &Error{Where: g.aggs[a].spec.Where, Time: end, Err: err}
			}
			bl.Append(v)
		}
		b.Cols = append(b.Cols, bl.Vector())
	}
	if g.node.WindowID {
		v := column.Value{}
		if id != "" {
			v = column.TextOf(id)
		}
		b.Cols = append(b.Cols, column.Constant(v, len(groups)))
	}
	return b, nil
}

// snapshot appends the panes in order.
func (f *Finisher) snapshot(dst []byte) []byte {
	keys := make([]paneKey, 0, len(f.panes))
	for k := range f.panes {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].window != keys[j].window {
			return keys[i].window < keys[j].window
		}
		return keys[i].end < keys[j].end
	})
	dst = appendTicks(dst, f.done)
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = binary.AppendUvarint(dst, uint64(k.window))
		dst = appendTicks(dst, k.end)
		dst = f.panes[k].appendTo(dst)
	}
	return dst
}

// restore reads a snapshot.
func (f *Finisher) restore(b []byte) error {
	r := &stateReader{b: b}
	f.done = r.ticks()
	for range r.count() {
		k := paneKey{int(r.uvarint()), r.ticks()}
		t := newGroupTable(len(f.keys), len(f.aggs))
		t.readFrom(r)
		if r.err != nil {
			break
		}
		f.panes[k] = t
	}
	return r.done()
}

// Freeze implements Operator.
func (f *Finisher) Freeze() (state.Frozen, error) { return whole(f.snapshot(nil)), nil }

// Load implements Operator.
func (f *Finisher) Load(e state.Entry) error { return f.restore(e.Value) }
