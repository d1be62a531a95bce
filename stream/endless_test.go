package stream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"spate/blob"
	"spate/stream"
)

// A step that makes hundreds of millions of rows at one watermark does not keep a job
// from stopping: when its patience is over the job ends, says why, and goes on from its
// checkpoint the next time.
func TestAStepWithoutEndCanBeStopped(t *testing.T) {
	var out table
	o := options(t, "SELECT COUNT(*) AS n INTO o FROM i GROUP BY HoppingWindow(Duration(day, 7), Hop(millisecond, 1)) HAVING COUNT(*) > 1", messages(1), blob.NewMemory(), &out)
	o.Drain = time.Millisecond
	j, err := stream.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	time.AfterFunc(100*time.Millisecond, stop)
	select {
	case err := <-done:
		if !errors.Is(err, stream.ErrUnfinished) {
			t.Errorf("the job ended with %v, want ErrUnfinished", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the job does not end")
	}
}
