package reference

import (
	"slices"
	"strings"

	"spate/column"
	"spate/sql/plan"
)

const earlyLimit = 5 * column.Minute

// clock is the time of one substream of one partition: the largest event time
// seen and the watermark, below which nothing is admitted any more.
type clock struct {
	started         bool
	most, watermark column.Ticks
}

// input reads the events of an input and gives each its time, by the rules of
// stream-analytics.md 9. Releasing rows in time order is left to the sort.
func (r *runner) input(n *plan.Input) ([]row, error) {
	ordinal := r.ordinal(n.Name)
	clocks := map[string]*clock{}
	partitions := 1            // that there are by now
	numbers := map[int]int64{} // by partition: events before this one
	var out []row
	for seq := range r.events {
		e := &r.events[seq]
		if !strings.EqualFold(e.Input, n.Name) {
			continue
		}
		if e.Partition >= partitions {
			if w := least(clocks, partitions); r.options.Grows && w > 0 {
				for p := partitions; p <= e.Partition; p++ {
					clocks[string(appendKey(nil, column.IntOf(int64(p))))] = &clock{started: true, most: w, watermark: w}
				}
			}
			partitions = e.Partition + 1
		}
		x := row{time: e.Arrival, at: position{arrival: e.Arrival, input: ordinal, partition: e.Partition, seq: seq}, traced: seq == r.traced}
		r.seq = seq
		number := numbers[e.Partition]
		numbers[e.Partition]++
		value, ok := leveled(r.level, e.Value)
		if !ok {
			r.judge("deserialization", true)
			r.counts.BadEvent++
			continue
		}
		event := *e
		event.Value = value
		e = &event
		if x.vals, ok = r.source(n, e, number); !ok {
			r.judge("declaration", true)
			r.counts.Undeclared++
			continue
		}
		key := appendKey(nil, column.IntOf(int64(e.Partition)))
		for _, k := range n.Over {
			v, err := r.eval(k, &x)
			ok = ok && err == nil && !v.IsNull()
			key = appendKey(key, v)
		}
		if !ok {
			r.judge("timestamp", true)
			r.counts.BadKey++
			continue
		}
		c := clocks[string(key)]
		if c == nil {
			c = &clock{}
			clocks[string(key)] = c
		}
		if n.Time == nil {
			x.time = c.arrived(r, e.Arrival)
			out = append(out, x)
			continue
		}
		v, err := r.eval(n.Time, &x)
		if err != nil {
			r.judge("timestamp", true)
			r.counts.BadTime++
			continue
		}
		if t, ok := toTime(v); !ok {
			r.judge("timestamp", true)
			r.counts.BadTime++
		} else if t, ok = c.admit(r, t, e.Arrival); ok {
			x.time = t
			out = append(out, x)
		}
	}
	return out, nil
}

// least is the watermark of the partition that is least far; 0 if one of them had no
// event yet.
func least(clocks map[string]*clock, partitions int) column.Ticks {
	w := column.EndOfTime
	for p := range partitions {
		c := clocks[string(appendKey(nil, column.IntOf(int64(p))))]
		if c == nil {
			return 0
		}
		w = min(w, c.watermark)
	}
	return w
}

// arrived is arrival-time mode.
func (c *clock) arrived(r *runner, a column.Ticks) column.Ticks {
	if c.started && a < c.watermark {
		r.judge("outOfOrder", false)
		r.counts.OutOfOrder++
		return c.watermark
	}
	c.started, c.watermark = true, a
	return a
}

// admit applies the policies in their order: early, late, out of order.
func (c *clock) admit(r *runner, t, a column.Ticks) (column.Ticks, bool) {
	o := &r.options
	if !o.NoEarly && t > a+earlyLimit {
		r.judge("early", true)
		r.counts.Early++
		return 0, false
	}
	if o.Late >= 0 && a-t > o.Late {
		r.judge("late", o.Drop)
		r.counts.Late++
		if o.Drop {
			return 0, false
		}
		t = a - o.Late
	}
	if c.started && t < c.watermark {
		r.judge("outOfOrder", o.Drop)
		r.counts.OutOfOrder++
		if o.Drop {
			return 0, false
		}
		t = c.watermark
	}
	if !c.started {
		c.started, c.most, c.watermark = true, t, t-o.Disorder
	}
	c.most = max(c.most, t)
	c.watermark = max(c.watermark, c.most-o.Disorder)
	return t, true
}

