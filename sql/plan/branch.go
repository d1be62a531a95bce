package plan

import "spate/column"

// Branches is how many ways lead from the inputs to the rows of n, through the members of
// UNIONs and the windows of aggregations: so many rows of one time may stand in the
// place of one event. It stops at column.Branches.
func Branches(n Node) int64 {
	known := make(map[Node]int64)
	var count func(n Node) int64
	count = func(n Node) int64 {
		if k, ok := known[n]; ok {
			return k
		}
		k := int64(0)
		for _, in := range n.Inputs() {
			k = min(k+count(in), column.Branches)
		}
		k = max(k, 1)
		if a, ok := n.(*Aggregate); ok {
			k = min(k*int64(len(a.Windows)), column.Branches)
		}
		known[n] = k
		return known[n]
	}
	return count(n)
}

// WindowBranch is the branch that rows of window w of an aggregation begin at.
func WindowBranch(a *Aggregate, w int) int64 {
	if w == 0 {
		return 0
	}
	return int64(w) * Branches(a.In)
}

// FirstBranches numbers the branches of a UNION through its members: those of member i
// begin at element i. A later member orders behind an earlier one.
func FirstBranches(u *Union) []int64 {
	out := make([]int64, len(u.Ins))
	next := int64(0)
	for i, in := range u.Ins {
		out[i] = next
		next = min(next+Branches(in), column.Branches)
	}
	return out
}
