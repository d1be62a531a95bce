package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"spate"
)

// statusLine shows the state of the pipeline on standard error: on a terminal one
// line that is drawn anew, elsewhere a line now and then. Log lines go through it, so
// that they do not end up behind the status.
type statusLine struct {
	w     io.Writer
	live  bool
	quiet bool

	mu    sync.Mutex // guards shown and w
	shown bool
}

// Intervals between two states, and what a rate is the mean of at least.
const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 5 * time.Second
	rateOver    = 5 * time.Second
)

// rate is the mean of a counter over the last moments.
type rate struct{ seen []sample }

type sample struct {
	at time.Time
	n  int64
}

// add notes the counter and returns its growth per second.
func (r *rate) add(at time.Time, n int64) float64 {
	r.seen = append(r.seen, sample{at, n})
	for len(r.seen) > 2 && at.Sub(r.seen[1].at) >= rateOver {
		r.seen = r.seen[1:]
	}
	first := r.seen[0]
	if d := at.Sub(first.at).Seconds(); d > 0 {
		return float64(n-first.n) / d
	}
	return 0
}

func newStatusLine(w io.Writer, quiet bool) *statusLine {
	return &statusLine{w: w, live: terminal(w), quiet: quiet}
}

// Write implements io.Writer for the log.
func (s *statusLine) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.w.Write(b)
}

func (s *statusLine) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// wipe takes the status away.
func (s *statusLine) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *statusLine) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	if !s.quiet {
		fmt.Fprintln(s.w, text)
	}
}

func (s *statusLine) run(ctx context.Context, status func() spate.Status) {
	if s.quiet {
		return
	}
	every := lineEvery
	if s.live {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	start := time.Now()
	in := rate{seen: []sample{{at: start}}}
	for {
		select {
		case <-ctx.Done():
			s.wipe()
			return
		case now := <-tick.C:
			st := status()
			s.draw(describe(st, in.add(now, st.EventsIn), now.Sub(start)))
		}
	}
}

func (s *statusLine) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		fmt.Fprintln(s.w, text)
		return
	}
	s.clear()
	if r, width := []rune(text), s.width(); len(r) >= width {
		text = string(r[:width-1]) // a line that wraps cannot be cleared
	}
	fmt.Fprint(s.w, text)
	s.shown = true
}

// width is the number of columns of the terminal.
func (s *statusLine) width() int {
	if f, ok := s.w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 1 {
			return w
		}
	}
	return 80
}

// seconds is a span with a width that does not jump about.
func seconds(d time.Duration) string {
	if d >= time.Minute {
		return d.Truncate(time.Second).String()
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// short is a span in at most 6 characters: its two largest units, as in 3m20s and 51d4h.
func short(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%dm", s/3600, s/60%60)
	}
	if days := s / 86400; days >= 100 {
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%dh", s/86400, s/3600%24)
}

// compact is a number in at most 5 characters, as in 1234 and 12.3M.
func compact(n int64) string {
	x, unit := float64(n), ""
	for _, next := range []string{"k", "M", "G", "T", "P", "E"} {
		if x < 99_999.5 && unit == "" || x < 999.5 {
			break
		}
		x, unit = x/1000, next
	}
	if unit == "" || x >= 99.95 {
		return fmt.Sprintf("%.0f%s", x, unit)
	}
	return fmt.Sprintf("%.1f%s", x, unit)
}

// lineWidth is what a line of state takes at most: a terminal of 80 columns shows it
// without wrapping.
const lineWidth = 79

// describe is one line of state: what is wrong first.
func describe(st spate.Status, perSecond float64, up time.Duration) string {
	delay := fmt.Sprintf("%.1fs", st.WatermarkDelay.Seconds())
	if st.WatermarkDelay >= time.Minute {
		delay = short(st.WatermarkDelay)
	}
	rate := compact(int64(math.Round(perSecond))) + "/s"
	if len(st.Problems) > 0 {
		rest := fmt.Sprintf("  up %s  events in %s (%s)", short(up), compact(st.EventsIn), rate)
		if n := len(st.Problems) - 1; n > 0 {
			rest = fmt.Sprintf(" (and %d more)%s", n, rest)
		}
		return "! " + cut(strings.Join(strings.Fields(st.Problems[0]), " "), lineWidth-len("! ")-len(rest)) + rest
	}
	s := fmt.Sprintf("up %s  events in %s (%s)  rows out %s  alerts %s  delay %s",
		short(up), compact(st.EventsIn), rate, compact(st.RowsOut), compact(st.Alerts), delay)
	for _, j := range st.Jobs {
		if j.State != "Running" {
			return cut(j.Name+" "+strings.ToLower(j.State)+"  "+s, lineWidth)
		}
	}
	return cut(s, lineWidth)
}

// cut is text in at most width characters.
func cut(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return text
}
