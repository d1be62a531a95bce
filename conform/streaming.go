package conform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"spate/blob"
	"spate/column"
	"spate/conform/reference"
	"spate/connector"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// Streaming says how the streaming engine is run. Nothing in it may show in a
// result.
type Streaming struct {
	Batch   int   // messages of one read; 0: 1024
	General bool  // decode with the general parser only
	Shards  []int // of the first run, the second, ...; the last stays; none: 1
	// Behind says what happens when message i, in arrival order over all inputs, has been
	// read; nil: nothing does. With it messages are given out one by one.
	Behind func(i int) Act
	// Follow gives a source only the partitions that its events need: it grows, by a
	// restart, when an event of a new one comes, and shrinks at a restart behind which
	// the last have none.
	Follow bool
	// Immediate writes rows as they come, and fails where a life of the job does not
	// repeat what the one before has written. Scripts for which that is not offered give
	// ErrUnsupported.
	Immediate bool
}

// Act is what happens to a job between two messages.
type Act uint8

// Acts. A crash loses what came since the last checkpoint, which the next run reads
// again.
const (
	GoOn Act = iota
	Checkpoint
	Restart // a checkpoint, and a crash
	Crash
)

// ErrUnsupported is returned for options that the streaming engine does not have.
var ErrUnsupported = errors.New("not supported by the streaming engine yet")

// Run is an Engine.
func (s Streaming) Run(ctx context.Context, job *plan.Job, events []Event, o Options) (map[string][]Row, error) {
	r, err := s.prepare(events, o, job)
	if err != nil {
		return nil, err
	}
	if err := r.run(ctx, events); err != nil {
		return nil, err
	}
	return r.rows(), r.skipped(ctx)
}

// RunChanged runs one job up to message `at` and goes on with another: what the first had
// written before it, and what the second writes behind it. Of rows that are skipped it
// tells those of the second.
func (s Streaming) RunChanged(ctx context.Context, first, then *plan.Job, at int, events []Event, o Options) (before, after map[string][]Row, err error) {
	r, err := s.prepare(events, o, first, then)
	if err != nil {
		return nil, nil, err
	}
	r.then, r.at = then, at
	if s.Behind == nil {
		r.how.Behind = func(int) Act { return GoOn }
	}
	if err := r.run(ctx, events); err != nil {
		return nil, nil, err
	}
	if err := r.skipped(ctx); err != nil {
		return nil, nil, err
	}
	after = r.rows()
	for name, rows := range after {
		after[name] = rows[len(r.before[name]):]
	}
	return r.before, after, nil
}

// prepare makes ready what runs jobs, the first of them first.
func (s Streaming) prepare(events []Event, o Options, jobs ...*plan.Job) (*streamRun, error) {
	if o.NoEarly {
		return nil, ErrUnsupported
	}
	r := &streamRun{how: s, job: jobs[0], options: o, sinks: make(map[string]*memorySink), now: make(map[string]*immediateSink), sources: make(map[string]*gateSource), store: blob.NewMemory(), gate: newGate()}
	for _, job := range jobs {
		if o.FoldCase {
			plan.IgnoreCase(job)
		}
		for _, out := range job.Outputs {
			if r.sinks[out.Name] == nil {
				r.sinks[out.Name] = &memorySink{committed: make(map[int64]bool)}
			}
		}
	}
	if s.Immediate {
		for name := range r.sinks {
			if err := stream.CheckImmediate(jobs[0], name, o.SystemColumns); err != nil {
				return nil, errors.Join(ErrUnsupported, err)
			}
			r.now[name] = new(immediateSink)
		}
	}
	for _, job := range jobs {
		r.spread(job, events)
	}
	return r, nil
}

// rows are what the outputs show.
func (r *streamRun) rows() map[string][]Row {
	rows := make(map[string][]Row)
	for name, sink := range r.sinks {
		rows[name] = sink.rows
	}
	for name, sink := range r.now {
		rows[name] = sink.rows
	}
	return rows
}

type streamRun struct {
	how     Streaming
	job     *plan.Job
	options Options
	gate    *gate
	sources map[string]*gateSource
	sinks   map[string]*memorySink
	now     map[string]*immediateSink // instead, of outputs whose rows are written as they come
	store   blob.Store
	runs    int

	then   *plan.Job // nil: the script does not change
	at     int       // message before which it does
	before map[string][]Row
	known  []string // the files of letters of the first
}

