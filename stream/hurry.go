package stream

import (
	"context"
	"time"

	"spate/column"
)

// leastPause is between two times that partitions are roused because rows wait for them.
// A hub's promises move by milliseconds: more often would bring nothing new.
const leastPause = time.Millisecond

// ticks rouses all partitions from time to time, and those that rows wait for at once.
func (j *Job) ticks(ctx context.Context) {
	tick := time.NewTicker(j.opts.IdleTick)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	hurry := j.hurry
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, p := range j.parts {
				p.rouse()
			}
		case <-hurry:
			hurry = nil
			j.rouseWanted()
			pause.Reset(leastPause)
		case <-pause.C:
			// One that could not promise more than before has said nothing.
			if j.rouseWanted() {
				pause.Reset(leastPause)
			} else {
				hurry = j.hurry
			}
		}
	}
}

func (j *Job) rouseWanted() bool {
	any := false
	for _, p := range j.parts {
		if p.wanted.Load() {
			any = true
			p.rouse()
		}
	}
	return any
}

// rouse ends a Read that waits.
func (p *partition) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// hurry asks for the promises of the partitions that rows wait for here: a silent one
// would give its next one with the next tick only.
func (s *site) hurry() {
	if s.job.opts.IdleTick < 0 {
		return
	}
	wanted := false
	for _, en := range s.order {
		if en.order == nil || s.job.graph.place[en.edge.from] == inShard {
			continue // what comes from shards waits there
		}
		first, some := en.order.First()
		if !some {
			continue
		}
		for i, p := range s.job.parts {
			if src := en.source[i]; src >= 0 && !first.Before(en.marks[src]) {
				wanted = p.want() || wanted
			}
		}
	}
	for _, o := range s.ordered {
		first, some := o.order.First()
		if !some {
			continue
		}
		for k, feeds := range o.feeds {
			if first.Before(o.order.Frontier(k)) {
				continue
			}
			for i, p := range s.job.parts {
				if feeds[i] {
					wanted = p.want() || wanted
				}
			}
		}
	}
	if wanted {
		select {
		case s.job.hurry <- struct{}{}:
		default:
		}
	}
}

// want notes that rows wait for the partition, if asking it can help.
func (p *partition) want() bool {
	if !p.in.Promises || column.Ticks(p.arrived.Load()) == column.EndOfTime {
		return false
	}
	p.wanted.Store(true)
	return true
}
