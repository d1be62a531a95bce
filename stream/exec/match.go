package exec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// Bounds of a MATCH_RECOGNIZE. Without aggregates in its definitions there are no more ways
// than the pattern names rows.
const (
	maxAttempts = 10_000 // of one key that are not decided
	maxWays     = 1_000  // that one attempt follows at once
)

// Match finds sequences of rows. Every row begins an attempt, which follows all ways through
// the pattern at once. It is decided when no way goes on: with the longest sequence that was
// found by then, if there is one. Rows wait for the watermark, so that what is emitted comes
// in one order however rows came.
type Match struct {
	skips
	node   *plan.Match
	schema *column.Schema
	in     *column.Schema
	fixed  bool // all sequences are of one length
	most   int  // attempts of one key that are not decided
	pat    *matcher

	keys []value
	vars []matchVar
	aggs []matchAgg

	table   groupKeys
	groups  []matchGroup // by number of table
	live    int          // groups with rows
	queue   []*matchRow  // rows that wait
	due     deadlines    // attempts, by the last time that a row of theirs may have
	done    column.Ticks // rows before it have been taken
	results []matchResult
	rows    *orderedRows

	// What compute has found for each row.
	tuple  []compute.Operand
	truths [][]compute.Truth // by variable; nil: any row
	values []compute.Operand // by aggregate
	ids    []int32
	soFar  []compute.Truth

	turns   turnCounter
	fresh   []*matchRow // rows that are not in the state
	changed []*matchRow // rows that are in the state otherwise
	gone    [][]byte    // keys of rows that are in the state and over
	saved   column.Ticks
	loading *matchLoading
}

type matchVar struct {
	when  predicate // nil: any row
	soFar predicate // nil: none
}

// matchAgg is an aggregate over a sequence. The extreme of MIN and MAX computes one state.
type matchAgg struct {
	spec    *plan.MatchAgg
	arg     value      // nil: Classifier
	of      *aggregate // of MIN and MAX
	extreme accumulators
}

// matchRow is a row that an attempt may begin with or take.
type matchRow struct {
	at    column.Position
	group int32
	turn  uint32
	vals  []column.Value // the columns of the row
	args  []column.Value // by aggregate
	takes uint64         // the variables whose When holds
	saved bool
	// refused rows begin no attempt: there were too many.
	refused bool
}

// matchGroup is the rows of one key from the first attempt on that is not decided.
type matchGroup struct {
	rows     []*matchRow
	base     int64 // number of rows[0]
	attempts []attempt
	held     int32 // rows, with those that wait
	key      uint8 // the key group of the state
}

// attempt looks for the longest sequence that begins with a row.
type attempt struct {
	first, best int64 // numbers of rows; best -1: none yet
	ways        []way
	err         *Error // it cannot be decided
}

// way is one way through the pattern: where it is, and the aggregates so far that
// definitions read.
type way struct {
	state int32
	sofar []soFar
}

// soFar is an aggregate over the rows so far.
type soFar struct {
	set bool
	v   column.Value
}

// matchResult is a row to be emitted, or an attempt that failed.
type matchResult struct {
	at    column.Ticks
	place column.Position
	first *matchRow
	aggs  []column.Value
	err   *Error
}

// NewMatch compiles n.
func NewMatch(n *plan.Match) (*Match, error) {
	m := &Match{node: n, schema: SchemaOf(n.Columns()), in: SchemaOf(n.In.Columns()), fixed: n.Pattern.Fixed(), most: maxAttempts, pat: newMatcher(n.Pattern), table: newGroupKeys(len(n.Keys))}
	m.rows = newOrderedRows(m.schema, &m.skips)
	var err error
	if m.keys, err = compileAll(n.Keys); err != nil {
		return nil, err
	}
	read := make(map[int]bool)
	for _, v := range n.Vars {
		var x matchVar
		if v.When != nil {
			if x.when, err = compilePredicate(v.When); err != nil {
				return nil, err
			}
		}
		if v.SoFar != nil {
			if x.soFar, err = compilePredicate(v.SoFar); err != nil {
				return nil, err
			}
			plan.WalkExpr(&v.SoFar, func(e *plan.Expr) {
				if c, ok := (*e).(*plan.Col); ok && c.Index >= len(m.in.Fields) {
					read[c.Index-len(m.in.Fields)] = true
				}
			})
		}
		m.vars = append(m.vars, x)
	}
	for i := range n.Aggs {
		a := matchAgg{spec: &n.Aggs[i]}
		switch a.spec.Func {
		case plan.Classifier:
		case plan.MatchMin, plan.MatchMax:
			of, err := compileAggregate(*a.spec.Agg())
			if err != nil {
				return nil, err
			}
			a.of, a.arg, a.extreme = &of, of.arg, newAccumulators(&of)
			a.extreme.grow(1)
		default:
			if a.arg, err = compile(a.spec.Arg); err != nil {
				return nil, err
			}
		}
		m.aggs = append(m.aggs, a)
		if read[i] {
			m.pat.defs = append(m.pat.defs, i)
		}
	}
	m.tuple, m.truths = make([]compute.Operand, len(m.keys)), make([][]compute.Truth, len(m.vars))
	m.values = make([]compute.Operand, len(m.aggs))
	return m, nil
}

