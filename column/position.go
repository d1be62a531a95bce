package column

// Position is where a row stands in the total order of a job: event time, arrival
// time, message, place in the message, branch, turn.
type Position struct {
	Time, Arrived Ticks
	Seq           int64
	Index         int64 // the place of the event in its message, in units of Place, the branch, in units of Branch, and the turn
}

// Parts of an Index. The branch is which member of a UNION a row came through, so that the
// copies that one makes of an event have an order, whichever is made first. The turn tells
// the rows apart that a JOIN makes of one row and several others, and an APPLY of one row.
const (
	Branch = 1 << 22           // from one branch to the next: so many turns it has
	Place  = Branch * Branches // from one event of a message to the next
)

// Branches is how many branches an event may have, and Places how many events a message;
// events beyond that order as they come.
const (
	Branches = 1 << 20
	Places   = 1 << 21
)

// PositionOf is the position of row i of a batch.
func PositionOf(b *Batch, i int) Position {
	p := Position{Time: b.Time[i], Arrived: b.Time[i]}
	if b.Arrived != nil {
		p.Arrived = b.Arrived[i]
	}
	if b.Seq != nil {
		p.Seq = b.Seq[i]
	}
	if b.Index != nil {
		p.Index = b.Index[i]
	}
	return p
}

// Before reports whether p stands before q.
func (p Position) Before(q Position) bool {
	switch {
	case p.Time != q.Time:
		return p.Time < q.Time
	case p.Arrived != q.Arrived:
		return p.Arrived < q.Arrived
	case p.Seq != q.Seq:
		return p.Seq < q.Seq
	}
	return p.Index < q.Index
}
