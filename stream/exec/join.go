package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Join pairs the rows of two inputs, each in total order. It takes rows up to the
// watermark in the order of both together: a row meets the rows before it, so that each
// pair is made once, by the later of the two, and in an order that does not depend on when
// the rows came.
type Join struct {
	skips
	node   *plan.Join
	schema *column.Schema
	sides  [2]*joinSide
	table  groupKeys // of the keys of both sides
	held   []int32   // by group: rows of both sides
	key    []uint8   // by group: the key group of its state
	live   int       // groups with rows

	near  []plan.TimeBound // between the times of the rows themselves
	far   []farBound
	rest  predicate // nil: none
	truth []compute.Truth

	pairs pairs
	done  column.Ticks // rows before it have been paired
	state joinSaved
}

// joinSide is one input of a join.
type joinSide struct {
	rows   joinRows
	groups []joinGroup // by number of the table
	keys   []value
	on     predicate    // nil: none
	hold   column.Ticks // how long after its time a row is of use
	keep   bool         // a row without partner is of use
	linked bool         // later rows may be partners

	tuple   []compute.Operand // of the batch that was computed last
	truth   []compute.Truth
	ids     []int32
	kept    []int32
	gather  *column.Gatherer
	loading *joinLoading
}

// joinGroup links the rows of one group that may have partners to come.
type joinGroup struct {
	oldest, newest int64
	n              int32
}

// farBound is a bound on a time that is a column.
type farBound struct {
	plan.TimeBound
	from, to value // nil: the time of the row
}

