package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"spate/column"
	"spate/stream"
)

// Diagnostic is one event that was dropped or whose time was changed.
type Diagnostic struct {
	// Kind is late, early, outOfOrder, timestamp, deserialization, declaration,
	// conversion, runtime (a row for which an expression fails), or arrival (raised to that
	// of the event before it).
	Kind   string `json:"kind"`
	Input  string `json:"input,omitempty"`
	Output string `json:"output,omitempty"`
	Step   string `json:"step,omitempty"` // of WITH
	File   string `json:"file,omitempty"` // where the input has several
	Line   int64  `json:"line,omitempty"` // from 1; of JSON the number of the event
	Drop   bool   `json:"dropped"`
	Reason string `json:"reason"`

	Row      []byte `json:"-"` // as JSON: that a step cannot compute
	StepLine int    `json:"-"` // of the script, where the name of the step or output stands
}

// Summary is what a run did to its events beside its result.
type Summary struct {
	Dropped int64        // events and rows
	Moved   int64        // events whose time the policies changed
	Raised  int64        // events that arrived, by what they say, before the one above them
	Most    column.Ticks // the largest move or raise
	Cause   string       // file and line of the event that caused it

	err error // of keeping reports
}

// tally counts what happens to events. Partitions report side by side.
type tally struct {
	mu      sync.Mutex
	o       *Options
	s       Summary
	cause   int64
	input   string
	reports *sorter // nil: nobody wants them
	inputs  map[string]*input
	moved   map[movedAt]int64 // offset of the last event that was moved
}

// movedAt is a partition.
type movedAt struct {
	input string
	part  int
}

func newTally(o *Options) *tally {
	t := &tally{o: o, inputs: make(map[string]*input), moved: make(map[movedAt]int64)}
	if o.Diagnostic != nil {
		t.reports = newSorter(t.report)
	}
	return t
}

// span is a duration as people read it. Ticks reach further than time.Duration does.
func span(t column.Ticks) string {
	if t > 100*365*24*60*column.Minute {
		return fmt.Sprintf("%d days", t/(24*60*column.Minute))
	}
	return time.Duration(t * 100).String()
}

// String is the line that a run ends with; empty if there is nothing to say.
func (s Summary) String() string {
	if s.Dropped+s.Moved+s.Raised == 0 {
		return ""
	}
	out := fmt.Sprintf("%d events were dropped, %d were moved in time by the policies, %d arrivals were raised", s.Dropped, s.Moved, s.Raised)
	if s.Most > 0 {
		out += fmt.Sprintf("; by %s at most, because of %s", span(s.Most), s.Cause)
	}
	return out
}

// record is a Diagnostic that waits for its place.
type record struct {
	Diagnostic
	Offset int64
	Bytes  []byte // Row
	At     int    // StepLine
}

// fault takes a diagnostic of the engine.
func (t *tally) fault(d stream.Diagnostic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d.Dropped {
		t.s.Dropped++
	} else {
		// A late event may be out of order too: that is one event.
		at := movedAt{d.Input, d.Part}
		if last, ok := t.moved[at]; !ok || last != d.Offset {
			t.s.Moved++
		}
		t.moved[at] = d.Offset
		t.most(d.Input, d.Moved, d.Cause)
	}
	reason := d.Type + ": " + d.Reason
	if d.Moved > 0 {
		reason += fmt.Sprintf(": moved by %s", span(d.Moved))
	}
	r := record{Diagnostic{Kind: d.Kind, Input: d.Input, Output: d.Output, Step: d.Step, Drop: d.Dropped, Reason: reason}, d.Offset, d.Row, d.Line}
	if d.Snapshot != "" {
		r.File, r.Line = d.Snapshot, d.Offset
	}
	t.keep(r)
}

// raised takes an arrival that would have run backwards.
func (t *tally) raised(input string, offset int64, from, to column.Ticks, cause int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s.Raised++
	t.most(input, to-from, cause)
	t.keep(record{Diagnostic{
		Kind: "arrival", Input: input,
		Reason: fmt.Sprintf("arrival %s is before that of the line above: raised to %s", from, to),
	}, offset, nil, 0})
}

func (t *tally) most(input string, by column.Ticks, cause int64) {
	if by > t.s.Most {
		t.s.Most, t.cause, t.input = by, cause, input
	}
}

// keep holds a report back: they are told in the order of inputs and lines.
func (t *tally) keep(r record) {
	if t.reports == nil {
		return
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = t.reports.add(rank{seq: r.Offset}, 0, func(dst []byte) []byte { return append(dst, text...) })
	}
	if err != nil {
		t.s.err = errors.Join(t.s.err, err)
	}
}

// report tells one.
func (t *tally) report(_ int32, text []byte) error {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	if in := t.inputs[r.Input]; in != nil {
		r.File, r.Line = in.place(r.Offset)
	}
	r.Row, r.StepLine = r.Bytes, r.At
	t.o.Diagnostic(r.Diagnostic)
	return nil
}

// summary tells all reports and returns the counts.
func (t *tally) summary(inputs []*input) (Summary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range inputs {
		t.inputs[in.Name] = in
		for _, n := range in.names {
			t.inputs[n] = in
		}
	}
	err := t.s.err
	if t.reports != nil {
		err = errors.Join(err, t.reports.releaseAll())
	}
	if in := t.inputs[t.input]; in != nil && t.s.Most > 0 {
		name, line := in.place(t.cause)
		if name == "" {
			name = in.Path
		}
		t.s.Cause = fmt.Sprintf("%s:%d", name, line)
	}
	return t.s, err
}

func (t *tally) close() {
	if t.reports != nil {
		t.reports.close()
	}
}
