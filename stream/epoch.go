package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"

	"spate/column"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream/checkpoint"
	"spate/stream/state"
)

// earlyMargin is how much before its span a job begins to read, so that the
// first rows it writes are complete.
const earlyMargin = 5 * column.Minute

// load reads the newest manifest, or creates the job by saving manifest 0.
func (j *Job) load(ctx context.Context) error {
	m, state, err := j.log.Latest(ctx)
	if err != nil {
		return fmt.Errorf("starting job %s: %w", j.opts.Name, err)
	}
	print := fingerprint(j.opts.Plan)
	if m != nil {
		if m.Plan != print {
			return fmt.Errorf("starting job %s: its checkpoint (epoch %d) belongs to another query; keeping state over a change of the query is not supported yet: "+
				"give the job another name, or delete its folder %s to begin anew", j.opts.Name, m.Epoch, j.opts.Prefix)
		}
		j.manifest, j.first = m, m.FirstOutput
		return j.restoreParts(state)
	}
	m = &checkpoint.Manifest{Job: j.opts.Name, Incarnation: j.incarnation, Plan: print}
	if !j.opts.Start.Oldest {
		m.FirstOutput = j.opts.Start.First
		m.StartFrom = max(1, m.FirstOutput-j.opts.Plan.Span-earlyMargin)
	}
	if err := j.log.Save(ctx, m, nil); err != nil {
		return err
	}
	j.manifest, j.first = m, m.FirstOutput
	return nil
}

func fingerprint(p *plan.Job) string {
	sum := sha256.Sum256([]byte(plan.Explain(p)))
	return hex.EncodeToString(sum[:])
}

func (j *Job) restoreParts(s checkpoint.State) error {
	for _, p := range j.parts {
		raw, ok := s[p.section()]
		if !ok {
			continue
		}
		st := new(savedPart)
		if err := json.Unmarshal(raw, st); err != nil {
			return fmt.Errorf("restoring partition %d of input %s: %w", p.number, p.source.name, err)
		}
		if err := p.restore(&partState{position: st.Position, stages: st.Stages}); err != nil {
			return err
		}
	}
	return nil
}

type savedPart struct {
	Position []byte   `json:"position"`
	Stages   [][]byte `json:"stages"`
}

func (p *partition) section() string { return fmt.Sprintf("part/%s/%04d", p.source.name, p.number) }

// recover commits the newest manifest again and returns its state.
func (j *Job) recover(ctx context.Context) (checkpoint.State, error) {
	if j.log == nil {
		return nil, nil
	}
	m, state, err := j.log.Latest(ctx)
	if err != nil {
		return nil, fmt.Errorf("recovering job %s: %w", j.opts.Name, err)
	}
	if m.Epoch != j.manifest.Epoch || m.Incarnation != j.manifest.Incarnation {
		return nil, fmt.Errorf("recovering job %s: epoch %d was saved since it was opened: %w", j.opts.Name, m.Epoch, checkpoint.ErrFenced)
	}
	if m.Epoch > 0 {
		if err := j.commit(ctx, m, state); err != nil {
			return nil, fmt.Errorf("recovering job %s: %w", j.opts.Name, err)
		}
	}
	return state, j.log.Sweep(ctx, m)
}

// commit publishes what the outputs prepared for an epoch.
func (j *Job) commit(ctx context.Context, m *checkpoint.Manifest, s checkpoint.State) error {
	names := make([]string, 0, len(j.opts.Outputs))
	for n := range j.opts.Outputs {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		prepared := s["prepared/"+n]
		if prepared == nil {
			continue
		}
		e := connector.Epoch{Job: j.opts.Name, Number: m.Epoch, Incarnation: m.Incarnation, Offsets: m.Offsets}
		if err := j.opts.Outputs[n].Commit(ctx, e, []connector.Prepared{prepared}); err != nil {
			return fmt.Errorf("committing epoch %d to output %s: %w", m.Epoch, n, err)
		}
	}
	return j.commitLetters(ctx, m, s)
}

// restore takes the state of the tail's steps.
func (t *tail) restore(s checkpoint.State) error {
	for i := range t.ops {
		o := &t.ops[i]
		if b, ok := s["tail/"+o.name]; ok {
			o.saved = b
			if err := decoded(o.op, b); err != nil {
				return fmt.Errorf("restoring %s of job %s: %w", o.name, t.job.opts.Name, err)
			}
		}
	}
	return nil
}

// epochs runs the checkpoint protocol: one epoch at a time, committed beside the
// running tail.
type epochs struct {
	job     *Job
	tail    *tail
	ctx     context.Context
	done    chan error
	acks    []chan error
	waiting bool // barriers are on their way
	saving  bool // an epoch is being saved and committed
	again   bool // another epoch is wanted when this one is done
	final   bool // the job stops behind the next epoch
	closing bool // that epoch is cut: the partitions stand still
	stopped bool
	last_   []byte // positions of the last epoch, to skip empty ones
	began   time.Time
	rest    time.Time // no epoch begins before
}

func (e *epochs) busy() bool { return e.waiting || e.saving }

