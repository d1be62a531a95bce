package stream_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"spate/column"
	"spate/connector"
	"spate/stream"
)

// uneven is a source of two partitions: the first could be read at once, the
// second says nothing until it has been asked often enough.
type uneven struct {
	ahead atomic.Int64 // messages read of the first
	seen  atomic.Int64 // of the first when the second begins
}

const aheadMessages = 400_000

func (u *uneven) Partitions(context.Context) (int, error) { return 2, nil }

func (u *uneven) OpenReader(_ context.Context, part int, _ connector.Start) (connector.Reader, error) {
	return &unevenReader{u: u, part: part}, nil
}

type unevenReader struct {
	u     *uneven
	part  int
	next  int
	waits int
	last  int64 // messages of the leading partition at the last look
}

func (r *unevenReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	n := aheadMessages
	if r.part == 1 {
		n = 1
		// Silent until the leading partition has stood still for a hundred looks.
		if n := r.u.ahead.Load(); n == 0 || n != r.last {
			r.last, r.waits = n, 0
		}
		if r.waits++; r.waits < 100 {
			select {
			case <-wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		}
		r.u.seen.Store(r.u.ahead.Load())
	}
	for ; r.next < n && c.Len() < 4096; r.next++ {
		c.Starts = append(c.Starts, uint32(len(c.Data)))
		c.Data = fmt.Appendf(c.Data, `{"n":%d,"p":"%0200d"}`, r.next, r.next)
		c.Ends = append(c.Ends, uint32(len(c.Data)))
		c.Arrivals = append(c.Arrivals, column.UnixEpoch+column.Ticks(r.next+1)*column.Millisecond)
		c.Offsets = append(c.Offsets, int64(r.next))
	}
	c.Data = append(c.Data, make([]byte, 16)...)
	c.Next = fmt.Append(nil, r.next)
	if r.part == 0 {
		r.u.ahead.Store(int64(r.next))
	}
	if r.next == n {
		return io.EOF
	}
	return nil
}

func (r *unevenReader) Close() error { return nil }

// A partition that is far ahead of another is not read on: its rows would only
// fill the memory.
func TestAPartitionAheadIsHeldBack(t *testing.T) {
	var in uneven
	heldBack(t, &in, "SELECT n, p, LAG(n) OVER (LIMIT DURATION(second, 1)) AS l INTO o FROM i", map[string]stream.Input{"i": {Source: &in}}, aheadMessages+1)
}

// Nor is one whose rows wait in a join for the other side, in the tail or in shards.
func TestASideAheadIsHeldBack(t *testing.T) {
	for _, key := range []string{"", "a.n = b.n AND "} {
		var in uneven
		heldBack(t, &in, "SELECT a.n, a.p, b.p AS q INTO o FROM a LEFT JOIN b ON "+key+"DATEDIFF(millisecond, a, b) BETWEEN -1 AND 0",
			map[string]stream.Input{"a": {Source: unevenPart{&in, 0}}, "b": {Source: unevenPart{&in, 1}}}, aheadMessages)
	}
}

// unevenPart is one of the two as a source of its own.
type unevenPart struct {
	u    *uneven
	part int
}

func (u unevenPart) Partitions(context.Context) (int, error) { return 1, nil }

func (u unevenPart) OpenReader(context.Context, int, connector.Start) (connector.Reader, error) {
	return &unevenReader{u: u.u, part: u.part}, nil
}

func heldBack(t *testing.T, in *uneven, script string, inputs map[string]stream.Input, rows int) {
	t.Helper()
	var out table
	o := stream.Options{
		Name: "job", IdleTick: time.Millisecond, Start: stream.Start{Oldest: true}, Parallelism: 2,
		Plan: compile(t, script), Inputs: inputs, Outputs: map[string]connector.Sink{"o": &out},
	}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	if seen := in.seen.Load(); seen == 0 || seen > 200_000 {
		t.Errorf("%d of %d messages of the leading partition were read while the other was silent, want some 70,000", seen, aheadMessages)
	}
	if len(out.rows) != rows {
		t.Errorf("%d rows, want %d", len(out.rows), rows)
	}
}
