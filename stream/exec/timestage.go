package exec

import (
	"encoding/binary"
	"sort"

	"spate/column"
	"spate/column/compute"
	"spate/sql/plan"
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

// TimeCounts counts what the time stage did to events.
type TimeCounts struct {
	Early, Late, OutOfOrder, InvalidTime int64
}

// TimeStage gives the rows of one input partition their event times and holds
// the watermark of that partition.
type TimeStage struct {
	// Report, if set, is told of each row of the batch given to Rows whose time is
	// wrong, and what became of it.
	Report func(row int, fault TimeFault, m Moved)

	policy  TimePolicy
	expr    value // TIMESTAMP BY; nil: arrival time
	schema  *column.Schema
	counts  TimeCounts
	w       column.Ticks // no later row has an event time below
	m       column.Ticks // largest event time
	top     int64        // Seq of the row that has it; not part of the state
	arrived column.Ticks // last arrival
	held    []heldRow    // ascending (time, arrival order)
}

type heldRow struct {
	b    *column.Batch
	row  int32
	time column.Ticks
}

// NewTimeStage compiles the time of an input.
func NewTimeStage(in *plan.Input, p TimePolicy) (*TimeStage, error) {
	if len(in.Over) > 0 {
		return nil, &UnsupportedError{in.Where, "TIMESTAMP BY ... OVER"}
	}
	s := &TimeStage{policy: p, schema: SchemaOf(in.Columns())}
	if in.Time == nil {
		return s, nil
	}
	var err error
	s.expr, err = compile(in.Time)
	return s, err
}

// Counts returns what was counted.
func (s *TimeStage) Counts() TimeCounts { return s.counts }

// Watermark returns W.
func (s *TimeStage) Watermark() column.Ticks { return s.w }

// LastArrival returns the arrival time of the last event.
func (s *TimeStage) LastArrival() column.Ticks { return s.arrived }

// ArrivalMode reports whether event time is arrival time.
func (s *TimeStage) ArrivalMode() bool { return s.expr == nil }

// Rows takes a batch whose times are arrival times and emits what is released.
// It does not tell the watermark: the driver does, once per batch.
func (s *TimeStage) Rows(b *column.Batch, out Emit) error {
	if b.LiveRows() == 0 {
		return nil
	}
	s.arrived = max(s.arrived, b.Time[b.Row(b.LiveRows()-1)])
	if s.expr == nil {
		return s.arrival(b, out)
	}
	return s.application(b, out)
}

func (s *TimeStage) arrival(b *column.Batch, out Emit) error {
	if first := b.Time[b.Row(0)]; first < s.w {
		times := append([]column.Ticks(nil), b.Time...)
		for k := range b.LiveRows() {
			if i := b.Row(k); times[i] < s.w {
				s.report(i, OutOfOrder, Moved{By: s.w - times[i], Cause: s.top})
				times[i] = s.w
				s.counts.OutOfOrder++
			}
		}
		c := *b
		c.Arrived, c.Time = b.Time, times
		b = &c
	}
	s.w = max(s.w, b.Time[b.Row(b.LiveRows()-1)])
	s.m = s.w
	return out.Rows(b)
}

// application applies the policies row by row, in arrival order.
func (s *TimeStage) application(b *column.Batch, out Emit) error {
	rows := compute.Rows{N: b.Rows, Live: b.Live}
	stamp := s.stamps(b, rows)
	inOrder := len(s.held) == 0
	times := make([]column.Ticks, b.Rows)
	var live []int32
	for k := range rows.Len() {
		i := rows.Row(k)
		t, ok := timeOf(stamp(i))
		a := b.Time[i]
		switch {
		case !ok:
			s.counts.InvalidTime++
			s.report(i, InvalidTime, Moved{Dropped: true})
			continue
		case t > a+earlyLimit:
			s.counts.Early++
			s.report(i, TooEarly, Moved{Dropped: true})
			continue
		}
		if s.policy.Late >= 0 && a-t > s.policy.Late {
			s.counts.Late++
			if s.policy.Drop {
				s.report(i, TooLate, Moved{Dropped: true})
				continue
			}
			s.report(i, TooLate, Moved{By: a - s.policy.Late - t})
			t = a - s.policy.Late
		}
		if t < s.w {
			s.counts.OutOfOrder++
			if s.policy.Drop {
				s.report(i, OutOfOrder, Moved{Dropped: true})
				continue
			}
			s.report(i, OutOfOrder, Moved{By: s.w - t, Cause: s.top})
			t = s.w
		}
		inOrder = inOrder && (s.policy.Disorder == 0)
		if t > s.m {
			s.m = t
			if b.Seq != nil {
				s.top = b.Seq[i]
			}
		}
		s.w = max(s.w, s.m-s.policy.Disorder)
		times[i] = t
		live = append(live, int32(i))
	}
	if len(live) == 0 {
		return nil
	}
	c := *b
	c.Time, c.Arrived = times, b.Time
	if len(live) < b.Rows {
		c.Live = live
	} else {
		c.Live = nil
	}
	if inOrder {
		// Without a tolerance W is the largest time, so what passed is in order.
		return out.Rows(&c)
	}
	for _, i := range live {
		s.held = append(s.held, heldRow{&c, i, times[i]})
	}
	sort.SliceStable(s.held, func(i, j int) bool { return s.held[i].time < s.held[j].time })
	return s.release(out)
}

func (s *TimeStage) report(row int, fault TimeFault, m Moved) {
	if s.Report != nil {
		s.Report(row, fault, m)
	}
}

// release emits the held rows with times up to W, in (time, arrival) order.
func (s *TimeStage) release(out Emit) error {
	n := sort.Search(len(s.held), func(i int) bool { return s.held[i].time > s.w })
	ready := s.held[:n]
	for len(ready) > 0 {
		b := ready[0].b
		var rows []int32
		for len(ready) > 0 && ready[0].b == b {
			rows = append(rows, ready[0].row)
			ready = ready[1:]
		}
		if err := out.Rows(b.Gather(rows)); err != nil {
			return err
		}
	}
	s.held = append([]heldRow(nil), s.held[n:]...)
	return nil
}

// stamps evaluates TIMESTAMP BY. A row for which it fails has no time: as with a
// value that is no datetime, it costs the event and not the job.
func (s *TimeStage) stamps(b *column.Batch, rows compute.Rows) func(i int) column.Value {
	o, err := s.expr.eval(b, rows)
	if err == nil {
		return o.At
	}
	values := make([]column.Value, b.Rows)
	for k := range rows.Len() {
		i := rows.Row(k)
		if o, err := s.expr.eval(b.Gather([]int32{int32(i)}), compute.Rows{N: 1}); err == nil {
			values[i] = o.At(0)
		}
	}
	return func(i int) column.Value { return values[i] }
}

func timeOf(v column.Value) (column.Ticks, bool) {
	switch v.Kind {
	case column.Time:
		return v.Ticks(), v.Ticks().Valid()
	case column.Text:
		return column.ParseTicks(v.Text())
	}
	return 0, false
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

// snapshot appends the state.
func (s *TimeStage) snapshot(dst []byte) []byte {
	dst = appendTicks(appendTicks(appendTicks(dst, s.w), s.m), s.arrived)
	for _, n := range []int64{s.counts.Early, s.counts.Late, s.counts.OutOfOrder, s.counts.InvalidTime} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.held)))
	for _, h := range s.held {
		dst = appendBatch(dst, h.b, []int32{h.row})
	}
	return dst
}

// restore reads a snapshot.
func (s *TimeStage) restore(b []byte) error {
	r := &stateReader{b: b}
	s.w, s.m, s.arrived = r.ticks(), r.ticks(), r.ticks()
	s.counts = TimeCounts{r.varint(), r.varint(), r.varint(), r.varint()}
	for range r.count() {
		b := r.batch(s.schema)
		if r.err == nil && b.Rows == 1 {
			s.held = append(s.held, heldRow{b, 0, b.Time[0]})
		}
	}
	return r.done()
}

// Freeze implements Operator.
func (s *TimeStage) Freeze() (state.Frozen, error) { return whole(s.snapshot(nil)), nil }

// Load implements Operator.
func (s *TimeStage) Load(e state.Entry) error { return s.restore(e.Value) }
