package exec

import (
	"bytes"
	"slices"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/state"
)

// sliding aggregates over the window (instant - size, instant] at every instant
// at which the content of a group changes: when rows enter and when they leave.
type sliding struct {
	*grouping
	size    column.Ticks
	id      column.Value
	accs    []accumulators     // by aggregate
	extreme []*slidingExtremes // by aggregate; nil: not MIN or MAX

	table  groupKeys
	groups []slidingGroup // by number of table
	forms  []groupForm    // by number of table
	live   int            // groups that have rows

	// log holds the rows in the window, which leave in this order, and behind them,
	// from entered on, those whose instant is not final.
	log     rowLog
	entered int64
	odd     map[int64][]column.Value // keys of rows that print otherwise than those of their group
	turns   turnCounter

	done    column.Ticks // instants before it have been played
	left    column.Ticks // time of the last row that left
	step    int64        // counts instants
	touched []int32      // groups that the present instant touches
	ids     []int32
	rows    *orderedRows
	e       evaluated

	saved slidingSaved
}

// slidingGroup is the rows of one group. Those in the window are linked.
type slidingGroup struct {
	oldest, newest int64
	inside         int32 // rows in the window
	held           int32 // and those that wait
	step           int64 // the last instant that touched it
}

// groupForm is what the state says of a group. It does not change.
type groupForm struct {
	keys     []byte
	keyGroup uint8
}

func newSliding(n *plan.Aggregate) (*sliding, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	s := &sliding{
		grouping: g, size: n.Windows[0].Size, id: windowID(&n.Windows[0]),
		table: newGroupKeys(len(g.keys)), log: rowLog{args: len(g.aggs)},
		odd: make(map[int64][]column.Value), extreme: make([]*slidingExtremes, len(g.aggs)), rows: newOrderedRows(g.schema, &g.skips), e: newEvaluated(g),
	}
	for a := range g.aggs {
		acc := newAccumulators(&g.aggs[a])
		s.accs = append(s.accs, acc)
		if f := g.aggs[a].spec.Func; f == plan.Min || f == plan.Max {
			s.extreme[a] = newSlidingExtremes(&g.aggs[a], a)
		}
	}
	return s, nil
}

// recomputed reports whether an aggregate is computed anew over the window, because
// no value can be taken back from it.
func (s *sliding) recomputed(a int) bool { return s.extreme[a] == nil && !s.accs[a].invertible() }

// Process implements Operator.
func (s *sliding) Process(_ int, b *column.Batch, _ Emit) error {
	b, err := sound(s, b, s.skip)
	if b != nil {
		s.take(b)
	}
	return err
}

func (s *sliding) compute(b *column.Batch) *compute.RowError { return s.e.of(s.grouping, b) }

// take lets the rows of the batch that was computed last wait.
func (s *sliding) take(b *column.Batch) {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	s.ids = grown(s.ids, b.Rows)
	s.table.idsOf(s.e.keys, b, rows, s.ids)
	s.room()
	for k := range rows.Len() {
		i := rows.Row(k)
		s.wait(column.PositionOf(b, i), s.ids[i], i)
	}
}

// wait puts row i of a batch behind the rows that wait for their instants.
func (s *sliding) wait(p column.Position, group int32, i int) {
	if keys := s.e.spelling(&s.table, group, i); keys != nil {
		s.odd[s.log.to] = keys
	}
	s.hold(group)
	block := s.log.push(p, s.turns.next(p.Time, s.forms[group].keyGroup), group)
	for a := range s.aggs {
		if s.aggs[a].arg == nil {
			continue
		}
		v := s.e.args[a].At(i)
		if x := s.extreme[a]; x != nil {
			v = x.normal(v)
		}
		block.args[a].append(v)
	}
}

// room makes place for every group of the table.
func (s *sliding) room() {
	n := s.table.groups
	for g := len(s.groups); g < n; g++ {
		s.groups = append(s.groups, slidingGroup{step: -1})
		f := groupForm{keyGroup: keyGroup(s.table.appendKey(nil, g))}
		for k := range s.keys {
			f.keys = column.AppendBinary(f.keys, s.table.key(g, k))
		}
		s.forms = append(s.forms, f)
	}
	for a := range s.aggs {
		s.accs[a].grow(n)
		if s.extreme[a] != nil {
			s.extreme[a].grow(n)
		}
	}
}

// keyGroup is the key group of an encoded key, of the empty one too: a Router sends
// its rows there.
func keyGroup(key []byte) uint8 { return state.Group(state.Hash(0, key)) }

func (s *sliding) hold(group int32) {
	g := &s.groups[group]
	if g.held++; g.held == 1 {
		s.live++
	}
}

// Advance implements Operator: it plays every instant before w.
func (s *sliding) Advance(w column.Ticks, out Emit) error {
	for {
		at := s.next()
		if at >= w {
			break
		}
		if err := s.instant(at, out); err != nil {
			return s.rows.fail(err, out)
		}
	}
	s.done = max(s.done, w)
	if err := s.rows.flush(out); err != nil {
		return err
	}
	s.renumber()
	return out.Advance(w)
}

// next is the next instant at which rows enter or leave.
func (s *sliding) next() column.Ticks {
	at := column.EndOfTime
	if s.entered < s.log.to {
		b, i := s.log.at(s.entered)
		at = b.time[i]
	}
	if s.log.from < s.entered {
		b, i := s.log.at(s.log.from)
		at = min(at, b.time[i]+s.size)
	}
	return at
}

