package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/state"
)

// session aggregates over sessions: rows of one session key that follow each
// other within the timeout, cut at grid points of the maximum duration.
type session struct {
	*grouping
	timeout, longest column.Ticks
	over             []value
	open             map[string]*openSession
	closed           []*openSession
}

type openSession struct {
	key   []column.Value
	last  column.Ticks
	bound column.Ticks
	table *groupTable

	// emitted: the session was cut and its row is out; it is remembered because a row
	// within the timeout continues it.
	emitted bool
}

// end is when the session closes if no further row extends it.
func (o *openSession) end(timeout column.Ticks) column.Ticks { return min(o.last+timeout, o.bound) }

func newSession(n *plan.Aggregate) (*session, error) {
	g, err := newGrouping(n)
	if err != nil {
		return nil, err
	}
	w := n.Windows[0]
	s := &session{grouping: g, timeout: w.Size, longest: w.Hop, open: make(map[string]*openSession)}
	s.over, err = compileAll(w.OverKey)
	return s, err
}

// Process implements Operator.
func (s *session) Process(_ int, b *column.Batch, _ Emit) error {
	e, err := s.evaluate(b)
	if err != nil {
		return err
	}
	key := make([]column.Value, len(s.over))
	for k := range e.rows.Len() {
		i := e.rows.Row(k)
		var name []byte
		for j, v := range s.over {
			o, err := v.eval(b, e.rows)
			if err != nil {
				return rowError(b, err)
			}
			key[j] = o.At(i)
			name = column.AppendKey(name, key[j])
		}
		it := e.item(b, i)
		if err := s.add(string(name), key, &it); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) add(name string, key []column.Value, it *item) error {
	t := it.pos.Time
	o := s.open[name]
	if o == nil || t > o.end(s.timeout) {
		next := &openSession{key: append([]column.Value(nil), key...), table: newGroupTable(len(s.keys), s.newAllAccumulators())}
		next.bound = t.CeilTo(s.longest, 0) + s.longest
		if o != nil {
			if !o.emitted {
				s.closed = append(s.closed, o)
			}
			if t-o.last <= s.timeout { // cut, not silent: the next may be cut at every grid point
				next.bound = t.CeilTo(s.longest, 0)
			}
		}
		o = next
		s.open[name] = o
	}
	o.last = t
	tuple := make([]uint32, len(s.keys))
	for k := range tuple {
		tuple[k] = o.table.cols[k].code(it.keys[k])
	}
	g, fresh := o.table.find(tuple)
	o.table.room()
	if fresh {
		o.table.first[g] = it.pos
	}
	return s.apply(o.table.accs, g, it)
}

// Advance implements Operator.
func (s *session) Advance(w column.Ticks, out Emit) error {
	due := s.closed
	s.closed = nil
	for name, o := range s.open {
		if !o.emitted && o.end(s.timeout) < w {
			due = append(due, o)
			o = &openSession{key: o.key, last: o.last, bound: o.bound, table: newGroupTable(len(s.keys), s.newAllAccumulators()), emitted: true}
			s.open[name] = o
		}
		if o.emitted && o.last+s.timeout < w {
			delete(s.open, name)
		}
	}
	sort.Slice(due, func(i, j int) bool {
		a, b := due[i].end(s.timeout), due[j].end(s.timeout)
		if a != b {
			return a < b
		}
		return due[i].table.first[0].Before(due[j].table.first[0])
	})
	for _, o := range due {
		b, err := s.rows(o.table, o.table.order(), o.end(s.timeout), s.node.Windows[0].ID)
		if err != nil {
			return err
		}
		if err := out.Rows(b); err != nil {
			return err
		}
	}
	return out.Advance(w)
}

// snapshot appends the state.
func (s *session) snapshot(dst []byte) []byte {
	names := make([]string, 0, len(s.open))
	for n := range s.open {
		names = append(names, n)
	}
	sort.Strings(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, n := range names {
		dst = s.open[n].appendTo(appendText(dst, n))
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.closed)))
	for _, o := range s.closed {
		dst = o.appendTo(dst)
	}
	return dst
}

func (o *openSession) appendTo(dst []byte) []byte {
	for _, v := range o.key {
		dst = column.AppendBinary(dst, v)
	}
	dst = appendTicks(appendTicks(dst, o.last), o.bound)
	if o.emitted {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	return o.table.appendTo(dst)
}

func (s *session) readSession(r *stateReader) *openSession {
	o := &openSession{table: newGroupTable(len(s.keys), s.newAllAccumulators())}
	for range s.over {
		o.key = append(o.key, r.value())
	}
	o.last, o.bound = r.ticks(), r.ticks()
	o.emitted = r.byte() == 1
	o.table.readFrom(r)
	return o
}

// restore takes a snapshot into a new operator.
func (s *session) restore(b []byte) error {
	r := &stateReader{b: b}
	for range r.count() {
		name := r.text()
		s.open[name] = s.readSession(r)
	}
	for range r.count() {
		s.closed = append(s.closed, s.readSession(r))
	}
	return r.done()
}

// Freeze implements Operator.
func (s *session) Freeze() (state.Frozen, error) { return whole(s.snapshot(nil)), nil }

// Load implements Operator.
func (s *session) Load(e state.Entry) error { return s.restore(e.Value) }
