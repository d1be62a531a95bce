package exec

import (
	"encoding/binary"
	"math"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
	"spate/stream/reorder"
	"spate/stream/state"
)

// TimePolicy is how a job treats events that come late or out of order.
type TimePolicy struct {
	Late     column.Ticks // L; negative: infinite
	Disorder column.Ticks // O
	Drop     bool         // drop instead of adjusting
}

// earlyLimit is how far the time of an event may lie ahead of its arrival.
const earlyLimit = 5 * column.Minute

// TimeFault is what is wrong with the time of an event.
type TimeFault string

// Time faults.
const (
	InvalidTime TimeFault = "timestamp"
	InvalidKey  TimeFault = "timestampKey" // NULL in OVER
	TooManyKeys TimeFault = "substreams"   // a new key where there are as many as may be
	TooEarly    TimeFault = "early"
	TooLate     TimeFault = "late"
	OutOfOrder  TimeFault = "outOfOrder"
)

// Moved is what became of a row whose time is wrong.
type Moved struct {
	Dropped bool
	By      column.Ticks // how far its time was moved
	Cause   int64        // Seq of the row with the largest time before it, which made it out of order
}

// TimeCounts counts what the time stage did to events. InvalidTime counts those without a
// key too.
type TimeCounts struct {
	Early, Late, OutOfOrder, InvalidTime int64
}

// TimeStage gives the rows of one input partition their event times and holds
// the watermark of that partition.
//
// With OVER each key has a watermark of its own, by which its events are in order or not;
// that of the partition is the bound of them all, the last arrival less the tolerance for
// late events. Rows that are in order leave at once, those of one key in the order of their
// times; with a tolerance for disorder rows wait for the bound.
type TimeStage struct {
	// Report, if set, is told of each row of the batch given to Rows whose time is
	// wrong, and what became of it.
	Report func(row int, fault TimeFault, m Moved)

	policy TimePolicy
	expr   value       // TIMESTAMP BY; nil: arrival time
	subs   *substreams // nil: without OVER
	timeScalars
	saved timeScalars     // as they stand in the state
	top   int64           // Seq of the row with the largest time; for reports alone
	wait  *reorder.Buffer // rows behind the watermark; nil: there were none
	make  func() *reorder.Buffer
}

// timeScalars is what a time stage knows beside the rows that wait.
type timeScalars struct {
	counts  TimeCounts
	w       column.Ticks // no later row has an event time below
	m       column.Ticks // largest event time
	arrived column.Ticks // latest arrival
	next    int64        // behind the Seq of the last row seen
	began   beginning
}

// beginning is where Begin put a stage.
type beginning struct {
	time, arrived column.Ticks
	next          int64
}

// NewTimeStage compiles the time of an input.
func NewTimeStage(in *plan.Input, p TimePolicy) (*TimeStage, error) {
	schema := SchemaOf(in.Columns())
	s := &TimeStage{policy: p, make: func() *reorder.Buffer { return reorder.New(schema, 1) }}
	var err error
	if s.subs, err = newSubstreams(in); err != nil || in.Time == nil {
		return s, err
	}
	s.expr, err = compile(in.Time)
	return s, err
}

// Begin says where a stage that has seen nothing begins: no row of it stands before at.
func (s *TimeStage) Begin(at column.Position) {
	s.w, s.m, s.arrived, s.next = at.Time, at.Time, at.Arrived, at.Seq
	s.began = beginning{at.Time, at.Arrived, at.Seq}
}

// BeginAs puts a stage where another began whose standing was saved as e.
func (s *TimeStage) BeginAs(e state.Entry) error {
	as := new(TimeStage)
	if err := as.Standing().Load(e); err != nil {
		return err
	}
	if b := as.began; b.time > 0 {
		s.Begin(column.Position{Time: b.time, Arrived: b.arrived, Seq: b.next})
	}
	return nil
}

// Counts returns what was counted.
func (s *TimeStage) Counts() TimeCounts { return s.counts }

// Watermark returns W.
func (s *TimeStage) Watermark() column.Ticks { return s.w }

// Newest is the largest time that a row has had, or the watermark where that is larger.
func (s *TimeStage) Newest() column.Ticks {
	if s.w == column.EndOfTime {
		return s.m
	}
	return max(s.m, s.w)
}

// LastArrival returns the arrival time of the last event.
func (s *TimeStage) LastArrival() column.Ticks { return s.arrived }

// ArrivalMode reports whether event time is arrival time.
func (s *TimeStage) ArrivalMode() bool { return s.expr == nil }

// Frontier is where no later row of the partition stands before: at the watermark,
// behind the arrival and the message of the last row.
func (s *TimeStage) Frontier() column.Position {
	return column.Position{Time: s.w, Arrived: s.arrived, Seq: s.next}
}

// Held is about how many bytes wait for the watermark: those of the rows of the
// tolerance for disorder.
func (s *TimeStage) Held() int64 {
	if s.wait == nil {
		return 0
	}
	return s.wait.Held(0)
}

