// Package eventhub lets jobs read and write the hubs of this process: messages
// come straight from the log, with the log's promise about later ones, and rows
// go out as JSON events, exactly once.
//
// Stability: importable, not promised before 1.0.
package eventhub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"spate/column"
	"spate/connector"
	"spate/hub"
	"spate/metric"
)

const (
	// chunkBytes is how much one Read asks the log for. Each partition of each job keeps
	// a chunk of that size.
	chunkBytes = 512 << 10
	leastBytes = 64 << 10 // the same when it compresses well
	// plainBytes is how many decompressed bytes end a chunk. What the log read
	// behind that is read again.
	plainBytes = 4 << 20
	// keepBytes is how large a chunk's memory may be to be used again. One batch may
	// need more.
	keepBytes = 2 * plainBytes
)

// Source reads a hub.
type Source struct {
	hub *hub.Hub
	o   SourceOptions
}

// SourceOptions say what a Source reports to.
type SourceOptions struct {
	Job     string           // for metrics
	Metrics *metric.Recorder // may be nil
	Log     *slog.Logger     // default: nothing is logged
	Bytes   int              // of one Read, about; default 512 KiB
}

// NewSource returns a source over h.
func NewSource(h *hub.Hub, o SourceOptions) *Source {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bytes <= 0 {
		o.Bytes = chunkBytes
	}
	return &Source{hub: h, o: o}
}

// Partitions is the number of the hub's partitions.
func (s *Source) Partitions(context.Context) (int, error) { return s.hub.Partitions(), nil }

// OpenReader opens a reader of one partition. Records that retention removed
// before they were read are counted as EventsTrimmedUnread and passed over.
func (s *Source) OpenReader(_ context.Context, partition int, from connector.Start) (connector.Reader, error) {
	if partition < 0 || partition >= s.hub.Partitions() {
		return nil, fmt.Errorf("read hub %s: partition %d of %d", s.hub.Name(), partition, s.hub.Partitions())
	}
	p := s.hub.Partition(partition)
	r := &reader{source: s, p: p, ask: s.o.Bytes, facts: newFacts(from.Facts, s.hub.Name(), s.hub.Created(), partition),
		trimmed: s.o.Metrics.Counter("EventsTrimmedUnread", "EntityName", s.hub.Name(), "JobName", s.o.Job, "PartitionId", strconv.Itoa(partition))}
	var err error
	switch from.Mode {
	case connector.Oldest:
		r.next = p.Bounds().First
		r.missed = r.next > 0
	case connector.Newest:
		r.next = p.Bounds().Next
	case connector.AtTime:
		first := p.Bounds().First
		r.next, err = p.OffsetAt(from.Time.Time())
		r.missed = first > 0 && r.next <= max(first, p.Bounds().First)
	case connector.AtPosition:
		r.next, r.at, err = parsePosition(from.Position)
	default:
		err = fmt.Errorf("start mode %d is unknown", from.Mode)
	}
	if err == nil && r.next > p.Bounds().Next {
		err = fmt.Errorf("the position is %d and the log ends at %d: the hub is not the one that was read", r.next, p.Bounds().Next)
	}
	if err != nil {
		return nil, fmt.Errorf("read hub %s partition %d: %w", s.hub.Name(), partition, err)
	}
	return r, nil
}

// A position is the offset of the next record and the append time of the record before
// it, in Unix milliseconds (0: it is not known), as varints. A log that was put in the
// place of another hardly has that record at that time.
func position(next, at int64) connector.Position {
	return binary.AppendVarint(binary.AppendVarint(nil, next), at)
}

func parsePosition(b connector.Position) (next, at int64, err error) {
	next, n := binary.Varint(b)
	if n > 0 {
		var m int
		if at, m = binary.Varint(b[n:]); m > 0 && n+m == len(b) && next >= 0 {
			return next, at, nil
		}
	}
	return 0, 0, fmt.Errorf("position %x is no offset", []byte(b))
}

// Remembers implements connector.Remembering.
func (s *Source) Remembers(ctx context.Context, partition int, pos connector.Position) error {
	next, at, err := parsePosition(pos)
	if err != nil {
		return fmt.Errorf("hub %s partition %d: %w", s.hub.Name(), partition, err)
	}
	p := s.hub.Partition(partition)
	b := p.Bounds()
	if p.Err() != nil {
		return nil // it is damaged and says so: what is left of it is served
	}
	if next > b.Next {
		return fmt.Errorf("hub %s partition %d: it was read up to offset %d and its log ends at %d: %w", s.hub.Name(), partition, next, b.Next, ErrOtherLog)
	}
	if at == 0 || next-1 < b.First {
		return nil
	}
	var c hub.Chunk
	if err := p.Read(ctx, next-1, 1, &c, nil); err != nil {
		return fmt.Errorf("hub %s partition %d at %d: %w", s.hub.Name(), partition, next-1, err)
	}
	if len(c.Batches) > 0 && c.Batches[0].AppendTime != at {
		return fmt.Errorf("hub %s partition %d: the event at offset %d was enqueued at %s when it was read, and there is one of %s: %w", s.hub.Name(), partition, next-1,
			column.TicksOfMillis(at), column.TicksOfMillis(c.Batches[0].AppendTime), ErrOtherLog)
	}
	return nil
}