// instant applies all leavings and enterings of one instant, then makes one row
// for each group they touched that is not empty.
func (s *sliding) instant(at column.Ticks, out Emit) error {
	s.step++
	s.touched = s.touched[:0]
	for s.log.from < s.entered {
		b, i := s.log.at(s.log.from)
		if b.time[i]+s.size != at {
			break
		}
		s.touch(b.group[i])
		s.leave(b, i)
	}
	for s.entered < s.log.to {
		b, i := s.log.at(s.entered)
		if b.time[i] != at {
			break
		}
		s.touch(b.group[i])
		s.enter(b, i)
	}
	live := s.touched[:0]
	for _, g := range s.touched {
		if s.groups[g].inside > 0 {
			live = append(live, g)
		}
	}
	s.touched = live
	if len(s.touched) > 1 {
		slices.SortFunc(s.touched, s.order)
	}
	for _, g := range s.touched {
		if err := s.emit(g, at, out); err != nil {
			return err
		}
	}
	return nil
}

func (s *sliding) touch(group int32) {
	if g := &s.groups[group]; g.step != s.step {
		g.step = s.step
		s.touched = append(s.touched, group)
	}
}

// order compares groups by where their rows of one instant stand: where the oldest
// row in the window does. Groups that tie are in the order of their keys, so that the
// order is the same behind a restore.
func (s *sliding) order(g, h int32) int {
	b, i := s.log.at(s.groups[g].oldest)
	c, j := s.log.at(s.groups[h].oldest)
	p, q := b.position(i), c.position(j)
	if o := comparePlaces(&p, &q); o != 0 {
		return o
	}
	return bytes.Compare(s.table.appendKey(nil, int(g)), s.table.appendKey(nil, int(h)))
}

// enter takes the first row that waits into the window.
func (s *sliding) enter(b *rowBlock, i int) {
	row, id := s.entered, b.group[i]
	g := &s.groups[id]
	if g.inside == 0 {
		g.oldest = row
	} else {
		last, k := s.log.at(g.newest)
		last.next[k] = uint32(row - g.newest)
	}
	g.newest = row
	g.inside++
	s.entered++
	for a := range s.aggs {
		if s.recomputed(a) {
			continue
		}
		v := s.arg(a, b, i)
		if x := s.extreme[a]; x != nil {
			x.enter(&s.log, id, row, v)
		} else {
			s.accs[a].add(id, v, b.position(i))
		}
	}
}

// leave takes the oldest row out of the window.
func (s *sliding) leave(b *rowBlock, i int) {
	row, id := s.log.from, b.group[i]
	g := &s.groups[id]
	g.oldest += int64(b.next[i])
	g.inside--
	g.held--
	for a := range s.aggs {
		switch x := s.extreme[a]; {
		case x != nil:
			x.leave(id, row)
		case s.recomputed(a):
		case g.inside == 0:
			s.accs[a].reset(id)
		default:
			s.accs[a].remove(id, s.arg(a, b, i), b.position(i))
		}
	}
	if g.held == 0 {
		s.live--
	}
	s.left = b.time[i]
	if len(s.odd) > 0 {
		delete(s.odd, row)
	}
	s.log.drop()
}

// arg is the argument of an aggregate in row i of a block.
func (s *sliding) arg(a int, b *rowBlock, i int) column.Value {
	if s.aggs[a].arg == nil {
		return column.Value{}
	}
	return b.args[a].at(i)
}

// emit makes the row of a group.
func (s *sliding) emit(group int32, at column.Ticks, out Emit) error {
	oldest := s.groups[group].oldest
	b, i := s.log.at(oldest)
	s.rows.begin(at, b.position(i))
	var odd []column.Value
	if len(s.odd) > 0 {
		odd = s.odd[oldest]
	}
	for k := range s.keys {
		if odd != nil {
			s.rows.cols[k].Append(odd[k])
		} else {
			s.rows.cols[k].Append(s.table.key(int(group), k))
		}
	}
	for a := range s.aggs {
		v, err := s.result(a, group)
		if err != nil {
			if err := s.rows.fails(s.failed(a, at, err)); err != nil {
				return err
			}
		}
		s.rows.cols[len(s.keys)+a].Append(v)
	}
	if s.node.WindowID {
		s.rows.cols[len(s.keys)+len(s.aggs)].Append(s.id)
	}
	return s.rows.end(out)
}

func (s *sliding) result(a int, group int32) (column.Value, error) {
	if x := s.extreme[a]; x != nil && !x.mixed(group, s.groups[group].oldest) {
		return x.result(&s.log, group), nil
	} else if x != nil || s.recomputed(a) {
		s.recompute(a, group)
	}
	return s.accs[a].result(group)
}

// recompute adds the rows of a window anew, in order. For MIN and MAX it is the way to
// the error of values that cannot be compared.
func (s *sliding) recompute(a int, group int32) {
	s.accs[a].reset(group)
	g := &s.groups[group]
	row := g.oldest
	for range g.inside {
		b, i := s.log.at(row)
		s.accs[a].add(group, s.arg(a, b, i), b.position(i))
		row += int64(b.next[i])
	}
}

// renumber forgets the keys of groups without rows, once they are the most.
func (s *sliding) renumber() {
	if s.table.groups < 1024 || s.live*2 > s.table.groups {
		return
	}
	old, groups, forms := s.table, s.groups, s.forms
	s.table, s.groups, s.forms = newGroupKeys(len(s.keys)), nil, nil
	to := make([]int32, old.groups)
	var kept []int32
	for g := range groups {
		if groups[g].held == 0 {
			to[g] = -1
			continue
		}
		to[g] = s.table.id(keysOf(&old, len(s.keys), int32(g)))
		kept = append(kept, int32(g))
		s.groups, s.forms = append(s.groups, groups[g]), append(s.forms, forms[g])
	}
	for a := range s.aggs {
		s.accs[a] = s.accs[a].clone(kept)
		if s.extreme[a] != nil {
			s.extreme[a].renumber(kept)
		}
	}
	s.log.regroup(to)
}