// Rows takes a batch whose times are arrival times, in order of arrival, and emits
// what is released. It does not tell the watermark: the driver does, once per batch.
func (s *TimeStage) Rows(b *column.Batch, out Emit) error {
	n := b.LiveRows()
	if n == 0 {
		return nil
	}
	if b.Seq != nil {
		s.next = b.Seq[b.Row(n-1)] + 1
	}
	if s.expr == nil {
		if s.subs != nil {
			if b = s.subs.keyed(b, s.keyless); b.LiveRows() == 0 {
				return nil
			}
		}
		return out.Rows(s.arrival(b))
	}
	return s.application(b, out)
}

// keyless drops a row without a key.
func (s *TimeStage) keyless(row int) {
	s.counts.InvalidTime++
	s.report(row, InvalidKey, Moved{Dropped: true})
}

// arrival takes arrival times for event times. One below the watermark, of an event
// that was delivered long after it arrived, becomes the watermark.
func (s *TimeStage) arrival(b *column.Batch) *column.Batch {
	var times []column.Ticks // nil: those of b
	for k := range b.LiveRows() {
		i := b.Row(k)
		t := b.Time[i]
		if t < s.w {
			if times == nil {
				times = append([]column.Ticks(nil), b.Time...)
			}
			t, times[i] = s.w, s.w
			s.counts.OutOfOrder++
			s.report(i, OutOfOrder, Moved{By: s.w - b.Time[i], Cause: s.top})
		}
		s.w = t
	}
	s.m = s.w
	b = s.inArrivalOrder(b)
	if times != nil {
		c := *b
		if c.Arrived == nil {
			c.Arrived = b.Time
		}
		c.Time = times
		b = &c
	}
	return b
}

// inArrivalOrder takes note of the last arrival. Rows of one time stand in the order
// in which they came, so one that says it arrived before another that came earlier
// stands as if it had arrived with that.
func (s *TimeStage) inArrivalOrder(b *column.Batch) *column.Batch {
	var arrived []column.Ticks
	for k := range b.LiveRows() {
		i := b.Row(k)
		if a := b.Time[i]; a >= s.arrived {
			s.arrived = a
			continue
		}
		if arrived == nil {
			arrived = append([]column.Ticks(nil), b.Time...)
		}
		arrived[i] = s.arrived
	}
	if arrived == nil {
		return b
	}
	c := *b
	c.Arrived = arrived
	return &c
}

// application applies the policies row by row, in arrival order.
func (s *TimeStage) application(b *column.Batch, out Emit) error {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	times := s.stamps(b, rows)
	if s.subs != nil {
		s.subs.read(b, rows)
	}
	live := b.Live
	dropped := false
	for k := range rows.Len() {
		i := rows.Row(k)
		t := s.admit(i, times[i], b.Time[i], seqOf(b, i))
		if t == noTime {
			if !dropped {
				dropped = true
				live = make([]int32, k, rows.Len())
				for n := range live {
					live[n] = int32(rows.Row(n))
				}
			}
			times[i] = 0
			continue
		}
		times[i] = t
		if dropped {
			live = append(live, int32(i))
		}
	}
	c := *s.inArrivalOrder(b)
	if s.subs != nil && s.policy.Late >= 0 {
		s.w = max(s.w, s.arrived-s.policy.Late)
		s.subs.forget(s.arrived - s.policy.Late + s.policy.Disorder)
	}
	if dropped && len(live) == 0 {
		return s.release(out) // with OVER the bound has moved all the same
	}
	if c.Arrived == nil {
		c.Arrived = b.Time
	}
	c.Time, c.Live = times, live
	if s.policy.Disorder == 0 && s.Held() == 0 {
		// Without a tolerance W is the largest time, so what passed is in order: with OVER
		// in that of its key.
		return out.Rows(&c)
	}
	s.buffer().Add(0, &c)
	return s.release(out)
}

// admit applies the policies to a row of event time t and arrival a, and returns the
// time it gets.
func (s *TimeStage) admit(row int, t, a column.Ticks, seq int64) column.Ticks {
	var key []byte
	if s.subs != nil {
		if key = s.subs.keys[row]; key == nil {
			s.keyless(row)
			return noTime
		}
	}
	switch {
	case t == noTime:
		s.counts.InvalidTime++
		s.report(row, InvalidTime, Moved{Dropped: true})
		return noTime
	case t > a+earlyLimit:
		s.counts.Early++
		s.report(row, TooEarly, Moved{Dropped: true})
		return noTime
	}
	if s.policy.Late >= 0 && a-t > s.policy.Late {
		s.counts.Late++
		if s.policy.Drop {
			s.report(row, TooLate, Moved{Dropped: true})
			return noTime
		}
		s.report(row, TooLate, Moved{By: a - s.policy.Late - t})
		t = a - s.policy.Late
	}
	w, top := s.w, s.top
	if s.subs != nil {
		x := s.subs.find(key)
		switch {
		case x != nil && x.m-s.policy.Disorder > w:
			w, top = x.m-s.policy.Disorder, x.top
		case x == nil && s.subs.full() && !s.roomAt(a):
			s.counts.InvalidTime++
			s.report(row, TooManyKeys, Moved{Dropped: true})
			return noTime
		}
	}
	if t < w {
		s.counts.OutOfOrder++
		if s.policy.Drop {
			s.report(row, OutOfOrder, Moved{Dropped: true})
			return noTime
		}
		s.report(row, OutOfOrder, Moved{By: w - t, Cause: top})
		t = w
	}
	if t > s.m {
		s.m, s.top = t, seq
	}
	if s.subs != nil {
		s.subs.reach(key, t, seq)
		return t
	}
	s.w = max(s.w, s.m-s.policy.Disorder)
	return t
}

