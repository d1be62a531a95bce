package exec

import (
	"bytes"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// windowGroups are the groups of a window that closes, by numbers of their own.
type windowGroups interface {
	// place is the position of the first row of a group.
	place(g int32) *column.Position
	// key is key column k as that row had it.
	key(g int32, k int) column.Value
	result(aggregate int, g int32) (column.Value, error)
	// appendKey appends the encoded tuple.
	appendKey(dst []byte, g int32) []byte
}

// maxOutRows bounds the batches that windows make.
const maxOutRows = 1024

// windowRows turns the groups of windows into batches, of one window or of many.
type windowRows struct {
	*grouping
	out     Emit
	batch   *column.Batch
	indexed bool // some row has a place in its message other than 0
	cols    []*column.Builder
	bad     failedRows // of batch
	a, b    []byte     // scratch of compare
}

func newWindowRows(g *grouping) *windowRows {
	r := &windowRows{grouping: g}
	for range g.schema.Fields {
		r.cols = append(r.cols, column.NewBuilder(nil))
	}
	r.begin()
	return r
}

func (r *windowRows) begin() {
	r.batch, r.indexed = &column.Batch{Schema: r.schema}, false
}

// sort brings groups in the order in which they print: that of their first rows.
func (r *windowRows) sort(of windowGroups, groups []int32) {
	slices.SortFunc(groups, func(x, y int32) int { return r.compare(of, x, y) })
}

func (r *windowRows) compare(of windowGroups, x, y int32) int {
	if c := comparePlaces(of.place(x), of.place(y)); c != 0 || x == y {
		return c
	}
	r.a, r.b = of.appendKey(r.a[:0], x), of.appendKey(r.b[:0], y)
	return bytes.Compare(r.a, r.b)
}

// endedWindow is a window whose rows are due: its groups in the order of their places.
type endedWindow struct {
	window *plan.Window
	branch int64
	of     windowGroups
	groups []int32
}

// place is where the row of a group stands.
func (e *endedWindow) place(group int32) column.Position {
	p := *e.of.place(group)
	p.Index += e.branch * column.Branch
	return p
}

// addEnd writes the rows of all windows that end at a time, in the order of their
// places. It uses up the list.
func (r *windowRows) addEnd(end column.Ticks, ended []endedWindow) error {
	for {
		least := -1
		var first, next column.Position // of the window that leads, of the one that would without it
		next.Arrived = column.EndOfTime
		for i := range ended {
			if len(ended[i].groups) == 0 {
				continue
			}
			p := ended[i].place(ended[i].groups[0])
			switch {
			case least < 0:
				least, first = i, p
			case comparePlaces(&p, &first) < 0:
				least, first, next = i, p, first
			case comparePlaces(&p, &next) < 0:
				next = p
			}
		}
		if least < 0 {
			return nil
		}
		e := &ended[least]
		n := 1
		for n < len(e.groups) {
			if p := e.place(e.groups[n]); comparePlaces(&next, &p) < 0 {
				break
			}
			n++
		}
		if err := r.add(e, end, e.groups[:n]); err != nil {
			return err
		}
		e.groups = e.groups[n:]
	}
}

// add writes rows of a window. Whole batches leave at once.
func (r *windowRows) add(w *endedWindow, end column.Ticks, groups []int32) error {
	for len(groups) > 0 {
		n := min(len(groups), maxOutRows-r.batch.Rows)
		if err := r.part(w, end, groups[:n]); err != nil {
			return err
		}
		groups = groups[n:]
		if r.batch.Rows == maxOutRows {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *windowRows) part(w *endedWindow, end column.Ticks, groups []int32) error {
	b, of := r.batch, w.of
	b.Time, b.Arrived = slices.Grow(b.Time, len(groups)), slices.Grow(b.Arrived, len(groups))
	b.Seq, b.Index = slices.Grow(b.Seq, len(groups)), slices.Grow(b.Index, len(groups))
	for _, g := range groups {
		p := w.place(g)
		b.Time = append(b.Time, end)
		b.Arrived = append(b.Arrived, p.Arrived)
		b.Seq = append(b.Seq, p.Seq)
		b.Index = append(b.Index, p.Index)
		r.indexed = r.indexed || p.Index != 0
	}
	b.Rows += len(groups)
	for k := range r.keys {
		for _, g := range groups {
			r.cols[k].Append(of.key(g, k))
		}
	}
	for a := range r.aggs {
		to := r.cols[len(r.keys)+a]
		for k, g := range groups {
			v, err := of.result(a, g)
			if err != nil {
				if failed := r.bad.add(b.Rows-len(groups)+k, r.failed(a, end, err), r.skip); failed != nil {
					if err := r.flushFirst(b.Rows - len(groups)); err != nil {
						return err
					}
					return failed
				}
			}
			to.Append(v)
		}
	}
	if r.node.WindowID {
		id := column.Value{}
		if w.window.ID != "" {
			id = column.TextOf(w.window.ID)
		}
		for range groups {
			r.cols[len(r.cols)-1].Append(id)
		}
	}
	return nil
}

// flush sends the rows that wait.
func (r *windowRows) flush() error {
	b := r.batch
	if b.Rows == 0 {
		return nil
	}
	for c := range r.cols {
		b.Cols = append(b.Cols, r.cols[c].Vector())
	}
	if !r.indexed {
		b.Index = nil
	}
	r.begin()
	if b = r.bad.without(b, r.skip); b == nil {
		return nil
	}
	return r.out.Rows(b)
}

// flushFirst sends the first n rows: those of the windows before one that fails.
func (r *windowRows) flushFirst(n int) error {
	b := r.batch
	for c := range r.cols {
		v := r.cols[c].Vector()
		if n > 0 {
			b.Cols = append(b.Cols, v.Gather(upTo(n)))
		}
	}
	r.begin()
	if n == 0 {
		return nil
	}
	b.Rows, b.Time, b.Arrived, b.Seq, b.Index = n, b.Time[:n], b.Arrived[:n], b.Seq[:n], b.Index[:n]
	return r.out.Rows(b)
}

// upTo lists 0..n-1.
func upTo(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// paneGroups are the groups of a window that is one pane.
type paneGroups struct {
	*pane
	dict *groupKeys
}

func (p *paneGroups) place(s int32) *column.Position { return &p.first[s] }

func (p *paneGroups) key(s int32, k int) column.Value {
	return p.dict.keyAs(p.ids[s], k, p.form(s, k))
}

func (p *paneGroups) result(a int, s int32) (column.Value, error) { return p.accs[a].result(s) }

func (p *paneGroups) appendKey(dst []byte, s int32) []byte {
	return p.dict.appendKey(dst, int(p.ids[s]))
}
