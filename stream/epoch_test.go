package stream_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/connector/file"
	"spate/metric"
	"spate/stream"
	"spate/stream/checkpoint"
	"spate/stream/exec"
)

// A value that an aggregate cannot compare ends the job in the same way wherever
// checkpoints fall: none of them takes the error, or rows, out of the way.
func TestACheckpointHidesNoError(t *testing.T) {
	script := "WITH s AS (SELECT v, LAG(v) OVER (LIMIT DURATION(minute, 5)) AS p FROM i) SELECT MIN(v) AS m, COUNT(*) AS c INTO o FROM s GROUP BY TumblingWindow(minute, 1)"
	for _, checkpoints := range []bool{false, true} {
		var in []file.Message
		for i, b := range []string{`{"v":"2026-01-01T00:00:00Z"}`, `{"v":3}`, `{"v":"2026-01-01T00:00:00Z"}`} {
			in = append(in, file.Message{Body: []byte(b), Line: int64(i + 1), Arrival: newYear + column.Ticks(i+1)*10*column.Second})
		}
		in = append(in, file.Message{Body: []byte(`{"v":5}`), Line: 4, Arrival: newYear + 61*column.Second})
		var out table
		o := options(t, script, nil, blob.NewMemory(), &out)
		o.Inputs = map[string]stream.Input{"i": {Source: file.NewSource(in, 1, 1)}}
		o.Interval = time.Hour
		j, err := stream.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if checkpoints {
			go func() {
				for j.Checkpoint(t.Context()) == nil {
				}
			}()
		}
		var failed *exec.Error
		if err := j.Run(t.Context()); !errors.As(err, &failed) {
			t.Errorf("checkpoints %v: error %v, want one of the query", checkpoints, err)
		}
		if len(out.rows) != 0 {
			t.Errorf("checkpoints %v: rows %v, want none: the first window fails", checkpoints, out.rows)
		}
	}
}

// A folder that an earlier build wrote is refused with a sentence that says what to do.
func TestAManifestOfAnotherVersionIsRefused(t *testing.T) {
	store := blob.NewMemory()
	var out table
	if err := run(t, options(t, passThrough, messages(4), store, &out)); err != nil {
		t.Fatal(err)
	}
	const key = "jobs/job/manifest/99999999999999999999.json"
	if _, err := store.Create(t.Context(), key, strings.NewReader(`{"version":1,"job":"job","epoch":3,"state":"jobs/job/state/3"}`)); err != nil {
		t.Fatal(err)
	}
	_, err := stream.New(t.Context(), options(t, passThrough, messages(4), store, &out))
	wantText(t, err, "version 1", "delete its folder", "begin anew")
}

func wantText(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("error %v, want one with %q", err, p)
		}
	}
}

// busy is a source that always has another message, and says how many were taken.
type busy struct{ taken *atomic.Int64 }

func (busy) Partitions(context.Context) (int, error) { return 1, nil }

func (b busy) OpenReader(context.Context, int, connector.Start) (connector.Reader, error) {
	return &busyReader{taken: b.taken}, nil
}

type busyReader struct {
	endlessReader
	taken *atomic.Int64
}

func (r *busyReader) Read(ctx context.Context, c *connector.Chunk, _ <-chan struct{}) error {
	r.taken.Store(int64(r.n))
	now := make(chan struct{})
	close(now)
	err := r.endlessReader.Read(ctx, c, now)
	c.CaughtUp = false
	return err
}

