package stream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/exec"
	"spate/stream/state"
)

// Explanation says what a job does, where it does it, and what it has done since it was
// started.
type Explanation struct {
	Job     string            `json:"job"`
	State   string            `json:"state,omitempty"`
	Error   string            `json:"error,omitempty"`
	Inputs  []ExplainedInput  `json:"inputs"`
	Steps   []ExplainedStep   `json:"steps"`
	Edges   []ExplainedEdge   `json:"edges"`
	Outputs []ExplainedOutput `json:"outputs"`
}

// ExplainedInput is what came from an input.
type ExplainedInput struct {
	Alias      string `json:"alias"`
	Source     string `json:"source"`
	Partitions int    `json:"partitions"`
	Policy     string `json:"policy"`
	InputCounts
}

// InputCounts are the counts of an input, under the names of Azure's metrics.
type InputCounts struct {
	Messages        int64 `json:"messages"`
	Events          int64 `json:"events"`
	Deserialization int64 `json:"deserializationErrors"`
	Early           int64 `json:"earlyInputEvents"`
	Late            int64 `json:"lateInputEvents"`
	OutOfOrder      int64 `json:"outOfOrderEvents"`
	InvalidTime     int64 `json:"invalidInputTimeStamps"`
}

// ExplainedStep is a step of the plan.
type ExplainedStep struct {
	ID        int            `json:"id"`
	Step      string         `json:"step,omitempty"` // of WITH
	Does      string         `json:"does"`
	Line      int            `json:"line,omitempty"` // of the script
	From      []int          `json:"from,omitempty"` // ids
	Place     string         `json:"place"`          // partition, shard or tail
	Copies    int            `json:"copies"`
	Key       string         `json:"key,omitempty"` // by which shards have its rows
	RowsIn    int64          `json:"rowsIn"`
	RowsOut   int64          `json:"rowsOut"`
	RateIn    float64        `json:"rowsInPerSecond"`
	RateOut   float64        `json:"rowsOutPerSecond"`
	Watermark string         `json:"watermark,omitempty"`
	Entries   int64          `json:"stateEntries"`
	Bytes     int64          `json:"stateBytes"`
	Sample    []ExplainedRow `json:"sample,omitempty"`
	watermark column.Ticks   // least of its sites; -1: it has none
}

// ExplainedRow is one of the newest rows of a step.
type ExplainedRow struct {
	Time string `json:"time"`
	Row  Raw    `json:"row"`
}

// Raw is JSON that is printed as it is.
type Raw []byte

// MarshalJSON implements json.Marshaler.
func (r Raw) MarshalJSON() ([]byte, error) { return r, nil }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Raw) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

// ExplainedEdge is where rows go from one goroutine to another.
type ExplainedEdge struct {
	From    int    `json:"from"`             // id of a step
	To      int    `json:"to,omitempty"`     // id of a step
	Output  string `json:"output,omitempty"` // else an output
	Carries string `json:"carries"`          // rows or partial aggregates
	Ordered bool   `json:"ordered"`          // they are brought into total order
}

// ExplainedOutput is a statement of the script.
type ExplainedOutput struct {
	Alias     string  `json:"alias"`
	Target    string  `json:"target"`
	Line      int     `json:"line,omitempty"`
	From      int     `json:"from"` // id of a step
	Guarantee string  `json:"guarantee"`
	OnError   string  `json:"onError"`
	Rows      int64   `json:"rows"` // of all statements that write the output
	Refused   int64   `json:"dataConversionErrors"`
	Delay     float64 `json:"watermarkDelaySeconds,omitempty"`
}

// Explain looks into a job, running or not. Of each step it shows at most so many of the
// newest rows. What the state holds is read from the newest checkpoint.
func (j *Job) Explain(ctx context.Context, sample int) (*Explanation, error) {
	e := &Explanation{Job: j.opts.Name}
	ids := make(map[plan.Node]int)
	for i, n := range j.graph.nodes {
		ids[n] = i + 1
		st := ExplainedStep{ID: i + 1, Step: j.opts.Plan.StepOf(n), Does: j.opts.Plan.Title(n), Line: plan.Place(n).From.Line, Place: j.graph.place[n].String(), Copies: j.copies(n), watermark: -1}
		for _, in := range n.Inputs() {
			st.From = append(st.From, ids[in])
		}
		if keys := j.graph.steps[n].Keys; keys != nil && j.graph.place[n] == inShard {
			st.Key = j.opts.Plan.Texts(keys[0])
		}
		e.Steps = append(e.Steps, st)
	}
	counts := make(map[plan.Node][]*stepCount)
	for _, c := range j.steps.list() {
		counts[c.node] = append(counts[c.node], c)
	}
	for i, n := range j.graph.nodes {
		e.Steps[i].count(counts[n], j.graph.place[n])
		for _, r := range newestOf(counts[n], sample) {
			e.Steps[i].Sample = append(e.Steps[i].Sample, ExplainedRow{r.b.Time[r.row].String(), Raw(column.AppendJSON(nil, column.RecordOf(exec.RowRecord(r.b, r.row))))})
		}
	}
	for _, ed := range j.graph.edges {
		x := ExplainedEdge{From: ids[ed.from], Carries: "rows", Ordered: ed.ordered}
		if ed.partial != nil {
			x.Carries = "partial aggregates"
		}
		if ed.to.output != nil {
			x.Output = ed.to.output.Name
		} else {
			x.To = ids[ed.to.node]
		}
		e.Edges = append(e.Edges, x)
	}
	for _, src := range j.graph.sources() {
		x := j.explainInput(src)
		for _, in := range src.inputs {
			e.Steps[ids[j.graph.inputs[in]]-1].RowsIn = x.Messages
		}
		e.Inputs = append(e.Inputs, x)
	}
	for _, o := range j.opts.Plan.Outputs {
		e.Outputs = append(e.Outputs, j.explainOutput(o, ids[o.In]))
	}
	return e, j.explainState(ctx, e)
}

