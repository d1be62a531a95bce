package stream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/stream"
)

// shown is a sink that shows rows as they come. What an earlier life of the job has
// written must come again as it was.
type shown struct {
	mu    sync.Mutex
	rows  []string
	saved int
	form  string
	each  func(n int) // behind every row; may be nil
}

func (s *shown) Form() string { return s.form }

func (s *shown) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &shownWriter{s: s, at: s.saved}, nil
}

func (s *shown) Commit(_ context.Context, _ connector.Epoch, shards []connector.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = int(binary.BigEndian.Uint64(shards[0]))
	return nil
}

type shownWriter struct {
	s  *shown
	at int
}

func (w *shownWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for k := range b.LiveRows() {
		row := string(format.AppendRow(nil, b, b.Row(k)))
		if w.at == len(w.s.rows) {
			w.s.rows = append(w.s.rows, row)
			if w.s.each != nil {
				w.s.each(len(w.s.rows))
			}
		} else if row != w.s.rows[w.at] {
			return nil, fmt.Errorf("row %d is %s, and was %s", w.at, row, w.s.rows[w.at])
		}
		w.at++
	}
	return nil, nil
}

func (w *shownWriter) Flush(context.Context) error { return nil }

func (w *shownWriter) Behind() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.at < len(w.s.rows)
}

func (w *shownWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return binary.BigEndian.AppendUint64(nil, uint64(w.at)), nil
}

func (w *shownWriter) Close() error { return nil }

// logged is an event of a promising source.
type logged struct {
	at   column.Ticks
	body string
}

var errBroken = errors.New("broken off")

// promising is a source that promises as a hub does. How it cuts what it has into reads,
// when it promises how much, and where it breaks off, are matters of chance.
type promising struct {
	parts [][]logged
	most  int // messages of a read
	left  int // reads before it breaks off; negative: it does not
	end   column.Ticks

	mu  sync.Mutex
	rnd *rand.Rand
}

func (s *promising) Partitions(context.Context) (int, error) { return len(s.parts), nil }

func (s *promising) OpenReader(_ context.Context, part int, from connector.Start) (connector.Reader, error) {
	r := &promisingReader{s: s, events: s.parts[part]}
	if from.Mode == connector.AtPosition {
		r.next = int(binary.BigEndian.Uint64(from.Position))
	}
	return r, nil
}

type promisingReader struct {
	s      *promising
	events []logged
	next   int
	said   column.Ticks // newest promise
}

func (r *promisingReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.Reset()
	if r.s.left == 0 {
		return errBroken
	}
	r.s.left--
	if r.next == len(r.events) && r.said == r.s.end {
		c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
		return io.EOF
	}
	for n := r.s.rnd.IntN(r.s.most + 1); n > 0 && r.next < len(r.events); n-- {
		e := r.events[r.next]
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = append(c.Data, e.body...)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals, c.Offsets = append(c.Arrivals, e.at), append(c.Offsets, int64(r.next))
		r.next++
		r.said = max(r.said, e.at)
	}
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next = binary.BigEndian.AppendUint64(nil, uint64(r.next))
	limit := r.s.end
	if r.next < len(r.events) {
		limit = r.events[r.next].at
	}
	if c.Len() == 0 || r.s.rnd.IntN(2) == 0 {
		r.said = max(r.said, limit-column.Ticks(r.s.rnd.IntN(3))*column.Millisecond)
		c.CaughtUp, c.Promise = true, r.said
	}
	return nil
}

func (r *promisingReader) Close() error { return nil }

const severalStatements = `
SELECT d, n, LAG(n) OVER (PARTITION BY d LIMIT DURATION(second, 2)) AS p INTO o FROM i WHERE n % 2 = 0;
SELECT d, COUNT(*) AS c, System.Timestamp() AS w INTO o FROM i GROUP BY d, TumblingWindow(millisecond, 10);
SELECT n INTO o FROM i WHERE n % 3 = 0;
SELECT d, MAX(n) AS m INTO o FROM i GROUP BY d, SlidingWindow(millisecond, 7);
SELECT d, COUNT(*) AS s INTO o FROM i GROUP BY d, SessionWindow(millisecond, 5, 50);
SELECT n, LAG(n) OVER (LIMIT DURATION(second, 1)) AS before INTO o FROM i WHERE n % 5 = 0`

// Rows of several statements, over four partitions, come in one order: however the input
// is cut and promised, with whatever number of shards, wherever checkpoints are taken and
// the job is broken off.
func TestRowsShownAtOnceFollowFromTheEventsAlone(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		parts := make([][]logged, 4)
		at := column.UnixEpoch
		const n = 400
		for i := range n {
			at += column.Ticks(rnd.IntN(4)) * column.Millisecond // many share a time
			k := rnd.IntN(len(parts))
			parts[k] = append(parts[k], logged{at, fmt.Sprintf(`{"d":%d,"n":%d}`, rnd.IntN(5), i)})
		}
		end := at + column.Second
		var want []string
		for life := range 12 {
			out, store := &shown{}, blob.NewMemory()
			lives := rand.New(rand.NewPCG(seed, uint64(life)))
			for tries := 0; ; tries++ {
				src := &promising{parts: parts, most: 1 + lives.IntN(40), left: -1, end: end, rnd: rand.New(rand.NewPCG(lives.Uint64(), 0))}
				if life > 0 && tries < 8 {
					src.left = lives.IntN(100)
				}
				o := options(t, severalStatements, nil, store, nil)
				o.Inputs = map[string]stream.Input{"i": {Source: src, Promises: true}}
				o.Outputs = map[string]connector.Sink{"o": out}
				o.Parallelism = 1 + 3*lives.IntN(2)
				o.Interval, o.IdleTick = time.Duration(1+lives.IntN(2000))*time.Microsecond, time.Hour
				err := run(t, o)
				if err == nil {
					break
				}
				if !errors.Is(err, errBroken) {
					t.Fatalf("seed %d, life %d: %v", seed, life, err)
				}
			}
			if want == nil {
				want = out.rows
			}
			if got := out.rows; strings.Join(got, "\n") != strings.Join(want, "\n") {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("seed %d, life %d: row %d is %s, want %s", seed, life, i, got[i], want[i])
					}
				}
				t.Fatalf("seed %d, life %d: %d rows, want %d", seed, life, len(got), len(want))
			}
		}
		if len(want) < n {
			t.Errorf("%d rows", len(want))
		}
	}
}

