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

// Step returns the section of a step, by its fingerprint.
func (w *Writer) Step(id string) *Section {
	s := w.sections[id]
	if s == nil {
		s = new(Section)
		w.sections[id] = s
	}
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
	entries []change
	ranges  []keyRange
	arena   []byte

	shared *Section // not nil: what Under returned stands in it
	part   byte
}

// change is an entry that was put or, with gone set, deleted.
type change struct {
	key, value []byte
	group      uint8
	gone       bool
}

// keyRange holds the keys from <= k < to; to nil: to the end.
type keyRange struct{ from, to []byte }

func (r keyRange) has(key []byte) bool {
	return bytes.Compare(r.from, key) <= 0 && (r.to == nil || bytes.Compare(key, r.to) < 0)
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

// DeleteRange removes every entry with from <= key < to; to nil: to the end. What
// is put later stays.
func (s *Section) DeleteRange(from, to []byte) {
	if s.shared != nil {
		s.deleteWithin(from, to)
		return
	}
	r := keyRange{from: s.keep(from)}
	if to != nil {
		r.to = s.keep(to)
	}
	kept := s.entries[:0]
	for _, c := range s.entries {
		if !r.has(c.key) {
			kept = append(kept, c)
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
	sort.SliceStable(s.ranges, func(i, j int) bool { return bytes.Compare(s.ranges[i].from, s.ranges[j].from) < 0 })
	var joined []keyRange
	for _, r := range s.ranges {
		if n := len(joined); n > 0 && (joined[n-1].to == nil || bytes.Compare(r.from, joined[n-1].to) <= 0) {
			if last := &joined[n-1]; last.to != nil && (r.to == nil || bytes.Compare(r.to, last.to) > 0) {
				last.to = r.to
			}
			continue
		}
		joined = append(joined, r)
	}
	s.ranges = joined
}
