package column

import (
	"slices"
	"weak"
)

// Translation turns the codes of dictionaries into numbers of its owner's, each code
// once: rows of several partitions come with a dictionary per partition, in turns. It
// keeps no dictionary alive.
type Translation struct {
	tables []translated
	oldest int // of tables: the next one to give way
}

type translated struct {
	owner weak.Pointer[Dict]
	to    []uint32 // by code: the number + 1; 0: none yet
}

// maxTranslated is how many dictionaries are translated side by side. With more in
// turns the tables are filled again and again, which costs and is not wrong.
const maxTranslated = 32

// Of returns the table of v's dictionary, with room for all of its codes: by code the
// number + 1 that the caller has put there, 0 for none yet. It is valid until the next
// call of Of or Reset.
func (t *Translation) Of(v *DictView) []uint32 {
	owner := weak.Make(v.owner)
	at := slices.IndexFunc(t.tables, func(x translated) bool { return x.owner == owner })
	if at < 0 {
		at = t.add(owner)
	}
	x := &t.tables[at]
	if n := v.Len() - len(x.to); n > 0 {
		x.to = append(x.to, make([]uint32, n)...)
	}
	return x.to
}

func (t *Translation) add(owner weak.Pointer[Dict]) int {
	at := slices.IndexFunc(t.tables, func(x translated) bool { return x.owner.Value() == nil })
	switch {
	case at >= 0:
	case len(t.tables) < maxTranslated:
		at = len(t.tables)
		t.tables = append(t.tables, translated{})
	default:
		at = t.oldest
		t.oldest = (at + 1) % maxTranslated
	}
	x := &t.tables[at]
	clear(x.to)
	x.owner, x.to = owner, x.to[:0]
	return at
}

// Reset forgets all numbers.
func (t *Translation) Reset() {
	for i := range t.tables {
		clear(t.tables[i].to)
	}
}
