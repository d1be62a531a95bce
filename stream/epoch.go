package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"spate/column"
	"spate/connector"
	"spate/internal/panics"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/state"
)

// earlyMargin is how much before its span a job begins to read, so that the
// first rows it writes are complete.
const earlyMargin = 5 * column.Minute

// load reads the newest manifest, or creates the job by saving manifest 0.
func (j *Job) load(ctx context.Context) error {
	refs := j.lookups.refs
	refs.log = j.log
	m, err := j.latest(ctx)
	if err != nil {
		return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
	}
	print := fingerprint(j.opts.Plan)
	if m != nil && !j.opts.Anew {
		j.changed = m.Plan != print
		j.manifest, j.first, j.noted = m, m.FirstOutput, len(m.Notes) > 0
		refs.restore(m)
		if err := refs.begin(ctx, 0, 0); err != nil { // what has come with a changed script
			return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
		}
		if err := j.accepts(ctx, m); err != nil {
			return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
		}
		return nil
	}
	epoch := int64(0)
	if m != nil { // what the life before has prepared is still to be shown
		j.manifest, epoch = m, m.Epoch+1
		if err := j.accepts(ctx, m); err != nil && len(m.Notes) > 0 {
			return fmt.Errorf("starting job %s anew: %w", j.opts.Name, err)
		}
		if err := j.commit(ctx, m); err != nil {
			return fmt.Errorf("starting job %s anew: %w", j.opts.Name, err)
		}
	}
	m = &checkpoint.Manifest{ID: j.incarnation, Epoch: epoch}
	if !j.opts.Start.Oldest {
		m.FirstOutput = j.opts.Start.First
		m.StartFrom = max(1, m.FirstOutput-j.opts.Plan.Span-earlyMargin)
	}
	if err := refs.begin(ctx, m.FirstOutput, m.StartFrom); err != nil {
		return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
	}
	j.describe(m)
	if err := refs.keep(ctx, m); err != nil {
		return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
	}
	if err := j.log.Save(ctx, m); err != nil {
		return err
	}
	j.manifest, j.first = m, m.FirstOutput
	return nil
}

// fingerprint tells plans apart.
func fingerprint(p *plan.Job) string {
	sum := sha256.Sum256([]byte(plan.Explain(p)))
	return hex.EncodeToString(sum[:])
}

// describe writes into a manifest what the job is now.
func (j *Job) describe(m *checkpoint.Manifest) {
	o := &j.opts
	m.Job, m.Incarnation, m.Plan, m.Forms = o.Name, j.incarnation, fingerprint(o.Plan), o.forms()
	m.Policy = checkpoint.Policy{Late: o.Policy.Late, Disorder: o.Policy.Disorder, Drop: o.Policy.Drop}
	m.Steps = j.stepNames()
	m.References = j.lookups.refs.listed()
	m.Inputs, m.Outputs = make(map[string]string), make(map[string]string)
	for _, s := range j.graph.sources() {
		m.Inputs[s.name] = o.Inputs[s.name].Name
	}
	for _, out := range o.Plan.Outputs {
		m.Outputs[out.Name] = o.Targets[out.Name]
	}
}