// slow is a source of two partitions. The first has one event, the second none: it
// promises more only when it has been asked several times.
type slow struct{ event logged }

func (slow) Partitions(context.Context) (int, error) { return 2, nil }

func (s slow) OpenReader(_ context.Context, part int, _ connector.Start) (connector.Reader, error) {
	return &slowReader{event: s.event, part: part}, nil
}

type slowReader struct {
	event logged
	part  int
	reads int
}

func (r *slowReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	if r.reads++; r.part == 0 && r.reads == 1 {
		c.Data = append(c.Data, r.event.body...)
		c.Starts, c.Ends, c.Offsets, c.Arrivals = append(c.Starts, 0), append(c.Ends, uint32(len(c.Data))), append(c.Offsets, 0), append(c.Arrivals, r.event.at)
		c.Data = append(c.Data, make([]byte, 16)...)
	} else {
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.Next, c.CaughtUp, c.Promise = []byte{0}, true, r.event.at
	if r.reads > 5 {
		c.Promise += column.Ticks(r.reads) * column.Millisecond
	}
	return nil
}

func (r *slowReader) Close() error { return nil }

// A row that waits for a silent partition does not wait for the next tick.
func TestASilentPartitionIsAskedWhenRowsWait(t *testing.T) {
	for _, script := range []string{
		"SELECT n, LAG(n) OVER (LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
		"SELECT n, LAG(n) OVER (PARTITION BY n LIMIT DURATION(hour, 1)) AS p INTO o FROM i",
		"SELECT n INTO o FROM i; SELECT COUNT(*) AS c INTO o FROM i GROUP BY TumblingWindow(hour, 1)",
	} {
		came := make(chan struct{})
		out := &shown{each: func(int) { close(came) }}
		o := options(t, script, nil, blob.NewMemory(), nil)
		o.Inputs = map[string]stream.Input{"i": {Source: slow{logged{column.UnixEpoch + column.Second, `{"n":1}`}}, Promises: true}}
		o.Outputs = map[string]connector.Sink{"o": out}
		o.IdleTick, o.Interval, o.Drain, o.Parallelism = time.Hour, time.Hour, time.Nanosecond, 2
		j, err := stream.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		select {
		case <-came:
		case <-time.After(60 * time.Second):
			t.Fatalf("no row of %s", script)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherFormOfAnOutputShownAtOnceIsRefused(t *testing.T) {
	store := blob.NewMemory()
	with := func(out connector.Sink) error {
		o := options(t, passThrough, messages(3), store, nil)
		o.Outputs = map[string]connector.Sink{"o": out}
		return run(t, o)
	}
	if err := with(&shown{form: "key a"}); err != nil {
		t.Fatal(err)
	}
	for _, out := range []connector.Sink{&shown{form: "key b"}, &table{}} {
		if err := with(out); err == nil || !strings.Contains(err.Error(), "keeping state over such a change is not supported yet") {
			t.Errorf("%T: %v, want a refusal", out, err)
		}
	}
}

func TestAnInputThatPromisesNothingIsRefused(t *testing.T) {
	o := options(t, passThrough, messages(3), blob.NewMemory(), nil)
	o.Outputs, o.IdleTick = map[string]connector.Sink{"o": &shown{}}, time.Second
	var why *stream.ImmediateError
	if err := run(t, o); !errors.As(err, &why) || why.Output != "o" || !strings.Contains(err.Error(), "input i") {
		t.Errorf("%v, want a refusal of input i", err)
	}
}

// gap is a source that says that messages were removed.
type gap struct{ connector.Source }

func (g gap) OpenReader(ctx context.Context, part int, from connector.Start) (connector.Reader, error) {
	r, err := g.Source.OpenReader(ctx, part, from)
	return gapReader{r}, err
}

type gapReader struct{ connector.Reader }

func (r gapReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	err := r.Reader.Read(ctx, c, wake)
	c.Missed = true
	return err
}

// Events that are gone before they were read again cannot give the rows that were shown:
// the job does not guess.
func TestEventsThatAreGoneAreNoticedWhereRowsWereShown(t *testing.T) {
	for behind, want := range map[bool]bool{false: false, true: true} {
		out := &shown{}
		if behind {
			out.rows = []string{`{"n":0}`} // of a life before the first checkpoint
		}
		o := options(t, passThrough, messages(3), blob.NewMemory(), nil)
		o.Outputs = map[string]connector.Sink{"o": out}
		o.Inputs["i"] = stream.Input{Source: gap{o.Inputs["i"].Source}}
		err := run(t, o)
		if (err != nil) != want || err != nil && !strings.Contains(err.Error(), "removed before they were read again") {
			t.Errorf("rows shown before: %v, %v", behind, err)
		}
	}
}