func (r *streamRun) jobOptions() stream.Options {
	o := stream.Options{
		Name: "conform", Plan: r.job, Inputs: make(map[string]stream.Input), Outputs: make(map[string]connector.Sink),
		Policy:   exec.TimePolicy{Late: r.options.Late, Disorder: r.options.Disorder, Drop: r.options.Drop},
		Start:    stream.Start{Oldest: r.options.Start == 0, First: r.options.Start},
		IdleTick: -1, Interval: 1 << 40, Store: r.store, Prefix: "job", Clock: noClock{},
	}
	o.References = referencesOf(r.options.Snapshots)
	if r.options.SkipErrors {
		o.SkipErrors, o.DeadLetters = true, letters
	}
	if n := len(r.how.Shards); n > 0 {
		o.Parallelism = r.how.Shards[min(r.runs, n-1)]
	}
	for name, s := range r.sources {
		o.Inputs[name] = stream.Input{Source: s, SystemColumns: r.options.SystemColumns, General: r.how.General}
	}
	for name, s := range r.sinks {
		o.Outputs[name] = s
	}
	for name, s := range r.now {
		o.Outputs[name] = s
	}
	return o
}

// snapshots are reference data of one input.
type snapshots []reference.Snapshot

func referencesOf(all []reference.Snapshot) map[string]stream.Reference {
	out := make(map[string]stream.Reference)
	for _, s := range all {
		key := strings.ToLower(s.Input)
		own, _ := out[key].Source.(snapshots)
		out[key] = stream.Reference{Source: append(own, s)}
	}
	return out
}

// List implements connector.Snapshots.
func (s snapshots) List(context.Context) (out []connector.Snapshot, err error) {
	for i := range s {
		out = append(out, connector.Snapshot{Name: strconv.Itoa(i), From: s[i].From, Dated: s[i].From > 0})
	}
	return out, nil
}

// Read implements connector.Snapshots.
func (s snapshots) Read(_ context.Context, c connector.Snapshot) ([]byte, error) {
	i, err := strconv.Atoi(c.Name)
	if err != nil {
		return nil, err
	}
	var lines []byte
	for _, v := range s[i].Rows {
		lines = append(column.AppendJSON(lines, v), '\n')
	}
	return lines, nil
}

// Cut implements connector.Snapshots.
func (s snapshots) Cut(data []byte) (*connector.Chunk, error) {
	c := &connector.Chunk{Data: append(slices.Clone(data), make([]byte, 16)...)}
	at := 0
	for line := range bytes.Lines(data) {
		c.Starts, c.Ends = append(c.Starts, uint32(at)), append(c.Ends, uint32(at+len(line)))
		at += len(line)
		c.Offsets, c.Arrivals = append(c.Offsets, int64(len(c.Starts))), append(c.Arrivals, 0)
	}
	return c, nil
}

type noClock struct{}

func (noClock) Now() column.Ticks { return 0 }

func (r *streamRun) spread(job *plan.Job, events []Event) {
	for _, in := range job.Inputs {
		if r.sources[in.Name] != nil {
			continue
		}
		s := &gateSource{gate: r.gate, batch: r.how.Batch, parts: 1}
		if s.batch == 0 {
			s.batch = 1024
		}
		for i, e := range events {
			if column.EqualNames(e.Input, in.Name) {
				s.parts = max(s.parts, e.Partition+1)
				s.messages = append(s.messages, message{e, int64(i), column.AppendJSON(nil, e.Value)})
			}
		}
		r.sources[in.Name] = s
	}
}

// run drives the job over all its lives.
func (r *streamRun) run(ctx context.Context, events []Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.follow(0)
	j, done, err := r.start(ctx)
	if err != nil {
		return err
	}
	restart := func() error {
		r.gate.crash()
		if err := <-done; !errors.Is(err, errCrash) {
			return err
		}
		j, done, err = r.start(ctx)
		return err
	}
	save := func() error {
		err := j.Checkpoint(ctx)
		if errors.Is(err, stream.ErrStopped) {
			if err := <-done; err != nil {
				done <- err
				return err
			}
		}
		return err
	}
	for i := range events {
		if r.how.Behind == nil && !r.how.Follow {
			break
		}
		if r.then != nil && i == r.at {
			if err := save(); err != nil {
				return err
			}
			r.job, r.before = r.then, r.rows()
			if r.known, err = r.letterFiles(ctx); err != nil {
				return err
			}
			if err := restart(); err != nil {
				return err
			}
		}
		if !r.reads(i) {
			continue
		}
		if r.how.Follow && r.follow(i) {
			if err := save(); err != nil {
				return err
			}
			if err := restart(); err != nil {
				return err
			}
		}
		r.gate.let(int64(i) + 1)
		select {
		case <-r.gate.taken(ctx, int64(i)):
		case err := <-done:
			return err
		}
		act := GoOn
		if r.how.Behind != nil {
			act = r.how.Behind(i)
		}
		if act == Checkpoint || act == Restart {
			if err := save(); err != nil {
				return err
			}
		}
		if act == Restart || act == Crash {
			if r.how.Follow && act == Restart { // a crash leaves messages to be read again
				r.shrink(i + 1)
			}
			if err := restart(); err != nil {
				return err
			}
			if act == Crash { // what was lost is read again, in every partition
				for k := range i + 1 {
					if !r.has(k) {
						continue
					}
					select {
					case <-r.gate.taken(ctx, int64(k)):
					case err := <-done:
						return err
					}
				}
			}
		}
	}
	r.gate.change(func() { r.gate.limit, r.gate.final = int64(len(events)), true })
	return <-done
}