// ErrOtherLog: a log does not hold what was read of it.
var ErrOtherLog = errors.New("the log is not the one that was read")

// reader reads one partition.
type reader struct {
	source  *Source
	p       *hub.Partition
	next    int64
	at      int64 // append time of the record before
	ask     int   // bytes of the next read
	chunk   hub.Chunk
	facts   *facts // nil: nothing is told but bodies
	trimmed *metric.Counter
	missed  bool // records may have been removed before they were read
}

// Read resets c and fills it with the next messages: the values of records. A
// chunk is a few MiB however well the events compress; one batch may be more.
func (r *reader) Read(ctx context.Context, c *connector.Chunk, wake <-chan struct{}) error {
	for {
		c.Reset()
		if cap(c.Data) > keepBytes {
			c.Data = nil
		}
		r.chunk.Data = c.Data // the log reads into the caller's memory
		err := r.p.Read(ctx, r.next, r.ask, &r.chunk, wake)
		if errors.Is(err, hub.ErrOffsetOutOfRange) && r.skipTrimmed() {
			err = r.p.Read(ctx, r.next, r.ask, &r.chunk, wake)
		}
		if err != nil {
			c.Data = r.chunk.Data
			return fmt.Errorf("read hub %s partition %d at %d: %w", r.source.hub.Name(), r.p.ID(), r.next, err)
		}
		r.fill(c)
		c.Missed, r.missed = r.missed, false
		c.Data = r.chunk.Data
		c.Next = position(r.next, r.at)
		if promise := r.p.PromiseFrom(r.next); promise != 0 {
			c.CaughtUp, c.Promise = true, column.TicksOfMillis(promise)
			return nil
		}
		// Nothing was read and yet nothing can be promised: records came just after
		// the wake. An empty answer would let the job guess how late it is.
		if c.Len() > 0 {
			return nil
		}
	}
}

// skipTrimmed moves to the log's start if the next record was removed.
func (r *reader) skipTrimmed() bool {
	first := r.p.Bounds().First
	if r.next >= first {
		return false
	}
	r.trimmed.Add(first - r.next)
	r.missed = true
	r.source.o.Log.Warn("events were removed by retention before they were read",
		"hub", r.source.hub.Name(), "partition", r.p.ID(), "offset", r.next, "rows", first-r.next)
	r.next, r.at = first, 0
	return true
}

func (r *reader) fill(c *connector.Chunk) {
	var bytes int64
	stored := len(r.chunk.Data)
	full := false
	for i := range r.chunk.Batches {
		if full = len(r.chunk.Data)-stored >= plainBytes; full {
			r.chunk.Leave(i)
			break
		}
		b := &r.chunk.Batches[i]
		bytes += int64(b.End - b.Start)
		var err error
		c.Starts, c.Ends, c.Offsets, err = r.chunk.AppendValues(i, r.next, c.Starts, c.Ends, c.Offsets)
		if err != nil {
			// A log of before may hold what would be refused today. It becomes one
			// message, which the job's decoder refuses, counts and keeps.
			r.source.hub.CountSkipped(b.Count)
			r.source.o.Log.Warn("batch cannot be taken apart", "hub", r.source.hub.Name(), "partition", r.p.ID(), "offset", b.BaseOffset, "err", err)
			start, end := r.chunk.Payload(i)
			c.Starts, c.Ends = append(c.Starts, uint32(start)), append(c.Ends, uint32(end))
			c.Offsets = append(c.Offsets, max(b.BaseOffset, r.next))
		}
		if r.facts != nil {
			if err := r.facts.tell(c, &r.chunk, i, r.next); err != nil {
				r.source.o.Log.Warn("what was sent with events cannot be read", "hub", r.source.hub.Name(), "partition", r.p.ID(), "offset", b.BaseOffset, "err", err)
			}
		}
		at := column.TicksOfMillis(b.AppendTime)
		for len(c.Arrivals) < len(c.Starts) {
			c.Arrivals = append(c.Arrivals, at)
		}
		r.next, r.at = b.Next(), b.AppendTime
	}
	// A chunk that filled up early has the next read ask for about what it used, so
	// that little is read twice.
	r.ask = min(2*r.ask, r.source.o.Bytes)
	if full {
		r.ask = min(max(2*int(bytes), leastBytes), r.source.o.Bytes)
	}
	if len(c.Starts) > 0 {
		r.source.hub.CountOutgoing(len(c.Starts), bytes)
	}
}

// Close does nothing: the reader holds no file.
func (r *reader) Close() error { return nil }
