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
	var out table
	var in uneven
	o := stream.Options{
		Name: "job", IdleTick: time.Millisecond, Start: stream.Start{Oldest: true},
		Plan:    compile(t, "SELECT n, p, LAG(n) OVER (LIMIT DURATION(second, 1)) AS l INTO o FROM i"),
		Inputs:  map[string]stream.Input{"i": {Source: &in}},
		Outputs: map[string]connector.Sink{"o": &out},
	}
	if err := run(t, o); err != nil {
		t.Fatal(err)
	}
	if seen := in.seen.Load(); seen == 0 || seen > 200_000 {
		t.Errorf("%d of %d messages of the leading partition were read while the other was silent, want some 70,000", seen, aheadMessages)
	}
	if len(out.rows) != aheadMessages+1 {
		t.Errorf("%d rows, want %d", len(out.rows), aheadMessages+1)
	}
}
