package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

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

// Intervals between two states.
const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 5 * time.Second
)

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
	start, last, before := time.Now(), time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.clear()
			s.mu.Unlock()
			return
		case now := <-tick.C:
			st := status()
			rate := float64(st.EventsIn-before) / now.Sub(last).Seconds()
			before, last = st.EventsIn, now
			s.draw(describe(st, rate, now.Sub(start)))
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
	if r := []rune(text); len(r) > 110 {
		text = string(r[:110])
	}
	fmt.Fprint(s.w, text)
	s.shown = true
}

// describe is one line of state.
func describe(st spate.Status, rate float64, up time.Duration) string {
	var jobs []string
	for _, j := range st.Jobs {
		if j.State != "Running" {
			jobs = append(jobs, j.Name+" "+strings.ToLower(j.State))
		}
	}
	s := fmt.Sprintf("up %s  events in %d (%.0f/s)  rows out %d  alerts %d  watermark delay %s",
		up.Truncate(time.Second), st.EventsIn, rate, st.RowsOut, st.Alerts, st.WatermarkDelay.Truncate(100*time.Millisecond))
	if len(jobs) > 0 {
		s += "  " + strings.Join(jobs, ", ")
	}
	return s
}
