package jobs

import (
	"log/slog"
	"sync"
	"time"

	"spate/stream"
)

// diagnostics writes what a job drops or changes to the log: of each kind the
// first event of a minute, and behind the minute how many more there were.
type diagnostics struct {
	log   *slog.Logger
	clock func() time.Time

	mu    sync.Mutex
	kinds map[diagnosticKind]*diagnosticCount
}

type diagnosticKind struct {
	kind, typ, input, output, step string
	dropped                        bool
}

type diagnosticCount struct {
	until time.Time
	more  int64 // since the first was written
}

func newDiagnostics(log *slog.Logger, clock func() time.Time) *diagnostics {
	return &diagnostics{log: log, clock: clock, kinds: make(map[diagnosticKind]*diagnosticCount)}
}

func (d *diagnostics) report(x stream.Diagnostic) {
	k := diagnosticKind{x.Kind, x.Type, x.Input, x.Output, x.Step, x.Dropped}
	now := d.clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.kinds[k]
	if c == nil {
		c = new(diagnosticCount)
		d.kinds[k] = c
	}
	if now.Before(c.until) {
		c.more++
		return
	}
	d.rest(k, c)
	c.until = now.Add(time.Minute)
	args := append(k.args(), "err", x.Reason)
	if x.Input != "" {
		args = append(args, "partition", x.Part, "offset", x.Offset)
	}
	if x.Excerpt != "" {
		args = append(args, "excerpt", x.Excerpt)
	}
	d.log.Warn(k.what(), args...)
}

// rest writes how many followed the one that was written.
func (d *diagnostics) rest(k diagnosticKind, c *diagnosticCount) {
	if c.more > 0 {
		d.log.Warn(k.what()+", more of them", append(k.args(), "count", c.more)...)
	}
	c.more = 0
}

func (k diagnosticKind) what() string {
	switch {
	case k.output != "" || k.step != "":
		return "row dropped"
	case k.dropped:
		return "event dropped"
	}
	return "event's time changed"
}

func (k diagnosticKind) args() []any {
	args := []any{"kind", k.kind, "type", k.typ}
	for _, of := range [][2]string{{"step", k.step}, {"output", k.output}, {"input", k.input}} {
		if of[1] != "" {
			args = append(args, of[0], of[1])
		}
	}
	return args
}

// end writes all counts.
func (d *diagnostics) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, c := range d.kinds {
		d.rest(k, c)
	}
}
