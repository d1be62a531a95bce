package column

// Position is where a row stands in the total order of a job: event time, arrival
// time, message, place in the message, branch.
type Position struct {
	Time, Arrived Ticks
	Seq           int64
	Index         int64 // the place of the event in its message, in units of Place, and the branch
}

// Place is the step of Index from one event of a message to the next. What lies below it
// is the branch: which member of a UNION the row came through, so that the copies that
// one makes of an event have an order, whichever is made first.
const Place = 1 << 32

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
