package exec

import (
	"bytes"
	"encoding/binary"

	"spate/column"
	"spate/stream/state"
)

// The state of a session window is an entry per group of a session, and one per
// session that was cut and may go on. The end of a session follows from its groups.
//
//	00 session-key start 01 group-key   session key, bound, last, first row, keys, accumulators
//	00 session-key start                session key, last
const (
	sessionEntry = 0x00
	groupMark    = 0x01
)

// sessionChanges is what differs from the state.
type sessionChanges struct {
	groups []int32  // perhaps changed; dirty says so
	cut    []int32  // perhaps cut since
	gone   [][]byte // keys of entries to delete
}

func (c *sessionChanges) drop(key []byte) { c.gone = append(c.gone, key) }

// touch says that a group differs from the state.
func (s *session) touch(g int32) {
	if !s.groups[g].dirty {
		s.groups[g].dirty = true
		s.changed.groups = append(s.changed.groups, g)
	}
}

// sessionKey appends the key of a session that was cut.
func (s *session) sessionKey(dst []byte, o *openSession) []byte {
	dst = s.overs.appendKey(append(dst, sessionEntry), int(o.over))
	return appendSortable(dst, int64(o.start))
}

// groupKey appends the key of a group.
func (s *session) groupKey(dst []byte, g int32) []byte {
	dst = append(s.sessionKey(dst, &s.sessions[s.groups[g].session]), groupMark)
	return s.table.appendKey(dst, int(s.groups[g].key))
}

// frozenSession is what changed between two checkpoints.
type frozenSession struct {
	gone    [][]byte
	entries []sessionFrozenEntry
	bytes   []byte // the keys and values of entries
	accs    []accumulators
}

// sessionFrozenEntry is an entry to put. state is the number of the accumulators that
// end its value; noGroup: none.
type sessionFrozenEntry struct {
	keyGroup   uint8
	key, value int // where they end in bytes
	state      int32
}

// Freeze implements Operator.
func (s *session) Freeze() (state.Frozen, error) {
	f := &frozenSession{gone: s.changed.gone}
	var groups []int32
	for _, g := range s.changed.groups {
		if !s.groups[g].dirty { // over since, or listed twice
			continue
		}
		s.groups[g].dirty, s.groups[g].saved = false, true
		s.freezeGroup(f, g, int32(len(groups)))
		groups = append(groups, g)
	}
	for _, id := range s.changed.cut {
		if o := &s.sessions[id]; o.phase == sessionCut && !o.saved {
			o.saved = true
			s.freezeCut(f, o)
		}
	}
	s.changed = sessionChanges{}
	if len(f.gone) == 0 && len(f.entries) == 0 {
		return nil, nil
	}
	for a := range s.accs {
		f.accs = append(f.accs, s.accs[a].clone(groups))
	}
	return f.write, nil
}

func (s *session) freezeGroup(f *frozenSession, id, number int32) {
	g := &s.groups[id]
	o := &s.sessions[g.session]
	e := sessionFrozenEntry{keyGroup: s.keyGroup(o), state: number}
	f.bytes = s.groupKey(f.bytes, id)
	e.key = len(f.bytes)
	b := appendTicks(appendTicks(s.appendOver(f.bytes, o), o.bound), g.last)
	b = appendTicks(appendTicks(b, g.first.Time), g.first.Arrived)
	b = binary.AppendVarint(binary.AppendVarint(b, g.first.Seq), g.first.Index)
	odd := s.odd[id]
	for k := range s.keys {
		if odd != nil {
			b = column.AppendBinary(b, odd[k])
		} else {
			b = column.AppendBinary(b, s.table.key(int(g.key), k))
		}
	}
	f.bytes, e.value = b, len(b)
	f.entries = append(f.entries, e)
}

func (s *session) freezeCut(f *frozenSession, o *openSession) {
	e := sessionFrozenEntry{keyGroup: s.keyGroup(o), state: noGroup}
	f.bytes = s.sessionKey(f.bytes, o)
	e.key = len(f.bytes)
	f.bytes = appendTicks(s.appendOver(f.bytes, o), o.last)
	e.value = len(f.bytes)
	f.entries = append(f.entries, e)
}

func (s *session) keyGroup(o *openSession) uint8 {
	return keyGroup(s.overs.appendKey(nil, int(o.over)))
}

func (s *session) appendOver(dst []byte, o *openSession) []byte {
	for k := range s.over {
		dst = column.AppendBinary(dst, s.overs.key(int(o.over), k))
	}
	return dst
}

func (f *frozenSession) write(to *state.Section) {
	for _, key := range f.gone {
		to.Delete(key)
	}
	from := 0
	var value []byte
	for _, e := range f.entries {
		value = append(value[:0], f.bytes[e.key:e.value]...)
		if e.state != noGroup {
			for a := range f.accs {
				value = f.accs[a].appendTo(value, e.state)
			}
		}
		to.Put(e.keyGroup, f.bytes[from:e.key], value)
		from = e.value
	}
}

// Load implements Operator.
func (s *session) Load(e state.Entry) error {
	r := &stateReader{b: e.Value}
	over := make([]column.Value, len(s.over))
	for k := range over {
		over[k] = r.value()
	}
	if r.err != nil {
		return r.err
	}
	o := openSession{over: s.overs.id(over), first: noGroup, saved: true}
	s.room()
	name := s.overs.appendKey([]byte{sessionEntry}, int(o.over))
	rest, ok := bytes.CutPrefix(e.Key, name)
	if !ok || len(rest) < 8 {
		return errState
	}
	o.start = column.Ticks(binary.BigEndian.Uint64(rest) ^ 1<<63)
	if len(rest) == 8 {
		o.last, o.phase = r.ticks(), sessionCut
		if err := r.done(); err != nil {
			return err
		}
		s.open(o)
		return nil
	}
	return s.loadGroup(r, o)
}

// loadGroup reads a group of session o. The groups of a session come in a row, the
// sessions of a key in the order of their starts.
func (s *session) loadGroup(r *stateReader, o openSession) error {
	o.saved, o.bound = false, r.ticks()
	last := r.ticks()
	first := column.Position{Time: r.ticks(), Arrived: r.ticks(), Seq: r.varint(), Index: r.varint()}
	keys := make([]column.Value, len(s.keys))
	for k := range keys {
		keys[k] = r.value()
	}
	if r.err != nil {
		return r.err
	}
	id := s.current[o.over]
	if id == noSession || s.sessions[id].start != o.start {
		o.last = last
		id = s.open(o)
	}
	s.sessions[id].last = max(s.sessions[id].last, last)
	key := s.table.id(keys)
	g, _ := s.groupIn(id, key)
	s.groups[g].first, s.groups[g].last, s.groups[g].saved = first, last, true
	for k := range keys {
		if !exactly(keys[k], s.table.key(int(key), k)) {
			s.odd[g] = keys
			break
		}
	}
	for a := range s.accs {
		s.accs[a].grow(len(s.groups))
		s.accs[a].readFrom(r, g)
	}
	return r.done()
}
