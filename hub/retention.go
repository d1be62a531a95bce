package hub

import (
	"context"
	"time"
)

// retain samples sizes and applies retention once a minute. It pauses for ten minutes after the
// wall clock has jumped by more than an hour, so that a wrong clock does not
// delete records.
func (n *Namespace) retain(ctx context.Context) {
	defer close(n.done)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	last, started, pause := n.o.Clock().Round(0), time.Now(), time.Duration(0)
	lastRun := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, run := n.o.Clock().Round(0), time.Since(started)
		if step := now.Sub(last) - (run - lastRun); step.Abs() > time.Hour {
			pause = run + 10*time.Minute
			n.o.Log.Warn("retention paused: the clock jumped", "by", step)
		}
		last, lastRun = now, run
		for _, h := range n.Hubs() {
			h.size.Set(float64(h.Size()))
		}
		if run < pause {
			continue
		}
		for _, h := range n.Hubs() {
			if err := h.log.Trim(now); err != nil {
				n.o.Log.Error("retention", "hub", h.name, "err", err)
			}
		}
	}
}
