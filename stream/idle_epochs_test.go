package stream

import (
	"context"
	"testing"
	"time"

	"spate/blob"
	"spate/column"
	"spate/connector"
	"spate/sql/bind"
	"spate/stream/checkpoint"
)

// quiet is a source without events, read to its end, whose log promises the present.
type quiet struct{ clock *counting }

func (q quiet) Partitions(context.Context) (int, error) { return 1, nil }

func (q quiet) OpenReader(context.Context, int, connector.Start) (connector.Reader, error) {
	return q, nil
}

func (q quiet) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	select {
	case <-wake:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.CaughtUp, c.Promise = true, q.clock.Now()
	return nil
}

func (q quiet) Close() error { return nil }

// counting is a clock that goes on by a second whenever it is looked at.
type counting struct{ now chan column.Ticks }

func (c *counting) Now() column.Ticks {
	t := <-c.now + column.Second
	c.now <- t
	return t
}

type nothing struct{}

func (nothing) OpenWriter(context.Context, connector.Shard) (connector.Writer, error) {
	return nothing{}, nil
}
func (nothing) Commit(context.Context, connector.Epoch, []connector.Prepared) error { return nil }
func (nothing) Write(context.Context, *column.Batch) ([]connector.BadRow, error)    { return nil, nil }
func (nothing) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) {
	return nil, nil
}
func (nothing) Close() error { return nil }

// A job without events for days takes an epoch a second, which it does not save. What
// its watermarks change meanwhile must not gather in memory.
func TestASilentJobKeepsNoEpochs(t *testing.T) {
	plan, errs, _ := bind.Script("SELECT COUNT(*) AS n INTO o FROM i GROUP BY TumblingWindow(second, 1)", bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	store := blob.NewMemory()
	clock := &counting{make(chan column.Ticks, 1)}
	clock.now <- column.UnixEpoch
	j, err := New(t.Context(), Options{
		Name: "j", Plan: plan, Store: store, Prefix: "j", Start: Start{Oldest: true}, Interval: time.Hour, IdleTick: time.Millisecond,
		Clock: clock, Inputs: map[string]Input{"i": {Source: quiet{clock}}}, Outputs: map[string]connector.Sink{"o": nothing{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	for range 3000 {
		if err := j.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	m, err := checkpoint.NewLog(store, "j").Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Epoch < 2 || m.Epoch > 30 {
		t.Errorf("%d epochs of 3000 silent ones are saved, want one for every thousand changes", m.Epoch)
	}
}
