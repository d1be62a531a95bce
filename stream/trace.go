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
	Arrived column.Ticks
	Body    []byte
	Unread  bool         // the job has not come to it yet
	Before  bool         // the job begins behind it
	Replay  int64        // messages that were read again to find out
	Short   bool         // the log does not reach back as far as the steps do
	Time    []Diagnostic // what the policies of time, and the decoder, said of it
	Steps   []TracedStep // of the plan, inputs first
	Outputs []TracedOutput
	Err     error // the script fails on what was read
}

// TracedStep is what the message came to in one step: rows that it is in.
type TracedStep struct {
	Node    plan.Node
	Rows    int
	Waiting int         // of them: they come when the watermark has passed them
	Sample  []TracedRow // the first of them
}

// TracedRow is one row that a message has come into.
type TracedRow struct {
	Time    column.Ticks
	Row     []byte // JSON
	Waiting bool
}

// TracedOutput is what the message came to in one statement.
type TracedOutput struct {
	Name    string
	Line    int // of the script
	Step    int // index in Trace.Steps: the rows of the output
	Written int
	Early   int // rows before the first output time of the job, which are not written
	Waiting int // rows that come when the watermark has passed them
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
	if t.Arrived < from {
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
		s.from, s.until = t.Arrived-span-2*judged, t.Arrived+span+2*judged
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
	t.Replay, t.Short = s.messages.Load(), s.short.Load()
	for i, n := range p.Nodes {
		t.Steps = append(t.Steps, all[i].step(n, now[i]))
	}
	for _, o := range j.opts.Plan.Outputs {
		i := slices.Index(p.Nodes, o.In)
		t.Outputs = append(t.Outputs, all[i].output(o, i, now[i], m.FirstOutput))
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
	return most + n.Reach()
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
	t.Arrived, t.Body = c.Arrivals[0], append([]byte(nil), c.Data[c.Starts[0]:c.Ends[0]]...)
	return nil
}

// runMarked runs the marked plan and returns what came to each node. What the time stages
// say of the message goes to t when the run goes to the end.
func (j *Job) runMarked(ctx context.Context, m *checkpoint.Manifest, s *shadow, p *plan.Marked, t *Trace) ([]*tap, error) {
	o := j.opts
	o.Plan, o.Outputs, o.Targets = p.Job, make(map[string]connector.Sink), nil
	taps := make([]*tap, len(p.Nodes))
	for i := range taps {
		taps[i] = &tap{seen: make(map[string]int)}
		o.Outputs[plan.Tap(i)] = taps[i]
	}
	var mu sync.Mutex
	o.Diagnostic = func(d Diagnostic) {
		mine := d.Offset == s.marked.Offset && d.Part == s.marked.Partition &&
			slices.ContainsFunc(s.marked.Inputs, func(name string) bool { return column.EqualNames(name, d.Input) })
		if mine && s.flush {
			mu.Lock()
			defer mu.Unlock()
			t.Time = append(t.Time, d)
		}
	}
	err := j.again(ctx, m, s, o)
	if failed := new(exec.Error); errors.As(err, &failed) {
		t.Err = err
		return taps, nil
	}
	return taps, err
}

// mostSeen is how many rows of a step a trace compares.
const mostSeen = 10_000

// tap is an output that counts marked rows and keeps the first.
type tap struct {
	nowhere
	rows  int
	seen  map[string]int
	first []TracedRow
}

// OpenWriter implements connector.Sink.
func (t *tap) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) { return t, nil }

// Write implements connector.Writer.
func (t *tap) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	for k := range b.LiveRows() {
		i := b.Row(k)
		t.rows++
		if len(t.seen) >= mostSeen {
			continue
		}
		row := TracedRow{Time: b.Time[i], Row: unmarked(b, i)}
		t.seen[row.key()]++
		if len(t.first) < mostTraced {
			t.first = append(t.first, row)
		}
	}
	return nil, nil
}

func (r TracedRow) key() string { return fmt.Sprint(int64(r.Time), " ", string(r.Row)) }

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

// step says what came to a node, of which now has come already.
func (t *tap) step(n plan.Node, now *tap) TracedStep {
	out := TracedStep{Node: n, Rows: t.rows, Waiting: max(0, t.rows-now.rows), Sample: t.first}
	for i := range out.Sample {
		r := &out.Sample[i]
		if r.Waiting = now.seen[r.key()] == 0; !r.Waiting {
			now.seen[r.key()]--
		}
	}
	return out
}

// output says what came to a statement that writes the rows of a node.
func (t *tap) output(o *plan.Output, step int, now *tap, first column.Ticks) TracedOutput {
	out := TracedOutput{Name: o.Name, Line: o.Where.From.Line, Step: step, Waiting: max(0, t.rows-now.rows)}
	for _, r := range t.first {
		if r.Time < first {
			out.Early++
		}
	}
	out.Written = t.rows - out.Waiting - out.Early
	return out
}
