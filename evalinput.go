package spate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"spate/column"
	"spate/column/format"
	"spate/connector/file"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// evalMessages reads one input file of an eval run and gives every event its
// arrival time and partition.
func evalMessages(o *EvalOptions, in EvalInput, refs []*plan.Input) ([]file.Message, error) {
	r := in.Reader
	if r == nil {
		f, err := os.Open(in.Path)
		if err != nil {
			return nil, fmt.Errorf("opening input %s: %w", in.Name, err)
		}
		defer f.Close()
		r = f
	}
	name := in.formatName()
	f, err := formatOf(name, in.Delimiter)
	if err != nil {
		return nil, fmt.Errorf("reading input %s: %w", in.Name, err)
	}
	var messages []file.Message
	switch {
	case f.CSV:
		messages, err = readCSV(r, in.Path, f.Delimiter)
	case name == "json":
		messages, err = readJSON(r, in.Path)
	default:
		messages, err = file.ReadLines(r, in.Path)
	}
	if err != nil {
		return nil, err
	}
	a := &arrivals{o: o, in: in, format: f, refs: refs, last: make([]column.Ticks, max(in.Partitions, 1))}
	for i := range messages {
		if err := a.stamp(&messages[i]); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// formatName is the format that is asked for, or that the name of the file says.
func (in EvalInput) formatName() string {
	if in.Format != "" {
		return in.Format
	}
	switch {
	case strings.HasSuffix(in.Path, ".json"):
		return "json"
	case strings.HasSuffix(in.Path, ".csv"):
		return "csv"
	}
	return "jsonl"
}

// readJSON reads a file that holds one array of events, or events one after the
// other. Text that is not that is one message, which the decoder will refuse.
func readJSON(r io.Reader, name string) ([]file.Message, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	var events []json.RawMessage
	if json.Unmarshal(raw, &events) != nil {
		events = nil
		for d := json.NewDecoder(bytes.NewReader(raw)); ; {
			var e json.RawMessage
			err := d.Decode(&e)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return []file.Message{{Body: raw, Line: 1}}, nil
			}
			events = append(events, e)
		}
	}
	out := make([]file.Message, len(events))
	for i, e := range events {
		out[i] = file.Message{Body: e, Line: int64(i + 1)}
	}
	return out, nil
}

// arrivals finds the arrival time of events by the rules of eval.
type arrivals struct {
	o  *EvalOptions
	in EvalInput

	format stream.Format
	refs   []*plan.Input
	last   []column.Ticks // per partition: arrival never runs backwards
}

// InputError is an input file that says something impossible.
type InputError struct {
	File   string
	Line   int64
	Reason string
}

// Error implements error.
func (e *InputError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// decode reads columns of one message.
func (a *arrivals) decode(cols []format.Column, body []byte) (format.Rows, error) {
	starts, ends := []uint32{0}, []uint32{uint32(len(body))}
	if !a.format.CSV {
		return format.NewDecoder(cols, format.Options{}).Decode(body, starts, ends, 0), nil
	}
	d, err := format.NewCSVDecoder(cols, a.format.Delimiter)
	if err != nil {
		return format.Rows{}, err
	}
	return d.Decode(body, starts, ends, 0), nil
}

func (a *arrivals) stamp(m *file.Message) error {
	rows, err := a.decode([]format.Column{{Whole: true}}, m.Body)
	if err != nil {
		return fmt.Errorf("reading input %s: %w", a.in.Name, err)
	}
	event := column.Value{}
	if rows.Rows > 0 {
		event = rows.Cols[0].At(0)
	}
	t, err := a.of(m, event)
	if err != nil {
		return err
	}
	if a.in.PartitionField != "" && a.in.Partitions > 1 {
		if v, _ := column.Cast(event.Field(a.in.PartitionField), column.Int64); v.Kind == column.Int64 && v.Int() >= 0 {
			m.Part = int(v.Int() % int64(a.in.Partitions))
		}
	}
	if t < a.last[m.Part] {
		a.diagnose(EvalDiagnostic{
			Kind: "arrival", Input: a.in.Name, Line: m.Line,
			Reason: fmt.Sprintf("arrival %s is before that of the line above: raised to %s", t, a.last[m.Part]),
		})
		t = a.last[m.Part]
	}
	a.last[m.Part], m.Arrival = t, t
	if a.o.ArrivalDrop && a.o.ArrivalField != "" && rows.Rows == 1 && event.Kind == column.Record {
		body, err := a.dropField(m.Body)
		if err != nil {
			return fmt.Errorf("%s:%d: removing field %s: %w", a.in.Path, m.Line, a.o.ArrivalField, err)
		}
		m.Body = body
	}
	return nil
}

func (a *arrivals) diagnose(d EvalDiagnostic) {
	if a.o.Diagnostic != nil {
		a.o.Diagnostic(d)
	}
}

func (a *arrivals) of(m *file.Message, event column.Value) (column.Ticks, error) {
	for _, name := range []string{a.o.ArrivalField, "EventEnqueuedUtcTime"} {
		if name == "" {
			continue
		}
		v := event.Field(name)
		if v.IsNull() {
			continue
		}
		t, ok := arrivalTime(v)
		if !ok {
			return 0, &InputError{a.in.Path, m.Line, fmt.Sprintf("field %s is no arrival time: %s", name, column.AppendJSON(nil, v))}
		}
		return t, nil
	}
	for _, ref := range a.refs {
		if ref.Time == nil {
			continue
		}
		if t, ok := a.eventTime(ref, m.Body); ok {
			return t, nil
		}
	}
	return startOf(a.o.Start), nil
}

func startOf(t time.Time) column.Ticks {
	if t.IsZero() {
		t = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return column.TicksOf(t)
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

// eventTime computes the TIMESTAMP BY of an input reference for one message.
func (a *arrivals) eventTime(ref *plan.Input, body []byte) (column.Ticks, bool) {
	var cols []format.Column
	for _, c := range ref.Cols {
		cols = append(cols, format.Column{Path: c.Path, Whole: c.Kind == plan.Whole})
	}
	rows, err := a.decode(cols, body)
	if err != nil || rows.Rows == 0 {
		return 0, false
	}
	for i, c := range ref.Cols {
		if c.Declared == column.Null {
			continue
		}
		b := column.NewBuilder(nil)
		for k := range rows.Rows {
			v, ok := a.format.ReadAs(rows.Cols[i].At(k), c.Declared)
			if !ok {
				return 0, false // the job drops it
			}
			b.Append(v)
		}
		rows.Cols[i] = b.Vector()
	}
	b := &column.Batch{Schema: exec.SchemaOf(ref.Columns()), Rows: rows.Rows, Time: make([]column.Ticks, rows.Rows), Cols: rows.Cols}
	v, err := exec.Evaluate(ref.Time, b)
	if err != nil {
		return 0, false
	}
	switch x := v.At(0); x.Kind {
	case column.Time:
		return x.Ticks(), true
	case column.Text:
		return column.ParseTicks(x.Text())
	}
	return 0, false
}

// dropField takes the arrival field out of a message.
func (a *arrivals) dropField(body []byte) ([]byte, error) {
	if a.format.CSV {
		return dropCSVField(body, a.o.ArrivalField, a.format.Delimiter)
	}
	return dropField(body, a.o.ArrivalField)
}

// dropField removes a top-level field of an object and keeps the bytes of the
// others as they are.
func dropField(body []byte, name string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	out := []byte{'{'}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		k, _ := key.(string)
		if column.EqualNames(k, name) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(column.AppendQuoted(out, k), ':')
		out = append(out, v...)
	}
	return append(out, '}'), nil
}
