package plan

// Part is a part of a script: a step of WITH or a statement.
type Part struct {
	Step   string // empty: the statement that writes Output
	Output string
	Line   int // of the name
}

// Parts returns which part of the script the nodes are of that the outputs of a job
// reach. Inputs, which several parts may share, are of none.
func (j *Job) Parts() map[Node]Part {
	reached, out := make(map[Node]bool), make(map[Node]Part)
	Walk(j, func(n Node) { reached[n] = true })
	WalkReferences(j, func(n Node) { reached[n] = true })
	var put func(n Node, p Part)
	put = func(n Node, p Part) {
		_, known := out[n]
		if _, input := n.(*Input); known || input {
			return
		}
		out[n] = p
		for _, in := range n.Inputs() {
			put(in, p)
		}
		if l, ok := n.(*Lookup); ok {
			put(l.Ref, p)
		}
	}
	for _, s := range j.Steps { // each behind those that it reads
		if reached[s.Node] {
			put(s.Node, Part{Step: s.Name, Line: s.Where.From.Line})
		}
	}
	for _, o := range j.Outputs {
		put(o.In, Part{Output: o.Name, Line: o.Where.From.Line})
	}
	return out
}
