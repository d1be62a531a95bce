package plan

import (
	"strconv"

	"spate/column"
)

// MarkName is the name of the column that a marked plan adds.
const MarkName = "(mark)"

// Marked is the plan of a job with one more column in every step, the mark: 1 in rows
// that a chosen message has come into, else 0. It has an output for each step, of the
// marked rows alone, and computes otherwise what the job computes.
type Marked struct {
	Job   *Job
	Nodes []Node // of the job, inputs first; the rows of node i go to the output Tap(i)
}

// Tap is the name of the output that holds the marked rows of node i.
func Tap(i int) string { return "#" + strconv.Itoa(i+1) }

// Mark makes the marked plan of a job. Sources of the kind MarkedMessage give the mark.
func Mark(j *Job) *Marked {
	m := &Marked{Job: &Job{Span: j.Span, Level: j.Level}}
	made := make(map[Node]Node)
	Walk(j, func(n Node) {
		var ins []Node
		for _, in := range n.Inputs() {
			ins = append(ins, made[in])
		}
		made[n] = n.mark(ins)
		if in, ok := made[n].(*Input); ok {
			m.Job.Inputs = append(m.Job.Inputs, in)
		}
		seen := &Filter{In: made[n], Cond: &Call{Base: Base{Static: column.Bool}, Func: "=", Args: []Expr{markOf(made[n]), &Const{Base{Static: column.Int64}, column.IntOf(1)}}}}
		m.Job.Outputs = append(m.Job.Outputs, &Output{Name: Tap(len(m.Nodes)), In: seen})
		m.Nodes = append(m.Nodes, n)
	})
	return m
}

var markColumn = Column{Name: MarkName, Type: column.Int64}

// markOf reads the mark, which is the last column of every marked node.
func markOf(n Node) Expr { return columnOf(n, len(n.Columns())-1) }

func columnOf(n Node, i int) *Col {
	c := n.Columns()[i]
	return &Col{Base: Base{Static: c.Type}, Index: i, Name: c.Name}
}

// markLast puts the mark of a node, its column i, behind the others.
func markLast(n Node, i int) Node {
	cols := n.Columns()
	if i == len(cols)-1 {
		return n
	}
	p := &Project{In: n}
	for k := range cols {
		if k != i {
			p.Items = append(p.Items, Item{cols[k], columnOf(n, k)})
		}
	}
	p.Items = append(p.Items, Item{cols[i], columnOf(n, i)})
	return p
}
