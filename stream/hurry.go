package stream

import (
	"context"
	"time"

	"spate/column"
)

// Partitions are roused again, because rows still wait for them, after a pause that doubles.
// A hub's promises move by milliseconds: more often would bring nothing new. Where it
// lasts longer, records are on their way to the disk, which will wake the partition.
const (
	leastPause = time.Millisecond
	mostPause  = 16 * time.Millisecond
)

// ticks rouses all partitions from time to time, and those that rows wait for at once.
func (j *Job) ticks(ctx context.Context) {
	tick := time.NewTicker(j.opts.IdleTick)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	hurry, next := j.hurry, leastPause
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
			next = leastPause
			pause.Reset(next)
		case <-pause.C:
			select {
			case <-j.hurry:
				next = leastPause
			default: // one that cannot promise more than before says nothing
				next = min(2*next, mostPause)
			}
			if j.rouseWanted() {
				pause.Reset(next)
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
			if src := en.source[i]; src >= 0 && en.prompt[i] && !first.Before(en.marks[src]) {
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
				if feeds[i] && p.in.Promises {
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

// want notes that rows wait for the partition, unless it has ended.
func (p *partition) want() bool {
	if column.Ticks(p.arrived.Load()) == column.EndOfTime {
		return false
	}
	p.wanted.Store(true)
	return true
}

// prompt reports whether the promises of the partition let rows of an edge go at once:
// its event times are those of arrival.
func (p *partition) prompt(e *edge) bool {
	if !p.in.Promises {
		return false
	}
	for _, br := range p.branches {
		if br.feeds(p.job.graph, e) && !br.stage.ArrivalMode() {
			return false
		}
	}
	return true
}