// start begins the next life of the job.
func (r *streamRun) start(ctx context.Context) (*stream.Job, chan error, error) {
	r.gate.begin()
	j, err := stream.New(ctx, r.jobOptions())
	if err != nil {
		return nil, nil, err
	}
	r.runs++
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	return j, done, nil
}

// reads reports whether some source has message i and gives it out.
func (r *streamRun) reads(i int) bool {
	for _, in := range r.job.Inputs {
		s := r.sources[in.Name]
		for _, m := range s.messages {
			if m.offset == int64(i) {
				return true
			}
		}
	}
	return false
}

// has reports whether some source gives message i out from a partition that it has now.
func (r *streamRun) has(i int) bool {
	for _, in := range r.job.Inputs {
		s := r.sources[in.Name]
		if m := s.at(i); m != nil && m.Partition < s.parts {
			return true
		}
	}
	return false
}

// follow gives the sources the partitions of the messages up to i, and reports
// whether that is more than they had.
func (r *streamRun) follow(i int) bool {
	if !r.how.Follow {
		return false
	}
	grown := false
	for _, s := range r.sources {
		n := 1
		for _, m := range s.messages {
			if m.offset <= int64(i) {
				n = max(n, m.Partition+1)
			}
		}
		if i == 0 {
			s.parts = n
		}
		if m := s.at(i); m != nil && m.Partition >= s.parts {
			s.parts, grown = m.Partition+1, true
		}
	}
	return grown
}

// shrink takes the partitions away that no message from i on needs.
func (r *streamRun) shrink(i int) {
	for _, s := range r.sources {
		n := 1
		for _, m := range s.messages {
			if m.offset >= int64(i) {
				n = max(n, m.Partition+1)
			}
		}
		s.parts = min(s.parts, n)
	}
}

var errCrash = errors.New("crash")

// gate lets messages through one by one, and breaks the job off.
type gate struct {
	mu      sync.Mutex
	limit   int64         // messages before it may be read
	changed chan struct{} // closed and replaced when something changes
	final   bool          // behind the last message the inputs end
	crashed bool
	read    map[int64]bool // by the present life of the job
}

func newGate() *gate { return &gate{changed: make(chan struct{}), read: make(map[int64]bool)} }

func (g *gate) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) let(n int64) { g.change(func() { g.limit = max(g.limit, n) }) }
func (g *gate) crash()      { g.change(func() { g.crashed = true }) }
func (g *gate) begin()      { g.change(func() { g.crashed = false; clear(g.read) }) }

func (g *gate) note(i int64) { g.change(func() { g.read[i] = true }) }

// state returns how far readers may read, whether the inputs end there, and what is
// closed when that changes.
func (g *gate) state() (limit int64, final bool, changed chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.crashed {
		err = errCrash
	}
	return g.limit, g.final, g.changed, err
}

