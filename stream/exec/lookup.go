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
	pairOf *column.Schema // of pairs, with all columns
	reads  [2][]bool      // columns of the table that rows or other and rows or rest read
	keys   []value        // of rows, in the form of JOINKEY
	raw    []value        // as they are
	on     predicate      // over a row; nil: none
	rest   predicate      // over a pair, the keys looked at again where that is needed; nil: none
	other  predicate      // without the keys; nil: none

	tuple  []compute.Operand // of keys, where they are needed
	own    []compute.Operand // of raw, for the batch that was computed last
	truth  []compute.Truth
	known  groupKeys // of the keys that have come by
	ids    []int32
	table  *Table
	looked *Table  // that found is of
	found  []int32 // by group of known: the group of the table, or one of the two below

	groups    []int32 // by row of the batch: the group of table
	probed    probed
	nulls     column.Vector // for columns of pairs that nobody reads
	asked     predicate     // rest or other
	restAsked bool

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
	l := &Lookup{node: n, schema: SchemaOf(n.Columns()), pairOf: SchemaOf(n.PairColumns()), known: newGroupKeys(len(n.Keys)), tuple: make([]compute.Operand, len(n.Keys)), own: make([]compute.Operand, len(n.Keys)), turn: -1}
	var err error
	if l.keys, err = compileAll(n.KeyOf(0)); err != nil {
		return nil, err
	}
	for _, k := range n.Keys {
		v, err := compile(k.(*plan.Call).Args[0])
		if err != nil {
			return nil, err
		}
		l.raw = append(l.raw, v)
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
	if n.On != nil {
		if l.other, err = compilePredicate(n.On); err != nil {
			return nil, err
		}
	}
	for k, e := range []plan.Expr{n.On, n.Rest()} {
		l.reads[k] = make([]bool, len(n.Ref.Columns()))
		for _, i := range n.Keep {
			l.reads[k][i] = true
		}
		if e != nil {
			plan.WalkExpr(&e, func(e *plan.Expr) {
				if c, ok := (*e).(*plan.Col); ok && c.Index >= len(n.In.Columns()) {
					l.reads[k][c.Index-len(n.In.Columns())] = true
				}
			})
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
	numbered := false
	l.groups = grown(l.groups, b.Rows)
	rows := liveRows(b)
	for len(rows) > 0 {
		table, from, until, err := l.Tables.At(b.Time[rows[0]])
		if err != nil {
			return err
		}
		n := 1
		for n < len(rows) && b.Time[rows[n]] >= from && b.Time[rows[n]] < until {
			n++
		}
		l.table, l.asked, l.restAsked = table, l.other, false
		if table.probe == nil || !l.probed.find(table.probe, l.own[0], rows[:n], l.groups) {
			if l.asked, l.restAsked = l.rest, true; !numbered {
				if failed := l.number(b); failed != nil {
					return errorOf(b, failed)
				}
				numbered = true
			}
			l.look(rows[:n])
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
	clear(l.own)
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
	return operands(l.raw, b, l.own)
}

// mostKnown is how many more keys are remembered than the table has.
const mostKnown = 1 << 16

// number finds the groups of the keys of a batch. Keys may be anything, so those that have
// come by are forgotten from time to time.
func (l *Lookup) number(b *column.Batch) *compute.RowError {
	if err := operands(l.keys, b, l.tuple); err != nil {
		return err
	}
	size := l.known.groups
	for k := range l.known.cols {
		size = max(size, l.known.cols[k].values.len())
	}
	if size > mostKnown+2*len(l.table.groups) {
		l.known, l.looked = newGroupKeys(len(l.keys)), nil
	}
	l.ids = grown(l.ids, b.Rows)
	l.known.idsOf(l.tuple, b, compute.Rows{N: b.Rows, Live: b.Live}, l.ids)
	return nil
}

// look finds the groups of rows by the numbers of their keys.
func (l *Lookup) look(rows []int32) {
	if l.looked != l.table {
		l.looked, l.found = l.table, l.found[:0]
	}
	for len(l.found) < l.known.groups {
		l.found = append(l.found, notLooked)
	}
	for _, i := range rows {
		g := l.found[l.ids[i]]
		if g == notLooked {
			g = l.table.group(l.tuple, int(i))
			l.found[l.ids[i]] = g
		}
		l.groups[i] = g
	}
}

// partners are the rows of the table with the key of row i of the batch.
func (l *Lookup) partners(i int32) []int32 {
	g := l.groups[i]
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
	if !l.node.Outer {
		none = 0 // some row: rows without a partner do not go on
	}
	if len(rows) < b.Rows && none > 0 {
		for i := range right {
			right[i] = none
		}
	}
	for _, i := range rows {
		if right[i] = none; l.groups[i] != notThere && (l.on == nil || l.truth[i] == compute.True) {
			right[i] = l.table.list[l.groups[i]] // a group has one row
			live = append(live, i)
		}
	}
	if len(live) == 0 && !l.node.Outer {
		return nil
	}
	cols := l.columns(right)
	if l.asked != nil && len(live) > 0 {
		pairs := *b
		pairs.Schema, pairs.Cols = l.pairOf, append(b.Cols[:len(b.Cols):len(b.Cols)], cols...)
		met, err := l.met(pairs.WithLive(live))
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
			cols = l.columns(right)
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
	res := *b
	res.Schema, res.Cols = l.schema, l.kept(b.Cols[:len(b.Cols):len(b.Cols)], cols)
	if res.Live = live; len(live) == b.Rows {
		res.Live = nil
	}
	return out.Rows(&res)
}

// columns are the columns of the table for some of its rows. What nobody reads is NULL.
func (l *Lookup) columns(rows []int32) []column.Vector {
	reads := l.reads[0]
	if l.restAsked {
		reads = l.reads[1]
	}
	out := make([]column.Vector, len(reads))
	for c := range out {
		if reads[c] || l.skip != nil && l.asked != nil { // a pair that fails is shown whole
			out[c] = l.table.cols[c].Gather(rows)
		} else if l.asked != nil {
			if l.nulls.Len() != len(rows) {
				l.nulls = column.Constant(column.Value{}, len(rows))
			}
			out[c] = l.nulls
		}
	}
	return out
}

// kept puts those columns of the table that go on behind others.
func (l *Lookup) kept(to, cols []column.Vector) []column.Vector {
	for _, i := range l.node.Keep {
		to = append(to, cols[i])
	}
	return to
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
	c := &pairTruth{l.asked, nil}
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
	if l.asked != nil {
		var err error
		if left, right, err = l.sifted(b); err != nil {
			return err
		}
	}
	p.left, p.right, p.last = p.left[:0], p.right[:0], p.last[:0]
	if len(left) == 0 {
		return nil
	}
	return out.Rows(l.batch(b, left, right, false))
}

// sifted are the pairs that are left when the rest of the conditions has been looked at.
func (l *Lookup) sifted(b *column.Batch) (left, right []int32, err error) {
	p, none := &l.pairs, int32(l.table.n)
	ask := make([]int32, 0, len(p.left))
	for k, r := range p.right {
		if r != none {
			ask = append(ask, int32(k))
		}
	}
	var met []int32
	if len(ask) > 0 {
		if met, err = l.met(l.batch(b, p.left, p.right, true).WithLive(ask)); err != nil {
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

// batch makes rows of both sides: pairs with all columns, or rows that are to be emitted,
// which it numbers.
func (l *Lookup) batch(b *column.Batch, left, right []int32, pairs bool) *column.Batch {
	from := *b
	from.Live = nil
	res := from.Gather(left)
	cols := l.columns(right)
	if pairs {
		res.Schema, res.Cols = l.pairOf, append(res.Cols, cols...)
		return res
	}
	res.Schema, res.Cols = l.schema, l.kept(res.Cols, cols)
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