// begin asks the partitions for a barrier.
func (e *epochs) begin(ack chan error) {
	if ack != nil {
		e.acks = append(e.acks, ack)
	}
	if e.job.log == nil {
		if e.final {
			e.stopped = true
		}
		e.answer(nil)
		return
	}
	if e.closing {
		return // the last epoch is on its way; it holds everything
	}
	if e.busy() {
		e.again = e.again || ack != nil || e.final
		return
	}
	if ack == nil && !e.final && time.Now().Before(e.rest) {
		return
	}
	e.waiting = true
	e.began = time.Now()
	for _, p := range e.job.parts {
		p.barrier.Store(e.job.manifest.Epoch + 1)
		p.rouse()
	}
}

// stop takes a last epoch and ends the job behind it.
func (e *epochs) stop() {
	e.final = true
	e.begin(nil)
}

// cut takes the state behind all barriers: the partitions go on at once, then the
// outputs prepare, and the epoch is saved beside the running tail.
func (e *epochs) cut() error {
	t := e.tail
	m := &checkpoint.Manifest{
		Job: e.job.opts.Name, Epoch: e.job.manifest.Epoch + 1, Incarnation: e.job.incarnation,
		Plan: e.job.manifest.Plan, FirstOutput: e.job.manifest.FirstOutput, StartFrom: e.job.manifest.StartFrom,
		Positions: make(map[string][][]byte),
	}
	s := make(checkpoint.State)
	for i, p := range e.job.parts {
		st := t.barrier[i]
		raw, err := json.Marshal(savedPart{st.position, st.stages})
		if err != nil {
			return fmt.Errorf("encoding the state of partition %d: %w", p.number, err)
		}
		s[p.section()] = raw
		if st.moved {
			m.Offsets = append(m.Offsets, connector.Offset{Input: p.source.name, Partition: p.number, Last: st.last})
		}
		m.Positions[p.source.name] = append(m.Positions[p.source.name], st.position)
		t.barrier[i] = nil
	}
	t.seen = 0
	e.waiting = false
	e.closing = e.final && !e.again
	if !e.closing { // behind the last epoch nothing is read any more
		for _, p := range e.job.parts {
			p.resume <- struct{}{}
		}
	}
	moved, err := json.Marshal(m.Positions)
	if err != nil {
		return fmt.Errorf("encoding the positions of job %s: %w", e.job.opts.Name, err)
	}
	rows := int64(0)
	for _, w := range t.outputs {
		rows += w.rows
	}
	if rows == 0 && len(t.letters.lines) == 0 && string(moved) == string(e.last_) {
		e.done <- nil
		e.saving = true
		return nil
	}
	for i := range t.ops {
		o := &t.ops[i]
		b, err := encoded(o.op)
		if err != nil {
			return err
		}
		if o.saved != nil {
			var base bytes.Buffer
			files := []io.Reader{bytes.NewReader(o.saved), bytes.NewReader(b)}
			if err := state.Merge(&base, files, func(string) bool { return true }); err != nil {
				return err
			}
			b = base.Bytes()
		}
		o.saved, s["tail/"+o.name] = b, b
	}
	for name, w := range t.outputs {
		p, err := w.writer.Prepare(e.ctx, connector.Epoch{Job: e.job.opts.Name, Number: m.Epoch, Incarnation: m.Incarnation})
		if err != nil {
			return fmt.Errorf("preparing epoch %d of output %s: %w", m.Epoch, name, err)
		}
		if p != nil {
			s["prepared/"+name] = p
		}
		w.rows = 0
	}
	if err := t.late(); err != nil {
		return err
	}
	t.stageLetters(s)
	e.saving = true
	e.last_ = moved
	go func() { e.done <- e.save(m, s) }()
	return nil
}

func (e *epochs) save(m *checkpoint.Manifest, s checkpoint.State) error {
	if err := e.job.log.Save(e.ctx, m, s); err != nil {
		return err
	}
	if err := e.job.commit(e.ctx, m, s); err != nil {
		return err
	}
	e.job.manifest = m
	return e.job.log.Sweep(e.ctx, m)
}

// finished goes on behind a saved epoch.
func (e *epochs) finished(err error) error {
	e.saving = false
	e.rest = time.Now().Add(9 * time.Since(e.began))
	e.answer(err)
	if err != nil {
		return err
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
	e.answer(ErrStopped)
}

// last ends a job whose inputs are read to their ends.
func (e *epochs) last() error {
	t := e.tail
	if e.job.log != nil {
		for i, p := range e.job.parts {
			t.barrier[i] = p.state()
			for _, br := range p.branches {
				b, err := encoded(br.stage)
				if err != nil {
					return err
				}
				t.barrier[i].stages = append(t.barrier[i].stages, b)
			}
		}
		e.final = true
		if err := e.cut(); err != nil {
			return err
		}
		err := <-e.done
		e.answer(err)
		return err
	}
	for name, w := range t.outputs {
		epoch := connector.Epoch{Job: e.job.opts.Name, Number: 1, Incarnation: e.job.incarnation}
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

// encoded is the state of one step.
func encoded(s snapshotter) ([]byte, error) {
	f, err := s.Freeze()
	if err != nil {
		return nil, err
	}
	w := state.NewWriter()
	if f != nil {
		f(w.Step("s"))
	}
	var b bytes.Buffer
	_, err = w.WriteTo(&b)
	return b.Bytes(), err
}

func decoded(s snapshotter, b []byte) error {
	return state.Scan([]io.Reader{bytes.NewReader(b)}, func(_ string, e state.Entry) error { return s.Load(e) })
}