// A checkpoint that somebody asks for holds what was read before, also while another one
// is under way.
func TestACheckpointHoldsWhatWasRead(t *testing.T) {
	store := blob.NewMemory()
	var out table
	var taken atomic.Int64
	o := options(t, passThrough, nil, store, &out)
	o.Inputs = map[string]stream.Input{"i": {Source: busy{&taken}}}
	o.Interval, o.Drain = 100*time.Microsecond, time.Millisecond
	j, err := stream.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	for range 300 {
		before := taken.Load()
		if err := j.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		m, err := checkpoint.NewLog(store, o.Prefix).Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, p := range m.Positions["i"] {
			if len(p) > 0 {
				if n, err = strconv.ParseInt(string(p), 10, 64); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n < before {
			t.Fatalf("position %d behind %d messages", n, before)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A stop that does not drain ends with a checkpoint of what was read, and not at the ends
// of the inputs: this one has none.
func TestAHastyStop(t *testing.T) {
	var out table
	var taken atomic.Int64
	o := options(t, passThrough, nil, blob.NewMemory(), &out)
	o.Inputs = map[string]stream.Input{"i": {Source: busy{&taken}}}
	o.Drain = time.Hour
	j, err := stream.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	if err := j.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if j.Saved() == 0 {
		t.Error("no checkpoint is said to be there")
	}
	j.Hasten()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for the ends of the inputs")
	}
	if len(out.rows) < int(taken.Load())-1 {
		t.Errorf("%d rows of %d messages", len(out.rows), taken.Load())
	}
}

// stumbling is a table whose writer takes rows and fails at a Prepare, or finds rows then
// that it cannot hold.
type stumbling struct {
	table
	fails int // how many more times Prepare fails
	late  bool
}

func (s *stumbling) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return &stumblingWriter{of: s}, nil
}

type stumblingWriter struct {
	tableWriter
	of   *stumbling
	last *column.Batch
}

func (w *stumblingWriter) Write(ctx context.Context, b *column.Batch) ([]connector.BadRow, error) {
	w.last = b
	if _, err := w.tableWriter.Write(ctx, b); err != nil {
		return nil, err
	}
	if b.LiveRows() > 1 {
		return []connector.BadRow{{Row: b.Row(0), Reason: "too large"}}, nil
	}
	return nil, nil
}

func (w *stumblingWriter) Prepare(ctx context.Context, e connector.Epoch) (connector.Prepared, error) {
	if w.of.fails > 0 && len(w.pending) > 0 {
		w.of.fails--
		return nil, errors.New("the target is away")
	}
	return w.tableWriter.Prepare(ctx, e)
}

// Late implements connector.LateWriter.
func (w *stumblingWriter) Late() []connector.LateRows {
	if b := w.last; w.of.late && b != nil {
		w.last = nil
		return []connector.LateRows{{Batch: b, Bad: []connector.BadRow{{Row: b.Row(b.LiveRows() - 1), Reason: "too late"}}}}
	}
	return nil
}

// A job that goes back to its checkpoint writes its rows again, and counts them once: what
// is counted of an output only grows.
func TestRowsThatAreWrittenAgainCountOnce(t *testing.T) {
	for _, late := range []bool{false, true} {
		store, m := blob.NewMemory(), new(metric.Recorder)
		out := &stumbling{fails: 2, late: late}
		rows, bad := m.Counter("OutputEvents", "JobName", "job", "LogicalName", "o"), m.Counter("ConversionErrors", "JobName", "job", "LogicalName", "o")
		for attempt := range 3 {
			o := options(t, passThrough, messages(4), store, nil)
			o.Metrics, o.Outputs = m, map[string]connector.Sink{"o": out}
			err := run(t, o)
			if (err == nil) != (attempt == 2) {
				t.Fatalf("attempt %d: %v", attempt, err)
			}
			if attempt < 2 && rows.Value()+bad.Value() != 0 {
				t.Errorf("attempt %d: %d rows and %d refused are counted, and no epoch is saved", attempt, rows.Value(), bad.Value())
			}
		}
		if n := rows.Value() + bad.Value(); n != 4 || bad.Value() == 0 {
			t.Errorf("late %t: %d rows and %d refused, want 4 together", late, rows.Value(), bad.Value())
		}
		if late && bad.Value() < 2 {
			t.Errorf("%d refused, want the late one too", bad.Value())
		}
	}
}