// roomAt reports whether a new key has room at an arrival, which may let others go.
func (s *TimeStage) roomAt(a column.Ticks) bool {
	if s.policy.Late >= 0 {
		s.subs.forget(max(a, s.arrived) - s.policy.Late + s.policy.Disorder)
	}
	return !s.subs.full()
}

func (s *TimeStage) report(row int, fault TimeFault, m Moved) {
	if s.Report != nil {
		s.Report(row, fault, m)
	}
}

func seqOf(b *column.Batch, i int) int64 {
	if b.Seq == nil {
		return 0
	}
	return b.Seq[i]
}

func (s *TimeStage) buffer() *reorder.Buffer {
	if s.wait == nil {
		s.wait = s.make()
	}
	return s.wait
}

// release emits the held rows with times up to W, in (time, arrival) order. A later
// row of time W stands behind those that came before it.
func (s *TimeStage) release(out Emit) error {
	if s.wait == nil {
		return nil
	}
	s.wait.Reach(0, column.Position{Time: s.w, Arrived: math.MaxInt64, Seq: math.MaxInt64, Index: math.MaxInt64})
	return s.wait.Release(out.Rows)
}

// Idle raises the watermark while no event comes. now is the estimate of the
// present arrival time; promised says that no later event arrives before it.
func (s *TimeStage) Idle(now column.Ticks, promised bool, out Emit) error {
	w := now
	switch {
	case now == column.EndOfTime:
	case s.expr == nil && promised:
	case s.policy.Late >= 0:
		w = now - s.policy.Late
	case s.expr == nil:
		w = now - 5*column.Second
	default:
		return nil
	}
	if w <= s.w {
		return nil
	}
	s.w = w
	return s.release(out)
}

// Freeze takes the rows that wait. How far the stage is stands in its Standing.
func (s *TimeStage) Freeze() (state.Frozen, error) {
	if s.wait == nil {
		return nil, nil
	}
	return s.wait.Freeze(), nil
}

// Load puts a row back that waits.
func (s *TimeStage) Load(e state.Entry) error { return s.buffer().Load(e) }

// Standing is how far a time stage is: state of its own, because it does not depend on
// what the plan reads of each event, as rows that wait do.
type Standing struct{ s *TimeStage }

// Standing returns the standing of the stage.
func (s *TimeStage) Standing() Standing { return Standing{s} }

// Freeze takes the standing, if it has changed.
func (k Standing) Freeze() (state.Frozen, error) {
	s := k.s
	if s.saved == s.timeScalars {
		return nil, nil
	}
	s.saved = s.timeScalars
	scalars := s.saved.append(nil)
	return func(to *state.Section) { to.Put(0, []byte{state.EveryShard}, scalars) }, nil
}

// Load puts the standing back.
func (k Standing) Load(e state.Entry) error {
	r := &stateReader{b: e.Value}
	k.s.timeScalars.read(r)
	k.s.saved = k.s.timeScalars
	return r.done()
}

// FrontierIn is the frontier of a stage whose standing was saved as e.
func FrontierIn(e state.Entry) (column.Position, error) {
	s := new(TimeStage)
	err := s.Standing().Load(e)
	return s.Frontier(), err
}

// Resume brings a stage that has seen the same events again to where another stood
// when its standing was saved as e.
func (s *TimeStage) Resume(e state.Entry, out Emit) error {
	to := new(TimeStage)
	if err := to.Standing().Load(e); err != nil {
		return err
	}
	s.w, s.m, s.arrived, s.next = max(s.w, to.w), max(s.m, to.m), max(s.arrived, to.arrived), max(s.next, to.next)
	return s.release(out)
}

func (s *timeScalars) append(dst []byte) []byte {
	dst = appendTicks(appendTicks(appendTicks(dst, s.w), s.m), s.arrived)
	dst = appendTicks(appendTicks(dst, s.began.time), s.began.arrived)
	for _, n := range []int64{s.began.next, s.next, s.counts.Early, s.counts.Late, s.counts.OutOfOrder, s.counts.InvalidTime} {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

func (s *timeScalars) read(r *stateReader) {
	s.w, s.m, s.arrived = r.ticks(), r.ticks(), r.ticks()
	s.began = beginning{r.ticks(), r.ticks(), r.varint()}
	s.next = r.varint()
	s.counts = TimeCounts{r.varint(), r.varint(), r.varint(), r.varint()}
}