// taken is closed when message i has been read, or the context ends.
func (g *gate) taken(ctx context.Context, i int64) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		for {
			g.mu.Lock()
			read, changed := g.read[i], g.changed
			g.mu.Unlock()
			if read || ctx.Err() != nil {
				close(out)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

type message struct {
	Event
	offset int64
	body   []byte
}

// Source is a bounded source of events of one input, in this order, with what came with
// them: partitions, keys and properties.
func Source(events []Event) connector.Source {
	g := newGate()
	g.limit, g.final = int64(len(events)), true
	s := &gateSource{gate: g, batch: 1024, parts: 1}
	for i, e := range events {
		s.parts = max(s.parts, e.Partition+1)
		s.messages = append(s.messages, message{e, int64(i), column.AppendJSON(nil, e.Value)})
	}
	return s
}

// gateSource is a bounded source over messages behind a gate.
type gateSource struct {
	gate     *gate
	messages []message
	parts    int
	batch    int
}

func (s *gateSource) at(i int) *message {
	for k := range s.messages {
		if s.messages[k].offset == int64(i) {
			return &s.messages[k]
		}
	}
	return nil
}

func (s *gateSource) Partitions(context.Context) (int, error) { return s.parts, nil }

func (s *gateSource) OpenReader(_ context.Context, part int, from connector.Start) (connector.Reader, error) {
	r := &gateReader{s: s, facts: from.Facts}
	for _, m := range s.messages {
		if m.Partition == part {
			r.messages = append(r.messages, m)
		}
	}
	switch from.Mode {
	case connector.AtPosition:
		r.next = int(binary.BigEndian.Uint64(from.Position))
	case connector.AtTime:
		for r.next < len(r.messages) && r.messages[r.next].Arrival < from.Time {
			r.next++
		}
	}
	for _, m := range r.messages[:r.next] {
		s.gate.note(m.offset) // read by an earlier life
	}
	return r, nil
}

// PositionOf implements connector.Replayed.
func (s *gateSource) PositionOf(part int, offset int64) connector.Position {
	n := 0
	for _, m := range s.messages {
		if m.Partition == part && m.offset < offset {
			n++
		}
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

// OpenBetween implements connector.Replayed.
func (s *gateSource) OpenBetween(ctx context.Context, part int, from connector.Start, to connector.Position) (connector.Reader, error) {
	r, err := s.OpenReader(ctx, part, from)
	if err != nil {
		return nil, err
	}
	g := r.(*gateReader)
	g.messages = g.messages[:max(g.next, int(binary.BigEndian.Uint64(to)))]
	g.again = true
	return g, nil
}

type gateReader struct {
	s        *gateSource
	messages []message
	facts    []connector.Fact
	next     int
	again    bool // they end there
}

func (r *gateReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	limit, final, changed, err := r.s.gate.state()
	if err != nil {
		return err
	}
	final = final || r.again
	if !final && (r.next == len(r.messages) || r.messages[r.next].offset >= limit) {
		select {
		case <-changed:
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
	for ; r.next < len(r.messages) && r.messages[r.next].offset < limit && c.Len() < r.s.batch; r.next++ {
		m := r.messages[r.next]
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = append(c.Data, m.body...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals = append(c.Arrivals, m.Arrival)
		c.Offsets = append(c.Offsets, m.offset)
		r.tell(c, &m.Event)
		r.s.gate.note(m.offset)
	}
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
	if final && r.next == len(r.messages) {
		return io.EOF
	}
	return nil
}

// tell adds the facts of the next event.
func (r *gateReader) tell(c *connector.Chunk, e *Event) {
	c.Tell(r.facts)
	for k, f := range r.facts {
		var v column.Value
		switch f.Kind {
		case connector.Sequence:
			v = column.IntOf(int64(r.next))
		case connector.Identity:
			v = column.TextOf(reference.Identity(e.Input, e.Partition, int64(r.next)))
		case connector.PartitionKey:
			v = e.Key
		case connector.Properties:
			v = e.Properties
		case connector.Property:
			if e.Properties.Kind == column.Record {
				v = e.Properties.Field(f.Name)
			}
		}
		c.Facts[k] = append(c.Facts[k], v)
	}
}

func (r *gateReader) Close() error { return nil }

// memorySink shows rows when they are committed, and commits an epoch once.
type memorySink struct {
	mu        sync.Mutex
	rows      []Row
	committed map[int64]bool
}

func (s *memorySink) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return new(memoryWriter), nil
}

func (s *memorySink) Commit(_ context.Context, e connector.Epoch, shards []connector.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed[e.Number] {
		return nil
	}
	s.committed[e.Number] = true
	for _, p := range shards {
		for b := []byte(p); len(b) > 0; {
			v, rest, err := column.ReadBinary(b)
			if err != nil {
				return err
			}
			b = rest
			f := v.Array()
			rec := f[1].Record()
			s.rows = append(s.rows, Row{Time: f[0].Ticks(), Names: rec.Names, Values: rec.Values})
		}
	}
	return nil
}

type memoryWriter struct{ pending []byte }

func (w *memoryWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	for _, r := range RowsOf(b) {
		rec := column.RecordOf(&column.RecordValue{Names: r.Names, Values: r.Values})
		w.pending = column.AppendBinary(w.pending, column.ArrayOf([]column.Value{column.TimeOf(r.Time), rec}))
	}
	return nil, nil
}

func (w *memoryWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	p := connector.Prepared(w.pending)
	w.pending = nil
	return p, nil
}

func (w *memoryWriter) Close() error { return nil }
