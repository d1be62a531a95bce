package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/exec"
	"spate/stream/state"
)

// A job may come back with another script. What its checkpoint says of the inputs holds
// for the new one too: the job goes on behind the same messages, so each is in what the
// old script wrote or in what the new one writes.
//
// State is named by what a step computes (plan.Canon). A step whose name the checkpoint
// has keeps its state. The others get the state that they would have, had the script
// always been this one: a shadow of the job reads as much of the inputs again as they
// reach back, up to the positions of the checkpoint, stands where the job stood, and is
// frozen. What it writes on the way goes nowhere: it stands before what the old script
// has written. A new manifest, saved before anything is read on, holds both.

// accepts says whether the job can go on from the checkpoint.
func (j *Job) accepts(ctx context.Context, m *checkpoint.Manifest) error {
	o := &j.opts
	forms := o.forms()
	advice := fmt.Sprintf("give the job another name, or delete its folder %s to begin anew", o.Prefix)
	if m.Forms != forms || j.changed && forms != "" {
		return fmt.Errorf("its checkpoint (epoch %d) belongs to another query, or to another visibility or partition key of an output, and rows of an output with visibility immediate must repeat exactly: "+
			"keeping state over such a change is not supported yet: %s", m.Epoch, advice)
	}
	for _, s := range j.graph.sources() {
		was, is := m.Inputs[s.name], o.Inputs[s.name].Name
		if was != "" && was != is {
			return fmt.Errorf("input %s was %s when the checkpoint (epoch %d) was taken and is %s now, where its positions mean nothing: name the input anew in the script, or %s", s.name, was, m.Epoch, is, advice)
		}
	}
	sinks := maps.Clone(o.Outputs)
	j.former = make(map[string]connector.Sink)
	for note := range m.Notes {
		name, ok := strings.CutPrefix(note, "prepared/")
		if !ok {
			continue
		}
		was := m.Outputs[name]
		if _, there := o.Outputs[name]; there && was == o.Targets[name] {
			continue
		}
		sink, err := j.openFormer(ctx, name, was)
		if err != nil {
			return fmt.Errorf("rows of epoch %d are prepared for output %s (%s), which may lack them still, and the job does not write there any more: %w: "+
				"start it once as it was, stop it, and change it then; or %s", m.Epoch, name, was, err, advice)
		}
		j.former[name], sinks[name] = sink, sink
	}
	for name, sink := range sinks {
		a, ok := sink.(connector.Audited)
		if !ok {
			continue
		}
		w := m.Written[name]
		audit := connector.Audit{Job: j.identity(), Epoch: m.Epoch, Written: w.Epoch, Target: w.Target, Prepared: m.Notes["prepared/"+name]}
		if audit.Prepared != nil {
			audit.Written = w.Before
		}
		if err := a.Audit(ctx, audit); err != nil {
			return fmt.Errorf("output %s: %w: put back the copy that goes with the job's folder %s, or %s", name, err, o.Prefix, advice)
		}
	}
	return nil
}

// openFormer opens what an output was, to write what was prepared for it.
func (j *Job) openFormer(ctx context.Context, name, target string) (connector.Sink, error) {
	if j.opts.Former == nil {
		return nil, errors.New("what it was cannot be opened")
	}
	return j.opts.Former(ctx, name, target)
}

// latest loads the newest manifest, with the names of inputs and outputs as the script
// spells them now.
func (j *Job) latest(ctx context.Context) (*checkpoint.Manifest, error) {
	m, err := j.log.Latest(ctx)
	if m == nil || err != nil {
		return nil, err
	}
	for _, s := range j.graph.sources() {
		respell(m.Positions, "", s.name)
		respell(m.Since, "", s.name)
		respell(m.Inputs, "", s.name)
	}
	j.lookups.refs.respell(m)
	for _, o := range j.opts.Plan.Outputs {
		respell(m.Outputs, "", o.Name)
		respell(m.Written, "", o.Name)
		respell(m.Notes, "prepared/", o.Name)
	}
	return m, nil
}

