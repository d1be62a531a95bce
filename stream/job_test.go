package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/column/format"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/bind"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/checkpoint"
)

// table is a sink that shows what is committed and can be made to fail.
type table struct {
	mu      sync.Mutex
	rows    []string
	commits int
	done    map[int64]bool
	fail    error // of the next Commit
}

func (s *table) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return &tableWriter{}, nil
}

func (s *table) Commit(_ context.Context, e connector.Epoch, shards []connector.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.commits++
	if s.done[e.Number] {
		return nil
	}
	if s.done == nil {
		s.done = make(map[int64]bool)
	}
	s.done[e.Number] = true
	for _, p := range shards {
		s.rows = append(s.rows, strings.Fields(string(p))...)
	}
	return nil
}

type tableWriter struct{ pending []byte }

func (w *tableWriter) Write(_ context.Context, b *column.Batch) ([]connector.BadRow, error) {
	for k := range b.LiveRows() {
		w.pending = append(format.AppendRow(w.pending, b, b.Row(k)), '\n')
	}
	return nil, nil
}

func (w *tableWriter) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	p := connector.Prepared(w.pending)
	w.pending = nil
	return p, nil
}

func (w *tableWriter) Close() error { return nil }

func compile(t *testing.T, script string) *plan.Job {
	t.Helper()
	job, errs, _ := bind.Script(script, bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return job
}

func messages(n int) []file.Message {
	out := make([]file.Message, n)
	for i := range out {
		out[i] = file.Message{Body: fmt.Appendf(nil, `{"n":%d}`, i), Line: int64(i + 1), Arrival: column.UnixEpoch + column.Ticks(i)*column.Second}
	}
	return out
}

func options(t *testing.T, script string, in []file.Message, store blob.Store, out *table) stream.Options {
	return stream.Options{
		Name: "job", Plan: compile(t, script), Store: store, Prefix: "jobs/job", IdleTick: -1, Start: stream.Start{Oldest: true},
		Inputs:  map[string]stream.Input{"i": {Source: file.NewSource(in, 1, 2)}},
		Outputs: map[string]connector.Sink{"o": out},
	}
}

const passThrough = "SELECT n INTO o FROM i"

func run(t *testing.T, o stream.Options) error {
	t.Helper()
	j, err := stream.New(t.Context(), o)
	if err != nil {
		return err
	}
	return j.Run(t.Context())
}

func TestASecondCopyOfAJobIsFenced(t *testing.T) {
	store := blob.NewMemory()
	var out table
	first, err := stream.New(t.Context(), options(t, passThrough, messages(4), store, &out))
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t, options(t, passThrough, messages(4), store, &out)); err != nil {
		t.Fatal(err)
	}
	if err := first.Run(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("the older copy ended with %v, want ErrFenced", err)
	}
	if len(out.rows) != 4 {
		t.Errorf("rows %v, want each of the 4 once", out.rows)
	}
}

// An epoch that was saved and not committed is committed at the next start, and
// committing it once more changes nothing.
func TestCommitIsRepeatedAfterAFailure(t *testing.T) {
	store := blob.NewMemory()
	out := table{fail: errors.New("the store is away")}
	if err := run(t, options(t, passThrough, messages(3), store, &out)); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Fatalf("the job ended with %v, want the failure of Commit", err)
	}
	out.fail = nil
	for range 2 {
		if err := run(t, options(t, passThrough, messages(3), store, &out)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(out.rows, ""), `{"n":0}{"n":1}{"n":2}`; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// A new job begins its span and the early margin before its first output time,
// and writes nothing before it.
func TestRowsBeforeTheFirstOutputTimeAreComputedNotWritten(t *testing.T) {
	var out table
	o := options(t, "SELECT COUNT(*) AS c INTO o FROM i GROUP BY TumblingWindow(second, 10)", messages(40), blob.NewMemory(), &out)
	o.Start = stream.Start{First: column.UnixEpoch + 25*column.Second}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	// Windows end at 0, 10, 20 (not written), 30 with all ten rows, and 40.
	if got, want := strings.Join(out.rows, ""), `{"c":10}{"c":9}`; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

func TestARuntimeErrorStopsTheJobAndCommitsNothing(t *testing.T) {
	var out table
	in := append(messages(3), file.Message{Body: []byte(`{"n":"x"}`), Line: 4, Arrival: column.UnixEpoch + 3*column.Second})
	err := run(t, options(t, "SELECT CAST(n AS bigint) AS n INTO o FROM i", in, blob.NewMemory(), &out))
	if err == nil || !strings.Contains(err.Error(), "line 1 and column") || !strings.Contains(err.Error(), "Cannot cast value 'x'") {
		t.Errorf("error %v, want the place and the value", err)
	}
	if len(out.rows) != 0 {
		t.Errorf("rows %v were committed", out.rows)
	}
}

// endless is a source that is always read to its end, and a store whose writes
// take as long as a test wants.
type endless struct{}

func (endless) Partitions(context.Context) (int, error) { return 2, nil }

func (endless) OpenReader(context.Context, int, connector.Start) (connector.Reader, error) {
	return new(endlessReader), nil
}

type endlessReader struct{ n int }

func (r *endlessReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	select {
	case <-wake:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.Reset()
	r.n++
	c.Data = fmt.Appendf(c.Data, `{"n":%d}`, r.n)
	c.Starts, c.Ends = append(c.Starts, 0), append(c.Ends, uint32(len(c.Data)))
	c.Arrivals, c.Offsets = append(c.Arrivals, column.UnixEpoch+column.Ticks(r.n)*column.Second), append(c.Offsets, int64(r.n))
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next, c.CaughtUp = fmt.Append(nil, r.n), true
	return nil
}

func (r *endlessReader) Close() error { return nil }

// A stop ends whatever the checkpoints are at: many jobs stop at many moments
// while they checkpoint as fast as they can.
func TestAStopEndsDuringCheckpoints(t *testing.T) {
	for i := range 60 {
		var out table
		o := options(t, passThrough, nil, blob.NewMemory(), &out)
		o.Inputs = map[string]stream.Input{"i": {Source: endless{}}}
		o.Interval, o.IdleTick = 100*time.Microsecond, 50*time.Microsecond
		j, err := stream.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		for range i%5 + 1 {
			if err := j.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("job %d did not stop", i)
		}
	}
}