// stepNames are the names of all state of the job, in order; none before it runs.
func (j *Job) stepNames() []string {
	var out []string
	for _, s := range j.sites {
		for _, k := range s.steps {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recover commits the newest manifest again.
func (j *Job) recover(ctx context.Context) error {
	if j.log == nil {
		return nil
	}
	m, err := j.latest(ctx)
	if err != nil {
		return fmt.Errorf("recovering job %s: %w", j.opts.Name, err)
	}
	if m == nil || m.Epoch != j.manifest.Epoch || m.Incarnation != j.manifest.Incarnation {
		return fmt.Errorf("recovering job %s: its manifests have changed since it was opened: %w", j.opts.Name, checkpoint.ErrFenced)
	}
	if m.Epoch > 0 {
		if err := j.commit(ctx, m); err != nil {
			return fmt.Errorf("recovering job %s: %w", j.opts.Name, err)
		}
	}
	return j.log.Sweep(ctx, m, "")
}

// restore gives every step of every site its entries.
func (j *Job) restore(ctx context.Context, sites []*site) error {
	if j.log == nil {
		return nil
	}
	type place struct {
		keptStep
		from, to int
	}
	places := make(map[string][]place)
	for _, s := range sites {
		for _, k := range s.steps {
			places[k.id] = append(places[k.id], place{k, s.from, s.to})
		}
	}
	return j.log.ReadState(ctx, j.manifest, func(step string, e state.Entry) error {
		if len(places[step]) == 0 {
			return fmt.Errorf("restoring job %s: step %s is not in its plan", j.opts.Name, step)
		}
		for _, p := range places[step] {
			if g := int(e.Group); g < p.from || g >= p.to {
				if len(e.Key) == 0 || e.Key[0] != state.EveryShard {
					continue
				}
			}
			if err := p.Load(e); err != nil {
				return fmt.Errorf("restoring step %s of job %s: %w", step, j.opts.Name, err)
			}
		}
		return nil
	})
}

// commit publishes what the outputs prepared for an epoch.
func (j *Job) commit(ctx context.Context, m *checkpoint.Manifest) error {
	for _, note := range slices.Sorted(maps.Keys(m.Notes)) {
		n, ok := strings.CutPrefix(note, "prepared/")
		if !ok {
			continue
		}
		sink, prepared := j.opts.Outputs[n], m.Notes[note]
		if f := j.former[n]; f != nil {
			sink = f
		}
		e := connector.Epoch{Job: j.identity(), Number: m.Epoch, Incarnation: m.Incarnation, Offsets: m.Offsets}
		if err := sink.Commit(ctx, e, []connector.Prepared{prepared}); err != nil {
			return fmt.Errorf("committing epoch %d to output %s: %w", m.Epoch, n, err)
		}
	}
	j.former = nil // what follows is for the outputs that there are
	return j.commitLetters(ctx, m)
}

// next is the manifest behind the newest one.
func (j *Job) next() *checkpoint.Manifest {
	m := *j.manifest
	m.Epoch++
	m.Incarnation = j.incarnation
	m.Positions, m.Offsets, m.Notes, m.NotesKey = make(map[string][][]byte), nil, make(checkpoint.Notes), ""
	m.Written = make(map[string]checkpoint.Written)
	maps.Copy(m.Written, j.manifest.Written)
	return &m
}

// written is how far an output is at an epoch that may have brought it rows. What it
// stands for is known when an epoch before is committed.
func written(w checkpoint.Written, sink connector.Sink, epoch int64, rows bool) checkpoint.Written {
	if a, ok := sink.(connector.Audited); ok {
		w.Target = a.Target()
	}
	if rows {
		w.Epoch, w.Before = epoch, w.Epoch
	}
	return w
}

// epochs runs the checkpoint protocol: one epoch at a time, committed beside the
// running tail.
type epochs struct {
	job     *Job
	tail    *tail
	ctx     context.Context
	done    chan error
	acks    []chan error // that wait for the epoch under way
	later   []chan error // that wait for the next: what they ask for may lie behind the barriers
	waiting bool         // barriers are on their way
	saving  bool         // an epoch is being saved and committed
	again   bool         // another epoch is wanted when this one is done
	final   bool         // the job stops behind the next epoch
	closing bool         // that epoch is cut: the partitions stand still
	held    bool         // the partitions stand still until the epoch is saved: snapshots come into effect with it
	stopped bool
	last_   []byte // positions of the last epoch, to skip empty ones
	began   time.Time
	rest    time.Time // no epoch begins before

	joining chan joined // a base is being made; nil: none is
	base    string      // its key
}

func (e *epochs) busy() bool { return e.waiting || e.saving }

// begin asks the partitions for a barrier.
func (e *epochs) begin(ack chan error) {
	if ack != nil {
		e.later = append(e.later, ack)
	}
	if e.job.log == nil && e.job.opts.shadow == nil {
		if e.final {
			e.stopped = true
		}
		e.board()
		e.answer(nil)
		return
	}
	if e.closing {
		e.board()
		return // the last epoch is on its way; it holds everything
	}
	if e.busy() {
		e.again = e.again || ack != nil || e.final
		return
	}
	if ack == nil && !e.final && time.Now().Before(e.rest) {
		return
	}
	e.board()
	e.waiting = true
	e.began = time.Now()
	e.job.progress.begun.Store(e.began.UnixNano())
	for _, p := range e.job.parts {
		p.barrier.Store(true)
		p.rouse()
	}
}

// stop takes a last epoch and ends the job behind it.
func (e *epochs) stop() {
	e.final = true
	e.begin(nil)
}

// mostFrozen bounds the changes of steps that wait for an epoch which is worth saving:
// in a job without events watermarks move, and with them the steps.
const mostFrozen = 1024

// cut takes the state behind all barriers: the partitions go on at once, then the
// outputs prepare, and the epoch is saved beside the running tail.
func (e *epochs) cut() error {
	t, j := e.tail, e.job
	if s := j.opts.shadow; s != nil {
		err := t.cut()
		s.frozen, e.stopped = t.frozen, true
		return err
	}
	m := j.next()
	for i, p := range j.parts {
		st := t.barrier[i]
		if st.moved {
			m.Offsets = append(m.Offsets, connector.Offset{Input: p.source.name, Partition: p.number, Last: st.last})
		}
		m.Positions[p.source.name] = append(m.Positions[p.source.name], st.position)
		t.barrier[i] = nil
	}
	t.seen = 0
	if err := t.cut(); err != nil {
		return err
	}
	e.waiting = false
	e.closing = e.final && !e.again
	changed := e.references(m)
	if !e.closing && !e.held { // behind the last epoch nothing is read any more
		e.resume()
	}
	moved, err := json.Marshal(m.Positions)
	if err != nil {
		return fmt.Errorf("encoding the positions of job %s: %w", j.opts.Name, err)
	}
	rows := int64(0)
	for _, w := range t.outputs {
		rows += w.taken.rows
	}
	silent := !changed && rows == 0 && len(t.letters.lines) == 0 && t.letters.lost == 0 && string(moved) == string(e.last_)
	if silent && len(t.frozen) <= mostFrozen {
		e.saving = true
		if !e.closing {
			e.done <- nil
			return nil
		}
		go func() { e.done <- panics.Caught(e.clear) }()
		return nil
	}
	took := make(map[*outputCounts]taken)
	for name, w := range t.outputs {
		p, err := w.writer.Prepare(e.ctx, connector.Epoch{Job: j.identity(), Number: m.Epoch, Incarnation: m.Incarnation})
		if err != nil {
			return fmt.Errorf("preparing epoch %d of output %s: %w", m.Epoch, name, err)
		}
		if p != nil {
			m.Notes["prepared/"+name] = p
		}
		m.Written[name] = written(m.Written[name], w.sink, m.Epoch, p != nil)
		took[w.count], w.taken = w.taken, taken{}
	}
	if err := t.late(took); err != nil {
		return err
	}
	t.stageLetters(m.Notes)
	frozen := t.frozen
	t.frozen, t.full = nil, false
	e.saving = true
	e.last_ = moved
	go func() { e.done <- panics.Caught(func() error { return e.save(m, frozen, took) }) }()
	return nil
}

// resume lets the partitions read on.
func (e *epochs) resume() {
	for _, p := range e.job.parts {
		p.resume <- struct{}{}
	}
}

// references puts into a manifest the snapshots that rows join behind it, and reports
// whether there are new ones. They are in effect when it is saved.
func (e *epochs) references(m *checkpoint.Manifest) (changed bool) {
	refs := e.job.lookups.refs
	if e.job.log == nil || len(refs.list) == 0 || e.final {
		return false
	}
	newest, least := e.job.times()
	changed = refs.admit(newest, least, e.job.opts.Clock.Now(), len(e.job.opts.immediate()) > 0)
	e.held = changed
	m.References = refs.listed()
	return changed
}

// save makes an epoch durable, and then visible. took is what its outputs took.
func (e *epochs) save(m *checkpoint.Manifest, frozen []frozenStep, took map[*outputCounts]taken) error {
	log := e.job.log
	w := state.NewWriter()
	for _, f := range frozen {
		f.write(w.Step(f.id, f.from, f.to))
	}
	if err := e.adopt(m); err != nil {
		return err
	}
	file, err := log.WriteState(e.ctx, m.Epoch, m.Incarnation, w)
	if err != nil {
		return err
	}
	if file != nil {
		m.State = append(slices.Clone(m.State), *file)
	}
	if err := e.job.lookups.refs.keep(e.ctx, m); err != nil {
		return err
	}
	if err := log.Save(e.ctx, m); err != nil {
		return err
	}
	for c, n := range took {
		c.add(n)
	}
	if err := e.job.commit(e.ctx, m); err != nil {
		return err
	}
	e.job.noted = len(m.Notes) > 0
	m.Notes = nil
	e.job.manifest = m
	e.job.progress.saved.Store(int64(e.job.opts.Clock.Now()))
	e.join(m)
	if e.closing {
		return e.clear()
	}
	return log.Sweep(e.ctx, m, e.base)
}

// clear saves a manifest without notes behind the last one of an orderly stop: the
// next start has nothing to commit, whatever becomes of the outputs until then. Notes of
// outputs that are written at once say where these are, and stay.
func (e *epochs) clear() error {
	j := e.job
	if j.noted && j.manifest.Forms == "" {
		m := j.next()
		m.Positions = j.manifest.Positions
		for name, w := range e.tail.outputs {
			m.Written[name] = written(m.Written[name], w.sink, m.Epoch, false)
		}
		if err := j.log.Save(e.ctx, m); err != nil {
			return err
		}
		j.manifest, j.noted = m, false
	}
	return j.log.Sweep(e.ctx, j.manifest, e.base)
}

// joined is a base that replaces the first files of the state.
type joined struct {
	base  *checkpoint.File
	files int
	err   error
}

// join begins to make a new base, beside the running job, when changes outweigh the
// old one.
func (e *epochs) join(m *checkpoint.Manifest) {
	if e.joining != nil || !checkpoint.Heavy(m.State) {
		return
	}
	kept := make(map[string]bool)
	for _, s := range e.job.sites {
		for _, k := range s.steps {
			kept[k.id] = true
		}
	}
	files := m.State
	e.base = e.job.log.JoinedKey(m.Epoch, m.Incarnation)
	e.joining = make(chan joined, 1)
	key := e.base
	go func() {
		made := joined{files: len(files)}
		made.err = panics.Caught(func() (err error) {
			made.base, err = e.job.log.Join(e.ctx, key, files, func(step string) bool { return kept[step] })
			return err
		})
		e.joining <- made
	}()
}

// adopt puts a base that is ready in the place of the files it was made of.
func (e *epochs) adopt(m *checkpoint.Manifest) error {
	if e.joining == nil {
		return nil
	}
	select {
	case b := <-e.joining:
		e.joining, e.base = nil, ""
		if b.err != nil {
			return fmt.Errorf("joining the state of job %s: %w", e.job.opts.Name, b.err)
		}
		m.State = append([]checkpoint.File{*b.base}, m.State[b.files:]...)
	default:
	}
	return nil
}

// settle waits for a base that is being made; the context has ended.
func (e *epochs) settle() {
	if e.joining != nil {
		<-e.joining
	}
}

// finished goes on behind a saved epoch.
func (e *epochs) finished(err error) error {
	e.saving = false
	e.job.progress.begun.Store(0)
	e.rest = time.Now().Add(9 * time.Since(e.began))
	e.answer(err)
	if err != nil {
		return err
	}
	e.job.lookups.refs.settled(func(input string, v checkpoint.Snapshot) {
		e.job.opts.Log.Info("a snapshot of reference data comes into effect", "job", e.job.opts.Name, "input", input, "snapshot", v.Name, "from", v.From)
	})
	if e.held {
		e.held = false
		e.resume()
	}
	if e.final && !e.again {
		e.stopped = true
		return nil
	}
	if e.again {
		e.again = false
		e.rest = time.Time{}
		e.begin(nil)
	}
	return nil
}

// board has those who wait for the next epoch wait for this one.
func (e *epochs) board() {
	e.acks, e.later = append(e.acks, e.later...), nil
}

func (e *epochs) answer(err error) {
	for _, a := range e.acks {
		a <- err
	}
	e.acks = nil
}

// wait lets an epoch that is being saved come to its end before the job fails.
func (e *epochs) wait() {
	if e.saving {
		<-e.done
		e.saving = false
	}
	e.board()
	e.answer(ErrStopped)
}

// last ends a job: one that keeps no checkpoints commits its outputs now, and once.
func (e *epochs) last() error {
	if e.job.log != nil {
		return nil
	}
	for name, w := range e.tail.outputs {
		epoch := connector.Epoch{Job: e.job.identity(), Number: 1, Incarnation: e.job.incarnation}
		p, err := w.writer.Prepare(e.ctx, epoch)
		if err != nil {
			return fmt.Errorf("preparing output %s: %w", name, err)
		}
		if p == nil {
			continue
		}
		if err := w.sink.Commit(e.ctx, epoch, []connector.Prepared{p}); err != nil {
			return fmt.Errorf("committing to output %s: %w", name, err)
		}
	}
	return nil
}