// NewJoin compiles n.
func NewJoin(n *plan.Join) (*Join, error) {
	j := &Join{node: n, schema: SchemaOf(n.Columns()), table: newGroupKeys(len(n.Keys))}
	for i, in := range n.Inputs() {
		s := &joinSide{gather: column.NewGatherer(SchemaOf(in.Columns())), tuple: make([]compute.Operand, len(n.Keys))}
		var err error
		if s.keys, err = compileAll(n.KeyOf(i)); err != nil {
			return nil, err
		}
		if on := n.Side(i, [...]plan.Expr{n.OnLeft, n.OnRight}[i]); on != nil {
			if s.on, err = compilePredicate(on); err != nil {
				return nil, err
			}
		}
		j.sides[i] = s
	}
	l, r := j.sides[0], j.sides[1]
	l.hold, l.keep, l.linked = n.Most, n.Outer, n.Most >= 0
	r.hold, r.linked = -n.Least, n.Least <= 0
	if n.Outer {
		l.hold = max(n.Most, n.Wait)
	}
	for _, t := range n.Bounds {
		if t.From == nil && t.To == nil {
			j.near = append(j.near, t)
			continue
		}
		f := farBound{TimeBound: t}
		var err error
		if t.From != nil {
			if f.from, err = compile(t.From); err != nil {
				return nil, err
			}
		}
		if t.To != nil {
			if f.to, err = compile(t.To); err != nil {
				return nil, err
			}
		}
		j.far = append(j.far, f)
	}
	if rest := n.Rest(); rest != nil {
		var err error
		if j.rest, err = compilePredicate(rest); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// Waits is how many bytes rows of an input wait with for the other.
func (j *Join) Waits(in int) int64 { return j.sides[in].rows.waiting }

// Process implements Operator.
func (j *Join) Process(in int, b *column.Batch, _ Emit) error {
	if err := j.settle(); err != nil {
		return err
	}
	return j.take(in, b)
}

// take lets the rows of a batch wait.
func (j *Join) take(in int, b *column.Batch) error {
	s := j.sides[in]
	b, err := sound(s, b, j.skip)
	if b == nil {
		return err
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	s.ids = grown(s.ids, b.Rows)
	j.table.idsOf(s.tuple, b, rows, s.ids)
	j.room()
	s.kept = s.kept[:0]
	for k := range rows.Len() {
		if i := rows.Row(k); s.keep || !s.alone(i) {
			s.kept = append(s.kept, int32(i))
		}
	}
	if len(s.kept) == 0 {
		return nil
	}
	sparse := len(s.kept)*2 < b.Rows // the batch would be kept for a few rows
	kept := &keptBatch{b: b}
	if sparse {
		kept.b = b.Gather(s.kept)
	}
	kept.bytes = kept.b.Bytes()/int64(len(s.kept)) + 1
	for k, i := range s.kept {
		g, flags, row := s.ids[i], uint8(0), int(i)
		if s.alone(int(i)) {
			flags = rowAlone
		}
		if sparse {
			row = k
		}
		if j.held[g]++; j.held[g] == 1 {
			j.live++
		}
		s.rows.push(kept, row, g, flags)
	}
	clear(s.tuple)
	return nil
}

// compute implements computer.
func (s *joinSide) compute(b *column.Batch) *compute.RowError {
	if s.on != nil {
		s.truth = grown(s.truth, b.Rows)
		if err := s.on.test(b, compute.Rows{N: b.Rows, Live: b.Live}, s.truth); err != nil {
			return err
		}
	}
	return operands(s.keys, b, s.tuple)
}

// alone reports whether row i of the batch that was computed last can have no partner.
func (s *joinSide) alone(i int) bool {
	if s.on != nil && s.truth[i] != compute.True {
		return true
	}
	for _, k := range s.tuple {
		if k.Vec == nil && k.Const.IsNull() || k.Vec != nil && k.Vec.IsNull(i) {
			return true
		}
	}
	return false
}

// room makes place for every group of the table.
func (j *Join) room() {
	for g := len(j.held); g < j.table.groups; g++ {
		j.held = append(j.held, 0)
		j.key = append(j.key, keyGroup(j.table.appendKey(nil, g)))
		for _, s := range j.sides {
			s.groups = append(s.groups, joinGroup{})
		}
	}
}

// Advance implements Operator.
func (j *Join) Advance(w column.Ticks, out Emit) error {
	if err := j.settle(); err != nil {
		return err
	}
	for {
		in := j.next(w)
		if in < 0 {
			break
		}
		if err := j.enter(in, out); err != nil {
			return err
		}
	}
	if err := j.flush(out); err != nil {
		return err
	}
	j.done = max(j.done, w)
	if err := j.leave(w, out); err != nil {
		return err
	}
	j.renumber()
	return out.Advance(j.least(w))
}

// next is the side whose next row stands first, if that is before w; -1: none does. Of two
// rows at one place that of the left goes first.
func (j *Join) next(w column.Ticks) int {
	l, r := j.sides[0].rows.time(), j.sides[1].rows.time()
	switch {
	case min(l, r) >= w:
		return -1
	case l < r:
		return 0
	case r < l:
		return 1
	}
	b, i := j.sides[0].rows.at(j.sides[0].rows.entered)
	c, k := j.sides[1].rows.at(j.sides[1].rows.entered)
	if c.position(k).Before(b.position(i)) {
		return 1
	}
	return 0
}

// enter pairs the next row of a side with the rows of the other that stand before it.
func (j *Join) enter(in int, out Emit) error {
	s, other := j.sides[in], j.sides[1-in]
	number := s.rows.entered
	b, i := s.rows.at(number)
	s.rows.entered++
	s.rows.waiting -= b.kept(i).bytes
	if b.flags[i]&rowAlone != 0 {
		return nil
	}
	t, g := b.time[i], b.group[i]
	list := &other.groups[g]
	// A row meets rows of times first to last.
	first, last := t-j.node.Most, t-j.node.Least
	if in == 0 {
		first, last = t+j.node.Least, t+j.node.Most
	}
	for list.n > 0 {
		if c, k := other.rows.at(list.oldest); c.time[k] >= first {
			break
		}
		list.pop(&other.rows) // nor do later rows meet it
	}
	met := list.oldest
	for range list.n {
		c, k := other.rows.at(met)
		if c.time[k] > last {
			break
		}
		if in == 0 && j.holds(t, c.time[k]) {
			j.pairs.add(j, number, met)
		} else if in == 1 && j.holds(c.time[k], t) {
			j.pairs.add(j, met, number)
		}
		met += int64(c.next[k])
		if len(j.pairs.left) == outputRows {
			if err := j.flush(out); err != nil {
				return err
			}
		}
	}
	if s.linked {
		s.groups[g].push(&s.rows, number)
	}
	return nil
}

func (j *Join) holds(left, right column.Ticks) bool {
	for i := range j.near {
		if !j.near[i].Holds(left, right) {
			return false
		}
	}
	return true
}

// push links a row behind the others of its group.
func (g *joinGroup) push(rows *joinRows, row int64) {
	if g.n == 0 {
		g.oldest = row
	} else {
		b, i := rows.at(g.newest)
		b.next[i] = uint32(row - g.newest)
	}
	g.newest = row
	g.n++
}

// pop takes the oldest row of a group out.
func (g *joinGroup) pop(rows *joinRows) {
	b, i := rows.at(g.oldest)
	g.oldest += int64(b.next[i])
	g.n--
}

// leave drops the rows that no row at w or later can meet. One of an outer join that has
// had no partner is emitted.
func (j *Join) leave(w column.Ticks, out Emit) error {
	for in, s := range j.sides {
		r := &s.rows
		for r.from < r.entered {
			b, i := r.at(r.from)
			if b.time[i] >= w-s.hold {
				break
			}
			g := b.group[i]
			if s.keep && b.flags[i]&rowMatched == 0 {
				if j.pairs.alone(j, r.from); len(j.pairs.left) == outputRows {
					if err := j.single(out); err != nil {
						return err
					}
				}
			}
			if list := &s.groups[g]; list.n > 0 && list.oldest == r.from {
				list.pop(r)
			}
			if b.flags[i]&rowSaved != 0 {
				j.state.gone[in] = true
			}
			if j.held[g]--; j.held[g] == 0 {
				j.live--
			}
			r.drop()
		}
	}
	return j.single(out)
}

// least is the least time that a row to come may have: one of an outer join that waits for
// a partner may be emitted behind its own.
func (j *Join) least(w column.Ticks) column.Ticks {
	l := j.sides[0]
	if !l.keep || l.rows.from == l.rows.entered {
		return w
	}
	b, i := l.rows.at(l.rows.from)
	return min(w, b.time[i]+j.node.Wait)
}

// renumber forgets the keys of groups without rows, once they are the most.
func (j *Join) renumber() {
	if j.table.groups < 1024 || j.live*2 > j.table.groups {
		return
	}
	old, held, key := j.table, j.held, j.key
	n := len(j.node.Keys)
	j.table, j.held, j.key = newGroupKeys(n), nil, nil
	to := make([]int32, old.groups)
	groups := [2][]joinGroup{}
	for g := range held {
		if held[g] == 0 {
			continue
		}
		to[g] = j.table.id(keysOf(&old, n, int32(g)))
		j.held, j.key = append(j.held, held[g]), append(j.key, key[g])
		for in, s := range j.sides {
			groups[in] = append(groups[in], s.groups[g])
		}
	}
	for in, s := range j.sides {
		s.groups = groups[in]
		for k, b := range s.rows.blocks {
			for i := range b.group {
				if s.rows.base+int64(k<<blockBits+i) >= s.rows.from {
					b.group[i] = to[b.group[i]]
				}
			}
		}
	}
}
