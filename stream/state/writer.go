package state

import (
	"bytes"
	"sort"
)

// Writer gathers the changes of one checkpoint. One goroutine uses it.
type Writer struct {
	sections map[string]*Section
}

// NewWriter returns an empty writer.
func NewWriter() *Writer { return &Writer{sections: make(map[string]*Section)} }

// Step returns the section of a step, by its fingerprint, for the shard that holds
// the key groups from..to-1: what a shard deletes by range is deleted for its groups
// alone.
func (w *Writer) Step(id string, from, to int) *Section {
	s := w.sections[id]
	if s == nil {
		s = new(Section)
		w.sections[id] = s
	}
	s.first, s.last = uint8(from), uint8(to-1)
	return s
}

// Empty reports whether nothing was put or deleted.
func (w *Writer) Empty() bool {
	for _, s := range w.sections {
		if len(s.entries) > 0 || len(s.ranges) > 0 {
			return false
		}
	}
	return true
}

// Section gathers the changes of one step.
type Section struct {
	first, last uint8 // key groups of the shard that writes now
	entries     []change
	ranges      []keyRange
	arena       []byte

	shared *Section // not nil: what Under returned stands in it
	part   byte
}

// change is an entry that was put or, with gone set, deleted.
type change struct {
	key, value []byte
	group      uint8
	gone       bool
}

// keyRange holds the keys from <= k < to of the groups first..last; to nil: to the
// end.
type keyRange struct {
	first, last uint8
	from, to    []byte
}

func (r keyRange) has(c *change) bool {
	return r.first <= c.group && c.group <= r.last && bytes.Compare(r.from, c.key) <= 0 && (r.to == nil || bytes.Compare(c.key, r.to) < 0)
}

// keep copies b into the arena.
func (s *Section) keep(b []byte) []byte {
	if len(b) > cap(s.arena)-len(s.arena) {
		s.arena = make([]byte, 0, max(64<<10, len(b)))
	}
	n := len(s.arena)
	s.arena = append(s.arena, b...)
	return s.arena[n:len(s.arena):len(s.arena)]
}

// Put sets an entry. It copies key and value.
func (s *Section) Put(group uint8, key, value []byte) {
	if s.shared != nil {
		s.shared.Put(group, s.within(key), value)
		return
	}
	s.entries = append(s.entries, change{key: s.keep(key), value: s.keep(value), group: group})
}

// Delete removes an entry, if there is one.
func (s *Section) Delete(key []byte) {
	if s.shared != nil {
		s.shared.Delete(s.within(key))
		return
	}
	s.entries = append(s.entries, change{key: s.keep(key), gone: true})
}

// DeleteRange removes every entry of the shard with from <= key < to; to nil: to the end.
// What is put later stays.
func (s *Section) DeleteRange(from, to []byte) {
	if s.shared != nil {
		s.deleteWithin(from, to)
		return
	}
	r := keyRange{first: s.first, last: s.last, from: s.keep(from)}
	if to != nil {
		r.to = s.keep(to)
	}
	kept := s.entries[:0]
	for i := range s.entries {
		if s.entries[i].gone || !r.has(&s.entries[i]) {
			kept = append(kept, s.entries[i])
		}
	}
	s.entries = kept
	s.ranges = append(s.ranges, r)
}

// finish sorts the changes, the last of a key deciding, and joins the ranges.
func (s *Section) finish() {
	sort.SliceStable(s.entries, func(i, j int) bool { return bytes.Compare(s.entries[i].key, s.entries[j].key) < 0 })
	kept := s.entries[:0]
	for i, c := range s.entries {
		if i+1 < len(s.entries) && bytes.Equal(c.key, s.entries[i+1].key) {
			continue
		}
		kept = append(kept, c)
	}
	s.entries = kept
	sort.SliceStable(s.ranges, func(i, j int) bool {
		a, b := &s.ranges[i], &s.ranges[j]
		switch {
		case a.first != b.first:
			return a.first < b.first
		case a.last != b.last:
			return a.last < b.last
		}
		return bytes.Compare(a.from, b.from) < 0
	})
	var joined []keyRange
	for _, r := range s.ranges {
		if n := len(joined); n > 0 && joined[n-1].first == r.first && joined[n-1].last == r.last && (joined[n-1].to == nil || bytes.Compare(r.from, joined[n-1].to) <= 0) {
			if last := &joined[n-1]; last.to != nil && (r.to == nil || bytes.Compare(r.to, last.to) > 0) {
				last.to = r.to
			}
			continue
		}
		joined = append(joined, r)
	}
	s.ranges = joined
}
