package exec

import "spate/sql/plan"

// matcher is a pattern as an automaton. A state is a row that the pattern names, with its
// repetitions written out. A way through the pattern is in one state at a time: its next row
// must be one that the variable of the state takes.
type matcher struct {
	vars   []int   // of each state; -1: any row
	first  []int32 // where ways begin, the preferred first
	follow [][]int32
	defs   []int // aggregates that definitions read

	// Scratch of step: the number of the last call that a state was reached in.
	met  []uint32
	call uint32
}

// matched follows where a sequence may end.
const matched = -1

func newMatcher(p *plan.Pattern) *matcher {
	m := new(matcher)
	c := &patternProgram{m: m}
	c.add(p)
	end := len(c.code)
	c.code = append(c.code, instruction{state: matched, next: []int{}})
	m.first = c.closure(0)
	m.follow = make([][]int32, len(m.vars))
	for at, i := range c.code[:end] {
		if i.state >= 0 {
			m.follow[i.state] = c.closure(at + 1)
		}
	}
	m.met = make([]uint32, len(m.vars))
	return m
}

// patternProgram is a pattern as instructions: one that takes a row goes on with the next,
// others with one of several, the preferred first.
type patternProgram struct {
	m    *matcher
	code []instruction
}

type instruction struct {
	state int32 // that takes a row; matched: the end; none: goes to next
	next  []int
}

const noState = -2

// add writes a pattern.
func (c *patternProgram) add(p *plan.Pattern) {
	for range p.Least {
		c.once(p)
	}
	if p.Most < 0 { // fork: body, back to fork, out
		fork := c.jump()
		c.once(p)
		back := c.jump()
		c.code[back].next = []int{fork}
		c.code[fork].next = []int{fork + 1, len(c.code)}
		return
	}
	var forks []int
	for range p.Most - p.Least {
		forks = append(forks, c.jump())
		c.once(p)
	}
	for _, f := range forks {
		c.code[f].next = []int{f + 1, len(c.code)}
	}
}

// once writes a pattern without its repetitions.
func (c *patternProgram) once(p *plan.Pattern) {
	switch {
	case p.Parts == nil:
		c.code = append(c.code, instruction{state: int32(len(c.m.vars))})
		c.m.vars = append(c.m.vars, p.Var)
	case !p.Either:
		for _, part := range p.Parts {
			c.add(part)
		}
	default:
		fork := c.jump()
		var begins, ends []int
		for _, part := range p.Parts {
			begins = append(begins, len(c.code))
			c.add(part)
			ends = append(ends, c.jump())
		}
		c.code[fork].next = begins
		for _, e := range ends {
			c.code[e].next = []int{len(c.code)}
		}
	}
}

func (c *patternProgram) jump() int {
	c.code = append(c.code, instruction{state: noState})
	return len(c.code) - 1
}

// closure lists the states that an instruction leads to before the next row, the preferred
// first, each once.
func (c *patternProgram) closure(at int) []int32 {
	var out []int32
	met := make([]bool, len(c.code))
	stack := []int{at}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if met[at] {
			continue
		}
		met[at] = true
		i := &c.code[at]
		if i.state != noState {
			out = append(out, i.state)
			continue
		}
		for k := len(i.next) - 1; k >= 0; k-- {
			stack = append(stack, i.next[k])
		}
	}
	return out
}
