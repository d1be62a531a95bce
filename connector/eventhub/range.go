package eventhub

import (
	"context"
	"fmt"
	"io"
	"time"

	"spate/connector"
	"spate/hub"
)

// Range is a part of each partition of a hub: from the first to before the end, by
// enqueued time or by offset. Zero values: from the oldest, to what is there.
type Range struct {
	From, To       time.Time // events enqueued at or after From and before To
	First, Last    int64     // offsets, Last included
	ByOffset, Open bool      // offsets count and not times; Open: Last does not count
}

// Part is a bounded source over a Range of a hub: it ends where the log ended when it
// was opened, or before.
type Part struct {
	*Source
	r Range
}

// NewPart returns a source over a part of h.
func NewPart(h *hub.Hub, r Range, o SourceOptions) *Part { return &Part{NewSource(h, o), r} }

// OpenReader implements connector.Source. from must be connector.Oldest.
func (s *Part) OpenReader(ctx context.Context, partition int, from connector.Start) (connector.Reader, error) {
	if from.Mode != connector.Oldest {
		return nil, fmt.Errorf("read hub %s partition %d: a part of a hub is read from its beginning", s.hub.Name(), partition)
	}
	p := s.hub.Partition(partition)
	bounds := p.Bounds()
	first, end := bounds.First, bounds.Next
	var err error
	switch {
	case s.r.ByOffset:
		first = max(first, s.r.First)
		if !s.r.Open {
			end = min(end, s.r.Last+1)
		}
	default:
		if !s.r.From.IsZero() {
			first, err = p.OffsetAt(s.r.From)
		}
		if err == nil && !s.r.To.IsZero() {
			var to int64
			to, err = p.OffsetAt(s.r.To)
			end = min(end, to)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read hub %s partition %d: %w", s.hub.Name(), partition, err)
	}
	r := &partReader{end: end}
	if first >= end {
		return r, nil
	}
	r.Reader, err = s.Source.OpenReader(ctx, partition, connector.Start{Mode: connector.AtPosition, Position: position(first, 0), Facts: from.Facts})
	return r, err
}

// PositionOf implements connector.Replayed.
func (s *Source) PositionOf(_ int, offset int64) connector.Position { return position(offset, 0) }

// OpenBetween implements connector.Replayed.
func (s *Source) OpenBetween(ctx context.Context, partition int, from connector.Start, to connector.Position) (connector.Reader, error) {
	end, _, err := parsePosition(to)
	if err != nil {
		return nil, fmt.Errorf("read hub %s partition %d again: %w", s.hub.Name(), partition, err)
	}
	r, err := s.OpenReader(ctx, partition, from)
	if err != nil {
		return nil, err
	}
	if r.(*reader).next >= end {
		return &partReader{end: end}, r.Close()
	}
	return &partReader{r, end}, nil
}

// partReader reads to end. Without a Reader there is nothing.
type partReader struct {
	connector.Reader
	end int64
}

// Read implements connector.Reader.
func (r *partReader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	c.Reset()
	if r.Reader == nil {
		return io.EOF
	}
	if err := r.Reader.Read(ctx, c, wake); err != nil {
		return err
	}
	next, _, err := parsePosition(c.Next)
	if err != nil {
		return err
	}
	n := c.Len()
	for n > 0 && c.Offsets[n-1] >= r.end {
		n--
	}
	c.Cut(n)
	c.CaughtUp, c.Promise = false, 0
	if next >= r.end {
		return io.EOF
	}
	return nil
}

// Close implements connector.Reader.
func (r *partReader) Close() error {
	if r.Reader == nil {
		return nil
	}
	return r.Reader.Close()
}