// respell gives the entry of a name that is spelled otherwise its new spelling.
func respell[V any](of map[string]V, prefix, name string) {
	for key, v := range of {
		if old, ok := strings.CutPrefix(key, prefix); ok && old != name && column.EqualNames(old, name) {
			delete(of, key)
			of[prefix+name] = v
			return
		}
	}
}

// remembered is what the state of a checkpoint holds.
type remembered struct {
	ids   map[string]bool        // under which there is something
	times map[string]state.Entry // the standings of time stages, by id
}

func (r *remembered) below(prefix string) bool {
	for id := range r.ids {
		if strings.HasPrefix(id, prefix) {
			return true
		}
	}
	return false
}

// remember looks at the state of a checkpoint.
func (j *Job) remember(ctx context.Context, m *checkpoint.Manifest) (*remembered, error) {
	r := &remembered{make(map[string]bool), make(map[string]state.Entry)}
	last := ""
	err := j.log.ReadState(ctx, m, func(id string, e state.Entry) error {
		if id != last {
			last = id
			r.ids[id] = true
		}
		if strings.Contains(id, "/time/") {
			r.times[id] = state.Entry{Key: bytes.Clone(e.Key), Group: e.Group, Value: bytes.Clone(e.Value)}
		}
		return nil
	})
	return r, err
}

// adapt puts a manifest for the plan of the job behind the newest one, whose epoch is
// committed.
func (j *Job) adapt(ctx context.Context) error {
	old := j.manifest
	r, err := j.remember(ctx, old)
	if err != nil {
		return err
	}
	names := make(map[string]bool) // of the state of the plan
	ids := make(map[string]bool)   // that stay
	for _, s := range j.sites {
		for _, k := range s.steps {
			names[k.name] = true
			ids[k.id] = slices.Contains(old.Steps, k.name)
		}
	}
	fresh := make(map[string]bool)
	for name := range names {
		fresh[name] = !slices.Contains(old.Steps, name)
	}
	w := state.NewWriter()
	for id := range r.ids {
		if !ids[id] { // a script before the old one may have left it
			w.Step(id, 0, state.Groups).DeleteRange(nil, nil)
		}
	}
	steps, reach, again := j.toRebuild(old, r, fresh)
	s := new(shadow)
	if again {
		j.opts.Log.Info("the script has changed: events are read again to make the state of new steps", "job", j.opts.Name, "steps", len(steps))
		s, err = j.rebuild(ctx, old, r, reach)
		if ctx.Err() != nil {
			return nil // asked to stop: the next start does it again
		}
		if err != nil {
			return fmt.Errorf("making the state of the changed script of job %s from what its inputs hold: %w", j.opts.Name, err)
		}
		for _, f := range s.frozen {
			if fresh[f.name] {
				f.write(w.Step(f.id, f.from, f.to))
			}
		}
	}
	m := j.next()
	m.Since = make(checkpoint.Since)
	for _, src := range j.graph.sources() {
		since := old.Since[src.name]
		if _, known := old.Inputs[src.name]; !known {
			since = j.opts.Clock.Now().FloorTo(column.Millisecond)
		} else if p := old.Positions[src.name]; p != nil {
			m.Positions[src.name] = p
		}
		if since > 0 {
			m.Since[src.name] = since
		}
	}
	if old.StartFrom > 0 && len(old.Positions) == 0 { // nothing was read: the span is that of this script
		m.StartFrom = max(1, m.FirstOutput-j.opts.Plan.Span-earlyMargin)
	}
	j.describe(m)
	if err := j.lookups.refs.keep(ctx, m); err != nil {
		return err
	}
	file, err := j.log.WriteState(ctx, m.Epoch, m.Incarnation, w)
	if err != nil {
		return err
	}
	if file != nil {
		m.State = append(slices.Clone(m.State), *file)
	}
	if err := j.log.Save(ctx, m); err != nil {
		return err
	}
	j.manifest, j.changed, j.noted = m, false, false
	kept := 0
	for _, n := range j.graph.nodes {
		if id, ok := j.graph.ids[n]; ok && names[id] && !fresh[id] {
			kept++
		}
	}
	log := j.opts.Log.With("job", j.opts.Name)
	log.Info("the script has changed: the job goes on where it was", "keptSteps", kept, "newSteps", len(steps))
	if again {
		log.Info("state made from events that were read again", "events", s.messages.Load(), "since", s.from)
	}
	if s.short.Load() {
		log.Warn("the log does not reach back as far as new steps do: what they say of the time before is of the events that are left", "since", s.from)
	}
	for _, n := range steps {
		log.Info("a step has new state", "step", plan.Describe(n))
	}
	return j.log.Sweep(ctx, m, "")
}

