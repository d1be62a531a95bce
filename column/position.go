package column

// Position is where a row stands in the total order of a job: event time, arrival
// time, message, place in the message.
type Position struct {
	Time, Arrived Ticks
	Seq           int64
	Index         int32
}

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
