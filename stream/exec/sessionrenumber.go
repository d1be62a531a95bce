package exec

import "spate/column"

// renumber forgets the keys, sessions and groups that are over, once they are the
// most.
func (s *session) renumber() {
	live := len(s.sessions) - len(s.unused) + len(s.groups) - len(s.spare)
	if s.overs.groups+s.table.groups+len(s.groups)+len(s.sessions) <= 4096+4*live {
		return
	}
	overs, table := s.overs, s.table
	s.newTables()
	sessions := s.keepSessions(overs)
	s.keepGroups(sessions, table)
}

// keepSessions numbers the sessions and their keys, which overs held, anew. It returns
// the new number of each old session.
func (s *session) keepSessions(overs *groupKeys) []int32 {
	old, due, current := s.sessions, s.due, s.current
	s.sessions, s.unused, s.due, s.current = nil, nil, nil, nil
	to := make([]int32, len(old))
	for i := range to {
		to[i] = noSession
	}
	for _, d := range due { // of each session that is not over, and of some that are
		o := old[d.session]
		if o.phase == sessionOver {
			continue
		}
		newest := current[o.over] == d.session
		o.over = s.overs.id(keysOf(overs, len(s.over), o.over))
		s.room()
		id := int32(len(s.sessions))
		to[d.session] = id
		s.sessions = append(s.sessions, o)
		s.due.push(deadline{d.at, id})
		if newest {
			s.current[o.over] = id
		}
	}
	s.changed.cut = renamed(s.changed.cut, to)
	return to
}

// keepGroups numbers the groups and their keys, which table held, anew.
func (s *session) keepGroups(sessions []int32, table *groupKeys) {
	old, odd := s.groups, s.odd
	s.groups, s.spare = nil, nil
	s.more, s.odd = make(map[groupOf]int32), make(map[int32][]column.Value)
	to := make([]int32, len(old))
	var kept []int32
	for i := range old {
		to[i] = noGroup
		if old[i].session != noSession {
			to[i] = int32(len(kept))
			kept = append(kept, int32(i))
		}
	}
	for n, i := range kept {
		g := old[i]
		g.session, g.key = sessions[g.session], s.table.id(keysOf(table, len(s.keys), g.key))
		if g.next != noGroup {
			g.next = to[g.next]
		}
		s.groups = append(s.groups, g)
		if keys := odd[i]; keys != nil {
			s.odd[int32(n)] = keys
		}
	}
	for id := range s.sessions {
		o := &s.sessions[id]
		if o.first == noGroup {
			continue
		}
		o.first = to[o.first]
		for g := s.groups[o.first].next; g != noGroup; g = s.groups[g].next {
			s.more[groupOf{int32(id), s.groups[g].key}] = g
		}
	}
	for a := range s.accs {
		s.accs[a] = s.accs[a].clone(kept)
	}
	s.changed.groups = renamed(s.changed.groups, to)
}

// renamed lists what is left of a list under its new numbers.
func renamed(list, to []int32) []int32 {
	var out []int32
	for _, n := range list {
		if to[n] >= 0 {
			out = append(out, to[n])
		}
	}
	return out
}
