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
	var messages []file.Message
	var err error
	switch formatOf(in) {
	case "jsonl":
		messages, err = file.ReadLines(r, in.Path)
	case "json":
		messages, err = readJSON(r, in.Path)
	default:
		return nil, fmt.Errorf("reading input %s: format %s is not supported yet", in.Name, formatOf(in))
	}
	if err != nil {
		return nil, err
	}
	a := &arrivals{o: o, in: in, refs: refs, last: make([]column.Ticks, max(in.Partitions, 1))}
	for i := range messages {
		if err := a.stamp(&messages[i]); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

func formatOf(in EvalInput) string {
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
	o    *EvalOptions
	in   EvalInput
	refs []*plan.Input
	last []column.Ticks // per partition: arrival never runs backwards
}

func (a *arrivals) stamp(m *file.Message) error {
	d := format.NewDecoder([]format.Column{{Whole: true}}, format.Options{})
	rows := d.Decode(m.Body, []uint32{0}, []uint32{uint32(len(m.Body))}, 0)
	event := column.Value{}
	if rows.Rows > 0 {
		event = rows.Cols[0].At(0)
	}
	t, err := a.of(m, event)
	if err != nil {
		return err
	}
	if a.in.PartitionField != "" && a.in.Partitions > 1 {
		if v := event.Field(a.in.PartitionField); v.Kind == column.Int64 && v.Int() >= 0 {
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
		body, err := dropField(m.Body, a.o.ArrivalField)
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
			return 0, fmt.Errorf("%s:%d: field %s is no arrival time: %s", a.in.Path, m.Line, name, column.AppendJSON(nil, v))
		}
		return t, nil
	}
	for _, ref := range a.refs {
		if ref.Time == nil {
			continue
		}
		if t, ok := eventTime(ref, m.Body); ok {
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
		return column.ParseTicks(v.Text())
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
func eventTime(ref *plan.Input, body []byte) (column.Ticks, bool) {
	var cols []format.Column
	for _, c := range ref.Cols {
		cols = append(cols, format.Column{Path: c.Path, Whole: c.Kind == plan.Whole})
	}
	rows := format.NewDecoder(cols, format.Options{}).Decode(body, []uint32{0}, []uint32{uint32(len(body))}, 0)
	if rows.Rows == 0 {
		return 0, false
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
