package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// Message names a message of a source: its partition and its offset there, and the inputs
// of the script that read the source.
type Message struct {
	Inputs    []string
	Partition int
	Offset    int64
}

func (p *partition) holds(m *Message) bool {
	return p.number == m.Partition && slices.ContainsFunc(m.Inputs, func(name string) bool { return column.EqualNames(name, p.source.name) })
}

// Trace says what became of a message.
type Trace struct {
	Arrived  string         `json:"arrived,omitempty"`
	Body     string         `json:"body,omitempty"`
	Unread   bool           `json:"unread,omitempty"`  // the job has not come to it yet
	Before   bool           `json:"before,omitempty"`  // the job begins behind it
	Replayed int64          `json:"messagesReadAgain"` // to find out
	Short    bool           `json:"short,omitempty"`   // the log does not reach back as far as the steps do
	Verdicts []Verdict      `json:"verdicts,omitempty"`
	Steps    []TracedStep   `json:"steps,omitempty"` // of the plan, inputs first
	Outputs  []TracedOutput `json:"outputs,omitempty"`
	Error    string         `json:"error,omitempty"` // the script fails on what was read

	arrived column.Ticks
}

// Verdict is what a decoder or a policy of time said of the message.
type Verdict struct {
	Input   string  `json:"input"`
	Kind    string  `json:"kind"`
	Dropped bool    `json:"dropped"`
	Type    string  `json:"type"`
	Reason  string  `json:"reason"`
	Moved   float64 `json:"movedSeconds,omitempty"`
}

// TracedStep is what the message came to in one step: rows that it is in.
type TracedStep struct {
	Node    plan.Node   `json:"-"`
	ID      int         `json:"id"`
	Step    string      `json:"step,omitempty"` // of WITH
	Does    string      `json:"does"`
	Line    int         `json:"line,omitempty"`
	From    []int       `json:"from,omitempty"`
	Rows    int         `json:"rows"`
	Waiting int         `json:"waiting,omitempty"` // of them: they come when the watermark has passed them
	Sample  []TracedRow `json:"sample,omitempty"`  // the first of them
}

// TracedRow is one row that a message has come into.
type TracedRow struct {
	Time    string `json:"time"`
	Row     Raw    `json:"row"`
	Waiting bool   `json:"waiting,omitempty"`
}

// TracedOutput is what the message came to in one statement.
type TracedOutput struct {
	Alias   string `json:"alias"`
	Target  string `json:"target,omitempty"`
	Line    int    `json:"line,omitempty"`
	From    int    `json:"from"` // id of a step
	Written int    `json:"written"`
	Refused int    `json:"refused,omitempty"` // rows that the output cannot hold
	Reason  string `json:"reason,omitempty"`  // of the first of them
	Early   int    `json:"early,omitempty"`   // rows before the first output time of the job, which are not written
	Waiting int    `json:"waiting,omitempty"` // rows that come when the watermark has passed them
}

// ErrNoMessage: there is no such message.
var ErrNoMessage = errors.New("there is no such message")

// mostTraced is how many rows of a step a trace shows.
const mostTraced = 20