// Process implements Operator.
func (m *Match) Process(_ int, b *column.Batch, _ Emit) error {
	if err := m.settle(); err != nil {
		return err
	}
	return m.take(b, nil)
}

// compute implements computer.
func (m *Match) compute(b *column.Batch) *compute.RowError {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	if err := operands(m.keys, b, m.tuple); err != nil {
		return err
	}
	for i := range m.vars {
		if m.vars[i].when == nil {
			continue
		}
		m.truths[i] = grown(m.truths[i], b.Rows)
		if err := m.vars[i].when.test(b, rows, m.truths[i]); err != nil {
			return err
		}
	}
	for i := range m.aggs {
		a := &m.aggs[i]
		if a.arg == nil {
			continue
		}
		var err *compute.RowError
		if m.values[i], err = a.arg.eval(b, rows); err != nil {
			return err
		}
		if a.of != nil {
			if m.values[i], err = a.of.argument(m.values[i], rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// take lets the rows of a batch wait. Those of the state, which loaded lists, have their
// numbers.
func (m *Match) take(b *column.Batch, loaded []matchLoaded) error {
	b, err := sound(m, b, m.skip)
	if b == nil {
		return err
	}
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	m.ids = grown(m.ids, b.Rows)
	m.table.idsOf(m.tuple, b, rows, m.ids)
	m.room()
	for k := range rows.Len() {
		i := rows.Row(k)
		r := &matchRow{at: column.PositionOf(b, i), group: m.ids[i], vals: make([]column.Value, len(b.Cols)), args: make([]column.Value, len(m.aggs))}
		for c := range b.Cols {
			r.vals[c] = b.Cols[c].At(i)
		}
		for v := range m.vars {
			if m.vars[v].when == nil || m.truths[v][i] == compute.True {
				r.takes |= 1 << v
			}
		}
		for a := range m.aggs {
			if m.aggs[a].arg != nil {
				r.args[a] = m.values[a].At(i)
			}
		}
		g := &m.groups[r.group]
		if g.held++; g.held == 1 {
			m.live++
		}
		if loaded != nil {
			r.turn, r.refused, r.saved = loaded[i].turn, loaded[i].refused, true
			m.turns.seen(r.at.Time, g.key, r.turn)
		} else {
			r.turn = m.turns.next(r.at.Time, g.key)
			m.fresh = append(m.fresh, r)
		}
		m.queue = append(m.queue, r)
	}
	clear(m.tuple)
	clear(m.values)
	return nil
}

// room makes place for every group of the table.
func (m *Match) room() {
	for g := len(m.groups); g < m.table.groups; g++ {
		m.groups = append(m.groups, matchGroup{key: keyGroup(m.table.appendKey(nil, g))})
	}
}

// Advance implements Operator.
func (m *Match) Advance(w column.Ticks, out Emit) error {
	if err := m.settle(); err != nil {
		return err
	}
	m.until(w, false)
	m.done = max(m.done, w)
	if err := m.emit(out); err != nil {
		return err
	}
	m.renumber()
	if !m.fixed && w != column.EndOfTime {
		w -= m.node.Limit // a row stands where its sequence ends, which shows later
	}
	return out.Advance(w)
}

// until takes the rows before w, and decides what no later row can be part of. Again says
// that it was done before, by whoever saved the state.
func (m *Match) until(w column.Ticks, again bool) {
	n := 0
	for n < len(m.queue) && m.queue[n].at.Time < w {
		m.row(m.queue[n], again)
		m.queue[n] = nil
		n++
	}
	if m.queue = m.queue[n:]; len(m.queue) == 0 {
		m.queue = nil
	}
	for len(m.due) > 0 && m.due[0].at < w {
		d := m.due.pop()
		m.expire(&m.groups[d.session], w)
	}
	if again {
		m.results = nil
	}
}

// row takes the next row of a group.
func (m *Match) row(r *matchRow, again bool) {
	g := &m.groups[r.group]
	m.expire(g, r.at.Time)
	g.rows = append(g.rows, r)
	number := g.base + int64(len(g.rows)) - 1
	if !again && len(g.attempts) >= m.most {
		m.refuse(r)
	}
	if !r.refused {
		g.attempts = append(g.attempts, attempt{first: number, best: -1, ways: m.begin()})
		m.due.push(deadline{r.at.Time + m.node.Limit, r.group})
	}
	open := g.attempts[:0]
	for i := range g.attempts {
		a := g.attempts[i]
		m.step(&a, g, number)
		if len(a.ways) == 0 || a.err != nil {
			m.decide(&a, g)
			continue
		}
		open = append(open, a)
	}
	clear(g.attempts[len(open):])
	g.attempts = open
	m.forget(g)
}

// refuse says that a row begins no attempt.
func (m *Match) refuse(r *matchRow) {
	r.refused = true
	if r.saved {
		m.changed = append(m.changed, r)
	}
	m.results = append(m.results, matchResult{at: r.at.Time, place: r.at, first: r, err: &Error{Where: m.node.Where, Time: r.at.Time, Result: true,
		Err: fmt.Errorf("MATCH_RECOGNIZE has %d rows of one key from which a match may still come: shorten LIMIT DURATION or add PARTITION BY", m.most)}})
}

// expire decides the attempts of a group that take no row of time t or later.
func (m *Match) expire(g *matchGroup, t column.Ticks) {
	n := 0
	for n < len(g.attempts) && g.at(g.attempts[n].first).at.Time+m.node.Limit < t {
		m.decide(&g.attempts[n], g)
		n++
	}
	if n > 0 {
		g.attempts = slices.Delete(g.attempts, 0, n)
		m.forget(g)
	}
}

// forget drops the rows before the first attempt that is not decided.
func (m *Match) forget(g *matchGroup) {
	n := len(g.rows)
	if len(g.attempts) > 0 {
		n = int(g.attempts[0].first - g.base)
	}
	if n == 0 {
		return
	}
	for _, r := range g.rows[:n] {
		if r.saved {
			m.gone = append(m.gone, appendRowKey(nil, r.at, g.key, r.turn))
		}
		r.turn = over
	}
	clear(g.rows[:n])
	g.base += int64(n)
	if g.rows = g.rows[n:]; len(g.rows) == 0 {
		g.rows = nil
	}
	if g.held -= int32(n); g.held == 0 {
		m.live--
	}
}

// over is the turn of a row that is needed no more.
const over = ^uint32(0)

func (g *matchGroup) at(number int64) *matchRow { return g.rows[number-g.base] }

// begin are the ways on which an attempt begins.
func (m *Match) begin() []way {
	ways := make([]way, 0, len(m.pat.first))
	for _, s := range m.pat.first {
		if s != matched { // a sequence has a row at least
			ways = append(ways, way{state: s, sofar: make([]soFar, len(m.pat.defs))})
		}
	}
	return ways
}

// trail is by which ways an attempt went, row by row.
type trail struct {
	vars [][]int32 // the variables of the ways before each row
	from [][]int32 // by way behind each row: the way before it
	end  int32     // the way before the last row that ended there
}

// step goes on with a row of the group.
func (m *Match) step(a *attempt, g *matchGroup, number int64) { m.walk(a, g, number, nil) }

// walk is step; the trail, if there is one, is written.
func (m *Match) walk(a *attempt, g *matchGroup, number int64, tr *trail) {
	r := g.at(number)
	holds, err := m.holds(a, r)
	if err != nil {
		a.err, a.ways = m.failed(g.at(a.first), err), nil
		return
	}
	if tr != nil {
		vars := make([]int32, len(a.ways))
		for i := range a.ways {
			vars[i] = int32(m.pat.vars[a.ways[i].state])
		}
		tr.vars, tr.from = append(tr.vars, vars), append(tr.from, nil)
	}
	m.pat.call++
	var met map[string]bool // ways, where states alone do not tell them apart
	if len(m.pat.defs) > 0 {
		met = make(map[string]bool)
	}
	var next []way
	found := false
	for i := range a.ways {
		if !holds[i] {
			continue
		}
		x := &a.ways[i]
		sofar, err := m.count(x, m.pat.vars[x.state], r)
		if err != nil {
			a.err, a.ways = m.failed(g.at(a.first), err), nil
			return
		}
		for _, s := range m.pat.follow[x.state] {
			if s == matched {
				if !found {
					found, a.best = true, number
					if tr != nil {
						tr.end = int32(i)
					}
				}
				continue
			}
			if met == nil {
				if m.pat.met[s] == m.pat.call {
					continue
				}
				m.pat.met[s] = m.pat.call
			} else {
				key := wayKey(s, sofar)
				if met[key] {
					continue
				}
				met[key] = true
			}
			next = append(next, way{s, sofar})
			if tr != nil {
				tr.from[len(tr.from)-1] = append(tr.from[len(tr.from)-1], int32(i))
			}
		}
	}
	if a.ways = next; len(next) > maxWays {
		a.err, a.ways = m.failed(g.at(a.first), fmt.Errorf("a match of MATCH_RECOGNIZE is looked for on more than %d ways at once: let DEFINE tell its variables apart by the row alone", maxWays)), nil
	}
}

func wayKey(state int32, sofar []soFar) string {
	key := appendTicks(nil, column.Ticks(state))
	for _, s := range sofar {
		if s.set {
			key = column.AppendBinary(append(key, 1), s.v)
		} else {
			key = append(key, 0)
		}
	}
	return string(key)
}

// failed is the error of an attempt.
func (m *Match) failed(first *matchRow, err error) *Error {
	e := &Error{Where: m.node.Where, Time: first.at.Time, Err: err, Result: true}
	var p *placed
	if errors.As(err, &p) {
		e.Err, e.Where = p.err, p.where
	}
	return e
}

// holds reports which ways of an attempt take a row.
func (m *Match) holds(a *attempt, r *matchRow) ([]bool, error) {
	out := make([]bool, len(a.ways))
	var back []int // ways whose definitions look back
	for i := range a.ways {
		v := m.pat.vars[a.ways[i].state]
		if out[i] = v < 0 || r.takes&(1<<v) != 0; out[i] && v >= 0 && m.vars[v].soFar != nil {
			back = append(back, i)
		}
	}
	for len(back) > 0 {
		v := m.pat.vars[a.ways[back[0]].state]
		var of, rest []int
		for _, i := range back {
			if m.pat.vars[a.ways[i].state] == v {
				of = append(of, i)
			} else {
				rest = append(rest, i)
			}
		}
		back = rest
		b := m.lookBack(a, of, r)
		m.soFar = grown(m.soFar, b.Rows)
		if err := m.vars[v].soFar.test(b, compute.Rows{N: b.Rows}, m.soFar); err != nil {
			return nil, err.Err
		}
		for k, i := range of {
			out[i] = m.soFar[k] == compute.True
		}
	}
	return out, nil
}

// lookBack is a row as several ways see it, each with its aggregates so far.
func (m *Match) lookBack(a *attempt, ways []int, r *matchRow) *column.Batch {
	b := &column.Batch{Schema: m.schema, Rows: len(ways), Time: make([]column.Ticks, len(ways))}
	for i := range b.Time {
		b.Time[i] = r.at.Time
	}
	for c := range m.in.Fields {
		b.Cols = append(b.Cols, column.Constant(r.vals[c], len(ways)))
	}
	for i := range m.aggs {
		k := slices.Index(m.pat.defs, i)
		if k < 0 {
			b.Cols = append(b.Cols, column.Constant(column.Value{}, len(ways)))
			continue
		}
		of := column.NewBuilder(nil)
		for _, w := range ways {
			of.Append(a.ways[w].sofar[k].v)
		}
		b.Cols = append(b.Cols, of.Vector())
	}
	return b
}

// count adds a row that a variable takes to the aggregates of a way.
func (m *Match) count(x *way, v int, r *matchRow) ([]soFar, error) {
	if len(m.pat.defs) == 0 {
		return nil, nil
	}
	out := slices.Clone(x.sofar)
	for k, i := range m.pat.defs {
		a := &m.aggs[i]
		if a.spec.Var >= 0 && a.spec.Var != v {
			continue
		}
		s := &out[k]
		switch {
		case a.spec.Func == plan.MatchFirst && s.set:
		case a.extreme == nil:
			s.v = r.args[i]
		default:
			a.extreme.reset(0)
			a.extreme.add(0, s.v, column.Position{})
			a.extreme.add(0, r.args[i], column.Position{})
			var err error
			if s.v, err = a.extreme.result(0); err != nil {
				return nil, &placed{err, a.spec.Where}
			}
		}
		s.set = true
	}
	return out, nil
}

// decide makes the row of an attempt that goes on no more.
func (m *Match) decide(a *attempt, g *matchGroup) {
	first := g.at(a.first)
	res := matchResult{at: first.at.Time, place: first.at, first: first, err: a.err}
	if a.err == nil {
		if a.best < 0 {
			return
		}
		res.at = g.at(a.best).at.Time
		res.aggs, res.err = m.measure(a, g)
	}
	m.results = append(m.results, res)
}

// measure computes the aggregates of the longest sequence of an attempt. It goes the ways
// again, for an attempt does not keep by which it came.
func (m *Match) measure(a *attempt, g *matchGroup) ([]column.Value, *Error) {
	again, tr := attempt{first: a.first, best: -1, ways: m.begin()}, &trail{}
	for n := a.first; n <= a.best; n++ {
		m.walk(&again, g, n, tr)
	}
	vars := make([]int, a.best-a.first+1)
	at := tr.end
	for k := len(vars) - 1; k >= 0; k-- {
		if vars[k] = int(tr.vars[k][at]); k > 0 {
			at = tr.from[k-1][at]
		}
	}
	out := make([]column.Value, len(m.aggs))
	var failed *Error
	for i := range m.aggs {
		x := &m.aggs[i]
		if x.arg == nil {
			names := make([]column.Value, len(vars))
			for k, v := range vars {
				if names[k] = column.TextOf("."); v >= 0 {
					names[k] = column.TextOf(m.node.Vars[v].Name)
				}
			}
			out[i] = column.ArrayOf(names)
			continue
		}
		if x.extreme != nil {
			x.extreme.reset(0)
		}
		set := false
		for k, v := range vars {
			if x.spec.Var >= 0 && x.spec.Var != v {
				continue
			}
			arg := g.at(a.first + int64(k)).args[i]
			switch {
			case x.extreme != nil:
				x.extreme.add(0, arg, column.Position{})
			case x.spec.Func == plan.MatchLast || !set:
				out[i] = arg
			}
			set = true
		}
		if x.extreme == nil {
			continue
		}
		var err error
		if out[i], err = x.extreme.result(0); err != nil && failed == nil {
			failed = &Error{Where: x.spec.Where, Time: g.at(a.best).at.Time, Err: err, Result: true}
		}
	}
	return out, failed
}

// emit emits what has been decided, in order.
func (m *Match) emit(out Emit) error {
	slices.SortStableFunc(m.results, func(a, b matchResult) int {
		return cmp.Or(cmp.Compare(a.at, b.at), comparePlaces(&a.place, &b.place))
	})
	results := m.results
	m.results = nil
	for i := range results {
		r := &results[i]
		m.rows.begin(r.at, r.place)
		if r.err != nil {
			if err := m.rows.fails(r.err); err != nil {
				return m.rows.fail(err, out)
			}
		}
		for c := range r.first.vals {
			m.rows.cols[c].Append(r.first.vals[c])
		}
		for i := range m.aggs {
			v := column.Value{}
			if r.aggs != nil {
				v = r.aggs[i]
			}
			m.rows.cols[len(r.first.vals)+i].Append(v)
		}
		if err := m.rows.end(out); err != nil {
			return err
		}
	}
	return m.rows.flush(out)
}

// renumber forgets the keys of groups without rows, once they are the most.
func (m *Match) renumber() {
	if m.table.groups < 1024 || m.live*2 > m.table.groups {
		return
	}
	old, groups := m.table, m.groups
	n := len(m.keys)
	m.table, m.groups = newGroupKeys(n), nil
	to := make([]int32, old.groups)
	for g := range groups {
		if to[g] = -1; groups[g].held == 0 {
			continue
		}
		to[g] = m.table.id(keysOf(&old, n, int32(g)))
		m.groups = append(m.groups, groups[g])
		for _, r := range groups[g].rows {
			r.group = to[g]
		}
	}
	for _, r := range m.queue {
		r.group = to[r.group]
	}
	due := m.due
	m.due = nil
	for _, d := range due {
		if d.session = to[d.session]; d.session >= 0 {
			m.due.push(d)
		}
	}
}