func (p place) String() string { return [...]string{"partition", "shard", "tail"}[p] }

// copies is how many goroutines run a step.
func (j *Job) copies(n plan.Node) int {
	switch j.graph.place[n] {
	case inTail:
		return 1
	case inShard:
		return j.graph.shards
	}
	of := make(map[int]bool)
	for _, p := range j.parts {
		for _, br := range p.branches {
			for _, in := range j.graph.from[n] {
				if br.input == in {
					of[p.index] = true
				}
			}
		}
	}
	return len(of)
}

// count adds up what a step did at all its sites. What it holds in two halves comes in at
// one and goes out at the other.
func (st *ExplainedStep) count(counts []*stepCount, at place) {
	for _, c := range counts {
		st.RowsIn += c.in.Load()
		st.RowsOut += c.out.Load()
		st.RateIn += float64(c.rateIn.Load()) / 3600
		st.RateOut += float64(c.rateOut.Load()) / 3600
		if w := column.Ticks(c.watermark.Load()); c.at == at && (st.watermark < 0 || w < st.watermark) {
			st.watermark = w
		}
	}
	if st.watermark > 0 && st.watermark < column.EndOfTime {
		st.Watermark = st.watermark.String()
	}
}

func (j *Job) explainInput(src sourceInputs) ExplainedInput {
	p := j.opts.Policy
	x := ExplainedInput{Alias: src.name, Source: j.opts.Inputs[src.name].Name, Policy: "adjust"}
	if p.Drop {
		x.Policy = "drop"
	}
	late := "any time"
	if p.Late >= 0 {
		late = (time.Duration(p.Late) * 100).String()
	}
	x.Policy = fmt.Sprintf("late by more than %s, out of order by more than %s: %s", late, time.Duration(p.Disorder)*100, x.Policy)
	for _, part := range j.parts {
		if part.source.name != src.name {
			continue
		}
		x.Partitions++
		c := part.count
		x.Messages += c.messages.Value()
		x.Events += c.events.Value()
		x.Deserialization += c.deserialization.Value()
		x.Early += c.early.Value()
		x.Late += c.late.Value()
		x.OutOfOrder += c.outOfOrder.Value()
		x.InvalidTime += c.invalidTimes.Value()
	}
	return x
}

func (j *Job) explainOutput(o *plan.Output, from int) ExplainedOutput {
	c := newCounts(j.counts.metrics, j.opts.Name).output(o.Name)
	x := ExplainedOutput{Alias: o.Name, Target: j.opts.Targets[o.Name], Line: o.Where.From.Line, From: from, Rows: c.rows.Value(), Refused: c.conversion.Value(),
		Guarantee: fmt.Sprintf("exactly once, visible with the checkpoint every %s", j.opts.Interval), OnError: "a row that it cannot hold is dropped"}
	if _, ok := j.opts.Outputs[o.Name].(connector.ImmediateSink); ok {
		x.Guarantee = "exactly once, visible at once"
	}
	switch {
	case j.opts.Hold[o.Name]:
		x.OnError = "a row that it cannot hold is held: the job waits"
	case j.letters != nil:
		x.OnError += " and kept as a dead letter"
	}
	if w := j.Watermark(); w > 0 {
		x.Delay = float64(j.opts.Clock.Now()-w) / float64(column.Second)
	}
	return x
}

// explainState reads how much the newest checkpoint holds of each step.
func (j *Job) explainState(ctx context.Context, e *Explanation) error {
	if j.log == nil {
		return nil
	}
	m, err := j.log.Latest(ctx)
	if err != nil || m == nil {
		return err
	}
	of := make(map[string]*ExplainedStep)
	for i, n := range j.graph.nodes {
		id := j.graph.ids[n]
		if in, ok := n.(*plan.Input); ok {
			id = j.graph.canon.Rows(in)
		}
		of[id] = &e.Steps[i]
	}
	return j.log.ReadState(ctx, m, func(id string, s state.Entry) error {
		own, _, _ := strings.Cut(id, "/")
		if st := of[own]; st != nil {
			st.Entries++
			st.Bytes += int64(len(s.Key) + len(s.Value))
		}
		return nil
	})
}
