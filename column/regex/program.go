package regex

type op uint8

// Instructions. Those that read a character go on with the next instruction.
const (
	opMatch     op = iota
	opChar         // reads r
	opSet          // reads a character of set
	opSplit        // tries x, then y; n is its number in the memory of failures
	opJump         // to x
	opSave         // the position into slot n
	opLoop         // to x, or to y where the position is still that in slot n
	opRef          // reads what the slots n and n+1 have between them
	opLook         // runs the program at x from here and goes on at y
	opBegin        // of the text
	opEnd          // of the text
	opLineBegin    // behind a line break too
	opLineEnd      // before a line break too
	opWordEdge     // between a word and something else; not: not there
)

type inst struct {
	op     op
	back   bool // reads toward the begin of the text
	fold   bool // looks at the text in lower case
	not    bool
	atomic bool // opLook: the position goes on too
	r      rune
	n      int
	x, y   int
	set    *set
}

type compiler struct {
	p     *Pattern
	slots bool // of groups are wanted
	nodes int  // emitted, those of no instruction too
}

func compile(n *node, parsed *parser) (*Pattern, error) {
	c := &compiler{p: &Pattern{}, slots: parsed.refers}
	if c.slots {
		c.p.slots = 2 * (parsed.groups + 1)
	}
	if err := c.node(n, false); err != nil {
		return nil, err
	}
	if _, err := c.emit(inst{op: opMatch}); err != nil {
		return nil, err
	}
	c.p.first = -1
	for pc := 0; ; pc++ {
		switch c.p.code[pc].op {
		case opSave:
			continue
		case opBegin:
			c.p.begin = true
		case opChar, opSet:
			c.p.first = pc
		}
		return c.p, nil
	}
}

func (c *compiler) emit(i inst) (int, error) {
	if len(c.p.code) >= maxProgram {
		return 0, ErrTooLarge
	}
	if i.op == opSplit {
		i.n = c.p.splits
		c.p.splits++
	}
	c.p.code = append(c.p.code, i)
	return len(c.p.code) - 1, nil
}

// node emits the program of a node that is matched backward if back is set.
func (c *compiler) node(n *node, back bool) error {
	if c.nodes++; c.nodes > 2*maxProgram {
		return ErrTooLarge
	}
	switch n.kind {
	case literal:
		_, err := c.emit(inst{op: opChar, r: n.r, fold: n.fold, back: back})
		return err
	case class:
		_, err := c.emit(inst{op: opSet, set: n.set, fold: n.fold, back: back})
		return err
	case assertion:
		_, err := c.emit(inst{op: n.op, not: n.not})
		return err
	case reference:
		_, err := c.emit(inst{op: opRef, n: 2 * n.number, fold: n.fold, back: back})
		return err
	case sequence:
		for i := range n.subs {
			if back {
				i = len(n.subs) - 1 - i
			}
			if err := c.node(n.subs[i], back); err != nil {
				return err
			}
		}
	case choice:
		return c.choice(n, back)
	case repeat:
		return c.repeat(n, back)
	case group:
		return c.group(n, back)
	case lookAround:
		look, err := c.emit(inst{op: opLook, not: n.not, atomic: n.atomic})
		if err != nil {
			return err
		}
		if err := c.node(n.subs[0], n.behind || n.atomic && back); err != nil {
			return err
		}
		end, err := c.emit(inst{op: opMatch})
		c.p.code[look].x, c.p.code[look].y = look+1, end+1
		return err
	}
	return nil
}

func (c *compiler) choice(n *node, back bool) error {
	var ends []int
	for i, sub := range n.subs {
		split := -1
		var err error
		if i < len(n.subs)-1 {
			if split, err = c.emit(inst{op: opSplit}); err != nil {
				return err
			}
			c.p.code[split].x = split + 1
		}
		if err := c.node(sub, back); err != nil {
			return err
		}
		if split < 0 {
			break
		}
		end, err := c.emit(inst{op: opJump})
		if err != nil {
			return err
		}
		ends = append(ends, end)
		c.p.code[split].y = end + 1
	}
	for _, e := range ends {
		c.p.code[e].x = len(c.p.code)
	}
	return nil
}

func (c *compiler) group(n *node, back bool) error {
	if !c.slots {
		return c.node(n.subs[0], back)
	}
	begin, end := 2*n.number, 2*n.number+1
	if back {
		begin, end = end, begin
	}
	if _, err := c.emit(inst{op: opSave, n: begin}); err != nil {
		return err
	}
	if err := c.node(n.subs[0], back); err != nil {
		return err
	}
	_, err := c.emit(inst{op: opSave, n: end})
	return err
}

func (c *compiler) repeat(n *node, back bool) error {
	for range n.min {
		if err := c.node(n.subs[0], back); err != nil {
			return err
		}
	}
	if n.max < 0 {
		return c.loop(n, back)
	}
	var splits []int
	for range n.max - n.min {
		split, err := c.emit(inst{op: opSplit})
		if err != nil {
			return err
		}
		splits = append(splits, split)
		if err := c.node(n.subs[0], back); err != nil {
			return err
		}
	}
	for _, s := range splits {
		c.branch(s, s+1, len(c.p.code), n.lazy)
	}
	return nil
}

// loop emits any number of repetitions. With slots for references the failures are not
// remembered, so a repetition of nothing has to end the loop.
func (c *compiler) loop(n *node, back bool) error {
	split, err := c.emit(inst{op: opSplit})
	if err != nil {
		return err
	}
	slot := -1
	if c.slots {
		slot = c.p.slots
		c.p.slots++
		if _, err := c.emit(inst{op: opSave, n: slot}); err != nil {
			return err
		}
	}
	if err := c.node(n.subs[0], back); err != nil {
		return err
	}
	end := inst{op: opJump, x: split}
	if slot >= 0 {
		end = inst{op: opLoop, x: split, y: len(c.p.code) + 1, n: slot}
	}
	if _, err := c.emit(end); err != nil {
		return err
	}
	c.branch(split, split+1, len(c.p.code), n.lazy)
	return nil
}

func (c *compiler) branch(split, into, past int, lazy bool) {
	if lazy {
		into, past = past, into
	}
	c.p.code[split].x, c.p.code[split].y = into, past
}