// toRebuild lists the steps whose state the checkpoint lacks, says how far before its
// watermark it began, and whether the inputs must be read again for it.
func (j *Job) toRebuild(old *checkpoint.Manifest, r *remembered, fresh map[string]bool) (steps []plan.Node, reach column.Ticks, again bool) {
	g := j.graph
	was := func(n plan.Node) bool { // something was read that may have come to n
		for _, i := range g.from[n] {
			for _, p := range old.Positions[g.inputs[i].Name] {
				if len(p) > 0 {
					return true
				}
			}
		}
		return false
	}
	need := func(back column.Ticks) { again, reach = true, max(reach, back) }
	judged := column.Ticks(0) // how far before its arrival an event may stand whose time is read anew
	for _, in := range g.inputs {
		rows := g.canon.Rows(in)
		if was(in) && (fresh[g.standing(in)] || fresh[g.waiting(in)] && r.below(rows+"/wait/")) {
			need(0)
		}
		if p := old.Policy; was(in) && fresh[g.standing(in)] {
			judged = earlyMargin + p.Late + p.Disorder
			if p.Late < 0 {
				judged = column.MaxTicks // everything there is
			}
		}
	}
	for _, n := range g.nodes {
		id, ok := g.ids[n]
		if !ok || !was(n) {
			continue
		}
		if fresh[id] {
			steps = append(steps, n)
			need(reachOf(n))
		}
		for name := range fresh {
			if fresh[name] && strings.HasPrefix(name, id+"/in") && (fresh[id] || r.below(id+"/in")) {
				need(reachOf(n) - n.Reach())
			}
		}
	}
	return steps, reach + judged, again
}

// shadow is a job that does again what another has done: to make state, or to see what
// became of a message.
type shadow struct {
	flush  bool         // at the end what waits is let go
	until  column.Ticks // what arrived behind it is not read; 0: everything is
	marked *Message     // nil: the plan has no marks

	times    map[string]state.Entry
	least    least        // of times
	from     column.Ticks // arrival of what is read first; 0: of the oldest event
	messages atomic.Int64
	short    atomic.Bool // the log does not reach back to from
	frozen   []frozenStep
}

// rebuild runs the shadow of the job that makes state.
func (j *Job) rebuild(ctx context.Context, old *checkpoint.Manifest, r *remembered, reach column.Ticks) (*shadow, error) {
	s := &shadow{times: r.times}
	if err := s.look(j); err != nil {
		return nil, err
	}
	if at := s.least.at.Time - reach - earlyMargin; s.least.some && at > 0 {
		s.from = at
	}
	o := j.opts
	o.Diagnostic, o.Outputs = nil, make(map[string]connector.Sink)
	for _, out := range o.Plan.Outputs {
		o.Outputs[out.Name] = nowhere{}
	}
	return s, j.again(ctx, old, s, o)
}

// look reads how far the time stages of a job were.
func (s *shadow) look(j *Job) error {
	for _, p := range j.parts {
		for _, br := range p.branches {
			id := fmt.Sprintf("%s/%04d", j.graph.standing(br.node), p.number)
			e, ok := s.times[id]
			if !ok {
				continue
			}
			at, err := exec.FrontierIn(e)
			if err != nil {
				return fmt.Errorf("reading the standing %s: %w", id, err)
			}
			if at.Time > 0 {
				s.least.add(at)
			}
		}
	}
	return nil
}