// Trace says what became of a message that was read. It runs a shadow of the job, twice,
// with a mark on the rows of the message: once up to where the newest checkpoint stands,
// and once more to the end of time, to see what waits. It reads as much of the inputs again
// as has to do with the message: as far back as steps and policies reach, and as far
// forward.
func (j *Job) Trace(ctx context.Context, msg Message) (*Trace, error) {
	if j.log == nil {
		return nil, errors.New("a job without checkpoints cannot look back")
	}
	m, err := j.latest(ctx)
	if err != nil || m == nil {
		return nil, errors.Join(err, fmt.Errorf("job %s has no checkpoint", j.opts.Name))
	}
	t := new(Trace)
	if err := j.findMessage(ctx, m, msg, t); err != nil || t.Unread {
		return t, err
	}
	from := m.StartFrom
	for _, in := range msg.Inputs {
		from = max(from, m.Since[in])
	}
	if t.arrived < from {
		t.Before = true
		return t, nil
	}
	r, err := j.remember(ctx, m)
	if err != nil {
		return nil, err
	}
	s := &shadow{times: r.times, marked: &msg}
	if late := m.Policy.Late; late >= 0 {
		judged := earlyMargin + late + m.Policy.Disorder
		span := j.reach()
		s.from, s.until = t.arrived-span-2*judged, t.arrived+span+2*judged
	}
	s.from = max(s.from, from, 0)
	if err := s.look(j); err != nil {
		return nil, err
	}
	p := plan.Mark(j.opts.Plan)
	now, err := j.runMarked(ctx, m, s, p, t)
	if err != nil {
		return nil, err
	}
	end := &shadow{times: s.times, least: s.least, from: s.from, until: s.until, marked: &msg, flush: true}
	all, err := j.runMarked(ctx, m, end, p, t)
	if err != nil {
		return nil, err
	}
	t.Replayed, t.Short = s.messages.Load(), s.short.Load()
	ids := make(map[plan.Node]int)
	for i, n := range p.Nodes {
		ids[n] = i + 1
		st := TracedStep{Node: n, ID: i + 1, Step: j.opts.Plan.StepOf(n), Does: j.opts.Plan.Title(n), Line: plan.Place(n).From.Line}
		for _, in := range n.Inputs() {
			st.From = append(st.From, ids[in])
		}
		all[i].fill(&st, now[i])
		t.Steps = append(t.Steps, st)
	}
	for _, o := range j.opts.Plan.Outputs {
		i := slices.Index(p.Nodes, o.In)
		x := TracedOutput{Alias: o.Name, Target: j.opts.Targets[o.Name], Line: o.Where.From.Line, From: i + 1, Early: now[i].early, Waiting: t.Steps[i].Waiting}
		x.Refused, x.Reason = now[i].refused(j.opts.Outputs[o.Name])
		x.Written = now[i].rows - x.Early - x.Refused
		t.Outputs = append(t.Outputs, x)
	}
	return t, nil
}

// reach is how far back the steps of the job look, one above the other.
func (j *Job) reach() column.Ticks {
	most := column.Ticks(0)
	for _, n := range j.graph.nodes {
		most = max(most, reachOf(n))
	}
	return most
}

// reachOf is how far back a node and those below it look.
func reachOf(n plan.Node) column.Ticks {
	most := column.Ticks(0)
	for _, in := range n.Inputs() {
		most = max(most, reachOf(in))
	}
	return min(most+n.Reach(), column.MaxTicks)
}

// findMessage reads the message itself.
func (j *Job) findMessage(ctx context.Context, m *checkpoint.Manifest, msg Message, t *Trace) error {
	var src connector.Replayed
	var to connector.Position
	for _, name := range msg.Inputs {
		s, ok := j.opts.Inputs[name].Source.(connector.Replayed)
		if !ok {
			return fmt.Errorf("input %s cannot be read again", name)
		}
		src = s
		if p := m.Positions[name]; msg.Partition < len(p) {
			to = p[msg.Partition]
		}
	}
	if src == nil {
		return fmt.Errorf("the script does not read it: %w", ErrNoMessage)
	}
	if len(to) == 0 {
		t.Unread = true
		return nil
	}
	r, err := src.OpenBetween(ctx, msg.Partition, connector.Start{Mode: connector.AtPosition, Position: src.PositionOf(msg.Partition, msg.Offset)}, to)
	if err != nil {
		return err
	}
	defer r.Close()
	var c connector.Chunk
	if err := r.Read(ctx, &c, nil); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if c.Len() == 0 {
		t.Unread = true
		return nil
	}
	if c.Offsets[0] != msg.Offset {
		return fmt.Errorf("the log has no message at %d, the next is at %d: it is removed after the retention of its hub: %w", msg.Offset, c.Offsets[0], ErrNoMessage)
	}
	t.arrived, t.Body = c.Arrivals[0], string(c.Data[c.Starts[0]:c.Ends[0]])
	t.Arrived = t.arrived.String()
	return nil
}

