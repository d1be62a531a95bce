package eventlog

import "time"

// stamper gives append times. A forward step of the wall clock of more than
// maxStep against the monotonic one is followed only after it has lasted
// stepHold; until then time runs on. Steps back are the caller's: times of a
// partition never decrease.
// Source: event-hubs.md 13.3.
type stamper struct {
	now   func() time.Time
	start time.Time
	shift int64         // wall - monotonic, in milliseconds, as followed
	held  time.Duration // monotonic time when a step was first seen, 0: none
}

const (
	maxStep  = 5000 // milliseconds
	stepHold = time.Minute
)

func newStamper(now func() time.Time) *stamper {
	t := now()
	return &stamper{now: now, start: t, shift: t.UnixMilli()}
}

// millis returns the present time in Unix milliseconds.
func (s *stamper) millis() int64 {
	t := s.now()
	return s.follow(t.UnixMilli(), t.Sub(s.start)) // Sub is monotonic where t carries it
}

// follow returns the time at which the wall clock shows wall and the monotonic
// one has run for run since the start.
func (s *stamper) follow(wall int64, run time.Duration) int64 {
	shift := wall - run.Milliseconds()
	if shift <= s.shift+maxStep {
		s.shift, s.held = shift, 0
		return wall
	}
	if s.held == 0 {
		s.held = max(run, 1)
	}
	if run-s.held >= stepHold {
		s.shift, s.held = shift, 0
		return wall
	}
	return run.Milliseconds() + s.shift
}
