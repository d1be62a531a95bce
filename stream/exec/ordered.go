package exec

import (
	"fmt"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// orderedAggregate runs the windows of one GROUP BY of which some are sliding or
// session windows: its rows come in total order. Windows of other kinds beside them
// run as always. It emits the rows of all in order of time and place.
type orderedAggregate struct {
	skips
	subs []window // by window
	rows *orderedRows
	from []int64 // by window: the branch of its rows
}

// window is the operator of one window of an aggregation: it takes a batch when all of
// them have computed it.
type window interface {
	Operator
	Skipper
	computer
	// take takes the rows of the batch that was computed last.
	take(b *column.Batch)
}

// newOrderedAggregate makes the operator of an aggregation with a sliding or session
// window.
func newOrderedAggregate(n *plan.Aggregate) (Operator, error) {
	if len(n.Windows) == 1 {
		return newOrderedWindow(n)
	}
	if len(n.Windows) > maxWindows {
		return nil, fmt.Errorf("GROUP BY has %d windows, one of them sliding or a session window: more than %d are not supported", len(n.Windows), maxWindows)
	}
	o := new(orderedAggregate)
	o.rows = newOrderedRows(SchemaOf(n.Columns()), &o.skips)
	for i, w := range n.Windows {
		one := *n
		one.Windows = []plan.Window{w}
		sub, err := newOrderedWindow(&one)
		if err != nil {
			return nil, err
		}
		o.subs, o.from = append(o.subs, sub), append(o.from, plan.WindowBranch(n, i))
	}
	return o, nil
}

// newOrderedWindow makes the operator of an aggregation with one window.
func newOrderedWindow(n *plan.Aggregate) (window, error) {
	switch n.Windows[0].Kind {
	case plan.Sliding:
		return newSliding(n)
	case plan.Session:
		return newSession(n)
	}
	return newOrderFree(n)
}

// Process implements Operator.
func (o *orderedAggregate) Process(_ int, b *column.Batch, _ Emit) error {
	b, err := sound(o, b, o.skip)
	if b == nil {
		return err
	}
	for _, s := range o.subs {
		s.take(b) // rows come with Advance alone
	}
	return nil
}

// SkipTo implements Skipper.
func (o *orderedAggregate) SkipTo(f Skip) {
	o.skip = f
	for _, s := range o.subs {
		s.SkipTo(f)
	}
}

func (o *orderedAggregate) compute(b *column.Batch) *compute.RowError {
	for _, s := range o.subs {
		if err := s.compute(b); err != nil {
			return err
		}
	}
	return nil
}

// collected keeps what a window emits, to bring it in order with the others. Its rows
// come in order of time.
type collected struct {
	branch  int64
	batches []*column.Batch
	row     int // the next one of the first batch
}

func (c *collected) Rows(b *column.Batch) error {
	if b.LiveRows() > 0 {
		c.batches = append(c.batches, onBranch(b, c.branch))
	}
	return nil
}

func (c *collected) Advance(column.Ticks) error { return nil }

// place is where the next row stands.
func (c *collected) place() column.Position {
	if len(c.batches) == 0 {
		return column.Position{Time: column.EndOfTime}
	}
	b := c.batches[0]
	return column.PositionOf(b, b.Row(c.row))
}

// next takes the next row out.
func (c *collected) next() (*column.Batch, int) {
	b := c.batches[0]
	i := b.Row(c.row)
	if c.row++; c.row == b.LiveRows() {
		c.batches, c.row = c.batches[1:], 0
	}
	return b, i
}

// Advance implements Operator.
func (o *orderedAggregate) Advance(w column.Ticks, out Emit) error {
	from := make([]collected, len(o.subs))
	busy, last := 0, 0
	var failed error // the earliest: what stands before it is good
	for i, s := range o.subs {
		from[i].branch = o.from[i]
		if err := s.Advance(w, &from[i]); err != nil && (failed == nil || earlier(err, failed)) {
			failed = err
		}
		if len(from[i].batches) > 0 {
			busy, last = busy+1, i
		}
	}
	if failed != nil {
		if err := o.merge(from, out); err != nil {
			return err
		}
		return failed
	}
	if busy == 1 { // nothing to bring in order
		for _, b := range from[last].batches {
			if err := out.Rows(b); err != nil {
				return err
			}
		}
		return out.Advance(w)
	}
	if err := o.merge(from, out); err != nil {
		return err
	}
	return out.Advance(w)
}

// earlier reports whether an error of a query is of an earlier time than another.
func earlier(a, b error) bool {
	x, isX := a.(*Error)
	y, isY := b.(*Error)
	return isX && isY && x.Time < y.Time
}

// merge emits the rows of all windows in order.
func (o *orderedAggregate) merge(from []collected, out Emit) error {
	for {
		least := 0
		for i := range from {
			if from[i].place().Before(from[least].place()) {
				least = i
			}
		}
		if len(from[least].batches) == 0 {
			return o.rows.flush(out)
		}
		// Rows of the window that leads, as long as it does.
		second := -1 // the one that leads without it
		for i := range from {
			if i != least && (second < 0 || from[i].place().Before(from[second].place())) {
				second = i
			}
		}
		next := from[second].place()
		for len(from[least].batches) > 0 {
			p := from[least].place()
			if next.Before(p) {
				break
			}
			b, i := from[least].next()
			o.rows.begin(b.Time[i], column.PositionOf(b, i))
			for c := range o.rows.cols {
				o.rows.cols[c].Append(b.Cols[c].At(i))
			}
			if err := o.rows.end(out); err != nil {
				return err
			}
		}
	}
}

// Freeze implements Operator. The keys of a window's state begin with its number.
func (o *orderedAggregate) Freeze() (state.Frozen, error) {
	subs := make([]state.Frozen, len(o.subs))
	changed := false
	for i, s := range o.subs {
		var err error
		if subs[i], err = s.Freeze(); err != nil {
			return nil, err
		}
		changed = changed || subs[i] != nil
	}
	if !changed {
		return nil, nil
	}
	return func(to *state.Section) {
		for i, f := range subs {
			if f != nil {
				f(to.Under(byte(i)))
			}
		}
	}, nil
}

// Load implements Operator.
func (o *orderedAggregate) Load(e state.Entry) error {
	key := e.Key
	all := len(key) > 1 && key[0] == state.EveryShard
	if all {
		key = key[1:]
	}
	if len(key) == 0 || int(key[0]) >= len(o.subs) {
		return errState
	}
	sub := o.subs[key[0]]
	if e.Key = key[1:]; all {
		e.Key = append([]byte{state.EveryShard}, key[1:]...)
	}
	return sub.Load(e)
}
