package state

// Under returns a section of one of several steps that share s: what is put into or
// deleted from it stands in s with part in front of the key. A first byte 0xff stays
// in front, because it says that every shard gets the entry. part is less than 0xff.
func (s *Section) Under(part byte) *Section { return &Section{shared: s, part: part} }

// within is the key in the section that is shared.
func (s *Section) within(key []byte) []byte {
	if len(key) > 0 && key[0] == everyShard {
		return append([]byte{everyShard, s.part}, key[1:]...)
	}
	return append([]byte{s.part}, key...)
}

// everyShard is the first byte of keys that every shard gets.
const everyShard = 0xff

// deleteWithin deletes a range in the section that is shared. There the keys of every
// shard lie apart from the others.
func (s *Section) deleteWithin(from, to []byte) {
	high := []byte{everyShard}
	if len(from) == 0 || from[0] < everyShard {
		end := []byte{s.part + 1}
		if len(to) > 0 && to[0] < everyShard || to != nil && len(to) == 0 {
			end = s.within(to)
		}
		s.shared.DeleteRange(s.within(from), end)
		from = high
	}
	switch {
	case to == nil && s.part+1 == everyShard:
		s.shared.DeleteRange(s.within(from), nil)
	case to == nil:
		s.shared.DeleteRange(s.within(from), []byte{everyShard, s.part + 1})
	case len(to) > 1 && to[0] == everyShard:
		s.shared.DeleteRange(s.within(from), s.within(to))
	}
}
