package eval

import (
	"fmt"
	"time"

	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// arrivals finds the arrival times of the events of one input. The first rule that
// applies: the arrival field; a field EventEnqueuedUtcTime; the value of TIMESTAMP BY;
// the start of the run. Where TIMESTAMP BY stands and gives no time the event is
// dropped, and moves nobody: it arrives with the event before it, or, as the first,
// with the first arrival that can be read in the files.
type arrivals struct {
	o      *Options
	in     *input
	tally  *tally
	routed bool // they are stamped before the partitions get them

	cols   []format.Column
	fields int // of cols: the arrival field, if any, and EventEnqueuedUtcTime
	refs   []reference
	first  column.Ticks // of events before the first that tells its own
}

// reference is a FROM with TIMESTAMP BY.
type reference struct {
	*plan.Input
	schema *column.Schema
	from   []int // column of arrivals.cols of each of its columns; -1: none
}

func newArrivals(r *run, in *input, refs []*plan.Input) *arrivals {
	a := &arrivals{o: r.o, in: in, tally: r.tally, first: startOf(r.o.Start)}
	if r.o.ArrivalField != "" {
		a.cols = append(a.cols, format.Column{Path: []string{r.o.ArrivalField}})
	}
	a.cols = append(a.cols, format.Column{Path: []string{"EventEnqueuedUtcTime"}})
	a.fields = len(a.cols)
	for _, ref := range refs {
		if ref.Time == nil || system(ref) {
			continue
		}
		x := reference{Input: ref, schema: exec.SchemaOf(ref.Columns()), from: make([]int, len(ref.Cols))}
		for k, c := range ref.Cols {
			x.from[k] = -1
			// All that the plan reads: it is decoded anyway, and an event that a declared
			// column drops tells no time.
			if c.Kind == plan.Payload || c.Kind == plan.Whole {
				x.from[k] = len(a.cols)
				a.cols = append(a.cols, format.Column{Path: c.Path, Whole: c.Kind == plan.Whole})
			}
		}
		a.refs = append(a.refs, x)
	}
	return a
}

// system reports whether TIMESTAMP BY names a system column: the arrival itself.
func system(ref *plan.Input) bool {
	c, ok := ref.Time.(*plan.Col)
	return ok && ref.Cols[c.Index].Kind != plan.Payload && ref.Cols[c.Index].Kind != plan.Whole
}

func startOf(t time.Time) column.Ticks {
	if t.IsZero() {
		t = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return column.TicksOf(t)
}

// findFirst looks for the first arrival that can be read in the files.
func (a *arrivals) findFirst(files *file.Source) error {
	if len(a.refs) == 0 {
		return nil
	}
	d, err := a.in.decoder(a.cols, a.in.level)
	if err != nil {
		return err
	}
	return files.Peek(func(c *connector.Chunk) (bool, error) {
		for first := 0; first < c.Len(); {
			rows := d.Decode(c.Data, c.Starts, c.Ends, first)
			first = rows.Next
			at := make([]column.Ticks, rows.Rows)
			if a.read(rows.Cols, at) != nil {
				return false, nil // the run says where
			}
			for _, t := range at {
				if t != 0 {
					a.first = t
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// partition makes what stamps the events of one partition.
func (a *arrivals) partition() *partitionArrivals { return &partitionArrivals{arrivals: a} }

// partitionArrivals implements stream.Arrivals.
type partitionArrivals struct {
	*arrivals
	last column.Ticks // arrival of the last event
	line int64        // offset of the event that set it
}

var _ stream.Arrivals = (*partitionArrivals)(nil)

// Columns implements stream.Arrivals.
func (a *arrivals) Columns() []format.Column { return a.cols }

// Stamp implements stream.Arrivals.
func (p *partitionArrivals) Stamp(cols []column.Vector, offsets []int64, at []column.Ticks) error {
	clear(at)
	if bad := p.read(cols, at); bad != nil {
		name, line := p.in.files.Place(offsets[bad.row])
		return &InputError{File: name, Line: line, Reason: bad.reason}
	}
	for i, t := range at {
		switch {
		case t != 0:
		case len(p.refs) == 0:
			t = p.first
		case p.last != 0:
			t = p.last
		default:
			t = p.first
		}
		switch {
		case t < p.last:
			p.tally.raised(p.in.Name, offsets[i], t, p.last, p.line)
			t = p.last
		case t > p.last:
			p.last, p.line = t, offsets[i]
		}
		at[i] = t
	}
	return nil
}

// unreadable is a row whose arrival field is no time.
type unreadable struct {
	row    int
	reason string
}

// read sets the arrivals that the rows tell and leaves the others 0.
func (a *arrivals) read(cols []column.Vector, at []column.Ticks) *unreadable {
	open := len(at)
	for k := range a.fields {
		v := &cols[k]
		if v.Kind == column.Null {
			continue
		}
		for i := range at {
			if at[i] != 0 || v.IsNull(i) {
				continue
			}
			t, ok := arrivalAt(v, i)
			if ok {
				at[i] = t
				open--
				continue
			}
			if name := a.cols[k].Path[0]; a.o.ArrivalField != "" && k == 0 {
				return &unreadable{i, fmt.Sprintf("field %s is no arrival time: %s", name, column.AppendJSON(nil, v.At(i)))}
			}
		}
	}
	for r := range a.refs {
		if open == 0 {
			break
		}
		open -= a.refs[r].times(a.in, cols, at)
	}
	return nil
}

// times sets what TIMESTAMP BY gives for the rows that have no arrival yet, and
// returns of how many.
func (r *reference) times(in *input, cols []column.Vector, at []column.Ticks) (set int) {
	b := &column.Batch{Schema: r.schema, Rows: len(at), Time: at, Cols: make([]column.Vector, len(r.Cols))}
	dropped := make(map[int]bool)
	for k, c := range r.Cols {
		if r.from[k] < 0 {
			b.Cols[k] = column.Constant(column.Value{}, len(at))
			continue
		}
		b.Cols[k] = cols[r.from[k]]
		if c.Declared == column.Null || b.Cols[k].Kind == c.Declared && b.Cols[k].Whole == nil {
			continue
		}
		as := column.NewBuilder(nil)
		for i := range at {
			v, ok := in.format.ReadAs(b.Cols[k].At(i), c.Declared, in.level)
			if !ok {
				dropped[i] = true
			}
			as.Append(v)
		}
		b.Cols[k] = as.Vector()
	}
	v, err := exec.Evaluate(r.Time, b)
	for i := range at {
		row := i
		if at[i] != 0 || dropped[i] {
			continue
		}
		if err != nil { // of some row
			var bad error
			if v, bad = exec.Evaluate(r.Time, b.Gather([]int32{int32(i)})); bad != nil {
				continue
			}
			row = 0
		}
		if t, ok := timeAt(&v, row); ok {
			at[i] = t
			set++
		}
	}
	return set
}

// timeAt reads a value of TIMESTAMP BY.
func timeAt(v *column.Vector, row int) (column.Ticks, bool) {
	if v.Kind == column.Text && !v.IsNull(row) {
		return column.ParseTicks(v.TextAt(row))
	}
	switch x := v.At(row); x.Kind {
	case column.Time:
		return x.Ticks(), x.Ticks().Valid()
	case column.Text:
		return column.ParseTicks(x.Text())
	}
	return 0, false
}

func arrivalAt(v *column.Vector, row int) (column.Ticks, bool) {
	if v.Kind == column.Text {
		if t, ok := column.ParseTicks(v.TextAt(row)); ok {
			return t, true
		}
	}
	return arrivalTime(v.At(row))
}

// arrivalTime reads ISO text, or a Unix time in seconds or milliseconds.
func arrivalTime(v column.Value) (column.Ticks, bool) {
	switch v.Kind {
	case column.Text:
		if t, ok := column.ParseTicks(v.Text()); ok {
			return t, true
		}
		if n, ok := column.ParseFloat(v.Text()); ok { // CSV has no numbers
			return arrivalTime(n)
		}
	case column.Time:
		return v.Ticks(), true
	case column.Int64, column.Float64:
		f, _ := v.Number()
		if f < 1e11 {
			f *= 1000
		}
		t := column.TicksOfMillis(int64(f))
		return t, t.Valid()
	}
	return 0, false
}
