package plan

import "math"

// Branches is how many ways lead from the inputs through the UNIONs of a plan to the
// rows of n: so many rows one event may be there, before a step makes new ones of them.
// It stops at math.MaxInt32.
func Branches(n Node) int64 {
	known := make(map[Node]int64)
	var count func(n Node) int64
	count = func(n Node) int64 {
		if k, ok := known[n]; ok {
			return k
		}
		k := int64(0)
		for _, in := range n.Inputs() {
			k = min(k+count(in), math.MaxInt32)
		}
		known[n] = max(k, 1)
		return known[n]
	}
	return count(n)
}

// FirstBranches numbers the branches of a UNION through its members: those of member i
// begin at element i. A later member orders behind an earlier one.
func FirstBranches(u *Union) []int64 {
	out := make([]int64, len(u.Ins))
	next := int64(0)
	for i, in := range u.Ins {
		out[i] = next
		next = min(next+Branches(in), math.MaxInt32)
	}
	return out
}
