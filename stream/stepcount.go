package stream

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spate/column"
	"spate/sql/plan"
	"spate/stream/exec"
)

// stepCount is what a step has done at one site, for whoever looks into the job. The site
// writes it once a batch.
type stepCount struct {
	node      plan.Node
	at        place
	in, out   atomic.Int64 // rows
	watermark atomic.Int64 // of its rows; 0: none yet
	newest    newestRows

	lastIn, lastOut int64 // at the last tick, which the tail's goroutine makes
	rateIn, rateOut atomic.Int64
}

// stepCounts are those of all sites.
type stepCounts struct {
	mu     sync.Mutex // guards all
	all    []*stepCount
	ticked time.Time // the tail's
}

func (c *stepCounts) add(n plan.Node, at place) *stepCount {
	s := &stepCount{node: n, at: at}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, s)
	return s
}

func (c *stepCounts) list() []*stepCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// tick works out the rates since the last tick, in rows an hour.
func (c *stepCounts) tick(now time.Time) {
	took := now.Sub(c.ticked)
	if took < time.Second/2 {
		return
	}
	first := c.ticked.IsZero()
	c.ticked = now
	for _, s := range c.list() {
		in, out := s.in.Load(), s.out.Load()
		if !first {
			s.rateIn.Store(int64(float64(in-s.lastIn) / took.Hours()))
			s.rateOut.Store(int64(float64(out-s.lastOut) / took.Hours()))
		}
		s.lastIn, s.lastOut = in, out
	}
}

// counted is what follows a step, counted.
type counted struct {
	exec.Emit
	s *stepCount
}

func (c *counted) Rows(b *column.Batch) error {
	if n := b.LiveRows(); n > 0 {
		c.s.out.Add(int64(n))
		c.s.newest.keep(b)
	}
	return c.Emit.Rows(b)
}

func (c *counted) Advance(w column.Ticks) error {
	c.s.watermark.Store(int64(w))
	return c.Emit.Advance(w)
}

// MostSampled is how many of its newest rows a step keeps.
const MostSampled = 10

// newestRows are the batches that hold the newest rows of a step. They are not copied: what
// a step holds of them beyond its time is one large batch, whose columns it shares with
// other steps.
type newestRows struct {
	mu      sync.Mutex // guards both
	batches [MostSampled]*column.Batch
	next    int
}

func (r *newestRows) keep(b *column.Batch) {
	r.mu.Lock()
	if b.LiveRows() >= MostSampled {
		clear(r.batches[:])
	}
	r.batches[r.next] = b
	r.next = (r.next + 1) % MostSampled
	r.mu.Unlock()
}

// sampledRow is a row of a batch.
type sampledRow struct {
	b   *column.Batch
	row int
}

// last returns the newest rows, oldest first.
func (r *newestRows) last(n int) []sampledRow {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []sampledRow
	for i := 1; i <= MostSampled && len(out) < n; i++ {
		b := r.batches[(r.next-i+MostSampled)%MostSampled]
		if b == nil {
			break
		}
		for k := b.LiveRows() - 1; k >= 0 && len(out) < n; k-- {
			out = append(out, sampledRow{b, b.Row(k)})
		}
	}
	slices.Reverse(out)
	return out
}

// newestOf are the newest rows of a step over all its sites, by time.
func newestOf(counts []*stepCount, n int) []sampledRow {
	var out []sampledRow
	for _, s := range counts {
		out = append(out, s.newest.last(n)...)
	}
	slices.SortStableFunc(out, func(a, b sampledRow) int { return cmp.Compare(a.b.Time[a.row], b.b.Time[b.row]) })
	return out[max(0, len(out)-n):]
}
