package state

// Under returns a section of one of several steps that share s: what is put into or
// deleted from it stands in s with part in front of the key. A first byte 0xff stays
// in front, because it says that every shard gets the entry. part is less than 0xff.
func (s *Section) Under(part byte) *Section { return &Section{shared: s, part: part} }

// within is the key in the section that is shared.
func (s *Section) within(key []byte) []byte {
	if len(key) > 0 && key[0] == EveryShard {
		return append([]byte{EveryShard, s.part}, key[1:]...)
	}
	return append([]byte{s.part}, key...)
}

// deleteWithin deletes a range in the section that is shared. There the keys of every
// shard lie apart from the others.
func (s *Section) deleteWithin(from, to []byte) {
	high := []byte{EveryShard}
	if len(from) == 0 || from[0] < EveryShard {
		end := []byte{s.part + 1}
		if len(to) > 0 && to[0] < EveryShard || to != nil && len(to) == 0 {
			end = s.within(to)
		}
		s.shared.DeleteRange(s.within(from), end)
		from = high
	}
	switch {
	case to == nil && s.part+1 == EveryShard:
		s.shared.DeleteRange(s.within(from), nil)
	case to == nil:
		s.shared.DeleteRange(s.within(from), []byte{EveryShard, s.part + 1})
	case len(to) > 1 && to[0] == EveryShard:
		s.shared.DeleteRange(s.within(from), s.within(to))
	}
}
