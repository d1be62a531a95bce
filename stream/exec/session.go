package exec

import (
	"bytes"
	"slices"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
)

// session aggregates over sessions: rows of one session key that follow each
// other within the timeout, cut at grid points of the maximum duration.
type session struct {
	*grouping
	timeout, longest column.Ticks
	id               column.Value
	over             []value
	alike            bool // the session keys are the keys of the groups

	overs    *groupKeys // of sessions; with alike set, it is table
	current  []int32    // by number of overs: the newest session; noSession: none
	sessions []openSession
	unused   []int32   // numbers of sessions that are over
	due      deadlines // every session that is not over has one

	table  *groupKeys     // the keys of groups
	groups []sessionGroup // of all sessions
	spare  []int32        // numbers of groups that are over
	more   map[groupOf]int32
	odd    map[int32][]column.Value // keys of groups that print otherwise than table says
	accs   []accumulators           // by aggregate; states by number of groups

	overIDs, keyIDs, ids []int32 // scratch of Process
	closing              []closedGroup
	rows                 *orderedRows
	e                    evaluated
	overKeys             []compute.Operand // the session keys of the batch that was computed last

	changed sessionChanges
}

const noSession = -1

// openSession is a session whose row is not out or that may still go on.
type openSession struct {
	over        int32
	phase       sessionPhase
	saved       bool // the state has the entry of a cut session
	first       int32
	start, last column.Ticks
	bound       column.Ticks
}

type sessionPhase uint8

const (
	sessionOpen sessionPhase = iota
	sessionCut               // cut, and its rows are out: a row within the timeout goes on with it
	sessionOver              // waits for its deadline to come up
)

// sessionGroup is a group of one session.
type sessionGroup struct {
	session int32
	key     int32 // number of table
	next    int32 // next group of the session; noGroup: none
	dirty   bool  // changed since the last Freeze
	saved   bool  // the state has it
	first   column.Position
	last    column.Ticks
}

const noGroup = -1

// groupOf names a group of a session that is not its first.
type groupOf struct{ session, key int32 }

// closedGroup is a group whose row is due.
type closedGroup struct {
	end   column.Ticks
	group int32
}

// end is when the session closes if no further row extends it.
func (s *session) end(o *openSession) column.Ticks { return min(o.last+s.timeout, o.bound) }

func newSession(n *plan.Aggregate) (*session, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	w := &n.Windows[0]
	s := &session{
		grouping: g, timeout: w.Size, longest: w.Hop, id: windowID(w),
		more: make(map[groupOf]int32), odd: make(map[int32][]column.Value), rows: newOrderedRows(g.schema, &g.skips), e: newEvaluated(g),
	}
	for a := range g.aggs {
		s.accs = append(s.accs, newAccumulators(&g.aggs[a]))
	}
	if s.over, err = compileAll(w.OverKey); err != nil {
		return nil, err
	}
	s.overKeys = make([]compute.Operand, len(s.over))
	s.alike = slices.EqualFunc(s.over, s.keys, sameColumn)
	s.newTables()
	return s, nil
}

// sameColumn reports whether two expressions are the same column of the input.
func sameColumn(a, b value) bool {
	c, ok := a.(columnRef)
	return ok && b == value(c)
}

func (s *session) newTables() {
	s.table = newKeys(len(s.keys))
	if s.overs = s.table; !s.alike {
		s.overs = newKeys(len(s.over))
	}
}

func newKeys(n int) *groupKeys {
	t := newGroupKeys(n)
	return &t
}

// Process implements Operator.
func (s *session) Process(_ int, b *column.Batch, _ Emit) error {
	b, err := sound(s, b, s.skip)
	if b != nil {
		s.take(b)
	}
	return err
}

func (s *session) compute(b *column.Batch) *compute.RowError {
	if err := s.e.of(s.grouping, b); err != nil || s.alike {
		return err
	}
	return operands(s.over, b, s.overKeys)
}

// take adds the rows of the batch that was computed last to their sessions.
func (s *session) take(b *column.Batch) {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	s.keyIDs, s.ids = grown(s.keyIDs, b.Rows), grown(s.ids, b.Rows)
	s.table.idsOf(s.e.keys, b, rows, s.keyIDs)
	overIDs := s.keyIDs
	if !s.alike {
		s.overIDs = grown(s.overIDs, b.Rows)
		overIDs = s.overIDs
		s.overs.idsOf(s.overKeys, b, rows, overIDs)
	}
	s.room()
	for k := range rows.Len() {
		i := rows.Row(k)
		t := b.Time[i]
		id := s.sessionAt(overIDs[i], t)
		g, fresh := s.groupIn(id, s.keyIDs[i])
		if fresh {
			s.groups[g].first = column.PositionOf(b, i)
			if keys := s.e.spelling(s.table, s.keyIDs[i], i); keys != nil {
				s.odd[g] = keys
			}
		}
		s.sessions[id].last, s.groups[g].last = t, t
		s.touch(g)
		s.ids[i] = g
	}
	for a := range s.aggs {
		s.accs[a].grow(len(s.groups))
		s.accs[a].addRows(s.ids, s.e.args[a], b, rows)
	}
}

// room makes place for every session key.
func (s *session) room() {
	for len(s.current) < s.overs.groups {
		s.current = append(s.current, noSession)
	}
}

