package stream

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"spate/stream/state"
)

// Shards is in how many shards a job pays that may have so many, 0 for as many as there
// are processors: at most half as many as there are. Readers and the tail keep as many
// busy, and what splits rows and joins them again takes from them.
func Shards(most int) int {
	n := runtime.GOMAXPROCS(0)
	return max(1, min(cmp.Or(most, n), n/2))
}

// shard runs the steps whose rows need order among those of one key, for its part of
// the keys.
type shard struct {
	site
	in   chan packet
	seen int // barriers
	done int // partitions that ended
}

func newShard(j *Job, k int) (*shard, error) {
	s := &shard{site: *newSite(j, inShard, len(j.parts)+k), in: j.shardIn[k]}
	n := j.graph.shards
	s.site.from, s.site.to = -1, -1
	for g := range state.Groups {
		if state.ShardOf(uint8(g), n) == k {
			if s.site.from < 0 {
				s.site.from = g
			}
			s.site.to = g + 1
		}
	}
	s.outlets = []*outlet{{to: j.packets}}
	for _, e := range j.graph.edges {
		if e.at == inShard {
			if err := s.enter(e); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// run takes packets until the context ends or something fails. It never waits for a
// partition: a partition may be waiting for it.
func (s *shard) run(ctx context.Context) {
	out := s.outlets[0]
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-s.in:
			err := s.packet(&k)
			if err != nil {
				out.pending.err = err
			}
			out.pending.letters, s.letters = s.letters, letters{}
			if out.send(ctx, s.producer) != nil || err != nil {
				return
			}
		}
	}
}

func (s *shard) packet(k *packet) error {
	if err := s.take(k); err != nil {
		return err
	}
	s.owe()
	s.hurry()
	if k.barrier != nil {
		s.seen++
	}
	if k.end {
		s.done++
		s.outlets[0].pending.end = s.done == len(s.job.parts)
	}
	if s.seen < len(s.job.parts) || s.seen == 0 {
		return nil
	}
	s.seen = 0
	frozen, err := s.freeze()
	s.outlets[0].pending.barrier = &barrier{frozen: frozen}
	return err
}

// leastOwed is what is not worth a look at who owes it.
const leastOwed = 256 << 10

// owed is how much of a partition waits in a join for the other side.
func (x *joinStep) owed(p *partition) int64 {
	var waits [2]int64
	for side, from := range x.from {
		for _, br := range p.branches {
			if slices.Contains(from, br.input) {
				waits[side] = x.Waits(side)
			}
		}
	}
	if n := waits[0] - waits[1]; max(n, -n) > leastOwed { // what waits on both sides waits for this one too
		return max(n, -n)
	}
	return 0
}

// owe tells every partition how much of it waits here for others.
func (s *site) owe() {
	slot := 0
	if s.at == inShard {
		slot = 1 + s.producer - len(s.job.parts)
	}
	for i, p := range s.job.parts {
		n := int64(0)
		for _, en := range s.order {
			if src := en.source[i]; en.order != nil && src >= 0 && en.order.Held(src) > leastOwed {
				n += en.order.Owed(src)
			}
		}
		for _, o := range s.ordered {
			n += o.owed(i)
		}
		for _, x := range s.joins {
			n += x.owed(p)
		}
		if old := p.owed[slot].Swap(n); old > n {
			p.rouse()
		}
	}
}
