package regex

import "unicode"

// Machine runs patterns. It keeps its memory between matches; one goroutine uses it.
type Machine struct {
	p     *Pattern
	text  []rune
	low   []rune // the text in lower case
	seen  []uint64
	notes []int // bits of seen that runs inside of an opLook have set
	inner int   // opLooks around the instruction
	stack []saved
	slots []int
	steps int
}

// saved is what to go back to: an instruction and a position, or the old value of a slot.
type saved struct{ pc, at, slot int }

// keepWords and keepStack are how much memory a machine keeps between matches: words
// that remember failures, and entries of its stack.
const (
	keepWords = 1 << 15
	keepStack = 1 << 13
)

// Find returns where the first match of p in text begins, in UTF-16 units from 0; -1
// if there is none.
func (m *Machine) Find(p *Pattern, text string) (int, error) {
	m.p, m.steps, m.inner = p, 0, 0
	m.text, m.low, m.stack, m.notes = m.text[:0], m.low[:0], m.stack[:0], m.notes[:0]
	if cap(m.stack) > keepStack {
		m.stack = nil
	}
	for _, r := range text {
		m.text = append(m.text, r)
		m.low = append(m.low, unicode.ToLower(r))
	}
	if err := m.forget(); err != nil {
		return -1, err
	}
	units := 0
	for at := 0; at <= len(m.text); at++ {
		if m.worthTrying(at) {
			end, err := m.run(0, at)
			if err != nil {
				return -1, err
			}
			if end >= 0 {
				return units, nil
			}
		}
		if p.begin {
			break
		}
		if units++; at < len(m.text) && m.text[at] > 0xffff {
			units++
		}
	}
	return -1, nil
}

// forget makes the memory as large as the match needs it, and empty.
func (m *Machine) forget() error {
	m.slots = m.slots[:0]
	for range m.p.slots {
		m.slots = append(m.slots, -1)
	}
	if m.p.slots > 0 {
		return nil
	}
	if (len(m.text) + 1) > maxStates/max(m.p.splits, 1) {
		return ErrTooHard
	}
	words := (m.p.splits*(len(m.text)+1) + 63) / 64
	if cap(m.seen) < words || cap(m.seen) > max(words, keepWords) {
		m.seen = make([]uint64, words)
	}
	m.seen = m.seen[:words]
	clear(m.seen)
	return nil
}

// worthTrying looks at the character that a match from here has to begin with.
func (m *Machine) worthTrying(at int) bool {
	if m.p.first < 0 {
		return true
	}
	return at < len(m.text) && m.reads(&m.p.code[m.p.first], at)
}

// reads reports whether an opChar or opSet takes the character at a position.
func (m *Machine) reads(i *inst, at int) bool {
	r := m.text[at]
	if i.fold {
		r = m.low[at]
	}
	if i.op == opChar {
		return r == i.r
	}
	return i.set.has(r)
}

// run runs the program at pc from a position and returns where it matched to, -1 if
// it did not. Alternatives that are left go away, old values of slots stay on the stack.
func (m *Machine) run(pc, at int) (int, error) {
	base, notes := len(m.stack), len(m.notes)
	for {
		if m.steps++; m.steps > maxSteps {
			return -1, ErrTooHard
		}
		i := &m.p.code[pc]
		ok := true
		switch i.op {
		case opMatch:
			m.settle(base, notes)
			return at, nil
		case opChar, opSet:
			switch {
			case !i.back:
				if ok = at < len(m.text) && m.reads(i, at); ok {
					at++
				}
			default:
				if ok = at > 0 && m.reads(i, at-1); ok {
					at--
				}
			}
			pc++
		case opSplit:
			if ok = m.fresh(i.n, at); ok {
				m.stack = append(m.stack, saved{i.y, at, -1})
				pc = i.x
			}
		case opJump:
			pc = i.x
		case opSave:
			m.set(i.n, at)
			pc++
		case opLoop:
			if pc = i.x; m.slots[i.n] == at {
				pc = i.y
			}
		case opRef:
			at, ok = m.again(i, at)
			pc++
		case opLook:
			var err error
			if at, ok, err = m.look(i, at); err != nil {
				return -1, err
			}
			pc = i.y
		default:
			ok = m.holds(i, at)
			pc++
		}
		if ok {
			continue
		}
		if pc, at, ok = m.back(base); !ok {
			m.notes = m.notes[:notes] // all of them have failed for good
			return -1, nil
		}
	}
}

// back takes up the last alternative above base.
func (m *Machine) back(base int) (pc, at int, ok bool) {
	for len(m.stack) > base {
		s := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if s.slot < 0 {
			return s.pc, s.at, true
		}
		m.slots[s.slot] = s.at
	}
	return 0, 0, false
}

// settle drops the alternatives above base behind a match. A split that was seen on
// the way to it has not failed: an opLook may come by again.
func (m *Machine) settle(base, notes int) {
	keep := base
	for _, s := range m.stack[base:] {
		if s.slot >= 0 {
			m.stack[keep] = s
			keep++
		}
	}
	m.stack = m.stack[:keep]
	for _, bit := range m.notes[notes:] {
		m.seen[bit>>6] &^= 1 << (bit & 63)
	}
	m.notes = m.notes[:notes]
}

// fresh notes that a split is tried at a position; false if it was before.
func (m *Machine) fresh(split, at int) bool {
	if m.p.slots > 0 {
		return true // what a group holds decides too
	}
	bit := split*(len(m.text)+1) + at
	if m.seen[bit>>6]>>(bit&63)&1 != 0 {
		return false
	}
	m.seen[bit>>6] |= 1 << (bit & 63)
	if m.inner > 0 {
		m.notes = append(m.notes, bit)
	}
	return true
}

func (m *Machine) set(slot, at int) {
	m.stack = append(m.stack, saved{0, m.slots[slot], slot})
	m.slots[slot] = at
}

// again reads what a group matched once more; a group that has not matched is empty.
func (m *Machine) again(i *inst, at int) (int, bool) {
	from, to := m.slots[i.n], m.slots[i.n+1]
	if from < 0 || to < from {
		return at, true
	}
	start := at
	if i.back {
		start = at - (to - from)
	}
	if start < 0 || start+to-from > len(m.text) {
		return at, false
	}
	text := m.text
	if i.fold {
		text = m.low
	}
	m.steps += to - from
	for k := range to - from {
		if text[from+k] != text[start+k] {
			return at, false
		}
	}
	if i.back {
		return start, true
	}
	return start + to - from, true
}

// look runs the program of a look-around or of an atomic group.
func (m *Machine) look(i *inst, at int) (int, bool, error) {
	base := len(m.stack)
	m.inner++
	end, err := m.run(i.x, at)
	m.inner--
	if err != nil {
		return at, false, err
	}
	if i.not {
		m.back(base) // groups of what must not match hold nothing
		return at, end < 0, nil
	}
	if i.atomic && end >= 0 {
		at = end
	}
	return at, end >= 0, nil
}

func (m *Machine) holds(i *inst, at int) bool {
	switch i.op {
	case opBegin:
		return at == 0
	case opEnd:
		return at == len(m.text)
	case opLineBegin:
		return at == 0 || in(lineSpans, m.text[at-1])
	case opLineEnd:
		return at == len(m.text) || in(lineSpans, m.text[at])
	}
	before := at > 0 && isWord(m.text[at-1])
	after := at < len(m.text) && isWord(m.text[at])
	return (before != after) != i.not
}