// again runs a shadow of the job with the plan and the outputs of o over what was read up
// to a checkpoint.
func (j *Job) again(ctx context.Context, old *checkpoint.Manifest, s *shadow, o Options) error {
	from := connector.Start{Mode: connector.Oldest}
	if s.from > 0 {
		from = connector.Start{Mode: connector.AtTime, Time: s.from}
	}
	o.shadow, o.refs = s, j.lookups.refs
	o.Store, o.DeadLetters, o.Metrics, o.Hold = nil, nil, nil, nil
	o.Start, o.IdleTick, o.NoFlush, o.Until = Start{Oldest: true}, -1, true, column.EndOfTime
	o.Policy = exec.TimePolicy{Late: old.Policy.Late, Disorder: old.Policy.Disorder, Drop: old.Policy.Drop}
	o.Inputs = make(map[string]Input)
	for _, src := range j.graph.sources() {
		in := j.opts.Inputs[src.name]
		in.Source = &again{in.Source, from, old.Positions[src.name], s}
		o.Inputs[src.name] = in
	}
	job, err := New(ctx, o)
	if err != nil {
		return err
	}
	return job.Run(ctx)
}

// standing is the saved standing of the stage of a branch.
func (s *shadow) standing(p *partition, br *branch) (state.Entry, bool) {
	e, ok := s.times[fmt.Sprintf("%s/%04d", p.job.graph.standing(br.node), p.number)]
	return e, ok
}

// begin puts a partition where it began when it came later than others.
func (s *shadow) begin(p *partition) error {
	for _, br := range p.branches {
		if e, ok := s.standing(p, br); ok {
			if err := br.stage.BeginAs(e); err != nil {
				return fmt.Errorf("putting partition %d of input %s to where it began: %w", p.number, p.source.name, err)
			}
		}
	}
	return nil
}

// end brings a partition that has been read again to where the job stood.
func (s *shadow) end(p *partition) error {
	for _, br := range p.branches {
		if e, ok := s.standing(p, br); ok {
			if err := br.stage.Resume(e, br.next); err != nil {
				return fmt.Errorf("bringing partition %d of input %s to where it stood: %w", p.number, p.source.name, err)
			}
		} else if src := p.in.Source.(*again); src.to == nil && s.least.some {
			br.stage.Begin(s.least.at) // as Job.begin says of a new input
		}
		if err := p.advance(br); err != nil {
			return err
		}
	}
	if s.flush {
		return p.idle(p.job.opts.Until, true)
	}
	return nil
}

// again is a source from a start to where it was read before.
type again struct {
	connector.Source
	from connector.Start
	to   [][]byte // by partition; nil: the input is new
	s    *shadow
}

// Partitions implements connector.Source.
func (a *again) Partitions(context.Context) (int, error) { return max(1, len(a.to)), nil }

// OpenReader implements connector.Source.
func (a *again) OpenReader(ctx context.Context, part int, start connector.Start) (connector.Reader, error) {
	if part >= len(a.to) || len(a.to[part]) == 0 {
		return ended{}, nil
	}
	if n, err := a.Source.Partitions(ctx); err != nil || part >= n {
		return ended{}, err
	}
	src, ok := a.Source.(connector.Replayed)
	if !ok {
		return nil, fmt.Errorf("it cannot be read again")
	}
	from := a.from
	from.Facts = start.Facts
	r, err := src.OpenBetween(ctx, part, from, a.to[part])
	return &countedReader{r, a.s}, err
}

// countedReader counts what is read again.
type countedReader struct {
	connector.Reader
	s *shadow
}

// Read implements connector.Reader.
func (r *countedReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	err := r.Reader.Read(ctx, c, wake)
	if err == nil || err == io.EOF {
		r.s.messages.Add(int64(c.Len()))
		if c.Missed {
			r.s.short.Store(true)
		}
		if n := c.Len(); r.s.until > 0 && n > 0 && c.Arrivals[n-1] > r.s.until {
			return io.EOF // no message behind it decides anything
		}
	}
	return err
}

// nowhere is a sink that takes rows and keeps none.
type nowhere struct{}

func (nowhere) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return nowhere{}, nil
}
func (nowhere) Commit(context.Context, connector.Epoch, []connector.Prepared) error { return nil }
func (nowhere) Write(context.Context, *column.Batch) ([]connector.BadRow, error)    { return nil, nil }
func (nowhere) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return nil, nil
}
func (nowhere) Close() error { return nil }