// runMarked runs the marked plan and returns what came to each node. What the time stages
// say of the message goes to t when the run goes to the end.
func (j *Job) runMarked(ctx context.Context, m *checkpoint.Manifest, s *shadow, p *plan.Marked, t *Trace) ([]*tap, error) {
	o := j.opts
	o.Plan, o.Outputs, o.Targets = p.Job, make(map[string]connector.Sink), nil
	taps := make([]*tap, len(p.Nodes))
	for i := range taps {
		taps[i] = &tap{from: m.FirstOutput, seen: make(map[string]int)}
		o.Outputs[plan.Tap(i)] = taps[i]
	}
	var mu sync.Mutex
	o.Diagnostic = func(d Diagnostic) {
		mine := d.Offset == s.marked.Offset && d.Part == s.marked.Partition &&
			slices.ContainsFunc(s.marked.Inputs, func(name string) bool { return column.EqualNames(name, d.Input) })
		if mine && s.flush {
			mu.Lock()
			defer mu.Unlock()
			t.Verdicts = append(t.Verdicts, Verdict{d.Input, d.Kind, d.Dropped, d.Type, d.Reason, float64(d.Moved) / float64(column.Second)})
		}
	}
	err := j.again(ctx, m, s, o)
	if failed := new(exec.Error); errors.As(err, &failed) {
		t.Error = err.Error()
		return taps, nil
	}
	return taps, err
}

// mostSeen is how many rows of a step a trace compares.
const mostSeen = 10_000

// tap is an output that counts marked rows and keeps the first.
type tap struct {
	nowhere
	from  column.Ticks // rows before are not written
	rows  int
	early int // of them, before from
	seen  map[string]int
	first []TracedRow
	kept  []*column.Batch // the others, without the mark
}

// OpenWriter implements connector.Sink.
func (t *tap) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) { return t, nil }

// Write implements connector.Writer.
func (t *tap) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	if w := fromTime(b, t.from); len(t.kept) < mostSeen && w.LiveRows() > 0 {
		t.kept = append(t.kept, w)
	}
	for k := range b.LiveRows() {
		i := b.Row(k)
		t.rows++
		if b.Time[i] < t.from {
			t.early++
		}
		if len(t.seen) >= mostSeen {
			continue
		}
		row := TracedRow{Time: b.Time[i].String(), Row: unmarked(b, i)}
		t.seen[row.key()]++
		if len(t.first) < mostTraced {
			t.first = append(t.first, row)
		}
	}
	return nil, nil
}

func (r TracedRow) key() string { return r.Time + " " + string(r.Row) }

// unmarked is a row of a marked plan as the job has it.
func unmarked(b *column.Batch, row int) []byte {
	r := exec.RowRecord(b, row)
	out := new(column.RecordValue)
	for i, name := range r.Names {
		if name != plan.MarkName {
			out.Names, out.Values = append(out.Names, name), append(out.Values, r.Values[i])
		}
	}
	return column.AppendJSON(nil, column.RecordOf(out))
}

// fromTime are the rows of b from a time on, without the mark.
func fromTime(b *column.Batch, from column.Ticks) *column.Batch {
	last := len(b.Cols) - 1
	c := *b
	c.Schema, c.Cols, c.Live = &column.Schema{Fields: b.Schema.Fields[:last]}, b.Cols[:last], []int32{}
	for k := range b.LiveRows() {
		if i := b.Row(k); b.Time[i] >= from {
			c.Live = append(c.Live, int32(i))
		}
	}
	return &c
}

// refused counts the rows that an output cannot hold, and says why of the first.
func (t *tap) refused(s connector.Sink) (n int, reason string) {
	judge, ok := s.(connector.Judging)
	if !ok {
		return 0, ""
	}
	for _, b := range t.kept {
		bad := judge.Refuses(b)
		if n += len(bad); reason == "" && len(bad) > 0 {
			reason = bad[0].Reason
		}
	}
	return n, reason
}

// fill says what came to a step, of which now has come already.
func (t *tap) fill(st *TracedStep, now *tap) {
	st.Rows, st.Waiting, st.Sample = t.rows, max(0, t.rows-now.rows), t.first
	for i := range st.Sample {
		r := &st.Sample[i]
		if r.Waiting = now.seen[r.key()] == 0; !r.Waiting {
			now.seen[r.key()]--
		}
	}
}