// EventTime is the event time that TIMESTAMP BY gives an event, before any
// policy. It reports false in arrival-time mode and where there is none.
func EventTime(n *plan.Input, event column.Value) (column.Ticks, bool) {
	r := &runner{}
	vals, ok := r.source(n, &Event{Value: event}, 0)
	if !ok || n.Time == nil {
		return 0, false
	}
	v, err := r.eval(n.Time, &row{vals: vals})
	if err != nil {
		return 0, false
	}
	return toTime(v)
}

// source reads the columns of an event, which is the number-th of its partition. It
// reports false if a field is not of the type that CREATE TABLE declares.
func (r *runner) source(n *plan.Input, e *Event, number int64) ([]column.Value, bool) {
	vals := make([]column.Value, len(n.Cols))
	for i := range n.Cols {
		s := &n.Cols[i]
		var v column.Value
		switch s.Kind {
		case plan.EventEnqueued, plan.EventProcessed:
			v = column.TimeOf(e.Arrival)
		case plan.Partition:
			v = column.IntOf(int64(e.Partition))
		case plan.Metadata:
			v = metadata(s.Path, e, number)
		case plan.Whole:
			v = e.Value
			if r.options.SystemColumns {
				v = withSystemColumns(e, r.level)
			}
		default:
			v = e.Value
			for _, name := range s.Path {
				v = field(v, name)
			}
		}
		ok := true
		if v, ok = r.declared(v, s.Declared); !ok {
			return nil, false
		}
		vals[i] = v
	}
	for i := range n.Cols { // a star has the declared fields as their columns do
		if n.Cols[i].Kind == plan.Whole {
			vals[i] = r.withDeclared(n, vals, vals[i])
		}
	}
	return vals, true
}

func (r *runner) withDeclared(n *plan.Input, vals []column.Value, event column.Value) column.Value {
	rec := event.Record()
	if rec == nil {
		return event
	}
	out := &column.RecordValue{Names: rec.Names, Values: slices.Clone(rec.Values)}
	for i, s := range n.Cols {
		if s.Declared == column.Null {
			continue
		}
		exact := slices.Index(rec.Names, s.Path[0])
		at := slices.IndexFunc(rec.Names, func(name string) bool { return strings.EqualFold(name, s.Path[0]) })
		switch {
		case exact >= 0:
			out.Values[exact] = vals[i]
		case at >= 0:
			out.Values[at] = vals[i]
		}
	}
	return column.RecordOf(out)
}

// declared reads v as the declared type; JSON itself cannot write a datetime,
// nor tell a whole float from a bigint.
func (r *runner) declared(v column.Value, k column.Kind) (column.Value, bool) {
	if v, ok := declaredBelow(r.level, v, k); ok {
		return v, true
	}
	switch {
	case k == column.Null || v.IsNull() || v.Kind == k:
		return v, true
	case k == column.Float64 && v.Kind == column.Int64:
		return column.FloatOf(float64(v.Int())), true
	case k == column.Int64 && v.Kind == column.Bool:
		return bigintOf(v), true
	case k == column.Time && v.Kind == column.Text:
		t, ok := parseTime(v.Text())
		return column.TimeOf(t), ok
	}
	return v, false
}

func withSystemColumns(e *Event, level plan.Level) column.Value {
	system := []string{"EventProcessedUtcTime", "PartitionId", "EventEnqueuedUtcTime"}
	out := &column.RecordValue{}
	rec := e.Value.Record()
next:
	for i, name := range rec.Names {
		for _, s := range system {
			if strings.EqualFold(s, name) {
				continue next
			}
		}
		out.Names, out.Values = append(out.Names, name), append(out.Values, rec.Values[i])
	}
	for _, name := range system {
		if level == plan.Level10 {
			name = strings.ToLower(name)
		}
		out.Names = append(out.Names, name)
	}
	out.Values = append(out.Values, column.TimeOf(e.Arrival), column.IntOf(int64(e.Partition)), column.TimeOf(e.Arrival))
	return column.RecordOf(out)
}