// sessionAt returns the session of a key that a row of time t belongs to.
func (s *session) sessionAt(over int32, t column.Ticks) int32 {
	bound := t.CeilTo(s.longest, 0) + s.longest
	if id := s.current[over]; id != noSession {
		o := &s.sessions[id]
		if o.phase == sessionOpen && t <= s.end(o) {
			return id
		}
		if t-o.last <= s.timeout { // cut, not silent: it may be cut at every grid point
			bound = t.CeilTo(s.longest, 0)
		}
		if o.phase == sessionCut {
			s.forgetCut(id)
		}
	}
	return s.open(openSession{over: over, start: t, last: t, bound: bound, first: noGroup})
}

// open makes o the newest session of its key.
func (s *session) open(o openSession) int32 {
	id := int32(len(s.sessions))
	if n := len(s.unused); n > 0 {
		id = s.unused[n-1]
		s.unused = s.unused[:n-1]
	} else {
		s.sessions = append(s.sessions, openSession{})
	}
	s.sessions[id] = o
	s.current[o.over] = id
	at := s.end(&o)
	if o.phase == sessionCut {
		at = o.last + s.timeout
	}
	s.due.push(deadline{at, id})
	return id
}

// groupIn returns the group of a session with that key.
func (s *session) groupIn(id, key int32) (g int32, fresh bool) {
	o := &s.sessions[id]
	if o.first != noGroup {
		if s.groups[o.first].key == key {
			return o.first, false
		}
		if g, ok := s.more[groupOf{id, key}]; ok {
			return g, false
		}
	}
	g = int32(len(s.groups))
	if n := len(s.spare); n > 0 {
		g = s.spare[n-1]
		s.spare = s.spare[:n-1]
	} else {
		s.groups = append(s.groups, sessionGroup{})
	}
	s.groups[g] = sessionGroup{session: id, key: key, next: noGroup}
	if o.first == noGroup {
		o.first = g
		return g, true
	}
	s.groups[g].next = s.groups[o.first].next
	s.groups[o.first].next = g
	s.more[groupOf{id, key}] = g
	return g, true
}

// Advance implements Operator.
func (s *session) Advance(w column.Ticks, out Emit) error {
	s.closing = s.closing[:0]
	for len(s.due) > 0 && s.due[0].at < w {
		s.expire(s.due.pop().session, w)
	}
	if len(s.closing) > 1 {
		slices.SortFunc(s.closing, s.order)
	}
	for _, c := range s.closing {
		if err := s.emit(c, out); err != nil {
			return s.rows.fail(err, out)
		}
	}
	if err := s.rows.flush(out); err != nil {
		return err
	}
	for _, c := range s.closing {
		s.release(c.group)
	}
	s.renumber()
	return out.Advance(w)
}

// expire looks at a session whose deadline came up. Rows have moved its end since,
// perhaps.
func (s *session) expire(id int32, w column.Ticks) {
	o := &s.sessions[id]
	end, silent := s.end(o), o.last+s.timeout
	switch {
	case o.phase == sessionOpen && end >= w:
		s.due.push(deadline{end, id})
		return
	case o.phase == sessionOpen:
		for g := o.first; g != noGroup; g = s.groups[g].next {
			s.closing = append(s.closing, closedGroup{end, g})
			if g != o.first {
				delete(s.more, groupOf{id, s.groups[g].key})
			}
		}
		if s.current[o.over] == id && silent >= w {
			o.phase, o.first = sessionCut, noGroup
			s.changed.cut = append(s.changed.cut, id)
			s.due.push(deadline{silent, id})
			return
		}
	case o.phase == sessionCut:
		s.forgetCut(id)
	}
	if s.current[o.over] == id {
		s.current[o.over] = noSession
	}
	o.phase = sessionOver
	s.unused = append(s.unused, id)
}

// forgetCut says that nothing goes on with a session that was cut.
func (s *session) forgetCut(id int32) {
	o := &s.sessions[id]
	if o.saved {
		s.changed.drop(s.sessionKey(nil, o))
	}
	o.phase = sessionOver
}

// release makes a group whose row is out free for another one.
func (s *session) release(g int32) {
	if s.groups[g].saved {
		s.changed.drop(s.groupKey(nil, g))
	}
	s.groups[g] = sessionGroup{session: noSession}
	delete(s.odd, g)
	for a := range s.accs {
		s.accs[a].reset(g)
	}
	s.spare = append(s.spare, g)
}

// order compares rows by time, then by where they stand: where the first row of the
// group does. Groups that tie are in the order of their keys, so that the order is the
// same behind a restore.
func (s *session) order(a, b closedGroup) int {
	switch {
	case a.end != b.end:
		if a.end < b.end {
			return -1
		}
		return 1
	case s.groups[a.group].first != s.groups[b.group].first:
		if o := comparePlaces(&s.groups[a.group].first, &s.groups[b.group].first); o != 0 {
			return o
		}
	}
	return bytes.Compare(s.groupKey(nil, a.group), s.groupKey(nil, b.group))
}

// emit makes the row of a group.
func (s *session) emit(c closedGroup, out Emit) error {
	g := &s.groups[c.group]
	s.rows.begin(c.end, g.first)
	odd := s.odd[c.group]
	for k := range s.keys {
		if odd != nil {
			s.rows.cols[k].Append(odd[k])
		} else {
			s.rows.cols[k].Append(s.table.key(int(g.key), k))
		}
	}
	for a := range s.aggs {
		v, err := s.accs[a].result(c.group)
		if err != nil {
			if err := s.rows.fails(s.failed(a, c.end, err)); err != nil {
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
