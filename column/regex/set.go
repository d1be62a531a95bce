package regex

import "unicode"

// span is a range of characters, both ends included.
type span struct{ from, to rune }

// set is a class of characters.
type set struct {
	spans []span
	parts []part // classes in the class
	not   bool
	fold  bool
	ascii [2]uint64 // of all that: which of the first 128 it has
}

// part is a class such as \d or \P{L}.
type part struct {
	spans []span
	table *unicode.RangeTable // instead of spans
	not   bool
}

// Classes as ECMAScript has them; digits and words are ASCII.
var (
	digitSpans = []span{{'0', '9'}}
	wordSpans  = []span{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	spaceSpans = []span{{9, 13}, {' ', ' '}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
		{0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}}
	lineSpans = []span{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
)

func in(spans []span, r rune) bool {
	for _, s := range spans {
		if s.from <= r && r <= s.to {
			return true
		}
	}
	return false
}

func (p *part) has(r rune) bool {
	if p.table != nil {
		return unicode.Is(p.table, r) != p.not
	}
	return in(p.spans, r) != p.not
}

// seal computes what the set has of ASCII. The set does not change any more.
func (s *set) seal() *set {
	for r := range rune(128) {
		low := r
		if s.fold {
			low = unicode.ToLower(r)
		}
		if s.look(low) {
			s.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return s
}

// has reports whether the set has a character, which is in lower case if the set
// ignores case.
func (s *set) has(r rune) bool {
	if uint32(r) < 128 {
		return s.ascii[r>>6]>>(r&63)&1 != 0
	}
	return s.look(r)
}

func (s *set) look(r rune) bool {
	found := in(s.spans, r)
	if s.fold && !found {
		for x := unicode.SimpleFold(r); x != r && !found; x = unicode.SimpleFold(x) {
			found = unicode.ToLower(x) == r && in(s.spans, x)
		}
	}
	for i := 0; i < len(s.parts) && !found; i++ {
		found = s.parts[i].has(r) || s.fold && s.parts[i].table != nil && s.parts[i].has(unicode.ToUpper(r))
	}
	return found != s.not
}

func isWord(r rune) bool { return in(wordSpans, r) }
