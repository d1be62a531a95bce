package exec

import (
	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Tables are the tables of a Lookup. Any goroutine may use them.
type Tables interface {
	// At is the table that is in effect at a time, and the times at which it is: from on,
	// and before until.
	At(t column.Ticks) (table *Table, from, until column.Ticks, err error)
}

// Lookup puts rows of reference data beside rows. Like an APPLY it keeps nothing and
// numbers the turns of the rows that it makes of one.
type Lookup struct {
	stateless
	skips
	Tables Tables

	node   *plan.Lookup
	schema *column.Schema
	keys   []value
	on     predicate // over a row; nil: none
	rest   predicate // over a pair; nil: none

	tuple []compute.Operand // of the batch that was computed last
	truth []compute.Truth
	known groupKeys // of the keys that have come by
	ids   []int32
	table *Table
	found []int32 // by group of known: the group of table, or one of the two below

	pairs struct {
		left, right []int32
		last        []bool // no more partners of this row may come
		partner     bool   // the row of the last pair has had one, if it is not its last
	}
	at   column.Position // of the row that was paired last, without its turn
	turn int64
}

// Groups that are none.
const (
	notThere  = -1
	notLooked = -2
)

// NewLookup compiles n.
func NewLookup(n *plan.Lookup) (*Lookup, error) {
	l := &Lookup{node: n, schema: SchemaOf(n.Columns()), known: newGroupKeys(len(n.Keys)), tuple: make([]compute.Operand, len(n.Keys)), turn: -1}
	var err error
	if l.keys, err = compileAll(n.KeyOf(0)); err != nil {
		return nil, err
	}
	if n.OnLeft != nil {
		if l.on, err = compilePredicate(n.OnLeft); err != nil {
			return nil, err
		}
	}
	if rest := n.Rest(); rest != nil {
		if l.rest, err = compilePredicate(rest); err != nil {
			return nil, err
		}
	}
	return l, checkTable(n)
}

// Process implements Operator.
func (l *Lookup) Process(_ int, b *column.Batch, out Emit) error {
	b, err := sound(l, b, l.skip)
	if b == nil {
		return err
	}
	l.number(b)
	rows := liveRows(b)
	for len(rows) > 0 {
		table, from, until, err := l.Tables.At(b.Time[rows[0]])
		if err != nil {
			return err
		}
		l.use(table)
		n := 1
		for n < len(rows) && b.Time[rows[n]] >= from && b.Time[rows[n]] < until {
			n++
		}
		if table.single {
			err = l.beside(b, rows[:n], out)
		} else {
			err = l.pair(b, rows[:n], out)
		}
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	clear(l.tuple)
	return nil
}

// compute implements computer.
func (l *Lookup) compute(b *column.Batch) *compute.RowError {
	if l.on != nil {
		l.truth = grown(l.truth, b.Rows)
		if err := l.on.test(b, compute.Rows{N: b.Rows, Live: b.Live}, l.truth); err != nil {
			return err
		}
	}
	return operands(l.keys, b, l.tuple)
}

// mostKnown is how many more keys are remembered than the table has.
const mostKnown = 1 << 16

// number finds the groups of the keys of a batch. Keys may be anything, so those that have
// come by are forgotten from time to time.
func (l *Lookup) number(b *column.Batch) {
	size := l.known.groups
	for k := range l.known.cols {
		size = max(size, l.known.cols[k].values.len())
	}
	if l.table != nil && size > mostKnown+2*len(l.table.groups) {
		l.known, l.found = newGroupKeys(len(l.keys)), nil
	}
	l.ids = grown(l.ids, b.Rows)
	l.known.idsOf(l.tuple, b, compute.Rows{N: b.Rows, Live: b.Live}, l.ids)
}

// use changes over to another table.
func (l *Lookup) use(t *Table) {
	if t != l.table {
		l.table, l.found = t, l.found[:0]
	}
	for len(l.found) < l.known.groups {
		l.found = append(l.found, notLooked)
	}
}

// partners are the rows of the table with the key of row i of the batch.
func (l *Lookup) partners(i int32) []int32 {
	g := l.found[l.ids[i]]
	if g == notLooked {
		g = l.table.group(l.tuple, int(i))
		l.found[l.ids[i]] = g
	}
	if g == notThere || l.on != nil && l.truth[i] != compute.True {
		return nil
	}
	return l.table.list[l.table.first[g]:l.table.first[g+1]]
}

// beside is pair where no key has several rows: the columns of the table come beside the
// columns that there are.
func (l *Lookup) beside(b *column.Batch, rows []int32, out Emit) error {
	right, live := make([]int32, b.Rows), make([]int32, 0, len(rows))
	none := int32(l.table.n)
	for i := range right {
		right[i] = none
	}
	for _, i := range rows {
		if of := l.partners(i); len(of) > 0 {
			right[i] = of[0]
			live = append(live, i)
		}
	}
	res := *b
	res.Schema = l.schema
	attach := func() { res.Cols = append(b.Cols[:len(b.Cols):len(b.Cols)], l.table.gather(right)...) }
	attach()
	if l.rest != nil && len(live) > 0 {
		met, err := l.met(res.WithLive(live))
		if err != nil {
			return err
		}
		if l.node.Outer && len(met) < len(live) {
			for _, i := range live {
				if len(met) > 0 && met[0] == i {
					met = met[1:]
					continue
				}
				right[i] = none
			}
			attach()
		} else {
			live = met
		}
	}
	if l.node.Outer {
		live = rows
	}
	if len(live) == 0 {
		return nil
	}
	if res.Live = live; len(live) == b.Rows {
		res.Live = nil
	}
	return out.Rows(&res)
}

// met lists the live pairs for which the rest of the conditions holds.
func (l *Lookup) met(b *column.Batch) ([]int32, error) {
	skip := l.skip
	if skip != nil {
		skip = func(b *column.Batch, row int, err *Error) {
			err.Result = true // it is no row that came to the step
			l.skip(b, row, err)
		}
	}
	c := &pairTruth{l.rest, nil}
	b, err := sound(c, b, skip)
	if b == nil {
		return nil, err
	}
	live := make([]int32, 0, b.LiveRows())
	for _, i := range liveRows(b) {
		if c.truth[i] == compute.True {
			live = append(live, i)
		}
	}
	return live, nil
}

// pairTruth computes a condition over pairs.
type pairTruth struct {
	rest  predicate
	truth []compute.Truth
}

func (c *pairTruth) compute(b *column.Batch) *compute.RowError {
	c.truth = grown(c.truth, b.Rows)
	return c.rest.test(b, compute.Rows{N: b.Rows, Live: b.Live}, c.truth)
}

// pair puts rows beside each of their partners.
func (l *Lookup) pair(b *column.Batch, rows []int32, out Emit) error {
	p := &l.pairs
	add := func(left, right int32, last bool) error {
		p.left, p.right, p.last = append(p.left, left), append(p.right, right), append(p.last, last)
		if len(p.left) < outputRows {
			return nil
		}
		return l.flush(b, out)
	}
	for _, i := range rows {
		of := l.partners(i)
		if len(of) == 0 && l.node.Outer {
			if err := add(i, int32(l.table.n), true); err != nil {
				return err
			}
		}
		for k, r := range of {
			if err := add(i, r, k == len(of)-1); err != nil {
				return err
			}
		}
	}
	return l.flush(b, out)
}

// flush emits the pairs that meet all conditions and, of an outer join, the rows that have
// no partner.
func (l *Lookup) flush(b *column.Batch, out Emit) error {
	p := &l.pairs
	if len(p.left) == 0 {
		return nil
	}
	left, right := p.left, p.right
	if l.rest != nil {
		var err error
		if left, right, err = l.kept(b); err != nil {
			return err
		}
	}
	p.left, p.right, p.last = p.left[:0], p.right[:0], p.last[:0]
	if len(left) == 0 {
		return nil
	}
	return out.Rows(l.batch(b, left, right, true))
}

// kept are the pairs that are left when the rest of the conditions has been looked at.
func (l *Lookup) kept(b *column.Batch) (left, right []int32, err error) {
	p, none := &l.pairs, int32(l.table.n)
	ask := make([]int32, 0, len(p.left))
	for k, r := range p.right {
		if r != none {
			ask = append(ask, int32(k))
		}
	}
	var met []int32
	if len(ask) > 0 {
		if met, err = l.met(l.batch(b, p.left, p.right, false).WithLive(ask)); err != nil {
			return nil, nil, err
		}
	}
	for k := range p.left {
		switch {
		case len(met) > 0 && met[0] == int32(k):
			met = met[1:]
			p.partner = true
			left, right = append(left, p.left[k]), append(right, p.right[k])
		case l.node.Outer && p.last[k] && !p.partner:
			left, right = append(left, p.left[k]), append(right, none)
		}
		if p.last[k] {
			p.partner = false
		}
	}
	return left, right, nil
}

// batch makes rows of both sides. Those that are to be emitted are numbered.
func (l *Lookup) batch(b *column.Batch, left, right []int32, numbered bool) *column.Batch {
	from := *b
	from.Live = nil
	res := from.Gather(left)
	res.Schema = l.schema
	res.Cols = append(res.Cols, l.table.gather(right)...)
	if !numbered {
		return res
	}
	index, turns := make([]int64, len(left)), false
	for k, i := range left {
		base := column.PositionOf(b, int(i))
		base.Index &^= column.Branch - 1
		if base != l.at {
			l.at, l.turn = base, -1
		}
		l.turn = min(l.turn+1, column.Branch-1)
		index[k] = base.Index + l.turn
		turns = turns || index[k] != 0
	}
	if res.Index = index; !turns {
		res.Index = nil
	}
	return res
}
